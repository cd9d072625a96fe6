#!/usr/bin/env python3
"""Our reconcile beside diffsync and a plain Python dictionary, on the same files, which say what has to be found.

Needs Rust, and diffsync where `python3 -c 'import diffsync'` works (`pip install diffsync==2.2.3`); without it the other two
are put beside each other. Ends with an error when somebody's counts are not those of the files, or a target is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


def last_line(command: list[str]) -> dict:
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def build() -> str:
    command = ["cargo", "bench", "-p", "domain", "--bench", "reconcile", "--no-run", "--message-format", "json"]
    told = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = (json.loads(line) for line in told.splitlines())
    return next(a["executable"] for a in artifacts if a.get("executable") and a["target"]["name"] == "reconcile")


def contenders(binary: str, folder: str) -> dict[str, list[str]]:
    found = {
        "streamed": [binary, folder],
        "held": [binary, folder, "--loaded"],
        "Python dict": [sys.executable, str(HERE / "peer.py"), "dict", folder],
    }
    if subprocess.run([sys.executable, "-c", "import diffsync"], capture_output=True).returncode == 0:
        found["diffsync"] = [sys.executable, str(HERE / "peer.py"), "diffsync", folder]
    return found


def missed(name: str, count: int, told: dict) -> list[str]:
    """The targets that our own lines have."""
    limits = {}
    if name == "streamed":
        limits = {"all_ms": 600 * count / 100_000, "peak_mb": 200}
    if name == "held":
        limits = {"diff_cpu_ms": 50 * count / 100_000, "peak_mb": max(200, 2048 * count / 1_000_000)}
    return [f"{name}: {what} is {told[what]:.0f}, at most {most:.0f}" for what, most in limits.items() if told[what] > most]


def compare(binary: str, count: int, but: list[str]) -> list[str]:
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(HERE / "generate.py"), str(count), folder], check=True)
        expected = json.loads((Path(folder) / "expected.json").read_text())
        print(f"{count} CIs: {expected}")
        print(f"{'':14}{'read+diff':>12}{'diff':>12}{'diff CPU':>12}{'peak':>10}")
        for name, command in contenders(binary, folder).items():
            if name in but:
                continue
            told = last_line(command)
            if any(told[what] != so_many for what, so_many in expected.items()):
                faults.append(f"{name} counts otherwise: {told}")
            faults += missed(name, count, told)
            diff = [f"{told[what]:.0f} ms" if told[what] else "" for what in ("diff_ms", "diff_cpu_ms")]
            print(f"{name:14}{told['all_ms']:>9.0f} ms{diff[0]:>12}{diff[1]:>12}{told['peak_mb']:>7.0f} MB", flush=True)
    return faults


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cis", type=int, nargs="+", default=[100_000, 1_000_000])
    asked.add_argument("--but", nargs="*", default=[], help="leave these out")
    asked = asked.parse_args()
    binary = build()
    faults = [fault for count in asked.cis for fault in compare(binary, count, asked.but)]
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
