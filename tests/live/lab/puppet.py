"""Puppet Server 7 with its own CA, which signs nothing by itself: Gatehouse's certificate may. What a node is, the
server asks Gatehouse (`enc`), and what came of a run it tells Gatehouse (`relay`); who writes a file with a URL and a
token into the folder `gatehouses` is a Gatehouse of this lab."""

import http.client
import shutil
import ssl
import subprocess
from pathlib import Path

from .authority import authority
from .ground import DOMAIN, HERE, listens, owned, run

PACKAGES = ["puppetserver", "puppet-agent", "puppet-terminus-puppetdb", "curl"]
NEEDS = ["dns"]
NAME, CLIENT = f"puppet.{DOMAIN}", "gatehouse"
DEBIAN = Path("/etc/puppet/puppetserver")
# With two busy cores.
PATIENCE = 240
# A server of a lab starts often and compiles little.
JAVA = ["-Xms256m", "-Xmx640m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+UnlockDiagnosticVMOptions",
        "-XX:-BytecodeVerificationRemote", "-XX:-UsePerfData",
        "-Djruby.logger.class=com.puppetlabs.jruby_utils.jruby.Slf4jLogger", "-Djruby.lib=/usr/share/jruby/lib"]


def start(lab):
    place, port = lab.place("puppet"), lab.port("puppet", 8140)
    found = {"server": NAME, "address": lab.address, "port": port, "environment": "production",
             "ca": str(place / "ssl/certs/ca.pem"), "cert": str(place / f"ssl/certs/{CLIENT}.pem"),
             "key": str(place / f"ssl/private_keys/{CLIENT}.pem"), "gatehouses": str(lab.place("puppet/gatehouses"))}
    code(place)
    relay, server = lab.process("relay"), lab.process("puppetserver")
    if not relay.alive():
        relay.start("/usr/bin/python3", HERE / "files/puppet/relay", lab.address, lab.port("relay", 8139),
                    place / "gatehouses")
    lab.until("the relay answers", lambda: listens(lab.address, lab.port("relay", 8139)), relay)
    if not server.alive():
        configure(lab, place, port)
        if not (place / "ca").exists():
            certify(lab, place)
        (place / "run/restart").write_text("0")
        owned(place, "puppet")
        server.start("java", *JAVA, "-jar", "/usr/share/puppetserver/puppetserver.jar", "--config", place / "conf.d",
                     "--bootstrap-config", DEBIAN / "services.d", "--restart-file", place / "run/restart",
                     env={"HOME": place / "var"}, user="puppet")
    lab.until("Puppet Server answers", lambda: running(found), server, PATIENCE)
    return found


def code(place):
    """The roles as they are in the project now; the server looks at each run."""
    environment = place / "environments/production"
    shutil.rmtree(environment, ignore_errors=True)
    shutil.copytree(HERE.parent / "puppet", environment)
    owned(environment, "puppet")


def configure(lab, place, port):
    for folder in ("conf.d", "etc", "var", "run", "log", "ssl"):
        (place / folder).mkdir(exist_ok=True)
    for file in ("auth.conf", "web-routes.conf", "ca.conf", "metrics.conf"):
        shutil.copy(DEBIAN / "conf.d" / file, place / "conf.d")
    for file in ("enc", "engine-certificate", "routes.yaml"):
        shutil.copy(HERE / "files/puppet" / file, place / "etc")
    # The role `docker` hands out certificates of the lab.
    ca = authority(lab)
    shutil.copy(ca, place / "etc/lab-ca.pem")
    shutil.copy(ca.with_suffix(".key"), place / "etc/lab-ca.key")
    values = {"place": place, "address": lab.address, "port": port, "name": NAME, "relay": lab.port("relay", 8139),
              "puppetdb": lab.port("puppetdb", 8081)}
    for file in ("puppetserver.conf", "logback.xml"):
        lab.write(place / "conf.d" / file, f"puppet/{file}", **values)
    for file in ("puppet.conf", "puppetdb.conf"):
        lab.write(place / "etc" / file, f"puppet/{file}", **values)


def certify(lab, place):
    """The CA, the server's own certificate, and Gatehouse's, which may sign and revoke."""
    ca = ["puppetserver", "ca"]
    config = ["--config", place / "etc/puppet.conf"]
    run(*ca, "setup", *config, "--ca-name", "Puppet CA of the lab", "--certname", NAME, "--subject-alt-names",
        f"DNS:{NAME},DNS:puppet,IP:{lab.address}")
    run(*ca, "generate", *config, "--ca-client", "--certname", CLIENT, "--force")


def running(found):
    context = ssl.create_default_context(cafile=found["ca"])
    connection = http.client.HTTPSConnection(found["address"], found["port"], timeout=5, context=context)
    connection.request("GET", "/status/v1/simple")
    return connection.getresponse().read() == b"running"


def ca(about, method, path, body=None):
    """Asks the CA as Gatehouse."""
    return subprocess.run(
        ["curl", "-fsS", "-m", "20", "--resolve", f"{about['server']}:{about['port']}:{about['address']}",
         "--cacert", about["ca"], "--cert", about["cert"], "--key", about["key"], "-X", method,
         "-H", "Content-Type: application/json", *(["-d", body] if body else []),
         f"https://{about['server']}:{about['port']}/puppet-ca/v1/{path}"],
        capture_output=True, text=True, check=False)


def tidy(lab):
    """Cleans all certificates but the server's and Gatehouse's; portals that are gone are asked no more."""
    left = [path.stem for path in (lab.folder / "puppet/ca/signed").glob("*.pem") if path.stem not in (NAME, CLIENT)]
    for name in left:
        for method, body in (("PUT", '{"desired_state": "revoked"}'), ("DELETE", None)):
            ca(lab.said()["puppet"], method, f"certificate_status/{name}", body)
    for gatehouse in (lab.folder / "puppet/gatehouses").iterdir():
        gatehouse.unlink()


def stop(lab):
    lab.process("puppetserver").stop()
    lab.process("relay").stop()
