//! A real vCenter of the lab (`tests/live/up`), with `govc` as the hand that is not ours.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::first_boot::FirstBoot;
use domain::ports::clock::Clock;
use domain::ports::machine_change::{MachineChange, MachineEvent};
use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::survey::{Line, Standing, Survey};
use futures::future::join_all;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::super::failure::Failure;
use super::super::transport::{Answer, Https, Message, Transport};
use super::super::{Cloning, FirstBootBy, Subnet, Vsphere, VsphereImage, VsphereSettings};
use super::script::method;
use crate::clock::SystemClock;
use crate::lab::{lab, text};

/// What somebody else does is known within this.
const SECONDS: Duration = Duration::from_secs(6);

/// The lab's vCenter, with machines that are containers.
fn settings() -> VsphereSettings {
    let lab = lab();
    let vcenter = &lab["vcenter"];
    let image = format!("[\"{}\"]", text(&lab["images"]["machine"]));
    let boots = [("RUN.container", image.as_str()), ("guestinfo.address", "{address}")];
    let image = VsphereImage {
        template: text(&vcenter["template"]),
        cloning: Cloning::Full,
        first_boot: FirstBootBy::CloudInit,
        extra_config: boots.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    };
    VsphereSettings {
        url: text(&vcenter["url"]),
        username: text(&vcenter["username"]),
        password: text(&vcenter["password"]),
        ca: Some(fs::read(text(&vcenter["ca"])).expect("the CA is there")),
        fingerprint: None,
        datacenter: text(&vcenter["datacenter"]),
        folder: text(&vcenter["folder"]),
        pool: text(&vcenter["pool"]),
        datastores: vcenter["datastores"].as_array().expect("a list").iter().map(text).collect(),
        network: Some(text(&vcenter["network"])),
        subnet: None,
        custom_values: BTreeMap::new(),
        images: [("debian-12".to_owned(), image)].into(),
    }
}

fn vcenter(settings: VsphereSettings) -> Vsphere {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Vsphere::new(settings, Arc::new(SystemClock)).expect("the settings are right")
}

/// A word that no other test has, and an address that it stands for.
fn unique(what: &str, host: u8) -> (String, MachineOrder) {
    let word = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("vs-{what}-{}", &word[..6]);
    (format!("vs/{word}"), order(&name, host))
}

/// An address in the network of the lab's machines.
fn address(host: u8) -> Ipv4Addr {
    let gateway: Ipv4Addr = text(&lab()["docker"]["gateway"]).parse().expect("an address");
    let [a, b, c, _] = gateway.octets();
    Ipv4Addr::new(a, b, c, host)
}

/// Where the lab listens.
fn lab_address() -> String {
    text(&lab()["network"]["address"])
}

/// A port on which nobody listens there.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((lab_address(), 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// An order for the part of the lab's network that these tests use.
fn order(name: &str, host: u8) -> MachineOrder {
    let fqdn = format!("{name}.lab.test");
    MachineOrder {
        name: name.to_owned(),
        address: address(host),
        image: "debian-12".to_owned(),
        cpu: 2,
        memory_gb: 1,
        disk_gb: 20,
        first_boot: FirstBoot { fqdn: fqdn.clone(), agent: None },
        fqdn,
    }
}

/// The hand that is not ours.
fn govc(settings: &VsphereSettings, words: &[&str]) -> String {
    let ca = std::env::temp_dir().join(format!("gatehouse-govc-{}.pem", std::process::id()));
    fs::write(&ca, settings.ca.as_deref().unwrap_or_default()).unwrap();
    let output = Command::new(text(&lab()["vcenter"]["govc"]))
        .args(words)
        .env("GOVC_URL", &settings.url)
        .env("GOVC_USERNAME", &settings.username)
        .env("GOVC_PASSWORD", &settings.password)
        .env("GOVC_TLS_CA_CERTS", ca)
        .env("GOVC_DATACENTER", &settings.datacenter)
        .env("GOVC_PERSIST_SESSION", "false")
        .output()
        .expect("govc runs");
    assert!(output.status.success(), "govc {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn running(vcenter: &Vsphere, key: &str, order: &MachineOrder) -> Machine {
    let mut last = String::new();
    for _ in 0..600 {
        match vcenter.create(key, order).await {
            Ok(machine) if machine.state == MachineState::Running => return machine,
            Ok(_) => sleep(Duration::from_millis(100)).await,
            Err(error) if error.kind == ProviderErrorKind::Transient => {
                last = error.to_string();
                sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{} does not run: {last}", order.name);
}

#[tokio::test]
async fn it_keeps_machines_as_every_hypervisor_does() {
    test_contract::machines(&vcenter(settings()), |name| order(name, 201)).await;
}

#[tokio::test]
async fn a_machine_runs_at_the_address_that_was_reserved_for_it_and_knows_its_name() {
    let vcenter = vcenter(settings());
    let (key, order) = unique("boot", 202);
    let began = Instant::now();
    let machine = running(&vcenter, &key, &order).await;
    println!("runs after {} ms", began.elapsed().as_millis());
    assert_eq!(machine.address, order.address.to_string());
    assert_eq!((machine.cpu, machine.memory_gb, machine.disk_gb), (2, 1, 20));
    assert_eq!(machine.fqdn, order.fqdn);
    let info = govc(&vcenter.settings, &["vm.info", "-json", &order.name]);
    let info: Value = serde_json::from_str(&info).unwrap();
    let options = info["VirtualMachines"][0]["Config"]["ExtraConfig"].as_array().unwrap();
    assert!(options.iter().any(|option| option["Key"] == "guestinfo.gatehouse.key" && option["Value"] == key.as_str()));
    vcenter.destroy(&machine.id, &key).await.unwrap();
    assert_eq!(vcenter.find(&key).await.unwrap(), None);
}

/// Waits until the vCenter tells of a change to this machine.
async fn told(vcenter: &Vsphere, cursor: &mut Option<String>, key: &str) -> MachineChange {
    let told = async {
        loop {
            let changes = vcenter.changes(cursor.as_deref()).await.unwrap();
            *cursor = changes.cursor;
            if let Some(change) = changes.changes.into_iter().find(|change| change.key == key) {
                return change;
            }
        }
    };
    timeout(SECONDS, told).await.expect("it is told within seconds")
}

#[tokio::test]
async fn what_somebody_does_in_vcenter_is_seen_within_seconds() {
    // For each change of anything the simulator looks at everything, once for each who follows it: in the lab's, beside
    // other tests, that takes longer than seconds.
    let own = Own::start(free_port(), &[]);
    own.up().await;
    let vcenter = vcenter(own.settings());
    let (key, order) = unique("watch", 203);
    let machine = running(&vcenter, &key, &order).await;
    let mut cursor = vcenter.changes(None).await.unwrap().cursor;
    let hand = |words: &[&str]| govc(&vcenter.settings, words);
    let path = format!("/DC0/vm/{}", order.name);
    let new_name = format!("{}-x", order.name);

    hand(&["vm.power", "-off", &path]);
    let change = told(&vcenter, &mut cursor, &key).await;
    assert_eq!(change.event, MachineEvent::Stopped);
    assert_eq!(change.by.as_deref(), Some(vcenter.settings.username.as_str()), "vCenter knows who it was");
    assert_eq!(vcenter.find(&key).await.unwrap().unwrap().state, MachineState::Stopped);

    hand(&["object.rename", &path, &new_name]);
    let change = told(&vcenter, &mut cursor, &key).await;
    assert_eq!(change.event, MachineEvent::Renamed { before: order.name.clone() });
    assert_eq!(change.name, new_name);

    let path = format!("/DC0/vm/{new_name}");
    hand(&["snapshot.create", "-vm", &path, "before"]);
    assert_eq!(told(&vcenter, &mut cursor, &key).await.event, MachineEvent::Snapshots { count: 1 });

    hand(&["folder.create", "/DC0/vm/elsewhere"]);
    hand(&["object.mv", &path, "/DC0/vm/elsewhere"]);
    assert_eq!(told(&vcenter, &mut cursor, &key).await.event, MachineEvent::Moved);

    hand(&["vm.destroy", &new_name]);
    let change = told(&vcenter, &mut cursor, &key).await;
    assert_eq!((change.event, change.id), (MachineEvent::Vanished, machine.id.clone()));
    assert_eq!(vcenter.find(&key).await.unwrap(), None);
    vcenter.destroy(&machine.id, &key).await.unwrap();
}

#[tokio::test]
async fn what_we_do_ourselves_is_no_news() {
    let vcenter = vcenter(settings());
    let mut cursor = None;
    for _ in 0..2 {
        cursor = vcenter.changes(cursor.as_deref()).await.unwrap().cursor;
        if cursor.is_some() {
            break;
        }
    }
    let (key, order) = unique("quiet", 204);
    let machine = running(&vcenter, &key, &order).await;
    vcenter.destroy(&machine.id, &key).await.unwrap();
    let told = timeout(SECONDS, vcenter.changes(cursor.as_deref())).await;
    let own = told.map(|changes| changes.unwrap().changes.into_iter().filter(|change| change.key == key).count());
    assert!(matches!(own, Err(_) | Ok(0)), "{own:?}");
}

/// A machine that an earlier process only cloned, renamed and moved by somebody before it was ever switched on.
#[tokio::test]
async fn what_another_process_began_is_put_right_and_driven_on() {
    let first = vcenter(settings());
    let (key, order) = unique("half", 205);
    let id = first.cloned(&key, &order).await.unwrap().expect("it is cloned");
    let found = first.find(&key).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), found.state), (id.as_str(), MachineState::Stopped));
    govc(&first.settings, &["object.rename", &format!("{}/{}", first.settings.folder, order.name), "vs-odd-one"]);
    govc(&first.settings, &["object.mv", &format!("{}/vs-odd-one", first.settings.folder), "/DC0/vm"]);
    drop(first);

    let second = vcenter(settings());
    assert_eq!(second.find(&key).await.unwrap().unwrap().state, MachineState::Stopped);
    let machine = running(&second, &key, &order).await;
    assert_eq!((machine.id.as_str(), machine.name.as_str()), (id.as_str(), order.name.as_str()));
    let path = format!("{}/{}", second.settings.folder, order.name);
    assert!(govc(&second.settings, &["ls", &path]).contains(&order.name), "it stands in its folder again");
    second.destroy(&machine.id, &key).await.unwrap();
}

#[tokio::test]
async fn a_linked_clone_leans_on_a_snapshot_and_a_customized_guest_gets_its_address() {
    let mut settings = settings();
    let image = settings.images.get_mut("debian-12").unwrap();
    image.template = "/DC0/vm/DC0_C0_RP0_VM0".to_owned();
    image.cloning = Cloning::Linked;
    image.first_boot = FirstBootBy::Customization;
    image.extra_config.clear();
    let gateway = text(&lab()["docker"]["gateway"]);
    settings.subnet = Some(Subnet { mask: "255.255.255.0".to_owned(), gateway, dns_servers: Vec::new() });
    settings.custom_values = [("vs-owner".to_owned(), "{name}".to_owned())].into();
    if !govc(&settings, &["fields.ls"]).contains("vs-owner") {
        govc(&settings, &["fields.add", "vs-owner"]);
    }
    let vcenter = vcenter(settings);
    let (key, order) = unique("linked", 206);
    let machine = running(&vcenter, &key, &order).await;
    assert_eq!(machine.address, order.address.to_string());
    let info = govc(&vcenter.settings, &["vm.info", "-json", &order.name]);
    assert!(info.contains(&format!("\"Value\": \"{}\"", order.name)) || info.contains(&order.name), "{info}");
    vcenter.destroy(&machine.id, &key).await.unwrap();
}

#[tokio::test]
async fn a_survey_names_what_is_there_and_what_is_missing() {
    let whole = vcenter(settings()).survey(SystemClock.now()).await.unwrap();
    let (certificate, rest): (Vec<Line>, Vec<Line>) =
        whole.into_iter().partition(|line| line.what.contains("certificate"));
    assert_eq!(certificate.len(), 1, "how long it lasts is the lab's affair");
    assert!(rest.iter().all(|line| line.standing == Standing::There), "{rest:#?}");
    let mut lacking = settings();
    lacking.datastores.push("nowhere".to_owned());
    lacking.images.get_mut("debian-12").unwrap().template = "debian-99".to_owned();
    let lines = vcenter(lacking).survey(SystemClock.now()).await.unwrap();
    let missing: Vec<&str> =
        lines.iter().filter(|line| line.standing == Standing::Missing).map(|line| line.what.as_str()).collect();
    let missing: Vec<&str> = missing.into_iter().filter(|what| !what.contains("certificate")).collect();
    assert_eq!(missing, ["datastore DC0/datastore/nowhere", "template DC0/vm/debian-99 (image debian-12)"]);
    let mut wrong = settings();
    wrong.password = "not this".to_owned();
    let error = vcenter(wrong).survey(SystemClock.now()).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Permanent);
    assert!(!error.to_string().contains("not this"));
}

#[tokio::test]
async fn only_the_pinned_certificate_is_taken_and_no_unknown_one() {
    let mut pinned = settings();
    let url = pinned.url.trim_start_matches("https://").split('/').next().unwrap().to_owned();
    let script =
        format!("openssl s_client -connect {url} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256");
    let shown = Command::new("sh").args(["-c", &script]).output().unwrap();
    let fingerprint = String::from_utf8(shown.stdout).unwrap().trim().rsplit('=').next().unwrap().to_owned();
    (pinned.ca, pinned.fingerprint) = (None, Some(fingerprint));
    assert!(vcenter(pinned).survey(SystemClock.now()).await.is_ok());
    let mut other = settings();
    (other.ca, other.fingerprint) = (None, Some("00".repeat(32)));
    assert_eq!(vcenter(other).survey(SystemClock.now()).await.unwrap_err().kind, ProviderErrorKind::Permanent);
    let mut public = settings();
    public.ca = None;
    let error = vcenter(public).survey(SystemClock.now()).await.unwrap_err();
    assert!(error.what.contains("certificate"), "{error}");
}

/// Counts what is asked of vCenter.
struct Counting {
    inner: Https,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

#[async_trait]
impl Transport for Counting {
    async fn exchange(&self, message: Message) -> Result<Answer, Failure> {
        *self.asked.lock().await.entry(method(&message.body)).or_default() += 1;
        self.inner.exchange(message).await
    }
}

#[tokio::test]
async fn fifty_orders_at_once_cost_a_few_requests_each() {
    let own = Own::start(free_port(), &[]);
    own.up().await;
    let settings = own.settings();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let asked = Arc::new(Mutex::new(BTreeMap::new()));
    let transport = Counting { inner: Https::new(&settings).unwrap(), asked: Arc::clone(&asked) };
    let vcenter = Vsphere::over(Box::new(transport), settings, Arc::new(SystemClock));
    let orders: Vec<(String, MachineOrder)> = (0..50).map(|_| unique("many", 207)).collect();
    let began = Instant::now();
    let made = join_all(orders.iter().map(|(key, order)| async {
        assert_eq!(vcenter.find(key).await.unwrap(), None);
        vcenter.create(key, order).await
    }))
    .await;
    let took = began.elapsed();
    let counted = asked.lock().await.clone();
    println!("fifty orders in {} ms: {counted:#?}", took.as_millis());
    let machines: Vec<Machine> = made.into_iter().map(|made| made.unwrap()).collect();
    let mut ids: Vec<&str> = machines.iter().map(|machine| machine.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50, "each order has a machine of its own");
    assert_eq!(counted["CloneVM_Task"], 50);
    assert!(counted.values().sum::<usize>() <= 50 * 13, "{counted:#?}");
    let gone =
        join_all(orders.iter().zip(&machines).map(|((key, _), machine)| vcenter.destroy(&machine.id, key))).await;
    gone.into_iter().for_each(|gone| gone.unwrap());
}

/// A vCenter of one test's own, which can be killed.
struct Own {
    process: Child,
    port: u16,
}

impl Own {
    fn start(port: u16, more: &[&str]) -> Self {
        let lab = lab();
        let govc = PathBuf::from(text(&lab["vcenter"]["govc"]));
        let authority = PathBuf::from(text(&lab["vcenter"]["ca"]));
        let certificate = authority.with_file_name("vcenter.pem");
        let key = authority.with_file_name("vcenter.key");
        let process = Command::new(govc.with_file_name("vcsim"))
            .args(["-l", &format!("{}:{port}", lab_address()), "-username", "gatehouse", "-password", "secret"])
            .arg("-tlscert")
            .arg(certificate)
            .arg("-tlskey")
            .arg(key)
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("vcsim starts");
        Self { process, port }
    }

    fn settings(&self) -> VsphereSettings {
        let mut own = settings();
        own.url = format!("https://{}:{}", lab_address(), self.port);
        (own.username, own.password) = ("gatehouse".to_owned(), "secret".to_owned());
        (own.folder, own.network) = (String::new(), None);
        own.datastores = vec!["LocalDS_0".to_owned()];
        let image = own.images.get_mut("debian-12").unwrap();
        image.template = "DC0_H0_VM0".to_owned();
        image.extra_config = [("SET.guest.ipAddress".to_owned(), "{address}".to_owned())].into();
        own
    }

    async fn up(&self) {
        for _ in 0..100 {
            if tokio::net::TcpStream::connect((lab_address(), self.port)).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("vcsim does not listen");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_vcenter_that_is_killed_and_comes_back_is_followed_again() {
    let port = free_port();
    let own = Own::start(port, &[]);
    own.up().await;
    let vcenter = vcenter(own.settings());
    let (key, order) = unique("restart", 208);
    let machine = running(&vcenter, &key, &order).await;
    let mut cursor = vcenter.changes(None).await.unwrap().cursor;
    drop(own);
    let error = vcenter.create("vs/other", &order).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Transient, "{error}");
    assert!(error.what.contains("can't be reached"), "{error}");

    // The simulator forgets its machines when it ends: this one is gone when it comes back.
    let again = Own::start(port, &[]);
    again.up().await;
    let change = timeout(Duration::from_secs(40), async {
        loop {
            let changes = vcenter.changes(cursor.as_deref()).await.unwrap();
            cursor = changes.cursor;
            if let Some(change) = changes.changes.into_iter().find(|change| change.key == key) {
                return change;
            }
        }
    });
    assert_eq!(change.await.expect("it is followed again").event, MachineEvent::Vanished);
    assert_eq!(vcenter.find(&key).await.unwrap(), None);
    vcenter.destroy(&machine.id, &key).await.unwrap();
    let anew = running(&vcenter, &key, &order).await;
    assert_eq!(anew.address, order.address.to_string());
}

#[tokio::test]
async fn a_vcenter_that_is_killed_in_mid_clone_leaves_nothing_double() {
    let port = free_port();
    let own = Own::start(port, &["-method-delay", "CloneVM_Task:3000"]);
    own.up().await;
    let vcenter = Arc::new(vcenter(own.settings()));
    let (key, order) = unique("mid", 209);
    let creating = tokio::spawn({
        let (vcenter, key, order) = (Arc::clone(&vcenter), key.clone(), order.clone());
        async move { vcenter.create(&key, &order).await }
    });
    sleep(Duration::from_millis(1500)).await;
    drop(own);
    let error = creating.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Transient, "{error}");
    let again = Own::start(port, &[]);
    again.up().await;
    let machine = running(&vcenter, &key, &order).await;
    let named = vcenter.list().await.unwrap().into_iter().filter(|each| each.name == order.name).count();
    assert_eq!((named, machine.name.as_str()), (1, order.name.as_str()));
}
