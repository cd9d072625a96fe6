"""All parts of the lab: which there are, in what order they start and stop. What does not wait for each other starts
side by side."""

import concurrent.futures
import importlib
import shutil
import threading
import time

from . import packages
from .ground import Trouble

NAMES = ["network", "dns", "docker", "images", "vcenter", "puppet", "haproxy", "registry", "postgres", "smtp",
         "puppetdb"]


def part(name):
    if name not in NAMES:
        raise Trouble(f"the lab has no part {name}; it has {', '.join(NAMES)}")
    return importlib.import_module(f".{name}", __package__)


def needs(name):
    return getattr(part(name), "NEEDS", [])


def with_needs(names):
    """`names` and all that they need, in the order of their start."""
    wanted = set()

    def want(name):
        if name not in wanted:
            wanted.add(name)
            for other in needs(name):
                want(other)

    for name in names:
        want(name)
    return [name for name in NAMES if name in wanted]


def up(lab, names):
    """Starts what is missing of `names` and what they need. Says what became of each part."""
    names = with_needs(names or NAMES)
    done = {name: threading.Event() for name in names}
    failed = {}

    def bring(name):
        try:
            for other in needs(name):
                done[other].wait()
            if missing := [other for other in needs(name) if other in failed]:
                raise Trouble(f"needs {', '.join(missing)}")
            began = time.monotonic()
            packages.install(getattr(part(name), "PACKAGES", []))
            lab.say(name, part(name).start(lab))
            print(f"{name:9} is up after {time.monotonic() - began:.1f} s", flush=True)
        except (Trouble, OSError, ValueError) as trouble:
            failed[name] = trouble
            print(f"{name:9} is not up: {trouble}", flush=True)
        finally:
            done[name].set()

    with concurrent.futures.ThreadPoolExecutor(len(names)) as threads:
        for outcome in [threads.submit(bring, name) for name in names]:
            outcome.result()
    return not failed


def tidy(lab):
    """Takes away what was made in the parts that are up, in the order in which machines are left by what serves them."""
    for name in reversed(NAMES):
        if name in lab.said() and hasattr(part(name), "tidy"):
            part(name).tidy(lab)


def down(lab, names, everything=False):
    """Stops `names` as a power cut would: their data stay, `up` goes on. Without names all parts are stopped and
    nothing is left but the cache, and with `everything` not even that."""
    leaving = [name for name in reversed(NAMES) if name in names or not names]
    for name in leaving:
        if not names and hasattr(part(name), "clear"):
            part(name).clear(lab)
        part(name).stop(lab)
        lab.say(name, None)
    if not names:
        for left in lab.folder.iterdir():
            if left != lab.cache or everything:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
