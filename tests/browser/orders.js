// What people do with an order, in as many clicks as it takes them.

import { openWindow, signIn } from "./browser.js";
import { operator } from "./demo_people.js";

/** How long a build may take, in milliseconds: the demo's datacenter takes its time as a real one does. */
export const BUILD = 120_000;

/** Fills the form of a blueprint and sends it; ends on the request's page and returns its address. */
export async function order(page, blueprint, fields) {
  await page.goto("/catalog");
  await page.getByRole("link", { name: blueprint, exact: true }).click();
  await page.getByRole("heading", { level: 1, name: blueprint }).waitFor();
  for (const [label, value] of Object.entries(fields)) await fill(page, label, value);
  await page.getByRole("button", { name: /^(Order|Send)/ }).click();
  await page.waitForURL(/\/requests\/[^/]+$/);
  return new URL(page.url()).pathname;
}

/** Fills one field, whatever kind of control it is. */
export async function fill(page, label, value) {
  const group = page.getByRole("radiogroup", { name: label });
  if (await group.count()) return group.getByRole("radio", { name: new RegExp(`^${value}`) }).check();
  const control = page.getByLabel(label, { exact: true }).first();
  const kind = await control.evaluate((el) => el.tagName);
  return kind === "SELECT" ? control.selectOption({ label: value }) : control.fill(value);
}

/** The link to decide in the newest mail to somebody, as the demo's mail page shows it. */
export async function mailLink(browser, demo, to) {
  const window = await signIn(browser, demo, operator);
  try {
    await window.page.goto("/operations/mail");
    await window.page.locator(".mail-list a", { hasText: `To ${to.name}` }).first().click();
    const link = window.page.locator(".mail-view a[href*='/decide/']");
    return await link.first().getAttribute("href");
  } finally {
    await window.close();
  }
}

/** Opens the link of a mail as an approver does: in a browser that has never been here. */
export async function openMail(browser, demo, to, options = {}) {
  const link = await mailLink(browser, demo, to);
  const window = await openWindow(browser, demo, options);
  await window.page.goto(link);
  return window;
}

/** Approves by the link in the mail, with a reason. */
export async function approveByMail(browser, demo, to) {
  const window = await openMail(browser, demo, to);
  await window.page.getByLabel(/^Reason/).fill("As agreed with the owner.");
  await window.page.getByRole("button", { name: "Approve" }).click();
  await window.page.getByText(/approved this/).first().waitFor();
  await window.close();
}

/** Waits for something on a page that stands still, by coming back to it until it is there. */
export async function comeBackUntil(page, address, seen) {
  const until = Date.now() + BUILD;
  for (;;) {
    await page.goto(address);
    if (await seen(page).first().isVisible()) return;
    if (Date.now() > until) throw new Error(`${address} never showed ${seen(page)}`);
    await page.waitForTimeout(500);
  }
}
