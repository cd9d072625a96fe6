// Every page that can be reached without an order, for each role; and what is not there, or not theirs, says so well.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { inspect, openBrowser, openWindow, signIn } from "../browser.js";
import { administrator, operator, requester } from "../demo_people.js";
import { openDemo } from "../gatehouse.js";

const pages = [
  [requester, ["/catalog", "/catalog/linux-vm", "/catalog/sql-database-vm", "/catalog/docker-machine",
    "/catalog/container-space", "/requests", "/deployments", "/approvals", "/cmdb", "/audit", "/account"]],
  [operator, ["/operations", "/operations/mail", "/operations/blueprints", "/operations/datacenter"]],
  [administrator, ["/people"]],
];

describe("Every page", () => {
  let browser, demo;

  before(async () => {
    [browser, demo] = await Promise.all([openBrowser(), openDemo()]);
  });

  after(async () => {
    await browser?.close();
    await demo?.close();
  });

  it("the door, and a wrong password", async () => {
    const guest = await openWindow(browser, demo);
    await guest.page.goto("/sign-in");
    await inspect(guest, "sign-in");
    await guest.page.getByLabel("Email").fill(requester.email);
    await guest.page.getByLabel("Password").fill("not the password");
    await guest.page.getByRole("button", { name: "Sign in" }).click();
    await guest.page.getByRole("alert").waitFor();
    assert.equal(await guest.page.getByLabel("Email").inputValue(), requester.email);
    await inspect(guest, "sign-in-refused");
    await guest.close();
  });

  for (const [person, addresses] of pages) {
    for (const address of addresses) {
      it(`${address} for ${person.name}`, async () => {
        const window = await signIn(browser, demo, person);
        const answer = await window.page.goto(address);
        assert.equal(answer.status(), 200);
        await inspect(window, address.slice(1).replaceAll("/", "-"));
        await window.close();
      });
    }
  }

  it("what is not there says so, with a way on", async () => {
    const rita = await signIn(browser, demo, requester);
    const answer = await rita.page.goto("/deployments/018f0000-0000-7000-8000-000000000000");
    assert.equal(answer.status(), 404);
    await rita.page.getByRole("link", { name: "To the catalog" }).waitFor();
    await inspect(rita, "not-found");
    await rita.close();
  });

  it("a link that decides nothing any more says so", async () => {
    const guest = await openWindow(browser, demo);
    const answer = await guest.page.goto(`/decide/${"a".repeat(43)}`);
    assert.ok(answer.status() === 404 || answer.status() === 410);
    await inspect(guest, "link-unknown");
    await guest.close();
  });

  it("the slash goes to the search, and the theme stays as chosen", async () => {
    const rita = await signIn(browser, demo, requester);
    await rita.page.goto("/catalog");
    await rita.page.keyboard.press("/");
    assert.equal(await rita.page.evaluate(() => document.activeElement.id), "search");
    await rita.page.keyboard.press("Escape");
    await rita.page.locator(".top .menu summary").click();
    await rita.page.getByRole("button", { name: "Light or dark" }).click();
    await rita.page.goto("/deployments");
    assert.equal(await rita.page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await rita.close();
  });
});
