// Every page that can be reached without an order, for each role; and what is not there, or not theirs, says so well.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { inspect, openBrowser, openWindow, signIn } from "../browser.js";
import { administrator, operator, requester } from "../demo_people.js";
import { openDemo } from "../gatehouse.js";

const pages = [
  [requester, ["/catalog", "/catalog/linux-vm", "/catalog/sql-database-vm", "/catalog/docker-machine",
    "/catalog/container-space", "/requests", "/deployments", "/approvals", "/tasks", "/cmdb", "/audit", "/account"]],
  [operator, ["/operations", "/operations/mail", "/operations/blueprints", "/operations/datacenter"]],
  [administrator, ["/people", "/people/new"]],
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

  it("what is not theirs says so, as does a form that does not fit or comes from elsewhere", async () => {
    const rita = await signIn(browser, demo, requester);
    assert.equal((await rita.page.goto("/operations")).status(), 403);
    await rita.page.getByRole("link", { name: "To the catalog" }).waitFor();
    await inspect(rita, "forbidden");
    await rita.page.goto("/catalog/linux-vm");
    await rita.page.getByRole("button", { name: "Order", exact: true }).click();
    const errors = rita.page.getByRole("alert");
    await errors.waitFor();
    assert.ok(await errors.evaluate((summary) => summary === document.activeElement), "the summary is where one goes on");
    await inspect(rita, "order-empty");
    await rita.close();
  });

  it("the skip link leads past the rail, and headings go down step by step", async () => {
    const rita = await signIn(browser, demo, requester);
    for (const address of ["/catalog", "/catalog/linux-vm", "/requests", "/deployments", "/cmdb", "/audit", "/account"]) {
      await rita.page.goto(address);
      await rita.page.keyboard.press("Tab");
      await rita.page.keyboard.press("Enter");
      assert.equal(await rita.page.evaluate(() => document.activeElement.id), "content", address);
      const levels = await rita.page.locator("h1, h2, h3, h4").evaluateAll((heads) => heads.map((head) => Number(head.tagName[1])));
      assert.equal(levels.filter((level) => level === 1).length, 1, `${address} has one headline`);
      levels.forEach((level, at) => assert.ok(at === 0 || level <= levels[at - 1] + 1, `${address}: h${levels[at - 1]} then h${level}`));
    }
    await rita.close();
  });

  for (const javaScriptEnabled of [true, false]) {
    it(`a project is chosen once, and lists and orders are for it${javaScriptEnabled ? "" : ", without scripts too"}`, async () => {
      const rita = await signIn(browser, demo, requester, { javaScriptEnabled });
      const { page } = rita;
      const choose = async (name) => {
        await page.locator("#projects summary").click();
        await page.getByRole("button", { name, exact: true }).click();
      };
      await page.goto("/catalog/linux-vm");
      await choose("Shop");
      await page.locator("#projects summary", { hasText: "Northwind › Shop" }).waitFor();
      assert.equal(await page.getByLabel("Project", { exact: true }).locator("option").first().innerText(), "Shop");
      await page.getByRole("link", { name: "Requests", exact: true }).click();
      await page.waitForURL(/\/requests\?project=/);
      if (javaScriptEnabled) await inspect(rita, "project-chosen");
      await choose("All projects");
      await page.waitForURL(/\/requests$/);
      await rita.close();
    });
  }

  it("a link that decides nothing any more says so", async () => {
    const guest = await openWindow(browser, demo);
    const answer = await guest.page.goto(`/decide/${"a".repeat(43)}`);
    assert.ok(answer.status() === 404 || answer.status() === 410);
    await inspect(guest, "link-unknown");
    const late = await guest.page.goto("/decide/question/018f0000-0000-7000-8000-000000000000");
    assert.equal(late.status(), 410);
    await guest.page.getByText("Open the link in the mail once more.").waitFor();
    await inspect(guest, "link-late");
    await guest.close();
  });

  it("an address that can not be read says so, in the frame or without it", async () => {
    const rita = await signIn(browser, demo, requester);
    assert.equal((await rita.page.goto("/requests.csv?state=odd")).status(), 400);
    await rita.page.getByText("There is no state `odd`").waitFor();
    await inspect(rita, "unreadable");
    await rita.close();
    const guest = await openWindow(browser, demo);
    assert.equal((await guest.page.goto("/nowhere")).status(), 404);
    await inspect(guest, "not-found-outside");
    await guest.close();
  });

  it("the bar of a phone shows that it goes on, and what is cut off is reached by keyboard", async () => {
    const otto = await signIn(browser, demo, operator, { viewport: { width: 360, height: 740 } });
    await otto.page.goto("/catalog");
    const last = otto.page.locator(".rail .nav a").last();
    const cut = await otto.page.locator(".rail .nav a").evaluateAll((links) =>
      links.map((link) => link.getBoundingClientRect()).some(({ left, right }) => left < innerWidth - 12 && right > innerWidth));
    assert.ok(cut, "a part of the next entry is seen at the edge");
    await last.focus();
    assert.ok(await last.evaluate((link) => link.getBoundingClientRect().right <= innerWidth + 1), "it comes into view");
    await otto.close();
  });

  it("the slash goes to the search, and the theme stays as chosen", async () => {
    const rita = await signIn(browser, demo, requester);
    await rita.page.goto("/catalog");
    await rita.page.keyboard.press("/");
    assert.equal(await rita.page.evaluate(() => document.activeElement.id), "search");
    await rita.page.keyboard.press("Escape");
    await rita.page.locator(".top .menu", { hasText: requester.name }).locator("summary").click();
    await rita.page.getByRole("button", { name: "Light or dark" }).click();
    await rita.page.goto("/deployments");
    assert.equal(await rita.page.evaluate(() => document.documentElement.dataset.theme), "dark");
    await rita.close();
  });
});
