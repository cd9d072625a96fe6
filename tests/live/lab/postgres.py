"""PostgreSQL with TLS, where Gatehouse may keep its data and make databases for tests."""

from pathlib import Path

from .authority import certificate
from .ground import Trouble, owned, run

PACKAGES = ["postgresql"]
NEEDS = ["network"]
USER = "gatehouse"


def programs():
    """The newest that Debian has installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not found:
        raise Trouble("PostgreSQL is not installed")
    return found[-1]


def start(lab):
    place, port, tls = lab.place("postgres"), lab.port("postgres", 5432), certificate(lab, "postgres")
    password, process = lab.secret("postgres"), lab.process("postgres")
    if not process.alive():
        for name, file in (("server.pem", tls.cert), ("server.key", tls.key)):
            lab.write(place / name, text=file.read_text(), mode=0o600)
        owned(place, "postgres")
        if not (place / "data").exists():
            first = lab.write(place / "password", text=password)
            run(programs() / "initdb", "-D", place / "data", "-U", USER, "-A", "scram-sha-256", "--pwfile", first, "-N",
                user="postgres", group="postgres", extra_groups=[], cwd="/")
            first.unlink()
            lab.write(place / "data" / "pg_hba.conf",
                      text="local all all scram-sha-256\nhostssl all all all scram-sha-256\n")
        settings = {"listen_addresses": lab.address, "port": port, "unix_socket_directories": place, "ssl": "on",
                    "ssl_cert_file": place / "server.pem", "ssl_key_file": place / "server.key", "fsync": "off",
                    "max_connections": 300}
        options = [f"--{name}={value}" for name, value in settings.items()]
        process.start(programs() / "postgres", "-D", place / "data", *options, user="postgres")
    url = f"postgres://{USER}:{password}@{lab.address}:{port}"
    verified = f"sslmode=verify-full&sslrootcert={tls.ca}"
    lab.until("PostgreSQL answers", lambda: psql(f"{url}/postgres?{verified}", "select 1"), process)
    if not psql(f"{url}/postgres?{verified}", f"select 1 from pg_database where datname = '{USER}'"):
        psql(f"{url}/postgres?{verified}", f"create database {USER}")
    return {"url": f"{url}/{USER}?{verified}", "ca": str(tls.ca)}


def psql(url, query):
    return run("psql", "-XAtc", query, url)


def stop(lab):
    lab.process("postgres").stop()
