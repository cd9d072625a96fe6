"""Debian packages: those that are missing are installed, nothing of them is started, /etc/apt is not touched."""

import contextlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

from .ground import Trouble, run

APT = threading.Lock()
POLICY = Path("/usr/sbin/policy-rc.d")
updated = threading.Event()


def install(names):
    """Installs what is missing of `names`."""
    with APT:
        missing = [name for name in names if not installed(name)]
        if missing:
            update()
            with nothing_starts():
                run("apt-get", "install", "-y", "-qq", "--no-install-recommends",
                    "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Options::=--force-unsafe-io", *missing,
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def installed(name):
    said = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name], capture_output=True, text=True,
                          check=False)
    return said.stdout == "installed"


def update():
    if not updated.is_set():
        run("apt-get", "update", "-qq", "-o", "DPkg::Lock::Timeout=600")
        updated.set()


@contextlib.contextmanager
def nothing_starts():
    """The systems of the lab run under the lab alone; Debian would start those of the whole machine."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def source(name, folder):
    """Fetches Debian's source package of `name` and returns the folder with its tree as its authors published it."""
    folder.mkdir(parents=True, exist_ok=True)
    views = folder / "apt"
    (views / "sources").mkdir(parents=True, exist_ok=True)
    (views / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    write_sources(views / "sources")
    apt = ["apt-get", "-qq", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={views}/sources",
           "-o", f"Dir::State::Lists={views}/lists", "-o", "APT::Sandbox::User=root"]
    run(*apt, "update")
    run(*apt, "source", "--download-only", name, cwd=folder)
    shutil.rmtree(views)
    [tarball] = folder.glob(f"{name}_*.orig.tar.*")
    before = set(folder.iterdir())
    run("tar", "xf", tarball, cwd=folder)
    [tree] = set(folder.iterdir()) - before
    return tree


def write_sources(folder):
    """A view of this machine's Debian mirrors that has sources too, in the form that each file has."""
    files = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for file in files:
        text = file.read_text()
        if "debian" not in text:
            continue
        if file.suffix == ".sources":
            lines = ["Types: deb-src" if line.startswith("Types:") else line for line in text.splitlines()]
        elif file.suffix == ".list":
            lines = [line.replace("deb ", "deb-src ", 1) for line in text.splitlines() if line.startswith("deb ")]
        else:
            continue
        (folder / file.name).write_text("\n".join(lines) + "\n")
    if not list(folder.iterdir()):
        raise Trouble("apt knows no mirror of Debian: look into /etc/apt/sources.list.d")
