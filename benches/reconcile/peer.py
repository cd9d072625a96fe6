#!/usr/bin/env python3
"""The same files compared by diffsync, or by a plain Python dictionary: `peer.py diffsync|dict FOLDER` prints a line of JSON."""

import json
import resource
import sys
import time
from pathlib import Path


def lines(path: Path):
    with path.open() as file:
        for line in file:
            yield json.loads(line)


def related(ci: dict) -> str:
    return ",".join(f"{one['relation']} {one['to']}" for one in ci["relations"])


def with_dict(folder: Path) -> dict:
    begun = time.perf_counter(), time.process_time()
    reality, cmdb = ({ci["key"]: ci for ci in lines(folder / f"{view}.ndjson")} for view in ("reality", "cmdb"))
    read = time.perf_counter(), time.process_time()
    changed = attributes = 0
    for key, seen in reality.items():
        if (recorded := cmdb.get(key)) is None:
            continue
        known = recorded["attributes"]
        differ = sum(known.get(name) != value for name, value in seen["attributes"].items())
        attributes += differ
        changed += bool(differ or seen["relations"] != recorded["relations"])
    missing = sum(key not in cmdb for key in reality)
    extra = sum(key not in reality for key in cmdb)
    return told(begun, read, changed, missing, extra, attributes)


def with_diffsync(folder: Path) -> dict:
    from diffsync import Adapter, DiffSyncModel

    # One attribute of the model for each of the CI's, as its users write it.
    names = sorted(next(lines(folder / "reality.ndjson"))["attributes"])
    space = {"_modelname": "machine", "_identifiers": ("key",), "_attributes": (*names, "related")}
    space["__annotations__"] = {"key": str, "related": str, **{name: str | int for name in names}}
    Machine = type("Machine", (DiffSyncModel,), {**space, "__module__": __name__})

    class View(Adapter):
        machine = Machine
        top_level = ["machine"]

    def load(path: Path) -> View:
        view = View()
        for ci in lines(path):
            view.add(Machine(key=ci["key"], related=related(ci), **ci["attributes"]))
        return view

    begun = time.perf_counter(), time.process_time()
    reality, cmdb = load(folder / "reality.ndjson"), load(folder / "cmdb.ndjson")
    read = time.perf_counter(), time.process_time()
    summary = cmdb.diff_from(reality).summary()
    return told(begun, read, summary["update"], summary["create"], summary["delete"], None)


def told(begun, read, changed: int, missing: int, extra: int, attributes: int | None) -> dict:
    ended = time.perf_counter(), time.process_time()
    return {
        "changed": changed,
        "missing": missing,
        "extra": extra,
        "attributes": attributes,
        "read_ms": (read[0] - begun[0]) * 1000,
        "diff_ms": (ended[0] - read[0]) * 1000,
        "diff_cpu_ms": (ended[1] - read[1]) * 1000,
        "all_ms": (ended[0] - begun[0]) * 1000,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    by = {"diffsync": with_diffsync, "dict": with_dict}[sys.argv[1]]
    print(json.dumps(by(Path(sys.argv[2]))))
