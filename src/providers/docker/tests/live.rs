//! The lab's real engine (`tests/live/up`), with Docker's own client as the hand that is not ours.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use domain::first_boot::FirstBoot;
use domain::ports::container_host::{Container, ContainerHost};
use domain::ports::machines::{MachineOrder, MachineState, Machines};
use domain::ports::names::{NameReservation, Names};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::spaces::{SpaceOrder, SpaceQuota, Spaces};
use domain::ports::survey::{Standing, Survey};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::docker::{
    DockerHosts, DockerMachines, DockerSettings, DockerSpaces, HostSettings, Identity, MachineSettings, SpaceSettings,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// The engine's name, as its certificate says it.
const ENGINE: &str = "engine.lab.test";

/// What the lab says of itself.
fn lab() -> Value {
    let folder = std::env::var("GATEHOUSE_LAB").expect("GATEHOUSE_LAB names the lab's folder");
    let text = fs::read_to_string(format!("{folder}/lab.json")).expect("the lab is up");
    serde_json::from_str(&text).expect("lab.json is JSON")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a word").to_owned()
}

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
    let lab = lab();
    let images = [("debian-12", text(&lab["images"]["machine"])), ("lost", "gatehouse/lost".to_owned())];
    let settings = MachineSettings {
        engine,
        name: "lab".to_owned(),
        network: text(&lab["docker"]["network"]),
        images: images.map(|(name, image)| (name.to_owned(), image)).into(),
        inner_engines: false,
    };
    DockerMachines::new(settings).expect("the settings fit")
}

fn spaces() -> DockerSpaces {
    let endpoint = "tcp://spaces.lab.test:2375/spaces".to_owned();
    DockerSpaces::new(SpaceSettings { engine: over_socket(), name: "lab".to_owned(), endpoint }).expect("they fit")
}

/// The last address of the lab's machines but so many; each test has its own.
fn address(from_the_end: u32) -> Ipv4Addr {
    let subnet = text(&lab()["docker"]["subnet"]);
    let (base, bits) = subnet.split_once('/').expect("a subnet");
    let (base, bits): (Ipv4Addr, u32) = (base.parse().expect("an address"), bits.parse().expect("a number"));
    Ipv4Addr::from_bits(base.to_bits() + (1 << (32 - bits)) - 2 - from_the_end)
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

/// A register in which every name stands for the engine's address.
struct Everywhere(String);

#[async_trait]
impl Names for Everywhere {
    async fn reserve(&self, _key: &str, _pattern: &str) -> Result<NameReservation, ProviderError> {
        unreachable!("nothing is reserved")
    }

    async fn find(&self, _key: &str) -> Result<Option<NameReservation>, ProviderError> {
        unreachable!("nothing is looked for by key")
    }

    async fn lookup(&self, name: &str) -> Result<Option<NameReservation>, ProviderError> {
        let [id, key, name] = ["1", "key", name].map(str::to_owned);
        Ok(Some(NameReservation { id, key, fqdn: format!("{name}.lab.test"), name, address: self.0.clone() }))
    }

    async fn preview(&self, _pattern: &str, _count: usize) -> Result<Vec<String>, ProviderError> {
        unreachable!("nothing is previewed")
    }

    async fn release(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        unreachable!("nothing is released")
    }
}

fn hosts(identity: Identity) -> DockerHosts {
    let host = text(&lab()["docker"]["tls"]["host"]);
    let (address, port) = host.trim_start_matches("tcp://").rsplit_once(':').expect("a port");
    let settings = HostSettings { port: port.parse().expect("a number"), identity, patience: PATIENCE };
    DockerHosts::new(settings, Arc::new(Everywhere(address.to_owned()))).expect("the certificates are good")
}

#[tokio::test]
async fn it_keeps_machines_as_every_hypervisor_does() {
    test_contract::machines(&machines(over_socket()), |name| order(name, address(1))).await;
}

#[tokio::test]
async fn it_keeps_machines_as_every_hypervisor_does_over_tls() {
    test_contract::machines(&machines(over_tls()), |name| order(name, address(2))).await;
}

#[tokio::test]
async fn it_keeps_spaces_as_every_platform_does() {
    test_contract::spaces(&spaces()).await;
}

#[tokio::test]
async fn a_machine_boots_with_its_address_its_name_and_what_it_was_told() {
    let (machines, name) = (machines(over_socket()), unique("boots"));
    let machine = machines.create(&name, &order(&name, address(3))).await.expect("it is made");
    let inside = |words: &[&str]| docker(&[&["exec", &name], words].concat());
    until("cloud-init is done", || inside(&["cat", "/var/lib/cloud/data/result.json"]).ok()).await;
    assert_eq!(inside(&["cat", "/var/lib/cloud/data/instance-id"]).as_deref(), Ok(machine.id.as_str()));
    assert_eq!(inside(&["hostname", "--fqdn"]), Ok(format!("{name}.lab.test")));
    let told = inside(&["cat", "/var/lib/cloud/instance/user-data.txt"]).expect("it can be read");
    assert!(told.starts_with("#cloud-config") && told.contains(&name), "{told}");
    let mode = inside(&["stat", "-c", "%a %U", "/var/lib/cloud/seed/nocloud/user-data"]);
    assert_eq!(mode.as_deref(), Ok("600 root"), "others on the machine can't read it");
    let addresses = inside(&["ip", "-4", "-o", "address"]).expect("it can be read");
    assert!(addresses.contains(&format!("{}/", address(3))), "{addresses}");
    machines.destroy(&machine.id, &name).await.expect("it is destroyed");
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={name}")]).as_deref(), Ok(""));
}

#[tokio::test]
async fn a_machine_that_was_left_behind_half_made_or_switched_off_is_driven_on() {
    let (machines, name) = (machines(over_socket()), unique("half"));
    let (network, address) = (text(&lab()["docker"]["network"]), address(4));
    let label = format!("org.gatehouse.key={name}");
    let place = ["--network", &network, "--ip", &address.to_string()].map(str::to_owned);
    let place: Vec<&str> = place.iter().map(String::as_str).collect();
    let made = [&["create", "--name", &name, "--label", &label], place.as_slice(), &["gatehouse/machine"]].concat();
    let id = docker(&made).expect("it is created");

    let found = machines.find(&name).await.expect("it answers").expect("it is there");
    assert_eq!((found.id.as_str(), found.state), (id.as_str(), MachineState::Stopped));
    let running = machines.create(&name, &order(&name, address)).await.expect("it is driven on");
    assert_eq!((running.id.as_str(), running.state), (id.as_str(), MachineState::Running));
    let seed = docker(&["exec", &name, "cat", "/var/lib/cloud/seed/nocloud/meta-data"]).expect("it was handed over");
    assert!(seed.contains(&id), "{seed}");

    docker(&["kill", &name]).expect("somebody switches it off");
    let found = machines.find(&name).await.expect("it answers").expect("it is there");
    assert_eq!(found.state, MachineState::Stopped);
    let running = machines.create(&name, &order(&name, address)).await.expect("it is switched on");
    assert_eq!(running.state, MachineState::Running);
    machines.destroy(&id, &name).await.expect("it is destroyed");
}

#[tokio::test]
async fn an_address_that_is_taken_and_an_image_that_is_missing_are_told_as_such() {
    let (machines, first, second) = (machines(over_socket()), unique("first"), unique("second"));
    let there = machines.create(&first, &order(&first, address(5))).await.expect("it is made");
    let error = machines.create(&second, &order(&second, address(5))).await.expect_err("the address is taken");
    assert_eq!(error.kind, ProviderErrorKind::Refused, "{error}");
    assert!(error.what.contains("ddress already in use"), "{error}");
    let left = machines.find(&second).await.expect("it answers").expect("it stands and waits");
    assert_eq!(left.state, MachineState::Stopped);
    for (id, key) in [(&left.id, &second), (&there.id, &first)] {
        machines.destroy(id, key).await.expect("it is destroyed");
    }
    let lost = MachineOrder { image: "lost".to_owned(), ..order(&second, address(5)) };
    let error = machines.create(&second, &lost).await.expect_err("the engine has no such image");
    assert_eq!(error.kind, ProviderErrorKind::NotFound, "{error}");
    assert!(error.what.contains("gatehouse/lost") && error.next.contains("Pull"), "{error}");
}

#[tokio::test]
async fn a_space_holds_its_last_quota_and_stays_while_somebody_works_in_it() {
    let (spaces, key) = (spaces(), unique("space"));
    let quota = SpaceQuota { cpu: 2, memory_gb: 4, containers: 10, storage_gb: 20 };
    let [organisation, project] = ["northwind", "shop"].map(str::to_owned);
    let order = SpaceOrder { organisation, project, name: key.clone(), quota };
    let space = spaces.create(&key, &order).await.expect("it is opened");
    for cpu in [3, 4, 5] {
        let told = spaces.set_quota(&space.id, &key, SpaceQuota { cpu, ..quota }).await.expect("it is set");
        assert_eq!(told.quota.cpu, cpu);
    }
    let filter = format!("label=org.gatehouse.network={}", space.id);
    let notes = docker(&["volume", "ls", "-q", "--filter", &filter]).expect("it answers");
    assert_eq!(notes.lines().count(), 1, "former quotas are forgotten: {notes}");

    let worker = unique("worker");
    docker(&["create", "--name", &worker, "--network", &space.id, "gatehouse/base"]).expect("somebody works there");
    let error = spaces.delete(&space.id, &key).await.expect_err("it is not empty");
    assert_eq!(error.kind, ProviderErrorKind::Refused);
    assert!(error.what.contains(&worker), "{error}");
    docker(&["rm", &worker]).expect("it is removed");
    spaces.delete(&space.id, &key).await.expect("it is closed");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &filter]).as_deref(), Ok(""), "nothing is left");
}

/// Our containers of this name that run on the lab's engine, as the port tells them.
async fn running(hosts: &DockerHosts, name: &str) -> Option<Container> {
    let told = hosts.containers(ENGINE).await.expect("it answers");
    assert!(told.complete);
    told.containers.into_iter().find(|container| container.name == name)
}

#[tokio::test]
async fn what_somebody_starts_on_an_engine_is_told_at_once_with_all_that_is_known_of_it() {
    let (hosts, name) = (hosts(identity()), unique("behind"));
    let engine = hosts.engine(ENGINE).await.expect("it answers");
    assert!(engine.endpoint.ends_with(":2376") && !engine.version.is_empty() && engine.id.len() > 10, "{engine:?}");
    let before = hosts.containers(ENGINE).await.expect("it answers");
    let labels = ["--label", "com.docker.compose.project=shop", "--label", "com.docker.compose.service=web"];
    let run = [&["run", "-d", "--init", "--name", &name, "-p", "127.0.0.1::80"], labels.as_slice()].concat();
    docker(&[run.as_slice(), &["gatehouse/base", "sleep", "600"]].concat()).expect("somebody starts it");
    let told = timeout(Duration::from_secs(5), hosts.changed(ENGINE, before.asked_at)).await;
    told.expect("it is told in time").expect("it is told");

    let seen = running(&hosts, &name).await.expect("it is listed");
    assert_eq!((seen.image.as_str(), seen.compose_service.as_deref()), ("gatehouse/base", Some("web")));
    assert!(seen.image_digest.starts_with("sha256:"), "{seen:?}");
    assert!(seen.ports.iter().any(|port| port.ends_with("->80/tcp")), "{seen:?}");
    docker(&["restart", "-t", "1", &name]).expect("somebody restarts it");
    let again = running(&hosts, &name).await.expect("it is listed");
    assert!(again.id == seen.id && again.started_at > seen.started_at, "the same container, started anew");
    docker(&["rm", "-f", &name]).expect("somebody removes it");
    assert_eq!(running(&hosts, &name).await, None);
}

#[tokio::test]
async fn an_engine_and_we_trust_each_other_by_certificate_alone() {
    let other = hosts(identity()).engine("other.lab.test").await.expect_err("the certificate is the engine's");
    assert_eq!(other.kind, ProviderErrorKind::Permanent, "{other}");
    assert!(other.what.contains("is not to be trusted"), "{other}");

    let folder = std::env::temp_dir().join(unique("stranger"));
    fs::create_dir(&folder).expect("it can be made");
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.join(name));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=stranger",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is there");
    assert!(made.status.success());
    let read = |file| fs::read(file).expect("it is there");
    let stranger = Identity { certificate: read(&certificate), key: read(&key), ..identity() };
    fs::remove_dir_all(&folder).expect("it can be removed");
    let refused = hosts(stranger.clone()).engine(ENGINE).await.expect_err("the engine knows no strangers");
    assert_eq!(refused.kind, ProviderErrorKind::Permanent, "{refused}");
    assert!(refused.what.contains("refuses our client certificate"), "{refused}");

    let foreign = Identity { ca: stranger.certificate, ..identity() };
    let error = hosts(foreign).engine(ENGINE).await.expect_err("its authority is none of ours");
    assert_eq!(error.kind, ProviderErrorKind::Permanent, "{error}");
    assert!(error.what.contains("is not to be trusted"), "{error}");
}

#[tokio::test]
async fn a_survey_names_what_orders_need_and_what_of_it_is_missing() {
    let lines = machines(over_tls()).survey(Utc::now()).await.expect("the engine answers");
    let standing = |what: &str| lines.iter().find(|line| line.what.contains(what)).expect("it is told").standing;
    assert_eq!(standing("Docker engine at tcp://"), Standing::There);
    assert_eq!(standing("network gatehouse"), Standing::There);
    assert_eq!(standing("image debian-12"), Standing::There);
    assert_eq!(standing("image lost"), Standing::Missing);
    // The lab's certificates are good for 30 days, which is just too short for a site.
    assert_eq!(standing("client certificate"), Standing::Missing);
    assert_eq!(spaces().survey(Utc::now()).await.expect("the engine answers").len(), 1);
    assert_eq!(hosts(identity()).survey(Utc::now()).await.expect("it can be read").len(), 1);
}

/// Starts or stops a part of the lab.
fn part(script: &str, part: &str) {
    let folder = std::env::var("GATEHOUSE_LAB").expect("GATEHOUSE_LAB names the lab's folder");
    let script = format!("{}/../../tests/live/{script}", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(script).args([&folder, part]).output().expect("the script is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
#[ignore = "stops the lab's engine: run it alone, in a lab of its own"]
async fn an_engine_that_is_restarted_is_away_for_a_while_and_loses_no_machine() {
    let (machines, hosts, name) = (machines(over_socket()), hosts(identity()), unique("restart"));
    let order = order(&name, address(6));
    let machine = machines.create(&name, &order).await.expect("it is made");
    let since = hosts.containers(ENGINE).await.expect("it answers").asked_at;
    hosts.changed(ENGINE, since - chrono::TimeDelta::minutes(1)).await.expect("what happened before is told");

    let listening = tokio::spawn(async move { hosts.changed(ENGINE, since).await });
    part("down", "docker");
    // The machines that end with their engine may be told first.
    let _ = timeout(Duration::from_secs(5), listening).await.expect("whoever listens is not left hanging");
    let error = machines.create(&name, &order).await.expect_err("the engine is away");
    assert_eq!(error.kind, ProviderErrorKind::Transient, "{error}");

    part("up", "docker");
    let again = machines.create(&name, &order).await.expect("the engine is back");
    assert_eq!((again.id.as_str(), again.state), (machine.id.as_str(), MachineState::Running));
    assert_eq!(machines.list().await.expect("it answers").iter().filter(|one| one.name == name).count(), 1);
    machines.destroy(&machine.id, &name).await.expect("it is destroyed");
}
