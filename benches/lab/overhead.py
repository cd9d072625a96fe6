#!/usr/bin/python3
"""What Gatehouse adds to the systems themselves: the time of a scale-out-tomcat order on the lab's vCenter, from its
approval to its end, beside the same calls made by a plain script. They take turns; medians are compared.

    benches/lab/overhead.py FOLDER PROGRAM [TIMES]      FOLDER of tests/live/up, PROGRAM as cargo build --release made it
"""

import base64
import concurrent.futures
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/live"))
from lab import haproxy, puppet, vcenter  # noqa: E402
from lab.ground import Lab, run  # noqa: E402
from lab.images import MACHINE  # noqa: E402
from lab.trial import Trial, first_boot  # noqa: E402

PEOPLE = ["rita@example.org", "adam@example.org", "clara@example.org"]


def page(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.status == 200


class Script:
    """The order as somebody's script would carry it out: the same machines, names, certificates, runs and pool, asked
    of the same systems, two machines side by side, and nothing written down."""

    def __init__(self, lab, trial):
        self.lab, self.trial, self.said = lab, trial, lab.said()
        self.names = [f"plain-{number}.{self.said['dns']['zone']}" for number in (1, 2)]
        self.addresses = [str(lab.machines[190 + number]) for number in (0, 1)]

    def order(self):
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self.machine, self.names, self.addresses))
        url = self.pool()
        self.lab.until("the page answers", lambda: page(url))
        return time.monotonic() - began

    def machine(self, fqdn, address):
        about, name = self.said["vcenter"], fqdn.split(".")[0]
        self.trial.nodes[fqdn] = {"environment": "production", "classes": {"tomcat": {"tomcat_version": "10.1"}}}
        self.update(f"add {fqdn} 300 A {address}")
        vcenter.govc(about, "vm.clone", "-vm", about["template"], "-on=false", "-folder", about["folder"], "-pool",
                     about["pool"], "-ds", about["datastores"][1], "-c", "1", "-m", "2048", name)
        data = first_boot(self.said["puppet"], fqdn)
        data["METADATA"] = json.dumps({"instance-id": name, "local-hostname": name, "network": {
            "version": 2, "ethernets": {"nic": {"addresses": [f"{address}/24"]}}}})
        told = [f"RUN.container={MACHINE}"]
        for key, text in data.items():
            told += [f"guestinfo.{key.lower()}={base64.b64encode(text.encode()).decode()}",
                     f"guestinfo.{key.lower()}.encoding=base64"]
        machine = f"{about['folder']}/{name}"
        vcenter.govc(about, "vm.change", "-vm", machine, *(word for one in told for word in ("-e", one)))
        vcenter.govc(about, "vm.power", "-on", machine)
        self.trial.sign(fqdn)
        status = self.trial.report(fqdn)
        if status != "changed":
            raise SystemExit(f"{fqdn}: the run of Puppet is {status}")

    def pool(self):
        about, address = self.said["haproxy"], str(self.lab.pools[-2])
        servers = "".join(f"  server {name.split('.')[0]} {address}:8080 check inter 1s fall 2 rise 1\n"
                          for name, address in zip(self.names, self.addresses))
        Path(about["folder"], "plain.cfg").write_text(
            f"listen plain\n  bind {address}:8080\n  mode http\n  option httpchk GET /\n{servers}")
        run(about["program"], "-c", "-f", about["config"], "-f", about["folder"])
        haproxy.tell(about["master"], "reload")
        return f"http://{address}:8080/"

    def retire(self):
        about = self.said["haproxy"]
        Path(about["folder"], "plain.cfg").unlink(missing_ok=True)
        haproxy.tell(about["master"], "reload")
        for name in self.names:
            vcenter.govc(self.said["vcenter"], "vm.destroy", f"{self.said['vcenter']['folder']}/{name.split('.')[0]}")
            puppet.ca(self.said["puppet"], "DELETE", f"certificate_status/{name}")
            self.update(f"delete {name}")

    def update(self, change):
        about = self.said["dns"]
        run("nsupdate", "-k", about["key_file"],
            told=f"server {about['address']} {about['port']}\nzone {about['zone']}\n{change}\nsend\n")


class Portal:
    """The order as Gatehouse carries it out, asked for over its API."""

    def __init__(self, lab, program, data):
        self.program, self.data = program, data
        # It goes on saying things, which nobody has to read.
        self.log = open(f"{data}/log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([program, "demo", "--lab", lab.folder, "--data", data, "--port", "0"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.base = lab.until("the portal is open", self.opened)[1].rstrip("/") + "/api/v1"
        self.tokens = {email: self.token(email) for email in PEOPLE}

    def opened(self):
        return re.search(r"is open at (\S+)", Path(self.log.name).read_text(encoding="utf-8"))

    def token(self, email):
        scopes = [word for scope in ("read", "order", "decide") for word in ("--scope", scope)]
        return run(self.program, "token", "create", "--user", email, "--name", "bench", *scopes,
                   env={**os.environ, "GATEHOUSE_DATABASE__URL": f"sqlite:{self.data}/gatehouse.db"})

    def ask(self, who, path, body=None):
        asked = urllib.request.Request(self.base + path, json.dumps(body).encode() if body is not None else None, {
            "Authorization": f"Bearer {self.tokens[who]}", "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4())})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)

    def order(self):
        projects = self.ask(PEOPLE[0], "/catalog/scale-out-tomcat")["projects"]
        [project] = [project["id"] for project in projects if project["name"] == "shop"]
        request = self.ask(PEOPLE[0], "/requests", {
            "project": project, "blueprint": "scale-out-tomcat", "site": "vcenter",
            "parameters": {"application": f"bench{uuid.uuid4().hex[:6]}"}})
        return self.carried_out(request)

    def carried_out(self, request):
        """The request's deployment, and the seconds from the last approval to its end."""
        while request["state"] not in ("fulfilled", "paused", "failed"):
            time.sleep(0.2)
            for who in PEOPLE[1:] if request["state"] == "awaiting_approval" else ():
                for question in self.ask(who, "/approvals")["items"]:
                    if question["request"] == request["id"]:
                        self.ask(who, f"/approvals/{question['id']}/decision", {"decision": "approve"})
            request = self.ask(PEOPLE[0], f"/requests/{request['id']}")
        if request["state"] != "fulfilled":
            raise SystemExit(f"the order is {request['state']}: {request['paused_because']}")
        begun, ended = (datetime.datetime.fromisoformat(request[key][:26] + "+00:00")
                        for key in ("decided_at", "ended_at"))
        return request["deployment"], (ended - begun).total_seconds()

    def retire(self, deployment):
        self.carried_out(self.ask(PEOPLE[0], f"/deployments/{deployment}/retire", {}))

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def main(folder, program, times="5"):
    lab, seconds = Lab(folder), {"script": [], "gatehouse": []}
    with Trial(lab) as trial, tempfile.TemporaryDirectory() as data:
        script, portal = Script(lab, trial), Portal(lab, program, data)
        try:
            for turn in range(1, int(times) + 1):
                try:
                    seconds["script"].append(script.order())
                finally:
                    script.retire()
                deployment, took = portal.order()
                seconds["gatehouse"].append(took)
                portal.retire(deployment)
                print(f"{turn}: script {seconds['script'][-1]:.1f} s, Gatehouse {took:.1f} s", flush=True)
        finally:
            portal.close()
    plain, ours = (statistics.median(taken) for taken in seconds.values())
    print(f"median: script {plain:.1f} s, Gatehouse {ours:.1f} s: {100 * (ours - plain) / plain:+.1f} %")


if __name__ == "__main__":
    main(*sys.argv[1:])
