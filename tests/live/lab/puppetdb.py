"""PuppetDB, which keeps the facts, catalogs and reports of all nodes, over the lab's PostgreSQL. The lab may run
without it."""

import shutil
import ssl
import urllib.request
from pathlib import Path
from urllib.parse import quote

from . import postgres, puppet
from .ground import owned

PACKAGES = ["puppetdb"]
NEEDS = ["puppet", "postgres"]
DEBIAN = Path("/etc/puppetdb")
PATIENCE = 240
JAVA = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+UnlockDiagnosticVMOptions",
        "-XX:-BytecodeVerificationRemote", "-XX:-UsePerfData", "-cp", "/usr/share/puppetdb/puppetdb.jar",
        "clojure.main", "-m", "puppetlabs.puppetdb.core", "services"]


def start(lab):
    place, port, process = lab.place("puppetdb"), lab.port("puppetdb", 8081), lab.process("puppetdb")
    said = lab.said()["puppet"]
    if not process.alive():
        configure(lab, place, port)
        process.start("java", *JAVA, "--config", place / "conf.d", "--bootstrap-config", DEBIAN / "bootstrap.cfg",
                      "--restart-file", place / "restart", env={"HOME": place}, user="puppetdb")
    url = f"https://{lab.address}:{port}"
    context = ssl.create_default_context(cafile=said["ca"])
    lab.until("PuppetDB answers", lambda: urllib.request.urlopen(
        f"{url}/status/v1/simple", context=context, timeout=5).read() == b"running", process, PATIENCE)
    return {"url": url, "ca": said["ca"], "cert": said["cert"], "key": said["key"]}


def configure(lab, place, port):
    data = lab.said()["postgres"]
    if not postgres.psql(data["url"], "select 1 from pg_database where datname = 'puppetdb'"):
        postgres.psql(data["url"], "create database puppetdb")
        postgres.psql(data["url"].replace("/gatehouse?", "/puppetdb?"), "create extension pg_trgm")
    ssl_folder = lab.place("puppetdb/ssl")
    for name, file in (("key", f"private_keys/{puppet.NAME}"), ("cert", f"certs/{puppet.NAME}"), ("ca", "certs/ca")):
        shutil.copy(lab.folder / f"puppet/ssl/{file}.pem", ssl_folder / f"{name}.pem")
    shutil.copy(data["ca"], ssl_folder / "lab.pem")
    lab.write(place / "logback.xml", "puppet/logback.xml")
    lab.write(place / "conf.d/puppetdb.ini", "puppetdb.ini", place=place, address=lab.address, port=port,
              database=f"//{lab.address}:{lab.port('postgres', 5432)}/puppetdb?sslmode=verify-full&sslrootcert="
                       + quote(str(ssl_folder / "lab.pem")),
              username=postgres.USER, password=lab.secret("postgres"), mode=0o600)
    shutil.copy(DEBIAN / "conf.d/auth.conf", place / "conf.d")
    lab.place("puppetdb/var")
    (place / "restart").write_text("0")
    owned(place, "puppetdb")


def stop(lab):
    lab.process("puppetdb").stop()
