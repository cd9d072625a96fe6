//! The demo on real systems: those of the lab that `tests/live/up FOLDER` started, as its `lab.json` names them.
//!
//! Two sites stand in the lab's one network, so they share its names and addresses: `docker`, whose machines are
//! containers of the lab's engine, and `vcenter`, whose machines VMware's simulator runs.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::Failure;
use crate::settings::{
    Addresses, ContainerHosts, Dns, Docker, Haproxy, Probe, Puppet, Secret, Site, Spaces, Ssh, Tls, Vsphere, vsphere,
};

/// The image that the blueprints name, and what both sites share names and addresses by.
const IMAGE: &str = "debian-12";
const POOL: &str = "lab";

/// What is where in the lab. It says more than a site needs.
#[derive(Deserialize)]
pub(super) struct Lab {
    network: Network,
    dns: NameServer,
    docker: Engine,
    images: Images,
    vcenter: Vcenter,
    haproxy: Balancer,
    puppet: PuppetServer,
    puppetdb: Database,
}

#[derive(Deserialize)]
struct Network {
    machines: String,
    pools: String,
}

#[derive(Deserialize)]
struct NameServer {
    address: IpAddr,
    port: u16,
    zone: String,
    reverse: String,
    reverse_of_pools: String,
    key: String,
    algorithm: String,
    secret: Secret,
}

#[derive(Deserialize)]
struct Engine {
    host: String,
    network: String,
    subnet: String,
    addresses: Stretch,
    tls: Certificates,
}

#[derive(Deserialize)]
struct Stretch {
    first: IpAddr,
    last: IpAddr,
}

#[derive(Deserialize)]
struct Certificates {
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
struct Images {
    machine: String,
    /// Who is let in to a machine, and with which private key.
    user: String,
    key: PathBuf,
}

#[derive(Deserialize)]
struct Vcenter {
    url: String,
    username: String,
    password: Secret,
    ca: PathBuf,
    datacenter: String,
    pool: String,
    folder: String,
    template: String,
    datastores: Vec<String>,
    network: String,
}

#[derive(Deserialize)]
struct Balancer {
    program: PathBuf,
    config: PathBuf,
    folder: PathBuf,
    socket: String,
    master: String,
    addresses: String,
}

#[derive(Deserialize)]
struct PuppetServer {
    server: String,
    address: IpAddr,
    port: u16,
    environment: String,
    #[serde(flatten)]
    certificates: Certificates,
    /// A file in it for each Gatehouse that the server asks: its address and its token, a line each.
    gatehouses: PathBuf,
}

#[derive(Deserialize)]
struct Database {
    url: String,
}

impl Lab {
    /// Reads `lab.json` of the lab's folder.
    pub(super) fn read(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join("lab.json");
        let text = fs::read_to_string(&file).map_err(|cause| {
            format!(
                "`{}` can't be read: {cause}; start the lab first: tests/live/up {}",
                file.display(),
                folder.display()
            )
        })?;
        Ok(serde_json::from_str(&text).map_err(|cause| format!("`{}` is no lab: {cause}", file.display()))?)
    }

    /// The lab's sites; what has to stay the same from start to start is kept in the demo's folder.
    pub(super) fn sites(&self, data: &Path) -> Result<BTreeMap<String, Site>, Failure> {
        let docker = Site {
            title: "Containers of the lab".to_owned(),
            docker: Some(self.docker()),
            spaces: Some(Spaces {
                host: self.docker.host.clone(),
                name: POOL.to_owned(),
                endpoint: "tcp://127.0.0.1:2375/spaces".to_owned(),
                ..Spaces::default()
            }),
            ..self.common("docker", data)?
        };
        let vcenter = Site {
            title: "vCenter of the lab".to_owned(),
            vsphere: Some(self.vsphere()),
            ..self.common("vcenter", data)?
        };
        let vcenter = Site { puppet: vcenter.puppet.map(|it| Puppet { ssh: Some(self.ssh()), ..it }), ..vcenter };
        Ok(BTreeMap::from([("docker".to_owned(), docker), ("vcenter".to_owned(), vcenter)]))
    }

    /// Tells the lab's Puppet Server where this Gatehouse answers, until the answer is dropped.
    pub(super) fn announce(&self, sites: &BTreeMap<String, Site>, url: &str) -> Result<Announced, Failure> {
        let mut announced = Announced(Vec::new());
        for (name, site) in sites {
            let token = site.puppet.as_ref().and_then(|puppet| puppet.token.as_ref()).map(Secret::expose);
            let file = self.puppet.gatehouses.join(format!("demo-{name}"));
            fs::write(&file, format!("{url}\n{}\n", token.unwrap_or_default()))
                .map_err(|cause| format!("`{}` can't be written: {cause}", file.display()))?;
            announced.0.push(file);
        }
        Ok(announced)
    }

    fn docker(&self) -> Docker {
        Docker {
            host: self.docker.host.clone(),
            name: POOL.to_owned(),
            network: self.docker.network.clone(),
            images: BTreeMap::from([(IMAGE.to_owned(), self.images.machine.clone())]),
            inner_engines: true,
            ..Docker::default()
        }
    }

    fn vsphere(&self) -> Vsphere {
        let Vcenter { url, username, password, ca, datacenter, pool, folder, template, datastores, network } =
            &self.vcenter;
        // The simulator runs a machine as a container of this image, at the address that the machine is to have.
        let container =
            [("RUN.container", format!("[\"{}\"]", self.images.machine)), ("guestinfo.address", "{address}".into())];
        let image = vsphere::Image {
            template: template.clone(),
            extra_config: container.map(|(name, value)| (name.to_owned(), value)).into(),
            ..vsphere::Image::default()
        };
        Vsphere {
            url: url.clone(),
            username: username.clone(),
            password: Some(password.clone()),
            ca_file: Some(ca.clone()),
            datacenter: datacenter.clone(),
            pool: pool.clone(),
            folder: folder.clone(),
            datastores: datastores.clone(),
            network: Some(network.clone()),
            images: BTreeMap::from([(IMAGE.to_owned(), image)]),
            ..Vsphere::default()
        }
    }

    /// Where no engine does it, agents are started by SSH.
    fn ssh(&self) -> Ssh {
        Ssh {
            user: self.images.user.clone(),
            key_file: self.images.key.clone(),
            command:
                "puppet agent --onetime --pidfile /run/gatehouse-agent.pid --no-usecacheonfailure --waitforlock 5 \
                      --maxwaitforlock 600"
                    .to_owned(),
            ..Ssh::default()
        }
    }

    /// What both sites have: they stand in one network.
    fn common(&self, site: &str, data: &Path) -> Result<Site, Failure> {
        let Lab { network, dns, docker, haproxy, .. } = self;
        Ok(Site {
            container_hosts: Some(ContainerHosts { tls: docker.tls.settings(), ..ContainerHosts::default() }),
            probe: Some(Probe { networks: vec![network.machines.clone(), network.pools.clone()], ..Probe::default() }),
            addresses: Some(Addresses {
                domain: dns.zone.clone(),
                subnet: docker.subnet.clone(),
                range: Some(format!("{}-{}", docker.addresses.first, docker.addresses.last)),
                pool: POOL.to_owned(),
                ..Addresses::default()
            }),
            dns: Some(Dns {
                server: format!("{}:{}", dns.address, dns.port),
                zone: dns.zone.clone(),
                reverse: vec![dns.reverse.clone(), dns.reverse_of_pools.clone()],
                key: dns.key.clone(),
                algorithm: dns.algorithm.clone(),
                secret: Some(dns.secret.clone()),
                secret_file: None,
            }),
            haproxy: Some(Haproxy {
                files: vec![haproxy.config.clone()],
                folder: haproxy.folder.clone(),
                program: haproxy.program.clone(),
                runtime: haproxy.socket.clone(),
                master: haproxy.master.clone(),
                subnet: haproxy.addresses.clone(),
                ..Haproxy::default()
            }),
            puppet: Some(self.puppet(site, data)?),
            ..Site::default()
        })
    }

    fn puppet(&self, site: &str, data: &Path) -> Result<Puppet, Failure> {
        Ok(Puppet {
            server: self.puppet.server.clone(),
            port: self.puppet.port,
            address: Some(self.puppet.address),
            tls: self.puppet.certificates.settings(),
            environment: self.puppet.environment.clone(),
            secret: Some(kept(&data.join(format!("{site}-challenges")))?),
            token: Some(kept(&data.join(format!("{site}-token")))?),
            puppetdb: Some(self.puppetdb.url.clone()),
            ..Puppet::default()
        })
    }
}

impl Certificates {
    fn settings(&self) -> Tls {
        let file = |path: &PathBuf| Some(path.clone());
        Tls { ca_file: file(&self.ca), certificate_file: file(&self.cert), key_file: file(&self.key) }
    }
}

/// Files that say where this Gatehouse answers; gone when this is dropped.
pub(super) struct Announced(Vec<PathBuf>);

impl Drop for Announced {
    fn drop(&mut self) {
        for file in &self.0 {
            if let Err(cause) = fs::remove_file(file) {
                tracing::warn!(file = %file.display(), %cause, "the lab's Puppet Server still asks this Gatehouse");
            }
        }
    }
}

/// A secret that is made once and kept in this file.
fn kept(file: &Path) -> Result<Secret, Failure> {
    if !file.exists() {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(file, app::secret::fresh()))
            .map_err(|cause| format!("`{}` can't be written: {cause}", file.display()))?;
    }
    Ok(Secret::from_file(file).map_err(|cause| format!("`{}` can't be read: {cause}", file.display()))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_sites_of_a_lab_share_its_names_and_addresses_and_keep_their_secrets() {
        let lab = json!({
            "network": { "machines": "172.30.0.0/24", "pools": "172.30.1.0/24", "address": "172.30.2.1" },
            "dns": {
                "address": "172.30.2.1", "port": 53, "zone": "lab.test", "reverse": "0.30.172.in-addr.arpa",
                "reverse_of_pools": "1.30.172.in-addr.arpa", "key": "gatehouse", "algorithm": "hmac-sha256",
                "secret": "c2VjcmV0",
            },
            "docker": {
                "host": "unix:///lab/docker.sock", "network": "gatehouse", "subnet": "172.30.0.0/24",
                "addresses": { "first": "172.30.0.10", "last": "172.30.0.191" },
                "tls": { "host": "tcp://172.30.2.2:2376", "ca": "ca.pem", "cert": "cert.pem", "key": "key.pem" },
            },
            "images": { "machine": "gatehouse/machine", "user": "root", "key": "/lab/id_ed25519" },
            "vcenter": {
                "url": "https://172.30.2.1/sdk", "username": "gatehouse", "password": "s3cret", "ca": "ca.pem",
                "datacenter": "DC0", "pool": "/DC0/host/Resources", "folder": "/DC0/vm", "template": "/DC0/vm/debian-12",
                "datastores": ["LocalDS_0"], "network": "VM Network",
            },
            "haproxy": {
                "program": "/usr/sbin/haproxy", "config": "/lab/haproxy.cfg", "folder": "/lab/conf.d",
                "socket": "/lab/run.sock", "master": "/lab/master.sock", "addresses": "172.30.1.0/24",
            },
            "puppet": {
                "server": "puppet.lab.test", "address": "172.30.2.1", "port": 8140, "environment": "production",
                "ca": "ca.pem", "cert": "cert.pem", "key": "key.pem", "gatehouses": "/lab/gatehouses",
            },
            "puppetdb": { "url": "https://172.30.2.1:8081" },
        });
        let lab: Lab = serde_json::from_value(lab).expect("a lab");
        let data = std::env::temp_dir().join(format!("gatehouse-lab-{}", std::process::id()));
        let sites = lab.sites(&data).expect("its sites");
        assert_eq!(lab.sites(&data).expect("again"), sites, "what was made at the first start is kept");
        fs::remove_dir_all(&data).expect("it was made");
        assert_eq!(sites.keys().collect::<Vec<_>>(), ["docker", "vcenter"]);
        assert!(sites["docker"].docker.is_some() && sites["vcenter"].vsphere.is_some());
        let ssh = |site: &str| sites[site].puppet.as_ref().and_then(|puppet| puppet.ssh.as_ref());
        assert!(ssh("vcenter").is_some() && ssh("docker").is_none(), "an engine starts agents by itself");
        assert_eq!(sites["docker"].addresses, sites["vcenter"].addresses, "both stand in one network");
        assert_ne!(sites["docker"].puppet, sites["vcenter"].puppet, "each comes in with a token of its own");
        let shown = format!("{sites:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("c2VjcmV0"), "{shown}");
    }
}
