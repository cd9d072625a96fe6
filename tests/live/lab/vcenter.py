"""VMware's vCenter simulator with container-backed machines: a clone that says `RUN.container` runs as a container with
an address and cloud-init of its own. It and `govc`, the independent hand, are built from Debian's source package of
govmomi. Its memory is its own: a restart forgets all machines."""

import os
import shutil
import ssl
import stat
import urllib.request

from . import docker, packages
from .authority import certificate
from .ground import HERE, run
from .images import BASE

NEEDS = ["docker"]
BUILD_PACKAGES = ["golang-go", "golang-github-google-uuid-dev", "golang-github-kr-pretty-dev", "dpkg-dev", "xz-utils"]
PACKAGES = ["jq"]
USER = "gatehouse@vsphere.local"


def start(lab):
    tools = lab.cache / "govmomi"
    if not (tools / "govc").exists():
        build(tools)
    place, port, tls = lab.place("vcenter"), lab.port("vcenter", 443), certificate(lab, "vcenter")
    password = lab.secret("vcenter")
    said = {"url": f"https://{lab.address}:{port}/sdk", "username": USER,
            "password": password, "ca": str(tls.ca), "govc": str(tools / "govc"), "datacenter": "DC0",
            "cluster": "/DC0/host/DC0_C0", "pool": "/DC0/host/DC0_C0/Resources", "folder": "/DC0/vm/gatehouse",
            "template": "/DC0/vm/debian-12", "datastores": ["LocalDS_0", "LocalDS_1"], "network": "VM Network"}
    process = lab.process("vcsim")
    if not process.alive():
        bury(lab)
        shutil.copy(HERE / "files" / "vcenter" / "docker", place / "docker")
        process.start(tools / "vcsim", "-l", f"{lab.address}:{port}", "-username", USER, "-password", password,
                      "-tlscert", tls.cert, "-tlskey", tls.key, "-ds", "2", env={
                          "DOCKER_HOST": docker.socket(lab), "LAB_DOCKER": docker.client(),
                          "LAB_NETWORK": docker.NETWORK, "VCSIM_BUSYBOX": BASE, "TMPDIR": lab.place("vcenter/tmp"),
                          "PATH": f"{place}:{os.environ['PATH']}"})
        context = ssl.create_default_context(cafile=tls.ca)
        lab.until("vCenter answers", lambda: urllib.request.urlopen(
            said["url"].replace("/sdk", "/about"), context=context, timeout=5), process)
        furnish(lab, said)
    return said


def build(tools):
    """Debian's own package of govmomi has the simulator's library, its source package the two programs."""
    packages.install(BUILD_PACKAGES)
    work = tools / "build"
    tree = packages.source("golang-github-vmware-govmomi", work)
    home = work / "go" / "src" / "github.com" / "vmware"
    home.mkdir(parents=True)
    (home / "govmomi").symlink_to(tree)
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOPATH": f"{work}/go:/usr/share/gocode",
                   "GOCACHE": f"{work}/cache"}
    for program in ("vcsim", "govc"):
        run("/usr/bin/go", "build", "-o", tools / program, f"github.com/vmware/govmomi/{program}", env=environment)
    for entry in work.rglob("*"):
        if not entry.is_symlink():
            entry.chmod(entry.stat().st_mode | stat.S_IWUSR)
    shutil.rmtree(work)


def govc(said, *words):
    """The independent hand."""
    return run(said["govc"], *words, env={
        **os.environ, "GOVC_URL": said["url"], "GOVC_USERNAME": said["username"],
        "GOVC_PASSWORD": said["password"], "GOVC_TLS_CA_CERTS": said["ca"], "GOVC_DATACENTER": said["datacenter"],
        "GOVC_PERSIST_SESSION": "false"})


def furnish(lab, said):
    """A template to clone, and a folder for what Gatehouse makes."""
    govc(said, "folder.create", said["folder"])
    govc(said, "vm.clone", "-vm", "DC0_H0_VM0", "-on=false", "-pool", said["pool"], "-ds", "LocalDS_0",
         said["template"].rpartition("/")[2])
    govc(said, "vm.markastemplate", said["template"])


def tidy(lab):
    said = lab.said()["vcenter"]
    for machine in govc(said, "find", said["folder"], "-type", "m").splitlines():
        govc(said, "vm.destroy", machine)


def bury(lab):
    """Removes containers of a simulator that was killed: the next one does not know them."""
    if orphans := docker.docker(lab, "ps", "-aq", "--filter", "name=^vcsim-").split():
        docker.docker(lab, "rm", "-f", "-v", *orphans)


def stop(lab):
    """It takes its containers along."""
    lab.process("vcsim").stop()
