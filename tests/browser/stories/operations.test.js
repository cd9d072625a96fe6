// A run that stands still: the requester reads what happened and who acts; the operator acts from one page.

import { after, before, describe, it } from "node:test";

import { inspect, openBrowser, signIn } from "../browser.js";
import { approver, operator, requester } from "../demo_people.js";
import { openDemo } from "../gatehouse.js";
import { approveByMail, comeBackUntil, order } from "../orders.js";

describe("A run that needs an operator", () => {
  let browser, demo, rita, otto, request;

  before(async () => {
    [browser, demo] = await Promise.all([openBrowser(), openDemo()]);
    rita = await signIn(browser, demo, requester);
    otto = await signIn(browser, demo, operator);
    const { page } = otto;
    await page.goto("/operations/datacenter");
    await page.locator("#f-operation").selectOption("machine.create");
    await page.locator("#f-fault").selectOption("refuse");
    await page.locator("#f-times").fill("1");
    await page.getByRole("button", { name: "Arm the fault" }).click();
    await page.getByRole("button", { name: /^Clear/ }).waitFor();
  });

  after(async () => {
    await browser?.close();
    await demo?.close();
  });

  it("reads paused to its requester, with what happened and who acts", async () => {
    const { page } = rita;
    request = await order(page, "Linux VM", { Application: "halted" });
    await page.goto(request);
    if (await page.getByText(`Waits for ${approver.name}`).count()) await approveByMail(browser, demo, approver);
    await comeBackUntil(page, request, (page) => page.getByText("Paused: needs an operator"));
    await page.getByText(`${operator.name} decides how it goes on, and has been told by mail`).waitFor();
    await inspect(rita, "request-paused");
    await page.goto("/requests");
    await page.getByRole("row", { name: /Paused: needs an operator.*Ops \(ops-platform\)/ }).waitFor();
    await inspect(rita, "requests-paused");
  });

  it("is mended from the operations page, which says so", async () => {
    const { page } = otto;
    await page.goto("/operations");
    await page.getByText("Take everything back").waitFor();
    await inspect(otto, "operations-paused");
    await page.getByRole("button", { name: /^Try again/ }).click();
    await page.getByText("The run goes on.").waitFor();
    await page.getByText("Nothing is paused, stuck or overdue.").waitFor();
    await comeBackUntil(rita.page, request, (page) => page.locator(".page-head .badge", { hasText: "Done" }));
  });
});
