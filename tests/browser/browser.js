// A browser whose every page is watched: nothing may be said on the console, nothing stopped by the content security
// policy, nothing found by axe that is serious, no two landmarks of one name, and nothing may stick out of a phone.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import axe from "axe-core";
import { chromium } from "playwright-core";

const pictures = fileURLToPath(new URL("./screenshots/", import.meta.url));
const DESK = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

/** Opens Debian's Chromium, or the one that CHROMIUM names. */
export async function openBrowser() {
  await mkdir(pictures, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  });
}

/** A person's own browser window: its cookies are nobody else's. `troubles` collects what a page complained about. */
export async function openWindow(browser, demo, options = {}) {
  const context = await browser.newContext({ baseURL: demo.url, viewport: DESK, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    // A page that answers 4xx is asked for by some stories; the browser reports it as a failed resource.
    const expected = /Failed to load resource: .* status of 4\d\d/.test(message.text());
    if (message.type() === "error" && !expected) troubles.push(`console: ${message.text()}`);
  });
  return { context, page, troubles, close: () => context.close() };
}

/** A window in which somebody of the demo is signed in. */
export async function signIn(browser, demo, { email }, options = {}) {
  const window = await openWindow(browser, demo, options);
  await window.page.goto("/sign-in");
  await window.page.getByLabel("Email").fill(email);
  await window.page.getByLabel("Password").fill(demo.people[email]);
  await window.page.getByRole("button", { name: "Sign in" }).click();
  await window.page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
  return window;
}

/** Looks at the page as it stands, light, dark and on a phone, keeps pictures, and fails on what is wrong with it. */
export async function inspect(window, name) {
  const { page, troubles } = window;
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await picture(page, `${name}-light`);
  await passesAxe(page, name);
  await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
  await picture(page, `${name}-dark`);
  await passesAxe(page, `${name}, dark`);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize(PHONE);
  await picture(page, `${name}-phone`);
  assert.deepEqual(await stickingOut(page), [], `${name} is wider than a phone`);
  await page.setViewportSize(DESK);
  assert.deepEqual(troubles, [], `${name} complained`);
}

async function picture(page, name) {
  await page.screenshot({ path: `${pictures}${name}.png`, fullPage: true });
}

async function passesAxe(page, name) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations
    .filter(({ id, impact }) => impact === "serious" || impact === "critical" || id === "landmark-unique")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).slice(0, 4).join(", ")}`);
  assert.deepEqual(grave, [], `axe on ${name}`);
}

/** What makes the page scroll sideways; parts that scroll by themselves may be wider. */
async function stickingOut(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll("body *")]
      .filter((el) => el.getBoundingClientRect().right > width + 1)
      .filter((el) => !el.closest(".drawing, .table-wrap, .rail, .tabs, .code-block, .log, pre"))
      .map((el) => `${el.tagName.toLowerCase()}.${el.getAttribute("class") ?? ""}`)
      .slice(0, 6);
  });
}
