// The house under test: the real binary with a demo of its own, on a free port, in a folder that is thrown away.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const target = process.env.CARGO_TARGET_DIR || join(repository, "target");
const binary = process.env.GATEHOUSE_BINARY || join(target, "debug", "gatehouse");

/** How long a start may take, in milliseconds: the first one makes the demo's people and past. */
const START = 60_000;

/**
 * Starts a demo and waits until it prints its address and answers.
 * `people` has the demo's passwords by email address, as it printed them.
 */
export async function openDemo(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-"));
  const demo = spawn(binary, ["demo", "--port", "0", "--data", folder], {
    cwd: folder,
    env: { ...process.env, RUST_BACKTRACE: "1", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = [];
  const note = (line) => { said.push(line); if (process.env.GATEHOUSE_LOG) console.error(line); };
  createInterface({ input: demo.stderr }).on("line", note);
  const people = {};
  const url = await addressOf(demo, said, note, people);
  await answers(`${url}/readyz`);
  return {
    url,
    people,
    said,
    async close() {
      if (demo.exitCode === null) {
        demo.kill("SIGTERM");
        await once(demo, "exit");
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The address that the demo prints; its people's passwords are noted on the way. */
function addressOf(demo, said, note, people) {
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the demo ${why}; it said:\n${said.join("\n")}`));
    const timer = setTimeout(() => fail(`printed no address within ${START / 1000} s`), START);
    demo.once("error", (cause) => fail(`could not be started (${cause.message}); build it first: cargo build`));
    demo.once("exit", (code) => fail(`ended with code ${code}`));
    let address;
    createInterface({ input: demo.stdout }).on("line", (line) => {
      note(line);
      const login = line.match(/(\S+@\S+\.\S+)\s+(?:\S+\s+)*?(\S{8,})\s*$/);
      if (login) people[login[1]] = login[2];
      address ??= line.match(/https?:\/\/\S+?(?=[\s/]*$)/)?.[0];
      if (address) {
        clearTimeout(timer);
        demo.removeAllListeners("exit");
        resolve(address);
      }
    });
  });
}

/** Waits until an address answers well. */
async function answers(address) {
  const until = Date.now() + START;
  for (;;) {
    const answer = await fetch(address).catch(() => null);
    if (answer?.ok) return;
    if (Date.now() > until) throw new Error(`${address} does not answer well: ${answer?.status ?? "nothing"}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
