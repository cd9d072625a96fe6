//! The lab's engine as a container host, and one inside of a machine.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::clock::Clock;
use domain::ports::container_host::{Container, ContainerHost};
use domain::ports::machines::{MachineState, Machines};
use domain::ports::names::{NameReservation, Names};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::Survey;
use tokio::time::timeout;

use super::{PATIENCE, address, as_machines, docker, identity, lab, machines, order, over_socket, text, unique};
use crate::clock::SystemClock;
use crate::docker::{DockerHosts, DockerMachines, HostSettings, Identity};

/// The engine's name, as its certificate says it.
const ENGINE: &str = "engine.lab.test";

const PORT: u16 = 2376;

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

/// The engines of machines, all of which are said to be at this address.
fn hosts_at(address: &str, identity: Identity) -> DockerHosts {
    let settings = HostSettings { port: PORT, identity, patience: PATIENCE };
    DockerHosts::new(settings, Arc::new(Everywhere(address.to_owned()))).expect("the certificates are good")
}

/// The lab's engine as a container host.
fn hosts(identity: Identity) -> DockerHosts {
    let host = text(&lab()["docker"]["tls"]["host"]);
    let address = host.strip_prefix("tcp://").and_then(|host| host.strip_suffix(":2376")).expect("an address");
    hosts_at(address, identity)
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
/// Sets the machine's own engine up as the role `docker` does: over TLS with a certificate for the machine's name, for
/// those who have one from the lab's authority.
fn set_up_engine(name: &str, fqdn: &str) {
    const SIGN: &str = r#"cd "$1" && cp "$2/ca.pem" . &&
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" -keyout key.pem -out request.pem &&
        printf 'basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:%s\n' "$3" > usage &&
        openssl x509 -req -in request.pem -CA ca.pem -CAkey "$2/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
            -days 1 -extfile usage -out cert.pem"#;
    let ca = text(&lab()["docker"]["tls"]["ca"]);
    let authority = ca.strip_suffix("/ca.pem").expect("the authority's folder");
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).expect("it can be made");
    let place = folder.display().to_string();
    let signed = Command::new("sh").args(["-c", SIGN, "sign", &place, authority, fqdn]).output().expect("sh is there");
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    docker(&["cp", &format!("{place}/."), &format!("{name}:/root")]).expect("it is handed over");
    fs::remove_dir_all(&folder).expect("it can be removed");
    docker(&["exec", name, "apt-get", "install", "-y", "docker.io"]).expect("it is installed");
    let start = "exec dockerd --storage-driver overlay2 -H unix:///run/docker.sock -H tcp://0.0.0.0:2376 --tlsverify \
                 --tlscacert /root/ca.pem --tlscert /root/cert.pem --tlskey /root/key.pem";
    docker(&["exec", "-d", name, "sh", "-c", start]).expect("it is started");
}

#[tokio::test]
async fn the_engine_of_a_machine_is_met_at_its_address_under_its_name() {
    let name = unique("box");
    let machines = DockerMachines::new(as_machines(over_socket(), true)).expect("the settings fit");
    let order = order(&name, address(7));
    let machine = machines.create(&name, &order).await.expect("it is made");
    let hosts = hosts_at(&machine.address, identity());
    let early = hosts.engine(&order.fqdn).await.expect_err("no engine runs there yet");
    assert_eq!(early.kind, ProviderErrorKind::Transient, "{early}");
    set_up_engine(&name, &order.fqdn);
    let met = async {
        loop {
            match hosts.engine(&order.fqdn).await {
                Ok(engine) => return engine,
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    let engine = timeout(PATIENCE * 2, met).await.expect("it comes up");
    assert_eq!(
        (engine.host.as_str(), engine.endpoint),
        (order.fqdn.as_str(), format!("tcp://{}:2376", machine.address))
    );
    let listing = hosts.containers(&order.fqdn).await.expect("it answers");
    assert_eq!((listing.containers, listing.complete), (Vec::new(), true));

    let hand_over = "docker --host \"$1\" save gatehouse/base | docker --host \"$1\" exec -i \"$2\" docker load";
    let host = text(&lab()["docker"]["host"]);
    let handed = Command::new("sh").args(["-c", hand_over, "hand-over", &host, &name]).output().expect("sh is there");
    assert!(handed.status.success(), "{}", String::from_utf8_lossy(&handed.stderr));
    docker(&["exec", &name, "docker", "run", "-d", "--name", "behind", "gatehouse/base", "sleep", "600"])
        .expect("somebody starts it");
    let told = timeout(PATIENCE, hosts.changed(&order.fqdn, listing.asked_at)).await;
    told.expect("it is told in time").expect("it is told");
    let seen = hosts.containers(&order.fqdn).await.expect("it answers").containers;
    assert_eq!(seen.iter().map(|container| container.name.as_str()).collect::<Vec<_>>(), ["behind"]);
    machines.destroy(&machine.id, &name).await.expect("it is destroyed with all that runs in it");
}

#[tokio::test]
async fn what_engines_are_asked_with_is_surveyed() {
    let lines = hosts(identity()).survey(SystemClock.now()).await.expect("it can be read");
    assert_eq!(lines.len(), 1, "the client certificate: {lines:?}");
}

/// Starts or stops a part of the lab.
fn part(script: &str, part: &str) {
    let folder = std::env::var("GATEHOUSE_LAB").expect("GATEHOUSE_LAB names the lab's folder");
    let script = format!("{}/../../tests/live/{script}", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(script).args([&folder, part]).output().expect("the script is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
