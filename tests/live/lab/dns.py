"""BIND's `named`: the lab's zones, forward and reverse, which take updates that are signed with the lab's key (RFC
2136, RFC 8945). Machines ask it too; what it does not know it asks this machine's own name servers."""

import base64
import re
import secrets
from pathlib import Path

from .ground import DOMAIN, program, run

PACKAGES = ["bind9", "bind9-dnsutils"]
NEEDS = ["network"]
# Machines have no other choice: resolv.conf knows no ports.
PORT = 53
OWN = ("ns", "puppet", "vcenter", "registry", "smtp", "postgres")


def start(lab):
    place = lab.place("dns")
    reverse = ".".join(reversed(str(lab.machines.network_address).split(".")[:3])) + ".in-addr.arpa"
    pools = ".".join(reversed(str(lab.pools.network_address).split(".")[:3])) + ".in-addr.arpa"
    secret = lab.remember("dns key", lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    lab.write(place / "gatehouse.key", "dns/key", secret=secret, mode=0o600)
    for zone in (DOMAIN, reverse, pools):
        if not (place / zone).exists():
            lab.write(place / zone, "dns/zone", zone=zone, names=names(lab) if zone == DOMAIN else "")
    lab.write(place / "named.conf", "dns/named.conf", place=place, address=lab.address, port=PORT, domain=DOMAIN,
              reverse=reverse, pools=pools, forwarders=" ".join(f"{server};" for server in name_servers()))
    named = lab.process("named")
    if not named.alive():
        named.start(program("named"), "-g", "-4", "-c", place / "named.conf")
    lab.until("named answers", lambda: run("dig", f"@{lab.address}", "+short", "+time=1", "puppet." + DOMAIN), named)
    return {"address": lab.address, "port": PORT, "zone": DOMAIN, "reverse": reverse, "reverse_of_pools": pools,
            "key": "gatehouse", "algorithm": "hmac-sha256", "secret": secret, "key_file": str(place / "gatehouse.key")}


def names(lab):
    """What stands in the lab's zone from the beginning."""
    return "\n".join(f"{name} A {lab.address}" for name in OWN)


def tidy(lab):
    """Withdraws every name but those that were there from the beginning."""
    said = lab.said()["dns"]
    own = {f"{name}.{said['zone']}." for name in OWN}
    for zone in (said["zone"], said["reverse"], said["reverse_of_pools"]):
        records = run("dig", f"@{said['address']}", "-k", said["key_file"], "+noall", "+answer", "axfr", zone)
        named = {(words[0], words[3]) for words in map(str.split, records.splitlines())}
        left = {name for name, kind in named if kind in ("A", "PTR", "TXT") and name not in own}
        deletes = "".join(f"delete {name}\n" for name in sorted(left))
        run("nsupdate", "-k", said["key_file"], told=f"server {said['address']}\nzone {zone}\n{deletes}send\n")


def stop(lab):
    lab.process("named").stop()


def name_servers():
    text = Path("/etc/resolv.conf").read_text(encoding="utf-8")
    return [server for server in re.findall(r"^nameserver\s+(\S+)", text, re.M) if not server.startswith("127.")]
