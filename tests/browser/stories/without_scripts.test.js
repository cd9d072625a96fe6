// Everything that matters works in a browser that runs no scripts at all.

import { after, before, describe, it } from "node:test";

import { openBrowser, signIn } from "../browser.js";
import { approver, requester } from "../demo_people.js";
import { openDemo } from "../gatehouse.js";
import { comeBackUntil, openMail, order } from "../orders.js";

describe("Without scripts", () => {
  const options = { javaScriptEnabled: false };
  let browser, demo, rita, request;

  before(async () => {
    [browser, demo] = await Promise.all([openBrowser(), openDemo()]);
    rita = await signIn(browser, demo, requester, options);
  });

  after(async () => {
    await browser?.close();
    await demo?.close();
  });

  it("an order is filed", async () => {
    request = await order(rita.page, "Scale Out Tomcat", { Application: "plain" });
  });

  it("a mail's link decides", async () => {
    const adam = await openMail(browser, demo, approver, options);
    await adam.page.getByRole("button", { name: "Approve" }).click();
    await adam.page.getByText(/approved this/).first().waitFor();
    await adam.close();
  });

  it("the run is followed by a page that comes again by itself", async () => {
    const { page } = rita;
    await page.goto(request);
    await page.getByRole("link", { name: /run/i }).first().click();
    await page.locator("noscript meta[http-equiv=refresh]").first().waitFor({ state: "attached" });
    await comeBackUntil(page, new URL(page.url()).pathname, (page) =>
      page.locator(".run-line .badge.is-done"));
  });
});
