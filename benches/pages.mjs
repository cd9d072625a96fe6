#!/usr/bin/env node
// How quick the pages are on a portal with a past: see README.md beside this file.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile, mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: wanted } = parseArgs({
  options: {
    deployments: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    clients: { type: "string", default: "16" },
    orders: { type: "string", default: "10" },
  },
});
const repository = join(dirname(fileURLToPath(import.meta.url)), "..");
const binary = join(process.env.CARGO_TARGET_DIR || join(repository, "target"), "release", "gatehouse");
const rita = { email: "rita@example.org", password: "rita-orders-machines" };
const adam = { email: "adam@example.org", password: "adam-decides-orders" };
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

/** One request; the answer's status, headers and text. */
function ask(url, { method = "GET", headers = {}, form } = {}) {
  const body = form && new URLSearchParams(form).toString();
  if (body) Object.assign(headers, { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" });
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** What was started; nothing of it outlives the bench, whatever goes wrong. */
const portals = [];

/** Starts the portal and waits for its first page; says how long that took. */
async function start(folder, more = []) {
  const began = performance.now();
  const portal = spawn(binary, ["demo", "--port", "0", "--data", folder, ...more], {
    stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, GATEHOUSE_LOGGING__FILTER: "warn" },
  });
  portals.push(portal);
  const lines = createInterface({ input: portal.stdout });
  let url;
  for await (const line of lines) {
    url = line.match(/https?:\/\/\S+/)?.[0];
    if (url) break;
  }
  portal.stdout.resume();
  if (!url) throw new Error("the portal ended before it was open");
  await ask(`${url}/sign-in`);
  return { portal, url, took: performance.now() - began };
}

async function stop({ portal }) {
  portal.kill("SIGTERM");
  await once(portal, "exit");
}

async function signIn(url, { email, password }) {
  const answer = await ask(`${url}/sign-in`, { method: "POST", form: { email, password, next: "/" } });
  const cookie = answer.headers["set-cookie"]?.find((cookie) => cookie.includes("gatehouse="));
  if (!cookie) throw new Error(`${email} could not sign in: ${answer.status}`);
  return { cookie: cookie.split(";")[0] };
}

/** Puts a load of so many clients in a closed loop on one address. */
async function load(url, headers) {
  const until = performance.now() + Number(wanted.seconds) * 1000;
  const times = [];
  let wrong = 0;
  const client = async () => {
    while (performance.now() < until) {
      const began = performance.now();
      const answer = await ask(url, { headers: { ...headers } });
      times.push(performance.now() - began);
      if (answer.status !== 200) wrong += 1;
    }
  };
  await Promise.all(Array.from({ length: Number(wanted.clients) }, client));
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { rate: times.length / Number(wanted.seconds), p50: at(0.5), p99: at(0.99), max: times.at(-1), wrong };
}

/** The memory that the process itself holds (RssAnon), and with the files it maps (VmRSS), in MB. */
async function memory({ portal }) {
  const status = await readFile(`/proc/${portal.pid}/status`, "utf8");
  const of = (name) => Number(status.match(new RegExp(`${name}:\\s+(\\d+)`))?.[1] ?? 0) / 1024;
  return { own: of("RssAnon"), all: of("VmRSS") };
}

/** The first address in a page that fits. */
function link(text, pattern, what) {
  const found = text.match(pattern)?.[0];
  if (!found) throw new Error(`no ${what} on the page`);
  return found;
}

const hidden = (text, name) => text.match(new RegExp(`name="${name}" value="([^"]*)"`))?.[1] ?? "";

/** Orders a machine that needs a decision, approves it, and says how long the first step took to start. */
async function approveToFirstStep(url, requester, approver, number) {
  const form = await ask(`${url}/catalog/scale-out-tomcat`, { headers: { ...requester } });
  const fields = [...form.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((m) => [m[1], m[2]]);
  const project = form.text.match(/<select id="f-project"[\s\S]*?<option value="([^"]*)"/)?.[1];
  const order = {
    ...Object.fromEntries(fields), ...(project ? { project } : {}),
    application: `bench-${number}`, environment: "test", nodes: "2", size: "small", tomcat: "10.1", lease: "90",
  };
  const filed = await ask(`${url}/catalog/scale-out-tomcat`, { method: "POST", headers: { ...requester }, form: order });
  if (filed.status !== 303) throw new Error(`the order was answered with ${filed.status}`);
  const request = filed.headers.location;
  const open = await ask(`${url}/approvals`, { headers: { ...approver } });
  const question = link(open.text, /\/approvals\/[0-9a-f-]{36}/, "open approval");
  const page = await ask(`${url}${question}`, { headers: { ...approver } });
  const began = performance.now();
  const decided = await ask(`${url}${question}`, {
    method: "POST", headers: { ...approver }, form: { csrf: hidden(page.text, "csrf"), answer: "approve", reason: "" },
  });
  if (decided.status >= 400) throw new Error(`the decision was answered with ${decided.status}`);
  for (;;) {
    const shown = await ask(`${url}${request}`, { headers: { ...requester } });
    const run = shown.text.match(/\/runs\/[0-9a-f-]{36}/)?.[0];
    if (run) {
      const text = (await ask(`${url}${run}`, { headers: { ...requester } })).text;
      if (/is-running|is-done/.test(text)) return performance.now() - began;
    }
    if (performance.now() - began > 30_000) throw new Error("no step started within 30 s");
  }
}

const built = spawnSync("cargo", ["build", "--release", "--bin", "gatehouse"], { cwd: repository, stdio: "inherit" });
if (built.status !== 0) process.exit(1);
const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
const fixed = (number) => number.toFixed(number < 10 ? 2 : 0).padStart(8);
try {
  await stop(await start(folder, ["--sample-deployments", wanted.deployments]));
  const house = await start(folder);
  const { url } = house;
  const requester = await signIn(url, rita);
  const approver = await signIn(url, adam);
  const deployments = await ask(`${url}/deployments`, { headers: { ...requester } });
  const deployment = link(deployments.text, /\/deployments\/[0-9a-f-]{36}/, "deployment");
  const run = link((await ask(`${url}${deployment}`, { headers: { ...requester } })).text, /\/runs\/[0-9a-f-]{36}/, "run");
  const pages = {
    "/healthz": "/healthz", catalog: "/catalog", "request list": "/requests", "run page": run,
    "deployment list": "/deployments", "deployment page": deployment, "CMDB search": "/cmdb?q=shop",
  };
  console.log(`${wanted.clients} clients, ${wanted.seconds} s a page, ${wanted.deployments} deployments`);
  console.log("page                 requests/s   p50 ms   p99 ms   max ms   not 200");
  for (const [name, path] of Object.entries(pages)) {
    const { rate, p50, p99, max, wrong } = await load(`${url}${path}`, requester);
    console.log(`${name.padEnd(18)}   ${fixed(rate)} ${fixed(p50)} ${fixed(p99)} ${fixed(max)} ${String(wrong).padStart(9)}`);
  }
  const { own, all } = await memory(house);
  console.log(`memory: ${own.toFixed(0)} MB of its own, ${all.toFixed(0)} MB with mapped files`);
  console.log(`start to first page: ${house.took.toFixed(0)} ms`);
  const waits = [];
  for (let number = 1; number <= Number(wanted.orders); number += 1) {
    waits.push(await approveToFirstStep(url, requester, approver, number));
  }
  waits.sort((a, b) => a - b);
  const median = waits[Math.floor(waits.length / 2)];
  console.log(`approve to first step: median ${median.toFixed(0)} ms, slowest ${waits.at(-1).toFixed(0)} ms, asking for the page included`);
  await stop(house);
} finally {
  portals.forEach((portal) => portal.kill("SIGKILL"));
  agent.destroy();
  await rm(folder, { recursive: true, force: true });
}
