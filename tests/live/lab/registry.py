"""Docker's registry, with TLS and a password; the lab's engine trusts its certificate."""

import base64
import contextlib
import shutil
import ssl
import urllib.request

from . import docker
from .authority import certificate
from .ground import program, run

PACKAGES = ["docker-registry", "apache2-utils"]
NEEDS = ["docker"]
USER = "gatehouse"


def start(lab):
    place, port, tls = lab.place("registry"), lab.port("registry", 5000), certificate(lab, "registry")
    password, at = lab.secret("registry"), f"{lab.address}:{port}"
    process = lab.process("registry")
    if not process.alive():
        people = run(program("htpasswd"), "-Bbn", USER, password)
        lab.write(place / "htpasswd", text=people + "\n", mode=0o600)
        lab.write(place / "config.yml", "registry/config.yml", place=place, at=at, cert=tls.cert, key=tls.key,
                  secret=lab.secret("registry sessions"))
        process.start(program("docker-registry"), "serve", place / "config.yml", env={"OTEL_TRACES_EXPORTER": "none"})
    asked = urllib.request.Request(f"https://{at}/v2/_catalog", headers={
        "Authorization": "Basic " + base64.b64encode(f"{USER}:{password}".encode()).decode()})
    context = ssl.create_default_context(cafile=tls.ca)
    lab.until("the registry answers", lambda: urllib.request.urlopen(asked, context=context, timeout=5), process)
    trust(lab, at, tls.ca)
    return {"address": at, "username": USER, "password": password, "ca": str(tls.ca)}


def trust(lab, at, ca):
    """Docker reads what it trusts of a registry from this one folder of the machine; `stop` takes it back."""
    folder = docker.TRUST / at
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ca, folder / "ca.crt")
    lab.remember("trusted", lambda: str(folder))


def stop(lab):
    lab.process("registry").stop()
    if folder := lab.recall("trusted"):
        shutil.rmtree(folder, ignore_errors=True)
        lab.forget("trusted")
        with contextlib.suppress(OSError):
            docker.TRUST.rmdir()
