"""A machine with a role, from its first boot to its second run, with the smallest Gatehouse that there can be: it says
what a node is, signs its certificate, and takes its reports."""

import base64
import http.server
import json
import re
import secrets
import subprocess
import threading
import time

from . import docker, puppet
from .ground import DOMAIN, PATIENCE, Trouble, run
from .images import MACHINE

# A first run on a busy machine, in seconds.
FIRST_RUN = 300


def first_boot(server, name):
    """What cloud-init is told of a machine, by the names that guestinfo has for it: its agent runs once."""
    told = {"fqdn": name, "puppet": {
        "install": False, "start_service": False, "exec": True,
        "exec_args": ["--onetime", "--no-daemonize", "--detailed-exitcodes", "--waitforcert", "1"],
        "conf": {"agent": {"server": server["server"], "serverport": server["port"], "certname": name}}}}
    return {"USERDATA": "#cloud-config\n" + json.dumps(told),
            "METADATA": json.dumps({"instance-id": name, "local-hostname": name.split(".")[0]})}


class Trial:
    def __init__(self, lab):
        self.lab, self.said = lab, lab.said()
        self.nodes, self.reports, self.token = {}, {}, secrets.token_hex(8)
        self.reported = threading.Condition()

    def __enter__(self):
        trial = self

        class Gatehouse(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                node = trial.nodes.get(self.path.rpartition("/")[2])
                known = node and self.headers["Authorization"] == f"Bearer {trial.token}"
                self.answer(200 if known else 404, json.dumps(node).encode())

            def do_POST(self):
                report = self.rfile.read(int(self.headers["Content-Length"])).decode()
                host = re.search(r"^host: (\S+)", report, re.M)[1]
                with trial.reported:
                    trial.reports[host] = re.search(r"^status: (\S+)", report, re.M)[1]
                    trial.reported.notify_all()
                self.answer(204 if host in trial.nodes else 404)

            def answer(self, status, body=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Nobody reads it."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gatehouse)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.note = self.lab.write(
            f"{self.said['puppet']['gatehouses']}/trial-{self.token}",
            text=f"http://127.0.0.1:{self.server.server_port}\n{self.token}\n")
        run("chown", "puppet", self.note)
        return self

    def __exit__(self, *_):
        self.note.unlink()
        self.server.shutdown()

    def tell(self, role, facts, questions):
        """Each thing that must hold, and whether it does."""
        name = f"trial-{role}.{DOMAIN}"
        # As Gatehouse tells it: a password is no parameter of a class.
        secrets = {key: value for key, value in facts.items() if key == "password"}
        parameters = {key: value for key, value in facts.items() if key not in secrets}
        self.nodes[name] = {"environment": "production", "classes": {role: parameters},
                            "parameters": {"gatehouse_secrets": secrets}}
        try:
            began = time.monotonic()
            address = self.boot(name)
            self.sign(name)
            status = self.report(name)
            yield f"a machine becomes {role} in {time.monotonic() - began:.0f} s: {status}", status == "changed"
            for question in questions:
                yield f"{role}: {question}", self.holds(question, name, address, facts)
            yield f"{role}: a second run changes nothing", self.run_again(name)
            docker.docker(self.lab, "restart", "-t", "5", name)
            for question in questions:
                yield f"{role}, after a reboot: {question}", self.lab.until(
                    question, lambda: self.holds(question, name, address, facts))
        except Trouble as trouble:
            yield f"{role}: {trouble}", False
        finally:
            subprocess.run(self.docker("rm", "-f", "-v", name), capture_output=True, check=False)
            puppet.ca(self.said["puppet"], "DELETE", f"certificate_status/{name}")

    def docker(self, *words):
        return [docker.client(), "--host", self.said["docker"]["host"], *words]

    def boot(self, name):
        data = first_boot(self.said["puppet"], name)
        environment = ["-e", "VMX_GUESTINFO=true"]
        for key, text in data.items():
            environment += ["-e", f"VMX_GUESTINFO_{key}={base64.b64encode(text.encode()).decode()}",
                            "-e", f"VMX_GUESTINFO_{key}_ENCODING=base64"]
        run(*self.docker("run", "-d", "--privileged", "--name", name, "--hostname", name.split(".")[0],
                         "--network", docker.NETWORK, *environment, MACHINE))
        return run(*self.docker("inspect", "-f", "{{.NetworkSettings.Networks.gatehouse.IPAddress}}", name))

    def sign(self, name):
        self.lab.until(f"{name} asks for a certificate", patience=FIRST_RUN,
                       look=lambda: not puppet.ca(self.said["puppet"], "GET", f"certificate_status/{name}").returncode)
        puppet.ca(self.said["puppet"], "PUT", f"certificate_status/{name}", '{"desired_state": "signed"}')

    def report(self, name):
        with self.reported:
            if not self.reported.wait_for(lambda: name in self.reports, FIRST_RUN):
                raise Trouble(f"no report of {name} in {FIRST_RUN} s:\n" + run(*self.docker("logs", name))[-1500:])
            return self.reports.pop(name)

    def run_again(self, name):
        """Whether a run finds everything as it should be; else it is shown."""
        again = subprocess.run(self.docker("exec", name, "puppet", "agent", "--onetime", "--no-daemonize",
                                           "--no-usecacheonfailure", "--detailed-exitcodes", "--verbose", "--color",
                                           "false"),
                               capture_output=True, text=True, check=False)
        if again.returncode:
            print(again.stdout, again.stderr)
        return again.returncode == 0

    def holds(self, question, name, address, facts):
        """What a person would ask from this machine, with the client that belongs to it."""
        tls = self.said["docker"]["tls"]
        words = {"ADDRESS": address, "NAME": name, "CA": tls["ca"], "CERT": tls["cert"], "KEY": tls["key"]}
        command = re.sub("|".join(words), lambda word: words[word[0]], question)
        password = facts.get("password", "")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PGPASSWORD": password, "MYSQL_PWD": password}
        asked = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=PATIENCE,
                               env=environment)
        return asked.returncode == 0
