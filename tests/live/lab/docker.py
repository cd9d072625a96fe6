"""The Docker Engine, on its own ground (see `network`): a local socket, and TLS with client certificates beside it. Its
network `gatehouse` gives a machine the address that it asks for."""

import shutil
import subprocess
from pathlib import Path

from . import network
from .authority import certificate
from .ground import HERE, listens, program, run

PACKAGES = ["docker.io", "iptables", "jq"]
NEEDS = ["network", "dns"]
NETWORK = "gatehouse"
TLS_PORT = 2376
# The label by which a portal knows its own.
KEY = "org.gatehouse.key"
# What the engine trusts of registries; it knows no other place.
TRUST = Path("/etc/docker/certs.d")


def socket(lab):
    return f"unix://{lab.folder}/docker/docker.sock"


def docker(lab, *words):
    """Docker's own client, on the lab's engine."""
    return run(client(), "--host", socket(lab), *words)


def client():
    return program("docker", "/usr/bin")


def start(lab):
    place = lab.place("docker")
    engine, tls = str(lab.link[2]), certificate(lab, "engine", lab.link[2])
    process = lab.process("dockerd")
    if not process.alive():
        configure(lab, place, engine, tls)
        process.start(*network.inside(lab), program("dockerd", "/usr/sbin"), "--config-file", place / "daemon.json")
    lab.until("the engine answers", lambda: listens(engine, TLS_PORT) and docker(lab, "version"), process)
    if NETWORK not in docker(lab, "network", "ls", "--format", "{{.Name}}").split():
        docker(lab, "network", "create", "--subnet", lab.machines, "--gateway", lab.machines[1],
               "--ip-range", unasked(lab),
               "--opt", "com.docker.network.bridge.name=gatehouse", "--opt",
               "com.docker.network.bridge.enable_ip_masquerade=false", NETWORK)
    # The engine shields its networks; this machine may knock at every port of a machine, as in a datacenter.
    run(*network.inside(lab), "sh", "-c", 'iptables -w -C "$@" 2>/dev/null || iptables -w -I "$@"', "allow",
        "DOCKER-USER", "-i", "cable", "-j", "ACCEPT")
    person = certificate(lab, "docker-client")
    return {"host": socket(lab), "network": NETWORK, "subnet": str(lab.machines), "gateway": str(lab.machines[1]),
            "addresses": {"first": str(lab.machines[10]), "last": str(unasked(lab)[0] - 1)},
            "tls": {"host": f"tcp://{engine}:{TLS_PORT}", "ca": str(tls.ca), "cert": str(person.cert),
                    "key": str(person.key)}}


def unasked(lab):
    """Addresses for containers that ask for none; those before are for who keeps a list of addresses."""
    return list(lab.machines.subnets(new_prefix=26))[-1]


def configure(lab, place, engine, tls):
    for sub in ("", "certs.d"):
        (place / sub).mkdir(exist_ok=True)
    runtime = ""
    if not may_take_resources():
        wrapper = shutil.copy(HERE / "files" / "docker" / "runc", place / "runc")
        runtime = f'"runtimes": {{"lab": {{"path": "{wrapper}"}}}}, "default-runtime": "lab",'
    lab.write(place / "daemon.json", "docker/daemon.json", place=place, cache=lab.cache, runtime=runtime,
              engine=engine, port=TLS_PORT, ca=tls.ca, cert=tls.cert, key=tls.key, dns=lab.address,
              bridge=f"{lab.unnamed[1]}/24")


def may_take_resources():
    """Whether root has CAP_SYS_RESOURCE (bit 24), which containers' runtime takes for granted."""
    with open("/proc/self/status", encoding="utf-8") as status:
        [mask] = [line.split()[1] for line in status if line.startswith("CapEff")]
    return bool(int(mask, 16) >> 24 & 1)


def stop(lab):
    lab.process("dockerd").stop()
    # An engine that was killed leaves this one mounted.
    subprocess.run(["umount", "-q", f"{lab.folder}/docker/run/netns/default"], check=False, capture_output=True)


def tidy(lab):
    """Removes what carries a portal's key."""
    key = ("--filter", f"label={KEY}", "-q")
    if containers := docker(lab, "ps", "-a", *key).split():
        docker(lab, "rm", "-f", "-v", *containers)
    for kind in ("network", "volume"):
        if left := docker(lab, kind, "ls", *key).split():
            docker(lab, kind, "rm", *left)


def clear(lab):
    """Removes all containers, their volumes and networks; images are kept."""
    if not lab.process("dockerd").alive():
        return
    if containers := docker(lab, "ps", "-aq").split():
        docker(lab, "rm", "-f", "-v", *containers)
    docker(lab, "volume", "prune", "-f")
    docker(lab, "network", "prune", "-f")
