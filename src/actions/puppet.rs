//! Configuration by Puppet: an agent brings a machine to its role, and the software it installed becomes a CI.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass, Relation};
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfigurationState, ConfiguredNode, RunFailure};
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::typed::{Verb, ci_key, done, live, object, one_intent, soon, told, undone};

const PROVIDER: &str = "configuration";
const SOFTWARE_CI: &str = "software";

/// `puppet.apply`
pub(crate) struct Apply {
    pub configuration: Arc<dyn Configuration>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyInput {
    /// The node's certificate name: the machine's FQDN.
    certname: String,
    /// The role that the machine gets: `base`, `tomcat`, `docker`, `postgresql` or `mariadb`.
    role: String,
    /// Facts that the role reads, passed as data; `reference` of `secret.generate` stands for the secret.
    #[serde(default)]
    facts: Map<String, Value>,
    /// Key of the server's CI on which the role's software runs: `ci` of `machine.create`.
    server: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ApplyOutput {
    certname: String,
    role: String,
    /// Resources in the catalog.
    resources: u32,
    /// Of these, changed.
    changed: u32,
    /// How long the agent ran, in seconds.
    seconds: i64,
    /// Key of the software's CI; for the role `base`, of the server's.
    ci: String,
}

#[async_trait]
impl Verb for Apply {
    type Input = ApplyInput;
    type Output = ApplyOutput;

    const NAME: &'static str = "puppet.apply";
    const TITLE: &'static str = "Apply role";
    const UNDO_TITLE: &'static str = "Remove role";
    const SUMMARY: &'static str = "Runs the configuration agent on a machine and waits for its report.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, work: &Work, input: &ApplyInput) -> Vec<Intent> {
        one_intent(work, "configuration", PROVIDER, &input.certname)
    }

    async fn run(&self, work: &Work, input: ApplyInput) -> Result<Outcome, ActionError> {
        let order = ConfigurationOrder {
            certname: input.certname.clone(),
            role: input.role.clone(),
            facts: input.facts.clone(),
        };
        let found = self.configuration.find(&work.key).await.map_err(told)?;
        let told_before = lines_told(work);
        let node = match found {
            Some(node) if told_before.is_some() || is_as_ordered(&node, &order) => node,
            _ => {
                work.say(format!("Starting the agent on {} with role {}.", order.certname, order.role));
                self.configuration.apply(&work.key, &order).await.map_err(told)?
            }
        };
        report(work, &node, told_before.unwrap_or(0));
        match node.state {
            ConfigurationState::Running => Ok(watch(work, &node)),
            ConfigurationState::Failed => Err(failed(&node)),
            ConfigurationState::Applied => finish(work, &node, &input.server),
        }
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        if let Some(node) = self.configuration.find(&work.key).await.map_err(told)? {
            work.say(format!("Purging {} from the configuration manager.", node.certname));
            self.configuration.purge(&node.id, &work.key).await.map_err(told)?;
        }
        Ok(undone(work, &[SOFTWARE_CI]))
    }
}

/// Whether the run that is there is the one that is wanted; a failed one, or one with other facts, is started again.
fn is_as_ordered(node: &ConfiguredNode, order: &ConfigurationOrder) -> bool {
    node.state != ConfigurationState::Failed && node.role == order.role && node.facts == order.facts
}

/// How many lines of the running agent's report people have read; none while this try has not started it.
fn lines_told(work: &Work) -> Option<usize> {
    work.remembered.as_ref()?.get("lines")?.as_u64().map(|lines| lines as usize)
}

fn report(work: &Work, node: &ConfiguredNode, told_before: usize) {
    for line in node.lines.iter().skip(told_before) {
        let mark = if line.level == "err" { "Error: " } else { "" };
        work.say(format!("{mark}{}: {}", line.resource, line.message));
    }
}

/// Looks again soon, so that the report is read while it grows.
fn watch(work: &Work, node: &ConfiguredNode) -> Outcome {
    Outcome::Wait {
        until: soon(work).min(node.ends_at),
        remember: json!({ "lines": node.lines.len() }),
        why: format!("the agent runs on {}", node.certname),
    }
}

fn failed(node: &ConfiguredNode) -> ActionError {
    let ConfiguredNode { certname, role, .. } = node;
    match &node.failure {
        Some(RunFailure::NoCatalog { why }) => ActionError::permanent(
            format!("No catalog could be made for {certname} with the role {role}: {why}."),
            "Correct the role's facts, or the server's code of the role, and retry.",
        ),
        Some(RunFailure::NoReport { minutes, seen }) => ActionError::permanent(
            format!("No run on {certname} was reported within {minutes} minutes: {seen}."),
            "Look at the machine's agent and at its server's log, mend what keeps it, and retry.",
        ),
        Some(RunFailure::CertificateRefused { why, next }) => {
            ActionError::permanent(format!("{certname} was not let in: {why}."), next.as_str())
        }
        Some(RunFailure::Resources) | None => resources_failed(node),
    }
}

fn resources_failed(node: &ConfiguredNode) -> ActionError {
    let first = node.lines.iter().find(|line| line.level == "err");
    let why =
        first.map_or_else(|| "no line says why".to_owned(), |line| format!("{}: {}", line.resource, line.message));
    ActionError::permanent(
        format!("The agent on {} could not bring about {} of its resources: {why}.", node.certname, node.failed),
        "Correct the role's facts and retry, or mend the machine and retry.",
    )
}

fn finish(work: &Work, node: &ConfiguredNode, server: &str) -> Result<Outcome, ActionError> {
    let seconds = (node.ends_at - node.started_at).num_seconds();
    let catalog = node.catalog_seconds.map_or_else(String::new, |took| format!(", {took:.1} s of it for the catalog"));
    let ConfiguredNode { resources, changed, .. } = node;
    work.say(format!("{resources} resources, {changed} changed, none failed; {seconds} s{catalog}."));
    let cis = software(work, node, server);
    let output = ApplyOutput {
        certname: node.certname.clone(),
        role: node.role.clone(),
        resources: node.resources,
        changed: node.changed,
        seconds,
        ci: if cis.is_empty() { server.to_owned() } else { ci_key(work, SOFTWARE_CI) },
    };
    // What a later run finds changed is told of the CI that stands for the role.
    let attributes = json!({
        "role": node.role, "facts": node.facts, "resources": node.resources, "changed": node.changed,
        "endpoint": endpoint(node), "ci": output.ci,
    });
    done(&output, live(work, &node.id, attributes), cis)
}

/// Where the role's service is reached, where people reach it on the machine itself.
fn endpoint(node: &ConfiguredNode) -> Option<String> {
    match node.role.as_str() {
        "docker" => Some(format!("tcp://{}:2376", node.certname)),
        "postgresql" => Some(format!("postgresql://{}:5432", node.certname)),
        "mariadb" => Some(format!("mysql://{}:3306", node.certname)),
        _ => None,
    }
}

/// What the role put on the server. The role `base` adds nothing to what a server is.
fn software(work: &Work, node: &ConfiguredNode, server: &str) -> Vec<CiChange> {
    let (class, title, port) = match node.role.as_str() {
        "tomcat" => (CiClass::ApplicationServer, "Tomcat", 8080),
        "postgresql" => (CiClass::Database, "PostgreSQL", 5432),
        "mariadb" => (CiClass::Database, "MariaDB", 3306),
        "docker" => (CiClass::ContainerEngine, "Docker Engine", 2376),
        _ => return Vec::new(),
    };
    let key = ci_key(work, SOFTWARE_CI);
    let attributes = object(json!({
        "role": node.role, "port": port, "fqdn": node.certname,
        "version": node.facts.get(&format!("{}_version", node.role)),
    }));
    vec![
        CiChange::Declare { key: key.clone(), class, name: format!("{title} on {}", node.certname), attributes },
        CiChange::Relate { from: key, relation: Relation::RunsOn, to: server.to_owned() },
    ]
}
