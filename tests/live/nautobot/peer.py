"""A Nautobot of its own in a folder: its PostgreSQL on a socket, its Redis and itself on free ports of this machine."""

import base64
import json
import shutil
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import packages  # noqa: E402
from lab.ground import Trouble, free_port, owned, run  # noqa: E402
from lab.postgres import programs  # noqa: E402

VERSION = "3.2.7"
PACKAGES = ["postgresql", "redis-server", "python3-venv"]
HERE = "127.0.0.1"
# The name of its database, of who owns it, and of its administrator.
NAME = "nautobot"
# Its first answer builds what all others use.
PATIENCE = 120


def up(lab):
    """Starts what does not run; the first time from nothing, which takes minutes, then from what was kept of that."""
    packages.install(PACKAGES)
    place, port = lab.place("nautobot"), lab.remember("port nautobot", lambda: free_port(HERE, 8099))
    program = installed(lab.cache / "nautobot")
    database(lab, place)
    redis(lab, place)
    url, process = f"http://{HERE}:{port}", lab.process("nautobot")
    environment = settings(lab, place)
    if not (place / "nautobot_config.py").exists():
        run(program, "init", "--disable-installation-metrics", place / "nautobot_config.py", env=environment)
    if not lab.recall("nautobot filled"):
        fill(lab, place, program, environment)
        lab.remember("nautobot filled", lambda: True)
    if not process.alive():
        ini = lab.write(place / "uwsgi.ini", text="\n".join([
            "[uwsgi]", f"http = {HERE}:{port}", "master = true", "enable-threads = true", "processes = 2", "threads = 2",
            "single-interpreter = true", "need-app = true", "die-on-term = true", "buffer-size = 8192",
            ""]))
        process.start(program, "start", "--ini", ini, env=environment, cwd=place)
    lab.until("Nautobot answers", lambda: urllib.request.urlopen(f"{url}/health/", timeout=60).status == 200, process,
              PATIENCE)
    token = lab.remember("nautobot token", lambda: new_token(lab, url))
    lab.say("nautobot", {"url": url, "token": token, "version": VERSION, "log": str(process.log),
                         "pid": process.pid()})


def down(lab, everything=False):
    """Stops it and leaves nothing but the cache, and not even that when everything shall go."""
    for name in ("nautobot", "nautobot-redis", "nautobot-postgres"):
        lab.process(name).stop()
    for left in lab.folder.iterdir():
        if left != lab.cache or everything:
            shutil.rmtree(left) if left.is_dir() else left.unlink()


def installed(cache):
    """Nautobot in an environment of its own; kept, for it takes a minute."""
    venv = cache / f"venv-{VERSION}"
    program = venv / "bin" / "nautobot-server"
    if not program.exists():
        run("/usr/bin/python3", "-m", "venv", venv)
        run(venv / "bin" / "pip", "install", "--quiet", f"nautobot=={VERSION}")
    return program


def settings(lab, place):
    """Where it finds what, in its own words."""
    told = {"ROOT": place, "CONFIG": place / "nautobot_config.py", "SECRET_KEY": lab.secret("nautobot"),
            "ALLOWED_HOSTS": f"{HERE} localhost", "INSTALLATION_METRICS_ENABLED": "false",
            "DB_ENGINE": "django.db.backends.postgresql", "DB_NAME": NAME, "DB_USER": NAME, "DB_HOST": place,
            "DB_PORT": "5432", "REDIS_HOST": HERE, "REDIS_PORT": lab.recall("port nautobot-redis")}
    # Debian's Python may be told where other Pythons keep things.
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", **{f"NAUTOBOT_{key}": str(value) for key, value in told.items()}}


def database(lab, place):
    process, data = lab.process("nautobot-postgres"), place / "data"
    if process.alive():
        return
    if not data.exists():
        owned(place, "postgres")
        as_postgres(programs() / "initdb", "-D", data, "-U", NAME, "-A", "trust", "-N")
    options = {"listen_addresses": "", "unix_socket_directories": place, "fsync": "off", "max_connections": 50}
    process.start(programs() / "postgres", "-D", data, *[f"--{name}={value}" for name, value in options.items()],
                  user="postgres")
    lab.until("PostgreSQL answers", lambda: query(place, "postgres", "select 1"), process)
    if not query(place, "postgres", f"select 1 from pg_database where datname = '{NAME}'"):
        query(place, "postgres", f"create database {NAME}")


def as_postgres(*command):
    return run(*command, user="postgres", group="postgres", extra_groups=[], cwd="/")


def query(place, name, words):
    return run("psql", "-h", place, "-U", NAME, "-XAtc", words, name)


def redis(lab, place):
    port = lab.remember("port nautobot-redis", lambda: free_port(HERE, 6390))
    process = lab.process("nautobot-redis")
    if not process.alive():
        process.start("/usr/bin/redis-server", "--port", port, "--bind", HERE, "--save", "", "--dir", place)
    lab.until("Redis answers", lambda: run("redis-cli", "-h", HERE, "-p", port, "ping") == "PONG", process)


def fill(lab, place, program, environment):
    """Makes its tables and its administrator; the tables are kept, for they take five minutes of a processor."""
    dump = lab.cache / "nautobot" / f"migrated-{VERSION}.dump"
    if dump.exists():
        run("pg_restore", "-h", place, "-U", NAME, "-d", NAME, "--clean", "--if-exists", dump)
    else:
        run(program, "migrate", env=environment)
        new = dump.with_suffix(".new")
        run("pg_dump", "-h", place, "-U", NAME, "-Fc", "-f", new, NAME)
        new.rename(dump)
    if not query(place, NAME, f"select 1 from auth_user where username = '{NAME}'"):
        run(program, "createsuperuser", "--noinput", "--username", NAME, "--email", "nautobot@example.org",
            env={**environment, "DJANGO_SUPERUSER_PASSWORD": lab.secret("nautobot-password")})


def new_token(lab, url):
    credentials = base64.b64encode(f"{NAME}:{lab.secret('nautobot-password')}".encode()).decode()
    asked = urllib.request.Request(f"{url}/api/users/tokens/", b'{"description": "lab"}', {
        "Authorization": f"Basic {credentials}", "Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        made = json.load(answer)
    if "key" not in made:
        raise Trouble(f"Nautobot gives no token: {made}")
    return made["key"]
