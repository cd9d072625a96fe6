//! The lab's Puppet Server and a machine of its engine (`tests/live/up`): certificates, runs and reports for real.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use domain::first_boot::FirstBoot;
use domain::ports::configuration::{ConfigurationState, RunFailure};
use domain::ports::provider_error::ProviderErrorKind;
use domain::ports::survey::{Standing, Survey};
use reqwest::{Certificate, Client};
use serde_json::Value;
use uuid::Uuid;

use super::server::{Answer, Asked, client, serve};
use super::ssh::Held;
use super::*;
use crate::clock::SystemClock;
use crate::lab::{lab, text};
use crate::puppet::ssh::HostKeys;
use crate::puppet::{PuppetSettings, SshAgents, SshSettings};

/// A first run on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(400);
const SECRET: &[u8] = b"secret of the lab";

/// Machines whose agents are started by Docker's own client.
struct Exec;

#[async_trait]
impl RemoteAgent for Exec {
    async fn start(&self, certname: &str) -> Result<(), ProviderError> {
        let run = ["puppet", "agent", "--onetime", "--no-daemonize", "--no-usecacheonfailure", "--waitforlock", "5"];
        docker(&[&["exec", "-d", certname], run.as_slice()].concat());
        Ok(())
    }
}

fn docker(words: &[&str]) -> String {
    let done = Command::new("docker").args(["--host", &text(&lab()["docker"]["host"])]).args(words).output();
    let done = done.expect("docker is there");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Gatehouse at the lab's Puppet Server, as small as it can be.
struct Gatehouse {
    puppet: Puppet,
    register: Register,
    /// Where the lab's Puppet Server finds it.
    note: PathBuf,
}

impl Gatehouse {
    async fn open() -> Self {
        Self::with(|_| Arc::new(Exec)).await
    }

    /// With agents that are started like this.
    async fn with(agents: impl FnOnce(&PuppetSettings) -> Arc<dyn RemoteAgent>) -> Self {
        drop(client());
        let at = &lab()["puppet"];
        let file = |name: &str| fs::read(text(&at[name])).expect("the file is there");
        let clock = Arc::new(SystemClock);
        let register = Register::new(clock.clone());
        let settings = PuppetSettings {
            site: "lab".into(),
            server: text(&at["server"]),
            port: u16::try_from(at["port"].as_u64().expect("a port")).expect("a port"),
            address: Some(text(&at["address"]).parse().expect("an address")),
            ca: file("ca"),
            certificate: file("cert"),
            key: file("key"),
            environment: "production".into(),
            secret: SECRET.to_vec(),
            report_within: TimeDelta::minutes(10),
            database: lab()["puppetdb"]["url"].as_str().map(|url| url.parse().expect("an address")),
        };
        let agents = agents(&settings);
        let puppet = Puppet::new(settings, Arc::new(register.clone()), clock, Some(agents));
        let token = Uuid::new_v4().simple().to_string();
        let (asked, known) = (register.clone(), token.clone());
        let url = serve(move |it| answer(&asked, &known, it)).await;
        let note = PathBuf::from(text(&at["gatehouses"])).join(format!("pp-{}", &token[..8]));
        fs::write(&note, format!("{}\n{token}\n", url.as_str().trim_end_matches('/'))).expect("it is written");
        Self { puppet: puppet.expect("the settings fit"), register, note }
    }

    async fn until_it_ends(&self, key: &str) -> ConfiguredNode {
        let waiting = async {
            loop {
                let node = self.puppet.find(key).await.expect("it answers").expect("it is ordered");
                if node.state != ConfigurationState::Running {
                    return node;
                }
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it never ended")
    }
}

impl Drop for Gatehouse {
    fn drop(&mut self) {
        fs::remove_file(&self.note).ok();
    }
}

/// What the door of Gatehouse answers.
fn answer(register: &Register, token: &str, asked: &Asked) -> Answer {
    if asked.method == "POST" {
        return match PuppetWords.report(asked.body.as_bytes()) {
            Ok(report) if register.receive(&report) => (201, String::new()),
            Ok(_) => (404, String::new()),
            Err(cause) => (400, cause.to_string()),
        };
    }
    let certname = asked.path.rsplit('/').next().unwrap_or_default();
    let node = register.of(certname).filter(|_| asked.headers.contains(token));
    match node {
        Some(node) => {
            register.is_asked(&node.order.key);
            (200, PuppetWords.classification(&node.order, &BTreeMap::new()))
        }
        None => (404, String::new()),
    }
}

/// A machine of the lab's engine, gone with the test.
struct Machine(String);

impl Machine {
    fn boot(fqdn: &str, first_boot: &FirstBoot) -> Self {
        use base64::Engine;
        let encoded = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
        let user = format!("VMX_GUESTINFO_USERDATA={}", encoded(first_boot.user_data()));
        let meta = format!("VMX_GUESTINFO_METADATA={}", encoded(first_boot.meta_data(fqdn)));
        let lab = lab();
        let (network, image) = (text(&lab["docker"]["network"]), text(&lab["images"]["machine"]));
        docker(&[
            "run",
            "-d",
            "--name",
            fqdn,
            "--hostname",
            fqdn.split('.').next().unwrap_or(fqdn),
            "--network",
            &network,
            "-e",
            "VMX_GUESTINFO=true",
            "-e",
            &user,
            "-e",
            "VMX_GUESTINFO_USERDATA_ENCODING=base64",
            "-e",
            &meta,
            "-e",
            "VMX_GUESTINFO_METADATA_ENCODING=base64",
            &image,
        ]);
        Self(fqdn.to_owned())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        docker(&["rm", "-f", "-v", &self.0]);
    }
}

fn role(certname: &str, role: &str, facts: Value) -> ConfigurationOrder {
    let facts = facts.as_object().cloned().unwrap_or_default();
    ConfigurationOrder { certname: certname.into(), role: role.into(), facts }
}

#[tokio::test]
async fn a_fresh_machine_enrols_runs_and_reports_and_later_runs_say_what_went_wrong() {
    let house = Gatehouse::open().await;
    let certname = format!("pp-{}.lab.test", &Uuid::new_v4().simple().to_string()[..8]);
    let key = format!("live/{certname}");
    let agent = house.puppet.enrol(&certname).await.expect("it is told");
    let base = role(&certname, "base", json!({}));
    house.puppet.apply(&key, &base).await.expect("it is ordered");
    let _machine = Machine::boot(&certname, &FirstBoot { fqdn: certname.clone(), agent });
    let node = house.until_it_ends(&key).await;
    assert_eq!((node.state, node.failed), (ConfigurationState::Applied, 0), "{node:#?}");
    assert!(node.changed > 0 && node.catalog_seconds.is_some(), "{node:#?}");

    // A value that the role does not take, and a role that there is not.
    for (order, why) in [
        (role(&certname, "tomcat", json!({ "tomcat_version": "9.0" })), "tomcat_version"),
        (role(&certname, "pp_no_such_role", json!({})), "pp_no_such_role"),
    ] {
        house.puppet.apply(&key, &order).await.expect("it is ordered");
        let node = house.until_it_ends(&key).await;
        let Some(RunFailure::NoCatalog { why: told }) = &node.failure else { panic!("{node:#?}") };
        assert!(told.contains(why), "{told}");
    }

    // What somebody changes by hand is set right, and told.
    docker(&["exec", &certname, "sh", "-c", "echo mine > /etc/motd"]);
    house.puppet.apply(&key, &base).await.expect("it is ordered");
    let node = house.until_it_ends(&key).await;
    assert_eq!((node.state, node.changed), (ConfigurationState::Applied, 1), "{node:#?}");
    let report = house.register.latest_report(&certname).await.expect("it answers").expect("it came").report;
    assert_eq!((report.corrected, report.lines[0].resource.as_str()), (1, "File[/etc/motd]"));

    house.puppet.purge(&certname, &key).await.expect("it is purged");
    house.puppet.purge(&certname, &key).await.expect("and again");
    assert_eq!(house.puppet.ca.state(&certname).await.expect("it answers"), None, "nothing of it is left");
}

/// How machines of the lab are signed in to.
fn by_ssh(key_file: &Path) -> SshSettings {
    SshSettings {
        program: "/usr/bin/ssh".into(),
        user: text(&lab()["images"]["user"]),
        port: 22,
        key_file: key_file.to_owned(),
        known_hosts_file: None,
        command: "puppet agent --onetime --pidfile /run/gatehouse-agent.pid --no-usecacheonfailure --waitforlock 5"
            .into(),
    }
}

#[tokio::test]
async fn an_agent_is_started_by_ssh_on_the_machine_with_the_right_host_key_alone() {
    let certname = format!("ps-{}.lab.test", &Uuid::new_v4().simple().to_string()[..8]);
    let key_file = PathBuf::from(text(&lab()["images"]["key"]));
    // The first run starts by itself; where the machine is, the engine says when it stands.
    let names = Arc::new(Held(certname.clone(), Mutex::default()));
    let house = Gatehouse::with(|puppet| {
        Arc::new(SshAgents::new(by_ssh(&key_file), puppet, names.clone()).expect("the settings fit"))
    })
    .await;
    let key = format!("live/{certname}");
    let agent = house.puppet.enrol(&certname).await.expect("it is told");
    house.puppet.apply(&key, &role(&certname, "base", json!({}))).await.expect("it is ordered");
    let _machine = Machine::boot(&certname, &FirstBoot { fqdn: certname.clone(), agent });
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let at = docker(&["inspect", "--format", format, &certname]);
    *names.1.lock().unwrap_or_else(PoisonError::into_inner) = at;
    assert_eq!(house.until_it_ends(&key).await.state, ConfigurationState::Applied);

    // What its agent told PuppetDB is enough to know the machine by.
    house.puppet.apply(&key, &role(&certname, "base", json!({ "other": 1 }))).await.expect("it is ordered");
    let node = house.until_it_ends(&key).await;
    assert!(matches!(node.failure, Some(RunFailure::NoCatalog { .. })), "it ran, and was told: {node:#?}");

    // A site's own list of host keys, and another user's key.
    let folder = std::env::temp_dir().join(format!("gatehouse-ssh-live-{}", Uuid::new_v4().simple()));
    fs::create_dir_all(&folder).expect("a folder");
    let (known, stranger) = (folder.join("known_hosts"), folder.join("stranger"));
    let public = docker(&["exec", &certname, "cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
    fs::write(&known, format!("{certname} {public}\n")).expect("it is written");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&stranger).status();
    assert!(made.expect("ssh-keygen is there").success());
    let agents = |key_file: &Path| SshAgents::with(by_ssh(key_file), HostKeys::File(known.clone()), names.clone());
    agents(&key_file).start(&certname).await.expect("it is let in");
    let refused = agents(&stranger).start(&certname).await.expect_err("nobody knows this key");
    assert!(refused.what.contains("did not let root in"), "{refused}");

    // Somebody else answers at the address.
    docker(&["exec", &certname, "sh", "-c", "rm /etc/ssh/ssh_host_*; ssh-keygen -A; pkill -HUP -o sshd"]);
    let refused = until_refused(&agents(&key_file), &certname).await;
    assert!(refused.what.contains("has not the host key of"), "{refused}");
    fs::remove_dir_all(&folder).expect("the folder is gone again");
    house.puppet.purge(&certname, &key).await.expect("it is purged");
}

/// A server that reads its configuration anew does so in a moment.
async fn until_refused(agents: &SshAgents, certname: &str) -> ProviderError {
    for _ in 0..50 {
        match agents.start(certname).await {
            Err(refused) if refused.kind == ProviderErrorKind::Permanent => return refused,
            _ => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
        }
    }
    panic!("{certname} is still signed in to")
}

#[tokio::test]
async fn a_resource_that_fails_is_named_with_what_it_said() {
    let house = Gatehouse::open().await;
    let word = Uuid::new_v4().simple().to_string()[..8].to_owned();
    let module = house
        .note
        .parent()
        .and_then(|folder| folder.parent())
        .expect("the lab's Puppet")
        .join(format!("environments/production/modules/pp_{word}"));
    fs::create_dir_all(module.join("manifests")).expect("a module of the test's own");
    let class = format!("class pp_{word} {{ exec {{ 'boom': command => '/bin/false' }} }}\n");
    fs::write(module.join("manifests/init.pp"), class).expect("it is written");
    let certname = format!("pp-{word}.lab.test");
    let agent = house.puppet.enrol(&certname).await.expect("it is told");
    house.puppet.apply("live/fails", &role(&certname, &format!("pp_{word}"), json!({}))).await.expect("it is ordered");
    let _machine = Machine::boot(&certname, &FirstBoot { fqdn: certname.clone(), agent });
    let node = house.until_it_ends("live/fails").await;
    fs::remove_dir_all(&module).expect("the module is gone again");
    assert_eq!((node.failure.clone(), node.failed), (Some(RunFailure::Resources), 1), "{node:#?}");
    assert_eq!(node.lines.last().map(|line| line.resource.as_str()), Some("Exec[boom]"), "{node:#?}");
    house.puppet.purge(&certname, "live/fails").await.expect("it is purged");
}

#[tokio::test]
async fn a_real_authority_signs_for_the_machine_that_was_ordered_and_for_nobody_else() {
    let house = Gatehouse::open().await;
    let at = &lab()["puppet"];
    let ca = Certificate::from_pem(&fs::read(text(&at["ca"])).expect("it is there")).expect("a certificate");
    let server = text(&at["server"]);
    let place = format!("{}:{}", text(&at["address"]), at["port"]).parse().expect("an address");
    let anybody = Client::builder().tls_certs_only([ca]).resolve(&server, place).build().expect("a client");
    let ask = async |fixture: &str| {
        let url = format!("https://{server}:{}/puppet-ca/v1/certificate_request/{CERTNAME}", at["port"]);
        let request = anybody.put(url).header("content-type", "text/plain").body(authority::read(fixture));
        request.send().await.expect("it answers").status().as_u16()
    };
    house.puppet.apply(KEY, &order("10.1")).await.expect("it is ordered");
    assert_eq!(ask("wrong-challenge.pem").await, 200);
    let node = house.puppet.find(KEY).await.expect("it answers").expect("it is there");
    assert!(matches!(node.failure, Some(RunFailure::CertificateRefused { .. })), "{node:#?}");
    house.puppet.apply(KEY, &order("10.1")).await.expect("the wrong request is thrown away");
    assert_eq!(ask("good.pem").await, 200);
    let node = house.puppet.find(KEY).await.expect("it answers").expect("it is there");
    assert_eq!((node.state, node.failure), (ConfigurationState::Running, None));
    assert!(house.register.of(CERTNAME).is_some_and(|node| node.signed_at.is_some()), "it is signed");
    assert_eq!(ask("another-key.pem").await, 400, "the authority itself takes no second request");
    house.puppet.purge(CERTNAME, KEY).await.expect("it is purged");
    assert_eq!(house.puppet.ca.state(CERTNAME).await.expect("it answers"), None);
}

#[tokio::test]
async fn the_lab_lacks_nothing() {
    let house = Gatehouse::open().await;
    let lines = house.puppet.survey(chrono::DateTime::UNIX_EPOCH).await.expect("it answers");
    assert!(lines.len() >= 2 && lines.iter().all(|line| line.standing == Standing::There), "{lines:#?}");
}
