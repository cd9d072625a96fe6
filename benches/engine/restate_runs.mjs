// The load of `main.rs` on Restate: runs of eight steps that do nothing, in a closed loop. Starts a server of its own in
// a folder that is thrown away, and prints a line of JSON. Needs `npm install --prefix benches/engine`.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

// The SDK asks for what Node 20 does not have yet.
Promise.withResolvers ??= () => {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
// A line of log for each run would be measured as well.
process.env.RESTATE_LOGGING = "ERROR";
const restate = await import("@restatedev/restate-sdk");

const [runs, inFlight] = process.argv.slice(2).map(Number);

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const [ingress, admin, node, service] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
const folder = mkdtempSync(path.join(tmpdir(), "restate-"));
const program = createRequire(import.meta.url).resolve("@restatedev/restate-server-linux-x64/bin/restate-server");
const server = spawn(program, ["--base-dir", folder], {
  stdio: "ignore",
  env: {
    ...process.env,
    RESTATE_DISABLE_TELEMETRY: "true",
    RESTATE_LOG_FILTER: "error",
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
  },
});

const bench = restate.service({
  name: "bench",
  handlers: {
    run: async (context) => {
      for (let n = 0; n < 8; n += 1) await context.run(`s${n}`, () => n);
      return "done";
    },
  },
});
await restate.serve({ services: [bench], port: service });

const answered = async (ask) => {
  for (let tries = 0; tries < 600; tries += 1) {
    try {
      const answer = await ask();
      if (answer.ok) return answer;
    } catch {
      // It does not listen yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("the server did not answer within a minute");
};
const json = { method: "POST", headers: { "content-type": "application/json" } };
await answered(() =>
  fetch(`http://127.0.0.1:${admin}/deployments`, { ...json, body: JSON.stringify({ uri: `http://127.0.0.1:${service}` }) }),
);
const call = () => fetch(`http://127.0.0.1:${ingress}/bench/run`, { ...json, body: "null" });
await answered(call);

// Clock ticks of 10 ms: `man 5 proc`, fields 14 and 15.
const processorOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(")").pop().trim().split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
};
const processor = () => processorOf(process.pid) + processorOf(server.pid);

const carry = async () => {
  const began = performance.now();
  const answer = await call();
  if (!answer.ok) throw new Error(`a run failed: ${answer.status} ${await answer.text()}`);
  await answer.text();
  return performance.now() - began;
};
const times = [];
let left = runs;
const lane = async () => {
  while (left > 0) {
    left -= 1;
    times.push(await carry());
  }
};
const [began, before] = [performance.now(), processor()];
await Promise.all(Array.from({ length: inFlight }, lane));
const seconds = (performance.now() - began) / 1000;
const used = processor() - before;
times.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    runs_per_second: runs / seconds,
    p50_ms: times[Math.floor(runs / 2)],
    p99_ms: times[Math.floor((runs * 99) / 100)],
    processor_ms_per_run: used / runs,
  }),
);
server.kill("SIGKILL");
server.once("exit", () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
