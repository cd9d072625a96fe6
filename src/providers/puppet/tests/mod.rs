//! Stories of a site's Puppet: its authority, its reports, and who tries to come in.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::node::NodeReport;
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfiguredNode};
use domain::ports::nodes::{NodeRegister, NodeWords, RemoteAgent};
use domain::ports::provider_error::ProviderError;
use serde_json::json;

use super::{Puppet, PuppetWords};
use crate::clock::ManualClock;
use authority::Authority;
use register::Register;

mod authority;
mod doors;
mod elsewhere;
#[cfg(feature = "live")]
mod live;
mod register;
mod reports;
mod runs;
mod server;
mod ssh;

const CERTNAME: &str = "web-1.lab.test";
const KEY: &str = "run/setup[1]";
const LIMIT: TimeDelta = TimeDelta::minutes(20);

/// Machines whose agents can be started.
#[derive(Default)]
struct Agents(Mutex<Vec<String>>);

impl Agents {
    fn started(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl RemoteAgent for Agents {
    async fn start(&self, certname: &str) -> Result<(), ProviderError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(certname.to_owned());
        Ok(())
    }
}

/// A site with its authority, our register and a clock that is wound by hand.
struct Site {
    puppet: Puppet,
    authority: Authority,
    register: Register,
    clock: Arc<ManualClock>,
    agents: Arc<Agents>,
}

impl Site {
    async fn new() -> Self {
        let authority = Authority::default();
        let clock = Arc::new(ManualClock::at(noon()));
        let (register, agents) = (Register::new(clock.clone()), Arc::new(Agents::default()));
        let puppet = Puppet {
            site: "lab".into(),
            server: "puppet.lab.test".into(),
            port: 8140,
            address: None,
            environment: "production".into(),
            secret: b"secret of the lab".to_vec(),
            certificate: Vec::new(),
            report_within: LIMIT,
            ca: authority.client().await,
            database: None,
            register: Arc::new(register.clone()),
            clock: clock.clone(),
            agents: Some(agents.clone()),
        };
        Self { puppet, authority, register, clock, agents }
    }

    async fn apply(&self) -> ConfiguredNode {
        self.puppet.apply(KEY, &order("10.1")).await.expect("it is ordered")
    }

    async fn look(&self) -> ConfiguredNode {
        self.puppet.find(KEY).await.expect("it is looked for").expect("it is there")
    }

    /// The node's machine runs: its server asks, and this recorded report arrives a while later.
    async fn runs(&self, report: &str) {
        self.clock.wind(TimeDelta::seconds(5));
        self.register.is_asked(KEY);
        self.clock.wind(TimeDelta::seconds(5));
        self.register.record(&recorded(report)).await.expect("it is kept");
    }
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant")
}

fn order(version: &str) -> ConfigurationOrder {
    let facts = json!({ "tomcat_version": version }).as_object().cloned().unwrap_or_default();
    ConfigurationOrder { certname: CERTNAME.into(), role: "tomcat".into(), facts }
}

/// A report that a real agent sent.
fn recorded(name: &str) -> NodeReport {
    PuppetWords.report(sent(name).as_bytes()).unwrap_or_else(|cause| panic!("{name}: {cause}"))
}

fn sent(name: &str) -> String {
    let path = format!("{}/puppet/tests/reports/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}
