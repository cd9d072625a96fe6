"""The ground under the engine: a network namespace of its own, joined to this machine by a cable. The engine's bridges
and packet filter live in there and vanish with it; an engine that this machine already has is not touched."""

import subprocess
from pathlib import Path

from .ground import run

PACKAGES = ["iproute2", "iptables"]
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# What it was before the first lab on this machine started; the last one to stop puts it back.
FORWARDING_BEFORE = Path("/run/gatehouse-lab-forwarding")


def names(lab):
    return f"gatehouse-lab-{lab.number}", f"gh-lab-{lab.number}"


def inside(lab):
    """How a command is run in the engine's namespace. (`ip netns exec` would hide the control groups.)"""
    return ["nsenter", f"--net=/run/netns/{names(lab)[0]}"]


def rules(lab):
    """Lets machines reach what this machine reaches, for Debian's mirror."""
    mark = ["-m", "comment", "--comment", names(lab)[0]]
    everything = str(lab.machines.supernet(new_prefix=22))
    return [
        ["-t", "nat", "POSTROUTING", "-s", everything, "!", "-d", everything, *mark, "-j", "MASQUERADE"],
        ["-t", "filter", "FORWARD", "-s", everything, *mark, "-j", "ACCEPT"],
        ["-t", "filter", "FORWARD", "-d", everything, *mark, "-j", "ACCEPT"],
    ]


def start(lab):
    space, cable = names(lab)
    if not Path(f"/run/netns/{space}").exists():
        here, there = lab.link[1], lab.link[2]
        run("ip", "netns", "add", space)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "cable", "netns", space)
        run("ip", "addr", "add", f"{here}/24", "dev", cable)
        run("ip", "link", "set", cable, "up")
        run(*inside(lab), "ip", "addr", "add", f"{there}/24", "dev", "cable")
        for device in ("lo", "cable"):
            run(*inside(lab), "ip", "link", "set", device, "up")
        run(*inside(lab), "ip", "route", "add", "default", "via", here)
        run("ip", "route", "add", lab.machines, "via", there)
        run("ip", "route", "add", "local", lab.pools, "dev", "lo")
        if not FORWARDING_BEFORE.exists():
            FORWARDING_BEFORE.write_text(FORWARDING.read_text())
        FORWARDING.write_text("1\n")
        for table, name, chain, *rule in rules(lab):
            run("iptables", "-w", table, name, "-I", chain, *rule)
    return {"machines": str(lab.machines), "pools": str(lab.pools), "address": lab.address}


def stop(lab):
    space, cable = names(lab)
    if not Path(f"/run/netns/{space}").exists():
        return
    for table, name, chain, *rule in rules(lab):
        subprocess.run(["iptables", "-w", table, name, "-D", chain, *rule], check=False, capture_output=True)
    run("ip", "route", "del", "local", lab.pools, "dev", "lo")
    run("ip", "link", "del", cable)
    run("ip", "netns", "del", space)
    if FORWARDING_BEFORE.exists() and not list(Path("/run/netns").glob("gatehouse-lab-*")):
        FORWARDING.write_text(FORWARDING_BEFORE.read_text())
        FORWARDING_BEFORE.unlink()
