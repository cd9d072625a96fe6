"""What all parts stand on: the lab's folder, its memory, its addresses and ports, and what `lab.json` says."""

import contextlib
import fcntl
import ipaddress
import json
import os
import secrets
import socket
import subprocess
import threading
import time
from pathlib import Path
from string import Template

from .process import Process

HERE = Path(__file__).resolve().parent
DOMAIN = "lab.test"
# How long a system may take to answer after its start, in seconds.
PATIENCE = 30


class Trouble(Exception):
    """Something a person must mend; its words say what."""


def run(*command, told="", **options):
    """Runs a command that is told something to its end and returns what it says; a failure carries its last words."""
    said = subprocess.run([str(word) for word in command], input=told, capture_output=True, text=True, check=False,
                          **options)
    if said.returncode:
        last_words = "\n".join((said.stdout + said.stderr).strip().splitlines()[-15:])
        raise Trouble(f"{' '.join(map(str, command))} ended with {said.returncode}:\n{last_words}")
    return said.stdout.strip()


class Lab:
    """A lab in `folder`. What it must remember between two starts (ports, passwords) is in `state.json`; everything
    that is dear to make is in `cache`."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.cache = self.folder / "cache"
        self.memory = threading.RLock()

    @contextlib.contextmanager
    def alone(self):
        """Nobody else starts or stops parts of this lab meanwhile."""
        for folder in (self.folder, self.cache):
            folder.mkdir(parents=True, exist_ok=True)
            # Systems that refuse to run as root must get through.
            folder.chmod(0o755)
        with open(self.folder / ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # Memory

    def said(self):
        """What `lab.json` says."""
        return self._read("lab.json")

    def say(self, part, about):
        """Says where `part` is, or with `None` that it is gone."""
        self._change("lab.json", part, about)

    def remember(self, key, make):
        """What is remembered as `key`; made the first time."""
        with self.memory:
            known = self._read("state.json")
            if key not in known:
                self._change("state.json", key, make())
            return self._read("state.json")[key]

    def forget(self, key):
        self._change("state.json", key, None)

    def recall(self, key):
        return self._read("state.json").get(key)

    def secret(self, name):
        """A password of this lab alone."""
        return self.remember(f"secret {name}", lambda: secrets.token_hex(12))

    def _read(self, file):
        path = self.folder / file
        return json.loads(path.read_text()) if path.exists() else {}

    def _change(self, file, key, value):
        with self.memory:
            content = self._read(file)
            if value is None:
                content.pop(key, None)
            else:
                content[key] = value
            new = self.folder / f".{file}"
            new.write_text(json.dumps(content, indent=2) + "\n")
            new.chmod(0o600)
            new.replace(self.folder / file)

    # Addresses

    @property
    def number(self):
        """Tells labs on one machine apart: each has its own 172.30.x.0/22."""
        return self.remember("number", free_number)

    def _network(self, third):
        return ipaddress.ip_network(f"172.30.{4 * self.number + third}.0/24")

    @property
    def machines(self):
        """The network of the machines, inside the engine's own network namespace."""
        return self._network(0)

    @property
    def pools(self):
        """The addresses that the balancer may bind; every one of them is this machine's."""
        return self._network(1)

    @property
    def link(self):
        """The cable between this machine, which has the first address, and the engine, which has the second."""
        return self._network(2)

    @property
    def unnamed(self):
        """The engine's network for containers that name none."""
        return self._network(3)

    @property
    def address(self):
        """Where everything of the lab listens but the engine: this machine, as the lab's machines see it."""
        return str(self.link[1])

    def port(self, name, wanted):
        """The port of `name`: the usual one where it is free. It stays the same over restarts."""
        return self.remember(f"port {name}", lambda: free_port(self.address, wanted))

    # Processes and files

    def process(self, name):
        return Process(self.folder / "run", name)

    def place(self, name):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, path, template=None, text=None, mode=0o644, **values):
        """Writes a file from a template in `files/`, in which $words stand for values, or from text."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if template:
            text = Template((HERE / "files" / template).read_text()).substitute(values)
        path.write_text(text)
        path.chmod(mode)
        return path

    def until(self, what, look, process=None, patience=PATIENCE):
        """Waits until `look` says yes. Ends early when `process` died, with the end of its log."""
        until, pause, trouble = time.monotonic() + patience, 0.02, "it says no"
        while True:
            try:
                if found := look():
                    return found
            except (OSError, Trouble) as said:
                trouble = said
            words = f"\n{process.last_words()}" if process else ""
            if process and not process.alive():
                raise Trouble(f"{process.name} ended before {what}:{words}")
            if time.monotonic() > until:
                raise Trouble(f"waited {patience} s in vain: {what}: {trouble}{words}")
            time.sleep(pause)
            pause = min(pause * 1.5, 1)


def free_number():
    taken = [ipaddress.ip_network(route["dst"]) for route in json.loads(run("ip", "-j", "route"))
             if route["dst"][0].isdigit()]
    for number in range(64):
        block = ipaddress.ip_network(f"172.30.{4 * number}.0/22")
        if not any(block.overlaps(network) for network in taken):
            return number
    raise Trouble("no network 172.30.x.0/22 is free on this machine")


def free_port(address, wanted):
    for port in (wanted, 0):
        with socket.socket() as taken, contextlib.suppress(OSError):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((address, port))
            return taken.getsockname()[1]
    raise Trouble(f"no port is free on {address}")


def listens(address, port):
    """Whether something takes connections there."""
    with socket.create_connection((address, port), timeout=2):
        return True


def owned(path, user):
    """Gives a folder and all in it to a system that refuses to run as root."""
    run("chown", "-R", f"{user}:", path)


def program(name, *folders):
    """Where a program is that Debian keeps out of the usual paths."""
    for folder in [*folders, *os.environ["PATH"].split(":"), "/usr/sbin", "/sbin"]:
        if (Path(folder) / name).exists():
            return str(Path(folder) / name)
    raise Trouble(f"{name} is not installed")
