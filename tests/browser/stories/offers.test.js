// The other four of the catalog, from an order to what is seen of it; then what the CMDB and its report say of them all.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";

import { inspect, openBrowser, signIn } from "../browser.js";
import { approver, auditor, costOwner, requester } from "../demo_people.js";
import { openDemo } from "../gatehouse.js";
import { approveByMail, comeBackUntil, order } from "../orders.js";

describe("The catalog's other offers", () => {
  let browser, demo, rita;

  before(async () => {
    [browser, demo] = await Promise.all([openBrowser(), openDemo()]);
    rita = await signIn(browser, demo, requester);
  });

  after(async () => {
    await browser?.close();
    await demo?.close();
  });

  /** Orders, has it approved by those who are asked, and comes back until the deployment is live. */
  async function build(blueprint, fields, name) {
    const request = await order(rita.page, blueprint, fields);
    for (const person of [approver, costOwner]) {
      await rita.page.goto(request);
      if (await rita.page.getByText(`Waits for ${person.name}`).count()) await approveByMail(browser, demo, person);
    }
    await comeBackUntil(rita.page, "/deployments", (page) =>
      page.getByRole("row", { name: new RegExp(`${name}.*Live`) }));
    await rita.page.getByRole("link", { name: new RegExp(`^${name}`) }).first().click();
    await rita.page.waitForURL(/\/deployments\/[^/]+$/);
  }

  it("Linux VM: a machine with a name and an address", async () => {
    await build("Linux VM", { Application: "intranet" }, "intranet");
    await rita.page.locator(".drawing").first().getByText(/intranet-test/).first().waitFor();
    await inspect(rita, "deployment-linux");
  });

  it("SQL database VM: a database, and where it is reached", async () => {
    await build("SQL database VM", { Application: "ledger" }, "ledger");
    await inspect(rita, "deployment-database");
  });

  it("Docker machine: what runs in it is seen", async () => {
    await build("Docker machine", { Application: "builds" }, "builds");
    const address = new URL(rita.page.url()).pathname;
    await comeBackUntil(rita.page, "/cmdb?class=workload", (page) => page.locator(".table a.row-link"));
    await inspect(rita, "cmdb-workloads");
    await rita.page.goto(address);
    const containers = rita.page.getByRole("region", { name: "Containers, as a table" });
    await containers.getByRole("row").nth(1).waitFor();
    assert.ok(await containers.evaluate((table) => table.scrollWidth <= table.clientWidth), "all of it is seen at once");
    await inspect(rita, "deployment-docker");
  });

  it("Container space: a share with a quota", async () => {
    await build("Container space", { Name: "web" }, ".*web");
    await inspect(rita, "deployment-space");
  });

  it("are all found in the CMDB, with source, time and relationships", async () => {
    const { page } = rita;
    await page.goto("/cmdb?q=intranet");
    await inspect(rita, "cmdb-search");
    await page.locator(".table a.row-link").first().click();
    await page.waitForURL(/\/cmdb\/[^/?]+/);
    await page.locator(".drawing svg").first().waitFor();
    await inspect(rita, "ci");
  });

  it("are all in the audit report, as a page, as PDF, CSV and JSON", async () => {
    const audrey = await signIn(browser, demo, auditor);
    await audrey.page.goto("/audit");
    for (const offer of ["Linux VM", "SQL database VM", "Docker machine", "Container space"]) {
      await audrey.page.getByRole("row", { name: new RegExp(`${offer}.*${requester.name}`) }).first().waitFor();
    }
    await inspect(audrey, "audit-report");
    const csv = await audrey.page.request.get("/audit/report.csv");
    assert.match(csv.headers()["content-type"], /text\/csv/);
    assert.match(await csv.text(), /intranet/);
    const json = await audrey.page.request.get("/audit/report.json");
    assert.ok(JSON.stringify(await json.json()).includes("intranet"));
    const pdf = await audrey.page.request.get("/audit/report.pdf");
    const words = execFileSync("pdftotext", ["-layout", "-", "-"], { input: await pdf.body(), encoding: "utf8" });
    const { figures } = await (await audrey.page.request.get("/audit/report.json")).json();
    assert.match(words, new RegExp(`CIs on record\\s+${figures.total}`));
    assert.match(words, /What really runs where[\s\S]*Is it complete, is it right\?[\s\S]*intranet/);
  });

  it("are in the report that an auditor files, which proves itself", async () => {
    const audrey = await signIn(browser, demo, auditor);
    const { page } = audrey;
    await page.goto("/audit");
    await page.getByRole("button", { name: "File this report" }).click();
    await page.waitForURL(/\/audit\/filed\/1$/);
    await page.getByRole("heading", { name: "CMDB audit report 1" }).waitFor();
    await page.getByRole("link", { name: "Judge it again from its evidence" }).click();
    await page.getByText("It comes to the very same").waitFor();
    await inspect(audrey, "audit-proof");
    await page.goto("/audit/filed");
    await page.getByRole("button", { name: "File the report of now" }).click();
    await page.waitForURL(/\/audit\/filed\/2$/);
    await page.goto("/audit/filed");
    await page.getByRole("heading", { name: "How it went" }).waitFor();
    await inspect(audrey, "audit-filed");
    await audrey.close();
  });
});
