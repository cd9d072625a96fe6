// The main job, from an order to its end: Rita orders, Adam and Clara decide from their mail, machines come alive,
// grow by one, and go again in the right order.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { inspect, openBrowser, openWindow, signIn } from "../browser.js";
import { approver, auditor, costOwner, requester } from "../demo_people.js";
import { openDemo } from "../gatehouse.js";
import { BUILD, approveByMail, comeBackUntil, fill, mailLink, openMail, order } from "../orders.js";

describe("Scale Out Tomcat", () => {
  let browser, demo, rita, deployment;

  before(async () => {
    [browser, demo] = await Promise.all([openBrowser(), openDemo()]);
    rita = await signIn(browser, demo, requester);
  });

  after(async () => {
    await browser?.close();
    await demo?.close();
  });

  it("is refused with everything that was typed when a field does not fit", async () => {
    const { page } = rita;
    await page.goto("/catalog/scale-out-tomcat");
    await inspect(rita, "order");
    await fill(page, "Application", "Shop!");
    await page.locator("form").last().evaluate((form) => { form.noValidate = true; });
    await page.getByRole("button", { name: /^(Order|Send)/ }).click();
    const summary = page.getByRole("alert");
    await summary.waitFor();
    assert.equal(await page.getByLabel("Application", { exact: true }).inputValue(), "Shop!");
    await summary.getByRole("link").first().click();
    assert.ok(await page.getByLabel("Application", { exact: true }).evaluate((field) => field === document.activeElement));
    await inspect(rita, "order-refused");
  });

  it("shows price, names, approvers and plan while the form is filled", async () => {
    const { page } = rita;
    await page.goto("/catalog/scale-out-tomcat");
    await fill(page, "Application", "shop");
    await fill(page, "Environment", "Production");
    await page.getByText("shop-production-1").first().waitFor();
    await page.getByText("cost-owners").first().waitFor();
  });

  it("is ordered and waits for its approvers", async () => {
    await order(rita.page, "Scale Out Tomcat", { Application: "shop", Environment: "Production" });
    await rita.page.getByText("application-owners").first().waitFor();
    await inspect(rita, "request-waiting");
  });

  it("is changed while nobody has decided, and its approver is asked anew", async () => {
    const { page } = rita;
    const asked = await mailLink(browser, demo, approver);
    await page.getByRole("link", { name: "Change" }).click();
    await page.waitForURL(/\/change$/);
    assert.equal(await page.getByLabel("Application", { exact: true }).inputValue(), "shop");
    await fill(page, "Machines", "3");
    await page.getByText("shop-production-3").first().waitFor();
    await inspect(rita, "request-change");
    await fill(page, "Machines", "2");
    await page.getByText("shop-production-3").first().waitFor({ state: "detached" });
    await page.getByLabel(/^Why/).fill("For the sale in spring.");
    await page.getByRole("button", { name: "Change the request" }).click();
    await page.getByText("revision 2").waitFor();
    await inspect(rita, "request-changed");
    const late = await openWindow(browser, demo);
    await late.page.goto(asked);
    await late.page.getByText(/changed/).first().waitFor();
    await late.close();
    assert.notEqual(await mailLink(browser, demo, approver), asked);
  });

  it("is decided from a mail, by somebody whose browser was never here", async () => {
    const adam = await openMail(browser, demo, approver);
    const headline = await adam.page.getByRole("heading", { level: 1 }).innerText();
    assert.match(headline, /^Approve .*\?$/);
    assert.ok(!adam.page.url().includes("token"), "the address bar holds no secret");
    await inspect(adam, "decide");
    await adam.page.getByLabel(/^Reason/).fill("Agreed for the sale.");
    await adam.page.getByRole("button", { name: "Approve" }).click();
    await adam.page.getByText(/approved this/).first().waitFor();
    await inspect(adam, "decided");
    await adam.close();
    await rita.page.locator("#part").getByText("Waits for Clara Cost").waitFor();
    await approveByMail(browser, demo, costOwner);
    await rita.page.getByRole("link", { name: "See the run" }).waitFor();
  });

  it("comes alive on the run's page without a reload, and is done", async () => {
    const { page } = rita;
    await page.getByRole("link", { name: "See the run" }).click();
    await page.waitForURL(/\/runs\//);
    let reloads = 0;
    page.on("load", () => { reloads += 1; });
    await page.locator(".node.is-running").first().waitFor({ timeout: BUILD });
    await page.locator(".run-line", { hasText: "usual time not known yet" }).waitFor();
    await page.locator(".log-step", { hasText: "Create machine 1" }).first().waitFor();
    await inspect(rita, "run-building");
    await page.locator(".badge.is-done", { hasText: "Done" }).first().waitFor({ timeout: BUILD });
    assert.equal(reloads, 0, "the page followed the run by itself");
    await page.locator(".drawing a").first().click();
    await inspect(rita, "run-done");
  });

  it("leaves a deployment whose topology, responsibles, CIs and history are seen", async () => {
    const { page } = rita;
    await page.goto("/deployments");
    await inspect(rita, "deployments");
    await page.getByRole("link", { name: /shop-production/ }).first().click();
    await page.waitForURL(/\/deployments\/[^/]+$/);
    deployment = new URL(page.url()).pathname;
    const topology = page.locator(".drawing").first();
    for (const name of ["shop-production-1", "shop-production-2"]) await topology.getByText(name).first().waitFor();
    const height = async (text) => (await topology.getByText(text, { exact: true }).first().boundingBox()).y;
    assert.ok(await height("Application service") < await height("shop-production-1"), "the application stands on top");
    await page.getByText("ops-middleware").first().waitFor();
    await inspect(rita, "deployment");
  });

  it("grows by one machine", async () => {
    const { page } = rita;
    await page.goto(`${deployment}/actions/scale`);
    await inspect(rita, "scale");
    await fill(page, "Machines", "3");
    await page.getByRole("button", { name: /^(Order|Send|Add)/ }).click();
    await page.waitForURL(/\/(requests|runs)\/[^/]+$/);
    await page.goto(deployment);
    await page.getByText(`waits for ${approver.name}`).waitFor();
    await inspect(rita, "deployment-asked");
    await approveByMail(browser, demo, approver);
    await page.locator(".drawing").first().getByText("shop-production-3").waitFor({ timeout: BUILD });
    await page.locator(".page-head .badge", { hasText: "Live" }).waitFor({ timeout: BUILD });
  });

  it("is retired, and its CIs with it", async () => {
    const { page } = rita;
    await page.goto(`${deployment}/retire`);
    await inspect(rita, "retire");
    await page.getByRole("button", { name: /^Retire/ }).click();
    await comeBackUntil(page, deployment, (page) => page.locator(".page-head .badge", { hasText: "Retired" }));
    await inspect(rita, "deployment-retired");
    const audrey = await signIn(browser, demo, auditor);
    await audrey.page.goto("/cmdb?q=shop-production-1&life=retired");
    await audrey.page.locator("table .badge", { hasText: "Retired" }).first().waitFor();
    await audrey.close();
  });

  it("is nobody else's to see", async () => {
    const stranger = await openWindow(browser, demo);
    const answer = await stranger.page.goto(deployment);
    assert.match(answer.url(), /\/sign-in/);
    await stranger.close();
  });
});
