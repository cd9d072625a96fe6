"""The load of `main.rs` on DBOS: runs of eight steps that do nothing, in a closed loop. Prints a line of JSON."""

import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS

url, runs, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR", "run_admin_server": False})


@DBOS.step()
def nothing(n: int) -> int:
    return n


@DBOS.workflow()
def run() -> None:
    for n in range(8):
        nothing(n)


def carry(_: int) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def processor_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


DBOS.launch()
carry(0)
with ThreadPoolExecutor(in_flight) as lanes:
    began, processor = time.perf_counter(), processor_ms()
    times = sorted(lanes.map(carry, range(runs)))
    seconds = time.perf_counter() - began
print(json.dumps({
    "runs_per_second": runs / seconds,
    "p50_ms": times[runs // 2],
    "p99_ms": times[runs * 99 // 100],
    "processor_ms_per_run": (processor_ms() - processor) / runs,
}), flush=True)
DBOS.destroy()
