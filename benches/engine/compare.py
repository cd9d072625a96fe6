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
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

# Carries the load once and tells how fast.
Contender = Callable[[], dict]


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
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tell("pg_ctl", "-D", "data", "-m", "fast", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, *names: str) -> None:
        for name in names:
            self.tell("createdb", "-h", str(self.folder), "-U", "gate", name)

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


def gatehouse(url: str, binary: str, runs: int, in_flight: int) -> dict:
    return last_line([binary, "--url", url, "--runs", str(runs), "--in-flight", str(in_flight)])


def dbos(url: str, runs: int, in_flight: int) -> dict:
    return last_line([sys.executable, str(HERE / "dbos_runs.py"), url, str(runs), str(in_flight)])


def restate(runs: int, in_flight: int) -> dict:
    return last_line(["node", str(HERE / "restate_runs.mjs"), str(runs), str(in_flight)])


def last_line(command: list[str]) -> dict:
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def floor(server: Server, runs: int, in_flight: int) -> dict:
    tables = """create table if not exists floor_run (id bigserial primary key, state text);
                create table if not exists floor_step (run bigint, number int, state text, primary key (run, number));"""
    server.ask("floor", tables)
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


def contenders(server: Server, binary: str, runs: int, in_flight: int) -> dict[str, Contender]:
    """Those that can be run here, by the names of their databases."""
    found: dict[str, Contender] = {
        "gatehouse": lambda: gatehouse(server.url("gatehouse"), binary, runs, in_flight),
        "floor": lambda: floor(server, runs, in_flight),
    }
    if subprocess.run([sys.executable, "-c", "import dbos"], capture_output=True).returncode == 0:
        found["dbos"] = lambda: dbos(server.url("dbos"), runs, in_flight)
    if (HERE / "node_modules").exists():
        found["restate"] = lambda: restate(runs, in_flight)
    server.make(*found)
    return found


def measured(server: Server, name: str, contender: Contender, runs: int) -> dict:
    """What a contender told, and what it cost the server per run; Restate has a store of its own."""
    before = server.counts(name)
    told = contender()
    after = server.counts(name)
    commits, wal, processor = ((late - early) / runs for early, late in zip(before, after))
    if name == "restate":
        commits = wal = processor = float("nan")
    return {**told, "commits": commits, "wal_kb": wal / 1024, "server_ms": processor}


def in_turns(rounds: int, contenders: dict[str, Contender]) -> dict[str, list[dict]]:
    """What each told, round by round; each round begins with another one."""
    told: dict[str, list[dict]] = {name: [] for name in contenders}
    for number in range(rounds):
        order = list(contenders)
        start = number % len(order)
        for name in order[start:] + order[:start]:
            told[name].append(contenders[name]())
    return told


def ratio(ours: list[dict], theirs: list[dict], column: str = "runs_per_second") -> float:
    """The median over the rounds: what lasts longer than a round weighs on both alike."""
    return statistics.median(mine[column] / other[column] for mine, other in zip(ours, theirs))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=400)
    options.add_argument("--in-flight", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--binary", help="the bench's executable; it is built where none is named")
    wanted = options.parse_args()
    binary = wanted.binary or build()
    with Server() as server:
        found = contenders(server, binary, wanted.runs, wanted.in_flight)
        costed = {name: partial(measured, server, name, found[name], wanted.runs) for name in found}
        rounds = in_turns(wanted.rounds, costed)
    print(f"{wanted.runs} runs of 8 steps, {wanted.in_flight} in flight, median of {wanted.rounds} rounds")
    columns = {
        "runs_per_second": "runs/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "processor_ms_per_run": "client ms",
        "server_ms": "server ms", "commits": "commits", "wal_kb": "WAL KB",
    }
    print(f"{'':10}" + "".join(f"{title:>11}" for title in columns.values()))
    for name, told in rounds.items():
        print(f"{name:10}" + "".join(f"{statistics.median(t[c] for t in told):11.1f}" for c in columns))
    for other in (other for other in rounds if other != "gatehouse"):
        print(f"gatehouse / {other}: {ratio(rounds['gatehouse'], rounds[other]):.2f}")


if __name__ == "__main__":
    main()
