#!/usr/bin/env python3
"""The engine beside DBOS, Restate and the limit, in turns: on one PostgreSQL of its own with fsync on, Restate on its own
store.

Needs Debian's postgresql and a Rust toolchain; DBOS where `python3 -c 'import dbos'` works, and Restate after
`npm ci --prefix benches/engine`. Each round runs every contender once, in another order; medians and ratios are of the
rounds.
"""

import argparse
import contextlib
import json
import os
import pwd
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


class Server:
    """A PostgreSQL in a folder that is thrown away, on a socket there."""

    def __init__(self) -> None:
        self.programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.folder = Path(tempfile.mkdtemp())
        # PostgreSQL refuses to run as root.
        self.prefix = []
        if os.geteuid() == 0:
            postgres = pwd.getpwnam("postgres")
            os.chown(self.folder, postgres.pw_uid, postgres.pw_gid)
            self.prefix = ["runuser", "-u", "postgres", "--"]

    def tell(self, program: str, *arguments: str) -> str:
        told = [*self.prefix, str(self.programs / program), *arguments]
        return subprocess.run(told, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def __enter__(self) -> "Server":
        self.tell("initdb", "-D", "data", "-U", "gate", "-A", "trust")
        options = f"-c listen_addresses='' -c max_connections=200 -k {self.folder}"
        self.tell("pg_ctl", "-D", "data", "-w", "-o", options, "-l", "log", "start")
        for name in ("gatehouse", "dbos", "floor"):
            self.tell("createdb", "-h", str(self.folder), "-U", "gate", name)
        tables = """create table floor_run (id bigserial primary key, state text);
                    create table floor_step (run bigint, number int, state text, primary key (run, number));"""
        self.ask("floor", tables)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tell("pg_ctl", "-D", "data", "-m", "fast", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, name: str, statement: str) -> str:
        return self.tell("psql", "-h", str(self.folder), "-U", "gate", "-Atc", statement, name).strip()

    def url(self, name: str) -> str:
        return f"postgresql://gate@localhost/{name}?host={self.folder}"

    def counts(self, name: str) -> tuple[float, float, float]:
        """Commits and bytes of WAL so far, and the server's processor time in milliseconds."""
        self.ask(name, "select pg_stat_force_next_flush()")
        commits = self.ask(name, f"select xact_commit from pg_stat_database where datname = '{name}'")
        wal = self.ask(name, "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        return float(commits), float(wal), self.processor_ms()

    def processor_ms(self) -> float:
        """Of the postmaster, of those it has waited for, and of its children: `man 5 proc`, fields 14 to 17."""
        postmaster = (self.folder / "data/postmaster.pid").read_text().split()[0]
        children = subprocess.run(["pgrep", "-P", postmaster], capture_output=True, text=True).stdout.split()
        ticks = 0
        for process in [postmaster, *children]:
            with contextlib.suppress(FileNotFoundError):
                fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
                ticks += sum(map(int, fields[11:15] if process == postmaster else fields[11:13]))
        return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def gatehouse(server: Server, binary: str, runs: int, in_flight: int) -> dict:
    arguments = ["--url", server.url("gatehouse"), "--runs", str(runs), "--in-flight", str(in_flight)]
    return json.loads(subprocess.run([binary, *arguments], check=True, capture_output=True, text=True).stdout)


def dbos(server: Server, runs: int, in_flight: int) -> dict:
    command = [sys.executable, str(HERE / "dbos_runs.py"), server.url("dbos"), str(runs), str(in_flight)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def restate(_: Server, runs: int, in_flight: int) -> dict:
    command = ["node", str(HERE / "restate_runs.mjs"), str(runs), str(in_flight)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def floor(server: Server, runs: int, in_flight: int) -> dict:
    each = str(max(1, runs // in_flight))
    load = ["-n", "-M", "prepared", "-c", str(in_flight), "-j", "2", "-t", each, "-f", str(HERE / "floor.sql"), "floor"]
    told = server.tell("pgbench", "-h", str(server.folder), "-U", "gate", *load)
    rate = float(re.search(r"tps = ([\d.]+)", told)[1])
    latency = float(re.search(r"latency average = ([\d.]+)", told)[1])
    return {"runs_per_second": rate, "p50_ms": latency, "p99_ms": float("nan"), "processor_ms_per_run": float("nan")}


def build() -> str:
    command = ["cargo", "bench", "-p", "engine", "--bench", "engine", "--no-run", "--message-format", "json"]
    told = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = (json.loads(line) for line in told.splitlines())
    return next(a["executable"] for a in artifacts if a.get("executable") and a["target"]["name"] == "engine")


def measured(server: Server, name: str, contender, runs: int) -> dict:
    if name == "restate":
        return {**contender(server), "commits": float("nan"), "wal_kb": float("nan"), "server_ms": float("nan")}
    before = server.counts(name)
    told = contender(server)
    after = server.counts(name)
    commits, wal, processor = ((late - early) / runs for early, late in zip(before, after))
    return {**told, "commits": commits, "wal_kb": wal / 1024, "server_ms": processor}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=400)
    options.add_argument("--in-flight", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    wanted = options.parse_args()
    binary = build()
    runs, in_flight = wanted.runs, wanted.in_flight
    contenders = {
        "gatehouse": lambda server: gatehouse(server, binary, runs, in_flight),
        "floor": lambda server: floor(server, runs, in_flight),
    }
    if subprocess.run([sys.executable, "-c", "import dbos"], capture_output=True).returncode == 0:
        contenders["dbos"] = lambda server: dbos(server, runs, in_flight)
    if (HERE / "node_modules").exists():
        contenders["restate"] = lambda server: restate(server, runs, in_flight)
    rounds: dict[str, list[dict]] = {name: [] for name in contenders}
    with Server() as server:
        for number in range(wanted.rounds):
            order = list(contenders)
            for name in order[number % len(order):] + order[:number % len(order)]:
                rounds[name].append(measured(server, name, contenders[name], runs))
    print(f"{runs} runs of 8 steps, {in_flight} in flight, median of {wanted.rounds} rounds")
    columns = {
        "runs_per_second": "runs/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "processor_ms_per_run": "client ms",
        "server_ms": "server ms", "commits": "commits", "wal_kb": "WAL KB",
    }
    print(f"{'':10}" + "".join(f"{title:>11}" for title in columns.values()))
    for name, told in rounds.items():
        print(f"{name:10}" + "".join(f"{statistics.median(t[c] for t in told):11.1f}" for c in columns))
    for other in rounds:
        if other != "gatehouse":
            pairs = zip(rounds["gatehouse"], rounds[other])
            ratio = statistics.median(ours["runs_per_second"] / its["runs_per_second"] for ours, its in pairs)
            print(f"gatehouse / {other}: {ratio:.2f}")


if __name__ == "__main__":
    main()
