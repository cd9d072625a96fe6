//! Configuration by Puppet: an agent brings a machine to its role, and the software it installed becomes a CI.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass, Relation};
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfigurationState, ConfiguredNode, RunFailure};
use domain::resource::{Intent, LedgerChange};
use engine::{ActionError, Outcome, Record, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::typed::{Verb, ci_key, done, live, nothing_to_undo, object, one_intent, soon, told, undone};

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
    /// Idempotency key of the node, for `puppet.change`; none where a person did the step's work past Puppet.
    #[serde(default)]
    key: String,
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
        let node = match self.configuration.find(&work.key).await.map_err(told)? {
            Some(node) if lines_told(work).is_some() || is_as_ordered(&node, &order) => node,
            _ => start(&*self.configuration, work, &work.key, &order).await?,
        };
        match progress(work, &node)? {
            Progress::Runs => Ok(watch(work, &node, json!({ "lines": node.lines.len() }))),
            Progress::Ended => finish(work, &node, &input.server),
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

/// Has the agent run, so that the node becomes what is ordered.
async fn start(
    configuration: &dyn Configuration,
    work: &Work,
    key: &str,
    order: &ConfigurationOrder,
) -> Result<ConfiguredNode, ActionError> {
    work.say(format!("Starting the agent on {} with role {}.", order.certname, order.role));
    configuration.apply(key, order).await.map_err(told)
}

enum Progress {
    Runs,
    Ended,
}

/// Tells what the agent has said since the last look, and how far it is; failed, it is an error.
fn progress(work: &Work, node: &ConfiguredNode) -> Result<Progress, ActionError> {
    report(work, node, lines_told(work).unwrap_or(0));
    match node.state {
        ConfigurationState::Running => Ok(Progress::Runs),
        ConfigurationState::Failed => Err(failed(node)),
        ConfigurationState::Applied => Ok(Progress::Ended),
    }
}

/// Looks again soon, so that the report is read while it grows.
fn watch(work: &Work, node: &ConfiguredNode, remember: Value) -> Outcome {
    Outcome::Wait { until: soon(work).min(node.ends_at), remember, why: format!("the agent runs on {}", node.certname) }
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
    say_what_changed(work, node);
    let key = ci_key(work, SOFTWARE_CI);
    let software = software(node, &key);
    let runs_on = CiChange::Relate { from: key.clone(), relation: Relation::RunsOn, to: server.to_owned() };
    let output = ApplyOutput {
        certname: node.certname.clone(),
        role: node.role.clone(),
        resources: node.resources,
        changed: node.changed,
        seconds: seconds(node),
        ci: if software.is_some() { key } else { server.to_owned() },
        key: work.key.clone(),
    };
    let cis = software.map(|software| vec![software, runs_on]).unwrap_or_default();
    done(&output, live(work, &node.id, recorded(node, &output.ci)), cis)
}

fn say_what_changed(work: &Work, node: &ConfiguredNode) {
    let catalog = node.catalog_seconds.map_or_else(String::new, |took| format!(", {took:.1} s of it for the catalog"));
    let ConfiguredNode { resources, changed, .. } = node;
    work.say(format!("{resources} resources, {changed} changed, none failed; {} s{catalog}.", seconds(node)));
}

fn seconds(node: &ConfiguredNode) -> i64 {
    (node.ends_at - node.started_at).num_seconds()
}

/// What the ledger keeps of a node. What a later run finds changed is told of the CI that stands for the role.
fn recorded(node: &ConfiguredNode, ci: &str) -> Value {
    json!({
        "role": node.role, "facts": node.facts, "resources": node.resources, "changed": node.changed,
        "endpoint": endpoint(node), "ci": ci,
    })
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
fn software(node: &ConfiguredNode, key: &str) -> Option<CiChange> {
    let (class, title, port) = match node.role.as_str() {
        "tomcat" => (CiClass::ApplicationServer, "Tomcat", 8080),
        "postgresql" => (CiClass::Database, "PostgreSQL", 5432),
        "mariadb" => (CiClass::Database, "MariaDB", 3306),
        "docker" => (CiClass::ContainerEngine, "Docker Engine", 2376),
        _ => return None,
    };
    let attributes = object(json!({
        "role": node.role, "port": port, "fqdn": node.certname,
        "version": node.facts.get(&format!("{}_version", node.role)),
    }));
    Some(CiChange::Declare { key: key.to_owned(), class, name: format!("{title} on {}", node.certname), attributes })
}

/// `puppet.change`
pub(crate) struct Change {
    pub configuration: Arc<dyn Configuration>,
}

/// A node as `puppet.apply` returned it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct NodeReference {
    certname: String,
    #[serde(default)]
    key: String,
    ci: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeInput {
    /// What `puppet.apply` returned.
    node: NodeReference,
    /// Facts of its role that change, passed as data; the others stay. `reference` of `secret.renew` stands for the
    /// secret.
    facts: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangeOutput {
    certname: String,
    /// Resources in the catalog.
    resources: u32,
    /// Of these, changed.
    changed: u32,
    /// How long the agent ran, in seconds.
    seconds: i64,
    /// The facts before, which are brought about again when the step is taken back.
    former: Map<String, Value>,
}

#[async_trait]
impl Verb for Change {
    type Input = ChangeInput;
    type Output = ChangeOutput;

    const NAME: &'static str = "puppet.change";
    const TITLE: &'static str = "Change configuration";
    const UNDO_TITLE: &'static str = "Restore configuration";
    const SUMMARY: &'static str = "Gives a machine's role other facts, runs the agent and waits for its report.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    /// The node stands in the ledger already.
    fn intend(&self, _work: &Work, _input: &ChangeInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: ChangeInput) -> Result<Outcome, ActionError> {
        let found = self.configuration.find(&input.node.key).await.map_err(told)?;
        let node = found.ok_or_else(|| unconfigured(&input.node.certname))?;
        let Some(former) = former(work) else {
            // Before anything changes it is remembered what was, so that no crash forgets it.
            let why = format!("to change: {}", input.facts.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
            return Ok(Outcome::Wait { until: work.now, remember: json!({ "former": node.facts }), why });
        };
        let facts = former.clone().into_iter().chain(input.facts).collect();
        match self.bring_about(work, &input.node, node, facts).await? {
            Brought::Waits(outcome) => Ok(outcome),
            Brought::Is(node) => {
                say_what_changed(work, &node);
                let ConfiguredNode { resources, changed, .. } = *node;
                let certname = node.certname.clone();
                let output = ChangeOutput { certname, resources, changed, seconds: seconds(&node), former };
                let (ledger, cis) = changed_records(&node, &input.node);
                done(&output, ledger, cis)
            }
        }
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        // A step whose input does not fit was never carried out, and one that remembers nothing changed nothing.
        let input = serde_json::from_value::<ChangeInput>(work.input.clone()).ok();
        let Some((input, former)) = input.zip(former(work)) else { return Ok(nothing_to_undo()) };
        let Some(node) = self.configuration.find(&input.node.key).await.map_err(told)? else {
            return Ok(nothing_to_undo());
        };
        match self.bring_about(work, &input.node, node, former).await? {
            Brought::Waits(outcome) => Ok(outcome),
            Brought::Is(node) => {
                let (ledger, cis) = changed_records(&node, &input.node);
                Ok(Outcome::Done(Record { ledger, cis, ..Record::default() }))
            }
        }
    }
}

/// How far a node is on its way to other facts.
enum Brought {
    Waits(Outcome),
    Is(Box<ConfiguredNode>),
}

impl Change {
    /// Has the agent run with these facts, unless it does already or did.
    async fn bring_about(
        &self,
        work: &Work,
        reference: &NodeReference,
        node: ConfiguredNode,
        facts: Map<String, Value>,
    ) -> Result<Brought, ActionError> {
        let order = ConfigurationOrder { certname: node.certname.clone(), role: node.role.clone(), facts };
        let is_on_its_way = lines_told(work).is_some() && node.facts == order.facts;
        let node = match is_on_its_way || is_as_ordered(&node, &order) {
            true => node,
            false => start(&*self.configuration, work, &reference.key, &order).await?,
        };
        Ok(match progress(work, &node)? {
            Progress::Ended => Brought::Is(Box::new(node)),
            Progress::Runs => {
                let remember = json!({ "lines": node.lines.len(), "former": former(work) });
                Brought::Waits(watch(work, &node, remember))
            }
        })
    }
}

/// The facts before the step, as this try or an earlier one remembers them, or as it returned them.
fn former(work: &Work) -> Option<Map<String, Value>> {
    let told = [&work.output, &work.remembered, &work.remembered_before];
    told.into_iter().flatten().find_map(|told| told.get("former")?.as_object().cloned())
}

/// What the ledger and the CMDB know of the node from now on.
fn changed_records(node: &ConfiguredNode, reference: &NodeReference) -> (Vec<LedgerChange>, Vec<CiChange>) {
    let attributes = recorded(node, &reference.ci);
    let row = LedgerChange::Live { key: reference.key.clone(), native_id: node.id.clone(), attributes };
    (vec![row], software(node, &reference.ci).into_iter().collect())
}

fn unconfigured(certname: &str) -> ActionError {
    ActionError::permanent(
        format!("The configuration manager has no node {certname}, so there is nothing to change."),
        "Look at the deployment's page for what became of the machine.",
    )
}
