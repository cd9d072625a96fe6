//! What a machine is told when it boots for the first time, in the words of cloud-init.
//!
//! Documents are written as JSON, which is YAML, so that no value can ever be read as anything but a value.

use std::fmt;

use serde_json::{Map, Value, json};

/// How often a fresh agent asks whether its certificate is signed, in seconds.
const ASK_FOR_CERTIFICATE_SECONDS: &str = "5";
/// The attribute of a certificate request that carries the challenge (PKCS #9 `challengePassword`, RFC 2985 5.4.1).
const CHALLENGE_PASSWORD: &str = "1.2.840.113549.1.9.7";

/// What a configuration agent must know to enrol with its server.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The server's name, as its certificate says it, and its port.
    pub server: String,
    pub port: u16,
    /// The server's address, where fresh machines can't look its name up.
    pub address: Option<String>,
    /// The node's certificate name: its FQDN.
    pub certname: String,
    pub environment: String,
    /// Proves, once, that the request for a certificate comes from the machine that was ordered.
    pub challenge: String,
}

/// Never shows the challenge.
impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enrolment of {} at {}:{}", self.certname, self.server, self.port)
    }
}

/// What a machine is told at its first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstBoot {
    pub fqdn: String,
    /// How its configuration agent enrols; `None` where no agent runs.
    pub agent: Option<Enrolment>,
}

impl FirstBoot {
    /// The user data: a cloud-config document
    /// (<https://cloudinit.readthedocs.io/en/22.4.2/reference/examples.html>).
    pub fn user_data(&self) -> String {
        let mut config = object(json!({ "hostname": self.host(), "fqdn": self.fqdn }));
        if let Some(agent) = &self.agent {
            config.insert("puppet".to_owned(), puppet(agent));
            config.insert("bootcmd".to_owned(), json!(at_each_boot(agent)));
        }
        format!("#cloud-config\n{}\n", Value::Object(config))
    }

    /// The meta data of the machine that its platform knows as `instance`.
    pub fn meta_data(&self, instance: &str) -> String {
        json!({ "instance-id": instance, "local-hostname": self.host() }).to_string()
    }

    fn host(&self) -> &str {
        self.fqdn.split('.').next().unwrap_or(&self.fqdn)
    }
}

/// The agent starts at first boot, runs at once, and goes on from then as the site's own settings say. One that should
/// run but once would give up when its server is away just then; this one asks again until it is there and has signed
/// its certificate. Without `--no-usecacheonfailure` it would apply an old catalog then and call that a success.
fn puppet(agent: &Enrolment) -> Value {
    let arguments = ["--no-usecacheonfailure", "--waitforcert", ASK_FOR_CERTIFICATE_SECONDS];
    json!({
        "install": false,
        "start_service": false,
        "exec": true,
        "exec_args": arguments,
        "csr_attributes": { "custom_attributes": { CHALLENGE_PASSWORD: agent.challenge } },
        "conf": { "agent": {
            "server": agent.server,
            "serverport": agent.port,
            "certname": agent.certname,
            "environment": agent.environment,
        } },
    })
}

/// What comes before all else, at each boot. cloud-init does what is said of Puppet once in a machine's life and takes
/// note of it when it begins: without that note the agent is started again after a reboot, even one in its first run.
fn at_each_boot(agent: &Enrolment) -> Vec<Vec<&str>> {
    let mut commands = vec![vec!["rm", "-f", "/var/lib/cloud/instance/sem/config_puppet"]];
    if let Some(address) = &agent.address {
        let known = "grep -qwF \"$2\" /etc/hosts || printf '%s\\t%s\\n' \"$1\" \"$2\" >> /etc/hosts";
        commands.push(vec!["sh", "-c", known, "hosts", address, &agent.server]);
    }
    commands
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolment() -> Enrolment {
        Enrolment {
            server: "puppet.example.org".into(),
            port: 8140,
            address: Some("10.0.0.2".into()),
            certname: "shop-1.example.org".into(),
            environment: "production".into(),
            challenge: "once".into(),
        }
    }

    #[test]
    fn a_fresh_machine_learns_who_it_is_and_how_its_agent_enrols() {
        let boot = FirstBoot { fqdn: "shop-1.example.org".into(), agent: Some(enrolment()) };
        let user_data = boot.user_data();
        let config: Value = serde_json::from_str(user_data.strip_prefix("#cloud-config\n").unwrap()).unwrap();
        assert_eq!(config["hostname"], "shop-1");
        assert_eq!(config["puppet"]["conf"]["agent"]["certname"], "shop-1.example.org");
        let arguments = config["puppet"]["exec_args"].as_array().unwrap();
        assert!(!arguments.contains(&json!("--onetime")), "it does not give up: {arguments:?}");
        assert_eq!(config["puppet"]["csr_attributes"]["custom_attributes"][CHALLENGE_PASSWORD], "once");
        assert_eq!(config["bootcmd"][0][2], "/var/lib/cloud/instance/sem/config_puppet", "at each boot");
        assert_eq!(config["bootcmd"][1][4], "10.0.0.2");
        assert_eq!(boot.meta_data("key-1"), r#"{"instance-id":"key-1","local-hostname":"shop-1"}"#);
    }

    #[test]
    fn a_machine_without_an_agent_only_learns_its_name() {
        let boot = FirstBoot { fqdn: "shop-1.example.org".into(), agent: None };
        assert_eq!(boot.user_data(), "#cloud-config\n{\"hostname\":\"shop-1\",\"fqdn\":\"shop-1.example.org\"}\n");
    }

    #[test]
    fn a_value_stays_a_value_whatever_it_says() {
        let odd = Enrolment { environment: "x\nruncmd: [reboot]".into(), ..enrolment() };
        let user_data = FirstBoot { fqdn: "shop-1".into(), agent: Some(odd) }.user_data();
        assert_eq!(user_data.lines().count(), 2);
    }

    #[test]
    fn the_challenge_is_never_shown() {
        assert!(!format!("{:?}", FirstBoot { fqdn: "a".into(), agent: Some(enrolment()) }).contains("once"));
    }
}
