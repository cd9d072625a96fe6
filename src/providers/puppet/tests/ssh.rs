//! Agents started by SSH, with a stand-in for OpenSSH's client that tells what it was given; `live.rs` has the real one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use domain::ports::names::{NameReservation, Names};
use domain::ports::provider_error::ProviderErrorKind;

use super::*;
use crate::puppet::puppetdb::PuppetDb;
use crate::puppet::ssh::HostKeys;
use crate::puppet::{SshAgents, SshSettings};
use server::{client, serve};

/// A register that knows one machine, by its full name, and where it is.
pub struct Held(pub String, pub Mutex<String>);

#[async_trait]
impl Names for Held {
    async fn reserve(&self, _key: &str, _pattern: &str) -> Result<NameReservation, ProviderError> {
        unreachable!("nothing is reserved")
    }

    async fn find(&self, _key: &str) -> Result<Option<NameReservation>, ProviderError> {
        unreachable!("nothing is looked for by key")
    }

    async fn lookup(&self, name: &str) -> Result<Option<NameReservation>, ProviderError> {
        let address = self.1.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let [id, key, fqdn] = ["1", "key", &self.0].map(str::to_owned);
        let held = NameReservation { id, key, name: name.to_owned(), fqdn, address };
        Ok(Some(held).filter(|held| held.fqdn.split('.').next() == Some(name)))
    }

    async fn preview(&self, _pattern: &str, _count: usize) -> Result<Vec<String>, ProviderError> {
        unreachable!("nothing is previewed")
    }

    async fn release(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        unreachable!("nothing is released")
    }
}

/// A folder with a program that does as `ssh` does.
struct Client(PathBuf);

impl Client {
    /// It writes down what it was given and which host keys, says this and ends with this.
    fn that_says(words: &str, code: i32) -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-ssh-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir_all(&folder).expect("a folder");
        let script = format!(
            "#!/bin/sh\ncd '{}'\nprintf '%s\\n' \"$@\" >given\nfor it; do case $it in UserKnownHostsFile=*)\n\
             eval cp ${{it#*=}} known;; esac; done\necho '{words}' >&2\nexit {code}\n",
            folder.display()
        );
        fs::write(folder.join("ssh"), script).expect("it is written");
        fs::set_permissions(folder.join("ssh"), fs::Permissions::from_mode(0o700)).expect("it is ours");
        Self(folder)
    }

    fn agents(&self, host_keys: HostKeys) -> SshAgents {
        let settings = SshSettings {
            program: self.0.join("ssh"),
            user: "gatehouse".into(),
            port: 2222,
            key_file: "/etc/gatehouse/ssh key".into(),
            known_hosts_file: None,
            command: "sudo -n puppet agent --onetime; true".into(),
        };
        SshAgents::with(settings, host_keys, Arc::new(Held(CERTNAME.into(), Mutex::new("10.20.0.7".into()))))
    }

    fn told(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).expect("it was run")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn of_the_site() -> HostKeys {
    HostKeys::File(Path::new("/dev/null").to_owned())
}

async fn told_to_puppetdb(fact: &'static str) -> HostKeys {
    let url = serve(move |asked| {
        let for_it = asked.path.starts_with("/pdb/query/v4/facts?query=") && asked.path.contains("web-1.lab.test");
        (
            200,
            if for_it {
                format!(r#"[{{"certname":"web-1.lab.test","name":"ssh","value":{fact}}}]"#)
            } else {
                "[]".into()
            },
        )
    })
    .await;
    HostKeys::Told(PuppetDb::at(client(), &url).expect("an address"))
}

#[tokio::test]
async fn the_one_command_runs_on_the_machine_that_its_agent_told_the_host_key_of() {
    let ssh = Client::that_says("", 0);
    let keys = r#"{"ed25519":{"fingerprints":{"sha1":"SSHFP 4 1 ab"},"key":"AAAAC3Nza+/=","name":null,"type":"ssh-ed25519"},
        "rsa":{"key":"AAAA\nbank.example.org ssh-rsa AAAA","type":"ssh-rsa"}}"#;
    ssh.agents(told_to_puppetdb(keys).await).start(CERTNAME).await.expect("it is started");
    assert_eq!(ssh.told("known"), "web-1.lab.test ssh-ed25519 AAAAC3Nza+/=\n", "a machine speaks for itself alone");
    let given = ssh.told("given");
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "HostKeyAlias=web-1.lab.test",
        "IdentityFile=\"/etc/gatehouse/ssh key\"",
        "ForwardAgent=no",
    ] {
        assert!(given.contains(&format!("-o\n{option}\n")), "{option}: {given}");
    }
    let ends = "-p\n2222\n-l\ngatehouse\n--\n10.20.0.7\nsudo -n puppet agent --onetime; true\n";
    assert!(given.starts_with("-F\nnone\n") && given.ends_with(ends), "{given}");
    let left = given.lines().find_map(|line| line.strip_prefix("UserKnownHostsFile=")).expect("it is given");
    assert!(!Path::new(left.trim_matches('"')).exists(), "{left} went with the connection");
}

#[tokio::test]
async fn what_keeps_an_agent_from_being_started_is_told_with_what_to_do() {
    for (words, code, kind, told) in [
        ("Host key verification failed.", 255, ProviderErrorKind::Permanent, "has not the host key of web-1.lab.test"),
        ("g@10.20.0.7: Permission denied (publickey).", 255, ProviderErrorKind::Permanent, "did not let gatehouse in"),
        ("ssh: connect to host 10.20.0.7 port 22: Connection refused", 255, ProviderErrorKind::Transient, "refused"),
        (
            "sudo: a password is required",
            1,
            ProviderErrorKind::Permanent,
            "ended with 1: sudo: a password is required.",
        ),
    ] {
        let refused = Client::that_says(words, code).agents(of_the_site()).start(CERTNAME).await;
        let refused = refused.expect_err("it does not start");
        assert!(refused.kind == kind && refused.what.contains(told), "{refused}");
    }
}

#[tokio::test]
async fn nobody_is_signed_in_to_whose_address_or_host_key_is_not_known() {
    let ssh = Client::that_says("", 0);
    let stranger = ssh.agents(of_the_site()).start("web-2.lab.test").await.expect_err("nobody holds it");
    assert_eq!(stranger.kind, ProviderErrorKind::NotFound);
    let silent = ssh.agents(told_to_puppetdb("{}").await).start(CERTNAME).await.expect_err("it told none");
    assert!(silent.what.contains("was told no SSH host key of web-1.lab.test"), "{silent}");
    assert!(!ssh.0.join("given").exists(), "nothing was run");
    let away = HostKeys::Told(PuppetDb::at(client(), &authority::nobody()).expect("an address"));
    assert_eq!(ssh.agents(away).start(CERTNAME).await.expect_err("it is away").kind, ProviderErrorKind::Transient);
}
