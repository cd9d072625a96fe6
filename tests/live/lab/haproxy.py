"""HAProxy, the balancer: a master with its worker, told at run time over its socket, told for good by the files in its
folder. Pools bind the lab's pool addresses. `haproxy.cfg` is the site's; who configures pools writes into `conf.d`."""

from .ground import program, run

PACKAGES = ["haproxy", "socat"]
NEEDS = ["network"]


def start(lab):
    place = lab.place("haproxy")
    (place / "conf.d").mkdir(exist_ok=True)
    stats, runtime = lab.port("haproxy stats", 8404), lab.port("haproxy runtime", 9999)
    lab.write(place / "haproxy.cfg", "haproxy/haproxy.cfg", place=place, address=lab.address, stats=stats,
              runtime=runtime)
    balancer, files = program("haproxy"), ["-f", place / "haproxy.cfg", "-f", place / "conf.d"]
    process = lab.process("haproxy")
    if not process.alive():
        run(balancer, "-c", *files)
        process.start(balancer, "-W", "-S", place / "master.sock", *files)
    lab.until("the balancer answers", lambda: tell(place / "run.sock", "show info"), process)
    return {"program": balancer, "config": str(place / "haproxy.cfg"), "folder": str(place / "conf.d"),
            "socket": str(place / "run.sock"), "tcp": f"{lab.address}:{runtime}", "master": str(place / "master.sock"),
            "addresses": str(lab.pools), "stats": f"http://{lab.address}:{stats}/"}


def tell(socket, words):
    """Says something to the balancer or its master, and returns the answer."""
    return run("socat", "-t2", "-", f"UNIX-CONNECT:{socket}", told=words + "\n")


def tidy(lab):
    for pool in (lab.place("haproxy") / "conf.d").iterdir():
        pool.unlink()
    tell(lab.place("haproxy") / "master.sock", "reload")


def stop(lab):
    lab.process("haproxy").stop()
