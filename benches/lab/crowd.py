#!/usr/bin/python3
"""Two hundred orders at once: what vCenter is asked for each, whether the bounds hold, whether a small project waits
for a large one, and what memory a worker needs while all of their runs wait.

    benches/lab/crowd.py FOLDER PROGRAM [ORDERS]      FOLDER of tests/live/up, PROGRAM as cargo build --release made it

The portal and its worker are processes of their own on the lab's PostgreSQL. The machines stand in a vCenter simulator
of the bench's own, in which a clone takes two seconds and nothing boots: their runs wait for a Puppet agent that will
never come.
"""

import collections
import concurrent.futures
import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/live"))
from lab import postgres, vcenter  # noqa: E402
from lab.ground import Lab, free_port, run  # noqa: E402
from lab.authority import certificate  # noqa: E402

REQUESTER = "rita@example.org"
CLONE_MS = 2000
# What the small project orders while the large one orders all else.
SMALL, SMALL_ORDERS = "northwind/small", 5
LARGE = "northwind/large"
# Seconds until what was begun has come to rest.
SETTLES = 60
SETTINGS = """
[server]
port = 0
[database]
url = "{database}"
[secrets]
key_file = "{data}/key"
[worker]
concurrency = 16
[sites.crowd.vsphere]
url = "{url}"
username = "{username}"
password = "{password}"
ca_file = "{ca}"
datacenter = "DC0"
folder = "{folder}"
pool = "{pool}"
datastores = ["LocalDS_0", "LocalDS_1"]
# The simulator says of a machine that boots nothing that it has its address.
images.debian-12 = {{ template = "{template}", extra_config = {{ "SET.guest.ipAddress" = "{{address}}" }} }}
[sites.crowd.addresses]
domain = "{zone}"
subnet = "10.77.0.0/22"
[sites.crowd.puppet]
server = "{puppet[server]}"
address = "{puppet[address]}"
port = {puppet[port]}
secret = "{secret}"
token = "{secret}"
tls = {{ ca_file = "{puppet[ca]}", certificate_file = "{puppet[cert]}", key_file = "{puppet[key]}" }}
"""


class Simulator:
    """A vCenter of the bench's own, which writes down what it is asked. Its machines are no containers."""

    def __init__(self, lab, place):
        said, tls = lab.said()["vcenter"], certificate(lab, "vcenter")
        self.trace, port = Path(place, "asked"), free_port(lab.address, 0)
        self.said = {**said, "url": f"https://{lab.address}:{port}/sdk"}
        self.process = subprocess.Popen(
            [Path(said["govc"]).with_name("vcsim"), "-l", f"{lab.address}:{port}", "-username", said["username"],
             "-password", said["password"], "-tlscert", tls.cert, "-tlskey", tls.key, "-ds", "2", "-trace",
             "-trace-file", self.trace, "-method-delay", f"CloneVM_Task:{CLONE_MS}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.until("the simulator answers", lambda: vcenter.govc(self.said, "about") if self.process.poll() is None else
                  sys.exit("the simulator ended"))
        vcenter.furnish(lab, self.said)
        self.from_here = self.trace.stat().st_size

    def messages(self):
        """The methods that were called and answered since the bench began, in this order; answers end in `Response`."""
        with open(self.trace, encoding="utf-8", errors="replace") as trace:
            trace.seek(self.from_here)
            return re.findall(r"<(?:\w+:)?Body[^>]*><(?:\w+:)?(\w+)", trace.read())

    def asked(self):
        """How often each method was called."""
        return collections.Counter(name for name in self.messages() if not name.endswith(("Response", "Fault")))

    def side_by_side(self, method):
        """How many calls of this method waited for their answers at the same time, at most."""
        steps = {method: 1, f"{method}Response": -1}
        return max(itertools.accumulate(steps.get(name, 0) for name in self.messages()))

    def machines(self):
        return len(vcenter.govc(self.said, "find", self.said["folder"], "-type", "m").splitlines())

    def close(self):
        self.process.terminate()
        self.process.wait()


class Gatehouse:
    """A portal and a worker on the lab's PostgreSQL, on a database of their own."""

    def __init__(self, lab, simulator, program, data):
        self.program, self.data, self.lab = program, data, lab
        url = lab.said()["postgres"]["url"]
        self.name = f"crowd_{uuid.uuid4().hex[:8]}"
        self.server = url
        postgres.psql(url, f"create database {self.name}")
        database = re.sub(r"/\w+\?", f"/{self.name}?", url)
        Path(data, "key").write_text(run("openssl", "rand", "-base64", "32"))
        Path(data, "key").chmod(0o600)
        self.config = Path(data, "gatehouse.toml")
        self.config.write_text(SETTINGS.format(database=database, data=data, zone=lab.said()["dns"]["zone"],
                                               puppet=lab.said()["puppet"], secret=uuid.uuid4().hex, **simulator.said))
        self.tell("migrate")
        for project in (SMALL, LARGE):
            self.tell("project", "add", "--title", project.split("/")[1], "--team", "team-crowd", project)
            self.tell("project", "quota", project, "machines=500", "cpu=5000", "memory_gb=5000", "disk_gb=50000")
        roles = [word for project in (SMALL, LARGE) for word in ("--role", f"requester@{project}")]
        self.tell("user", "add", REQUESTER, "--name", "Rita", "--password-stdin", *roles, told="rita-orders-machines\n")
        self.token = self.tell("token", "create", "--user", REQUESTER, "--name", "bench", "--scope", "read", "--scope",
                               "order").split()[-1]
        self.portal, self.worker = self.start("serve", "--no-worker"), self.start("worker")
        opened = lab.until("the portal is open", lambda: re.search(r"http://\S+:\d+", self.log("serve")))
        self.base = opened[0].rstrip("/") + "/api/v1"

    def tell(self, *words, told=None):
        return run(self.program, "--config", self.config, *words, told=told)

    def start(self, *words):
        with open(Path(self.data, words[0]), "w", encoding="utf-8") as log:
            return subprocess.Popen([self.program, "--config", self.config, *words], stdin=subprocess.DEVNULL,
                                    stdout=log, stderr=subprocess.STDOUT)

    def log(self, name):
        return Path(self.data, name).read_text(encoding="utf-8")

    def ask(self, path, body=None):
        asked = urllib.request.Request(self.base + path, json.dumps(body).encode() if body is not None else None, {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4())})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def projects(self):
        return {project["name"]: project["id"] for project in self.ask("/catalog/linux-vm")["projects"]}

    def order(self, project, application):
        return self.ask("/requests", {"project": project, "blueprint": "linux-vm", "site": "crowd",
                                      "parameters": {"application": application}})

    def machines_stood(self, requests):
        """When the machine of each of these requests stood."""
        runs = [self.ask(f"/runs/{request['run']}") for request in requests]
        steps = [step for run in runs for step in run["steps"] if step["key"] == "node"]
        return [step["ended_at"] for step in steps]

    def waiting(self):
        """How many runs wait, and not for their turn."""
        return sum(1 for run in self.all("/runs") if run["state"] == "waiting" and run["held_up"] is None)

    def all(self, path):
        page = self.ask(f"{path}?limit=100")
        yield from page["items"]
        while page.get("next"):
            page = self.ask(f"{path}?limit=100&after={page['next']}")
            yield from page["items"]

    def memory(self):
        """What the worker alone takes of memory, in MB (proportional set size)."""
        rollup = Path(f"/proc/{self.worker.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) / 1024

    def close(self):
        for process in (self.portal, self.worker):
            process.terminate()
            process.wait()
        postgres.psql(self.server, f"drop database {self.name} with (force)")


def measure(house, simulator, orders):
    projects, began = house.projects(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        # Whoever orders a lot is first; the small project comes when all of that stands in line.
        large = list(clients.map(lambda number: house.order(projects["large"], f"large{number}"), range(orders - SMALL_ORDERS)))
        small = list(clients.map(lambda number: house.order(projects["small"], f"small{number}"), range(SMALL_ORDERS)))
    print(f"{orders} orders taken in {time.monotonic() - began:.1f} s", flush=True)
    house.lab.until("every machine stands, and its run waits", patience=1200, look=lambda: (
        house.waiting() == orders and all(house.machines_stood(large + small))))
    print(f"all of their runs wait for agents after {time.monotonic() - began:.1f} s", flush=True)
    asked = simulator.asked()
    print(f"{simulator.machines()} machines; vCenter was asked {sum(asked.values()) / orders:.1f} times an order:")
    for method, times in asked.most_common():
        print(f"  {method:28} {times:5} {times / orders:6.2f}")
    print(f"clones at the same time: {simulator.side_by_side('CloneVM_Task')} at most")
    ours = {name: house.machines_stood(requests) for name, requests in (("large", large), ("small", small))}
    before = sum(1 for stood in ours["large"] if stood < max(ours["small"]))
    print(f"the small project's last of {SMALL_ORDERS} machines stood after {before} of the large one's {len(large)}")
    time.sleep(SETTLES)
    print(f"the worker takes {house.memory():.0f} MB while {orders} runs wait")


def main(folder, program, orders="200"):
    lab, orders = Lab(folder), int(orders)
    with tempfile.TemporaryDirectory() as data, contextlib.ExitStack() as stack:
        simulator = Simulator(lab, data)
        stack.callback(simulator.close)
        house = Gatehouse(lab, simulator, program, data)
        stack.callback(house.close)
        measure(house, simulator, orders)


if __name__ == "__main__":
    main(*sys.argv[1:])
