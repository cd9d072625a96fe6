#!/usr/bin/env python3
"""How the engine's speed holds: over the runs of the past, under an open transaction, with workers side by side, with ten
thousand runs that wait; beside DBOS on SQLite, and for a run alone.

Each subject is measured by itself (`curves.py size`), in rounds that take turns, since no machine is as fast now as a
minute ago. Its numbers go to `curves.json`; `chart.py` draws them. Needs what `compare.py` needs, and up to 9 GB of disk
for a million runs of the past.
"""

import argparse
import contextlib
import json
import math
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import past
from compare import HERE, Contender, Server, build, contenders, dbos, gatehouse, in_turns, measured, ratio

NUMBERS = HERE / "curves.json"
KEPT_FREE = 12e9
COLUMNS = ("runs_per_second", "p50_ms", "p99_ms", "processor_ms_per_run", "server_ms", "commits")


def medians(rounds: list[dict]) -> dict:
    """Of what every round has told."""
    told = {column: statistics.median(each.get(column, math.nan) for each in rounds) for column in COLUMNS}
    return {column: round(middle, 2) for column, middle in told.items() if not math.isnan(middle)}


def size(wanted: argparse.Namespace) -> dict:
    """The cost of a step with so many finished runs in the tables."""
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        postgres, sqlite = {}, {}
        for finished in wanted.finished:
            postgres[finished] = with_past_on_postgres(server, wanted, finished)
        for finished in (finished for finished in wanted.finished if finished <= wanted.finished_on_sqlite):
            sqlite[finished] = with_past_on_sqlite(Path(folder), wanted, finished)
        rounds = {"postgres": in_turns(wanted.rounds, postgres), "sqlite": in_turns(wanted.rounds, sqlite)}
    return {store: [over_the_past(of_store, finished) for finished in of_store] for store, of_store in rounds.items()}


def with_past_on_postgres(server: Server, wanted: argparse.Namespace, finished: int) -> Contender:
    name = f"past_{finished}"
    server.make(name)
    gatehouse(server.url(name), wanted.binary, 10, wanted.in_flight)
    make_room(server.folder, finished)
    past.fill_postgres(server, name, finished)
    contender = partial(gatehouse, server.url(name), wanted.binary, wanted.runs, wanted.in_flight)
    return partial(measured, server, name, contender, wanted.runs)


def with_past_on_sqlite(folder: Path, wanted: argparse.Namespace, finished: int) -> Contender:
    file = folder / f"past_{finished}.db"
    gatehouse(f"sqlite://{file}", wanted.binary, 10, wanted.in_flight)
    make_room(folder, finished)
    past.fill_sqlite(file, finished)
    return partial(gatehouse, f"sqlite://{file}", wanted.binary, wanted.runs, wanted.in_flight)


def make_room(folder: Path, finished: int) -> None:
    left = shutil.disk_usage(folder).free - finished * past.BYTES_PER_RUN
    if left < KEPT_FREE:
        sys.exit(f"{finished} runs of the past would leave {left / 1e9:.0f} GB of the disk free: give fewer by --finished")


def over_the_past(rounds: dict[int, list[dict]], finished: int) -> dict:
    fewest = rounds[min(rounds)]
    told = medians(rounds[finished])
    step = round(1e6 / (told["runs_per_second"] * 8), 1)
    return {"finished": finished, "us_per_step": step, "speed": round(ratio(rounds[finished], fewest), 3), **told}


@contextlib.contextmanager
def open_transaction(server: Server, name: str) -> Iterator[None]:
    """Holds a snapshot, so that nothing which dies from here on is cleared away."""
    command = [*server.prefix, str(server.programs / "psql"), "-qAt", "-h", str(server.folder), "-U", "gate", name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": server.folder}
    with subprocess.Popen(command, **pipes) as session:
        session.stdin.write("begin isolation level repeatable read;\nselect count(*) from run;\n")
        session.stdin.flush()
        session.stdout.readline()
        yield
        session.stdin.close()


def held(wanted: argparse.Namespace) -> dict:
    """The same load on two databases in turns, one of them with a transaction that stays open all the while."""
    slices, minutes, names = [], 0.0, ("free", "held")
    with Server() as server:
        server.make(*names)
        load = {name: partial(gatehouse, server.url(name), wanted.binary, wanted.runs, wanted.in_flight) for name in names}
        in_turns(1, load)
        began = time.monotonic()
        with open_transaction(server, "held"):
            while minutes < wanted.minutes:
                told = {name: round(load[name]()["runs_per_second"], 1) for name in names}
                minutes += wanted.runs / told["free"] / 60
                age = (time.monotonic() - began) / 60
                slices.append({"load_minutes": round(minutes, 2), "age_minutes": round(age, 2), **told})
                print(slices[-1], file=sys.stderr)
    last = slices[-max(1, len(slices) // 4):]
    lost = 1 - statistics.median(each["held"] / each["free"] for each in last)
    return {"runs_each": wanted.runs * len(slices), "slices": slices, "lost_in_the_last_quarter": round(lost, 3)}


def workers(wanted: argparse.Namespace) -> dict:
    """Runs that one process has ordered, carried by one worker process or by two, with as many places in all."""
    with Server() as server:
        server.make("gatehouse")
        gatehouse(server.url("gatehouse"), wanted.binary, 10, wanted.in_flight)
        rounds = in_turns(wanted.rounds, {n: partial(carried_by, server, wanted, n) for n in (1, 2)})
    return {**{str(n): medians(rounds[n]) for n in rounds}, "two_to_one": round(ratio(rounds[2], rounds[1]), 3)}


def carried_by(server: Server, wanted: argparse.Namespace, processes: int) -> dict:
    load = [wanted.binary, "--url", server.url("gatehouse")]
    subprocess.run([*load, "--order-only", "--runs", str(wanted.runs)], check=True)
    places = ["--in-flight", str(wanted.in_flight // processes)]
    processor, on_server = children_ms(), server.processor_ms()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    at_work = [subprocess.Popen([*load, "--work-only", *places], **pipes) for _ in range(processes)]
    while server.ask("gatehouse", "select 1 from run where ended_at is null limit 1"):
        time.sleep(0.5)
    for worker in at_work:
        worker.communicate()
    seconds = server.ask("gatehouse", f"""
        select extract(epoch from max(ended_at) - min(started_at))
        from (select started_at, ended_at from run order by created_at desc limit {wanted.runs}) as these""")
    return {
        "runs_per_second": wanted.runs / float(seconds),
        "processor_ms_per_run": (children_ms() - processor) / wanted.runs,
        "server_ms": (server.processor_ms() - on_server) / wanted.runs,
    }


def children_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def waiting(wanted: argparse.Namespace) -> dict:
    """What so many runs cost in a minute in which they wait, beside a single one."""
    told = {}
    for number in (1, wanted.idle):
        with Server() as server, tempfile.TemporaryDirectory() as folder:
            server.make("gatehouse")
            told[f"postgres_{number}"] = at_rest(server, wanted.binary, server.url("gatehouse"), number)
            told[f"sqlite_{number}"] = at_rest(server, wanted.binary, f"sqlite://{folder}/waiting.db", number)
    return told


def at_rest(server: Server, binary: str, url: str, number: int) -> dict:
    """The bench measures itself in its last minute, which is the minute of the server that is looked at."""
    command = [binary, "--url", url, "--idle", str(number), "--in-flight", "8"]
    on_server = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
        while bench.poll() is None:
            on_server.append((time.monotonic(), server.processor_ms()))
            time.sleep(1)
        told = json.loads(bench.stdout.read())
    (began, before), (ended, after) = on_server[-60], on_server[-1]
    return {**told, "server_percent": round((after - before) / (ended - began) / 10, 3)}


def sqlite(wanted: argparse.Namespace) -> dict:
    """Gatehouse and DBOS, each on an SQLite file of its own."""
    told = {}
    for in_flight in (8, 32):
        with tempfile.TemporaryDirectory() as folder:
            load = {"runs": wanted.runs, "in_flight": in_flight}
            rounds = in_turns(wanted.rounds, {
                "gatehouse": partial(gatehouse, f"sqlite://{folder}/gatehouse.db", wanted.binary, **load),
                "dbos": partial(dbos, f"sqlite:///{folder}/dbos.db", **load),
            })
        times = round(ratio(rounds["gatehouse"], rounds["dbos"]), 2)
        told[str(in_flight)] = {**{name: medians(rounds[name]) for name in rounds}, "times_dbos": times}
    return told


def alone(wanted: argparse.Namespace) -> dict:
    """A run at a time, on PostgreSQL, beside the others."""
    with Server() as server:
        rounds = in_turns(wanted.rounds, contenders(server, wanted.binary, wanted.runs, 1))
    return {name: medians(told) for name, told in rounds.items()}


def main() -> None:
    subjects = {subject.__name__: subject for subject in (size, held, workers, waiting, sqlite, alone)}
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("subject", choices=subjects)
    options.add_argument("--runs", type=int, default=400, help="how many each takes at a time")
    options.add_argument("--in-flight", type=int, default=8)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--finished", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    options.add_argument("--finished-on-sqlite", type=int, default=100_000, help="no more than these on SQLite")
    options.add_argument("--minutes", type=float, default=10, help="of load beside an open transaction")
    options.add_argument("--idle", type=int, default=10_000, help="how many runs wait")
    options.add_argument("--binary", help="the bench's executable; it is built where none is named")
    options.add_argument("--into", type=Path, default=NUMBERS)
    wanted = options.parse_args()
    wanted.binary = wanted.binary or build()
    told = subjects[wanted.subject](wanted)
    numbers = json.loads(wanted.into.read_text()) if wanted.into.exists() else {}
    wanted.into.write_text(json.dumps({**numbers, wanted.subject: told}, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
