//! The lab's real engine (`tests/live/up`), with Docker's own client as the hand that is not ours.

mod agents;
mod hosts;
mod machines;
mod spaces;

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use domain::first_boot::FirstBoot;
use domain::ports::machines::MachineOrder;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::docker::{DockerMachines, DockerSettings, DockerSpaces, Identity, MachineSettings, SpaceSettings};
use crate::lab::{lab, text};

const PATIENCE: Duration = Duration::from_secs(20);

fn identity() -> Identity {
    let tls = &lab()["docker"]["tls"];
    let file = |name: &str| fs::read(text(&tls[name])).expect("the file is there");
    Identity { ca: file("ca"), certificate: file("cert"), key: file("key") }
}

fn over_socket() -> DockerSettings {
    DockerSettings { host: text(&lab()["docker"]["host"]), identity: None, patience: PATIENCE }
}

fn over_tls() -> DockerSettings {
    DockerSettings { host: text(&lab()["docker"]["tls"]["host"]), identity: Some(identity()), patience: PATIENCE }
}

fn machines(engine: DockerSettings) -> DockerMachines {
    DockerMachines::new(as_machines(engine, false)).expect("the settings fit")
}

fn as_machines(engine: DockerSettings, inner_engines: bool) -> MachineSettings {
    let lab = lab();
    let images = [("debian-12", text(&lab["images"]["machine"])), ("lost", "gatehouse/lost".to_owned())];
    MachineSettings {
        engine,
        name: "lab".to_owned(),
        network: text(&lab["docker"]["network"]),
        images: images.map(|(name, image)| (name.to_owned(), image)).into(),
        inner_engines,
    }
}

fn spaces() -> DockerSpaces {
    let endpoint = "tcp://spaces.lab.test:2375/spaces".to_owned();
    DockerSpaces::new(SpaceSettings { engine: over_socket(), name: "lab".to_owned(), endpoint }).expect("they fit")
}

/// The last of the addresses that nobody gets unasked but so many; each test has its own.
fn address(from_the_end: u32) -> Ipv4Addr {
    let last: Ipv4Addr = text(&lab()["docker"]["addresses"]["last"]).parse().expect("an address");
    Ipv4Addr::from_bits(last.to_bits() - from_the_end)
}

fn order(name: &str, address: Ipv4Addr) -> MachineOrder {
    let fqdn = format!("{name}.lab.test");
    MachineOrder {
        name: name.to_owned(),
        address,
        image: "debian-12".to_owned(),
        cpu: 1,
        memory_gb: 1,
        disk_gb: 10,
        first_boot: FirstBoot { fqdn: fqdn.clone(), agent: None },
        fqdn,
    }
}

/// A word that no other test uses.
fn unique(what: &str) -> String {
    format!("dk-{what}-{}", &Uuid::new_v4().simple().to_string()[..8])
}

/// Docker's own client on the lab's engine; answers with what it printed.
fn docker(words: &[&str]) -> Result<String, String> {
    let host = text(&lab()["docker"]["host"]);
    let done = Command::new("docker").args(["--host", &host]).args(words).output().expect("docker is there");
    let said = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if done.status.success() { Ok(said(done.stdout)) } else { Err(said(done.stderr)) }
}

async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let found = timeout(Duration::from_secs(90), async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("{what}: not in time"))
}
