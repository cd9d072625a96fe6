//! The lab as somebody sees it who has nothing to do with Gatehouse: by `govc`, `docker`, `dig` and plain connections.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The sites of the lab, by what their machines stand on.
pub const VCENTER: &str = "vcenter";
pub const DOCKER: &str = "docker";

/// The lab that runs, by its `lab.json`.
pub struct Lab {
    pub folder: PathBuf,
    told: Value,
}

impl Lab {
    /// The lab that `GATEHOUSE_LAB` names.
    pub fn running() -> Self {
        // The stories of a process share one; whoever comes second finds it there.
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = std::env::var("GATEHOUSE_LAB").expect("GATEHOUSE_LAB names the folder of `tests/live/up`");
        let folder = PathBuf::from(folder).canonicalize().expect("the lab's folder is there");
        let told = std::fs::read_to_string(folder.join("lab.json")).expect("the lab is up");
        Self { folder, told: serde_json::from_str(&told).unwrap() }
    }

    /// What `lab.json` says at this pointer.
    pub fn told(&self, pointer: &str) -> &str {
        self.told.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("lab.json says {pointer}"))
    }

    /// Names of the machines that stand on both compute platforms.
    pub fn machines(&self) -> BTreeSet<String> {
        let vcenter = self.govc(&["find", self.told("/vcenter/folder"), "-type", "m"]);
        let of_vcenter = vcenter.lines().filter_map(|path| path.rsplit('/').next()).map(str::to_owned);
        let docker = self.docker(&["ps", "--all", "--filter", "label=org.gatehouse.key", "--format", "{{.Names}}"]);
        of_vcenter.chain(docker.lines().map(str::to_owned)).collect()
    }

    /// Addresses that a name stands for, by the lab's name server.
    pub fn resolved(&self, name: &str) -> Vec<String> {
        let server = format!("@{}", self.told("/dns/address"));
        said(Command::new("dig").args(["+short", "+time=2", &server, name, "A"])).lines().map(str::to_owned).collect()
    }

    /// Names of the pools that the balancer has a file of.
    pub fn pools(&self) -> BTreeSet<String> {
        let files = std::fs::read_dir(self.told("/haproxy/folder")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
        names.filter_map(|name| Some(name.strip_prefix("zz-gatehouse-")?.strip_suffix(".cfg")?.to_owned())).collect()
    }

    /// Names on certificates that Puppet's CA has signed and not taken back.
    pub fn certificates(&self) -> BTreeSet<String> {
        let signed = self.folder.join("puppet/ca/signed");
        let files = std::fs::read_dir(&signed).unwrap_or_else(|cause| panic!("{}: {cause}", signed.display()));
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        files.filter_map(|file| stem(&file.unwrap().path())).collect()
    }

    /// What an order may leave nothing of.
    pub fn inventory(&self) -> Inventory {
        Inventory { machines: self.machines(), pools: self.pools(), certificates: self.certificates() }
    }

    pub fn govc(&self, arguments: &[&str]) -> String {
        let mut govc = Command::new(self.told("/vcenter/govc"));
        govc.args(arguments)
            .env("GOVC_URL", self.told("/vcenter/url"))
            .env("GOVC_USERNAME", self.told("/vcenter/username"))
            .env("GOVC_PASSWORD", self.told("/vcenter/password"))
            .env("GOVC_TLS_CA_CERTS", self.told("/vcenter/ca"));
        said(&mut govc)
    }

    /// Takes the power from a machine of a site.
    pub fn switch_off(&self, site: &str, machine: &str) {
        match site {
            VCENTER => self.govc(&["vm.power", "-off", "-force", machine]),
            _ => self.docker(&["kill", machine]),
        };
    }

    /// Gives the power back.
    pub fn switch_on(&self, site: &str, machine: &str) {
        match site {
            VCENTER => self.govc(&["vm.power", "-on", machine]),
            _ => self.docker(&["start", machine]),
        };
    }

    /// Asks the engine inside of the machine at this address, as its user would.
    pub fn engine_of(&self, address: &str, arguments: &[&str]) -> String {
        said(self.inner(address).args(arguments))
    }

    /// Carries the lab's base image into the engine of the machine at this address.
    pub fn load_into_engine(&self, address: &str) {
        let mut save = Command::new("docker");
        save.arg("-H").arg(self.told("/docker/host")).args(["save", self.told("/images/base")]);
        let mut saving = save.stdout(Stdio::piped()).spawn().unwrap();
        said(self.inner(address).arg("load").stdin(saving.stdout.take().unwrap()));
        assert!(saving.wait().unwrap().success());
    }

    fn inner(&self, address: &str) -> Command {
        let mut docker = Command::new("docker");
        docker.arg("--tlsverify").args(["-H", &format!("tcp://{address}:2376")]);
        for (option, file) in [("--tlscacert", "ca"), ("--tlscert", "cert"), ("--tlskey", "key")] {
            docker.args([option, self.told(&format!("/docker/tls/{file}"))]);
        }
        docker
    }

    /// Stops this part of the lab, which comes back when the answer is dropped.
    pub fn without(&self, part: &'static str) -> Away<'_> {
        said(Command::new("tests/live/down").arg(&self.folder).arg(part));
        Away { lab: self, part }
    }

    /// All that PuppetDB tells of its `catalogs`, `reports`, `facts`, …
    pub fn puppetdb(&self, of: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail"]);
        for (option, file) in [("--cacert", "ca"), ("--cert", "cert"), ("--key", "key")] {
            curl.args([option, self.told(&format!("/puppetdb/{file}"))]);
        }
        said(curl.arg(format!("{}/pdb/query/v4/{of}", self.told("/puppetdb/url"))))
    }

    pub fn docker(&self, arguments: &[&str]) -> String {
        said(Command::new("docker").arg("-H").arg(self.told("/docker/host")).args(arguments))
    }
}

/// A part of the lab that is away.
pub struct Away<'a> {
    lab: &'a Lab,
    part: &'static str,
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        said(Command::new("tests/live/up").arg(&self.lab.folder).arg(self.part));
    }
}

/// What stands in the lab that orders make.
#[derive(Debug, PartialEq, Eq)]
pub struct Inventory {
    pub machines: BTreeSet<String>,
    pub pools: BTreeSet<String>,
    pub certificates: BTreeSet<String>,
}

impl Inventory {
    /// What was not there before.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            machines: &self.machines - &before.machines,
            pools: &self.pools - &before.pools,
            certificates: &self.certificates - &before.certificates,
        }
    }
}

/// What a program says, which has to go well.
pub fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}
