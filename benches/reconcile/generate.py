#!/usr/bin/env python3
"""Writes two views of so many CIs as lines of JSON, sorted by key: what sources see, and what is on record.

Each CI has ten attributes and a relation; of 100, two differ in an attribute, one is not on record, and one is on record and
not there. `generate.py 100000 FOLDER` writes `reality.ndjson`, `cmdb.ndjson` and `expected.json`.
"""

import json
import random
import sys
from pathlib import Path


def machine(number: int, chance: random.Random) -> dict:
    site = f"site-{number % 7}"
    return {
        "key": f"order-{number:08}/machine",
        "class": "virtual_machine",
        "scope": "all",
        "attributes": {
            "address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "cpu": chance.choice([1, 2, 4, 8, 16]),
            "disk_gb": chance.choice([20, 40, 80, 160]),
            "fqdn": f"vm-{number:08}.{site}.example.org",
            "image": chance.choice(["debian-12", "debian-13", "windows-2025"]),
            "memory_gb": chance.choice([2, 4, 8, 16, 32]),
            "native_id": f"vm-{chance.getrandbits(48):012x}",
            "operating_system": chance.choice(["Debian GNU/Linux 12", "Debian GNU/Linux 13", "Windows Server 2025"]),
            "site": site,
            "size": chance.choice(["small", "medium", "large"]),
        },
        "relations": [{"relation": "runs_on", "to": f"cluster-{number % 97}"}],
    }


def main() -> None:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    chance = random.Random(5)
    expected = {"changed": 0, "missing": 0, "extra": 0}
    line = json.JSONEncoder(separators=(",", ":")).encode
    with (folder / "reality.ndjson").open("w") as reality, (folder / "cmdb.ndjson").open("w") as cmdb:
        for number in range(count):
            ci = machine(number, chance)
            # Which hundredth it is goes round, so that keys alone do not tell.
            lot = (number * 37) % 100
            if lot != 3:
                reality.write(line(ci) + "\n")
            else:
                expected["extra"] += 1
            if lot == 2:
                expected["missing"] += 1
                continue
            if lot < 2:
                ci["attributes"]["memory_gb"] += 1
                expected["changed"] += 1
            cmdb.write(line(ci) + "\n")
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main()
