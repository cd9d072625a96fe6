"""The images of the lab: `gatehouse/base`, a small Debian, and `gatehouse/machine`, a machine that boots as a virtual
one does: cloud-init, sshd, a Puppet agent, and an init that needs no systemd. What the roles install
lies ready in it."""

import shutil
import subprocess

from . import docker
from .ground import HERE, run

PACKAGES = ["mmdebstrap", "openssh-client"]
NEEDS = ["docker"]
BASE, MACHINE = "gatehouse/base", "gatehouse/machine"
MIRROR = "http://deb.debian.org/debian"


def start(lab):
    if not docker.docker(lab, "images", "-q", BASE):
        base(lab)
    key = lab.cache / "ssh" / "id_ed25519"
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gatehouse lab", "-f", key)
    context = lab.place("images")
    shutil.copytree(HERE / "images" / "machine", context, dirs_exist_ok=True)
    shutil.copy(f"{key}.pub", context / "authorized_keys")
    docker.docker(lab, "build", "-q", "-t", MACHINE, context)
    return {"base": BASE, "machine": MACHINE, "user": "root", "key": str(key)}


def base(lab):
    """Debian as small as it gets, made from this suite's packages alone."""
    tarball = lab.place("images") / "base.tar"
    run("mmdebstrap", "--variant=apt", "--aptopt=Acquire::Languages \"none\"", "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*", "--include=ca-certificates,iproute2,busybox", "bookworm", tarball,
        f"deb {MIRROR} bookworm main")
    docker.docker(lab, "import", "--change", 'CMD ["sh"]', tarball, BASE)
    tarball.unlink()


def stop(lab):
    """Images don't run."""
