//! The configuration manager: registers nodes under a role, runs the agent, keeps its reports.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::first_boot::Enrolment;
use domain::ports::configuration::{
    Configuration, ConfigurationOrder, ConfigurationState, ConfiguredNode, ReportLine, RunFailure,
};
use domain::ports::datacenter::Operation;
use domain::ports::provider_error::ProviderError;

use super::pace::Moment;
use super::roles::{ROLES, Role};
use super::world::World;
use super::{Datacenter, Done, missing, not_ours};

#[async_trait]
impl Configuration for Datacenter {
    async fn enrol(&self, _certname: &str) -> Result<Option<Enrolment>, ProviderError> {
        Ok(None)
    }

    async fn apply(&self, key: &str, order: &ConfigurationOrder) -> Result<ConfiguredNode, ProviderError> {
        let (key, wanted) = (key.to_owned(), order.clone());
        self.call(Operation::ConfigurationApply, &order.certname, move |world, moment| {
            let before = world.nodes.values().find(|node| node.certname == wanted.certname).cloned();
            if let Some(node) = &before {
                if node.key != key {
                    return Err(not_ours("node", &node.certname, &key));
                }
                if node.failed == 0 && node.role == wanted.role && node.facts == wanted.facts {
                    return Ok(Done::unchanged(seen(node, moment.now), &node.id));
                }
            }
            let node = start_run(world, key, wanted, before, moment)?;
            let note = format!("Agent started on {} with role {}.", node.certname, node.role);
            let answer = seen(&node, moment.now);
            world.nodes.put(&answer.id, node);
            Ok(Done::changed(answer.clone(), &answer.id, note))
        })
        .await
    }

    async fn find(&self, key: &str) -> Result<Option<ConfiguredNode>, ProviderError> {
        let wanted = key.to_owned();
        self.call(Operation::ConfigurationFind, key, move |world, moment| {
            let node = world.nodes.values().find(|node| node.key == wanted);
            Ok(Done::read(node.map(|node| seen(node, moment.now))))
        })
        .await
    }

    async fn purge(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let (wanted, key) = (id.to_owned(), key.to_owned());
        self.call(Operation::ConfigurationPurge, id, move |world, _| {
            let Some(node) = world.nodes.get(&wanted) else { return Ok(Done::unchanged((), &wanted)) };
            if node.key != key {
                return Err(not_ours("node", &node.certname, &key));
            }
            let note = format!("Purged {}: certificate, role and reports.", node.certname);
            world.nodes.remove(&wanted);
            Ok(Done::changed((), &wanted, note))
        })
        .await
    }
}

/// Begins an agent run whose whole report is known here already, line by line with the times to come.
fn start_run(
    world: &mut World,
    key: String,
    order: ConfigurationOrder,
    before: Option<ConfiguredNode>,
    moment: &Moment,
) -> Result<ConfiguredNode, ProviderError> {
    let known = || ROLES.iter().map(|role| role.name).collect::<Vec<_>>().join(", ");
    let role = Role::named(&order.role).ok_or_else(|| {
        ProviderError::permanent(format!("There is no role {}.", order.role), format!("Choose one of {}.", known()))
    })?;
    let machine = world.machines.values().find(|machine| machine.fqdn == order.certname);
    if machine.is_none_or(|machine| moment.now < machine.ready_at) {
        return Err(missing("running machine", &order.certname));
    }
    let lines = report(role, &order, moment);
    let failed = lines.iter().filter(|line| line.level == "err").count() as u32;
    Ok(ConfiguredNode {
        id: before.map_or_else(|| format!("node-{}", world.next_number()), |node| node.id),
        key,
        certname: order.certname,
        role: order.role,
        facts: order.facts,
        state: ConfigurationState::Running,
        failure: None,
        resources: role.in_order + lines.len() as u32,
        changed: lines.len() as u32 - failed,
        failed,
        lines,
        catalog_seconds: None,
        started_at: moment.now,
        ends_at: moment.after(role.seconds),
    })
}

fn report(role: &Role, order: &ConfigurationOrder, moment: &Moment) -> Vec<ReportLine> {
    let changes = role.first_run(&order.facts);
    let share = role.seconds / (changes.len() + 1) as f64;
    let line = |(index, change): (usize, super::roles::Change)| ReportLine {
        at: moment.after(share * (index + 1) as f64),
        level: if change.fails { "err" } else { "notice" }.to_owned(),
        resource: change.resource,
        message: change.message,
    };
    changes.into_iter().enumerate().map(line).collect()
}

/// The node as it is at `now`: the lines that the agent has said until then.
fn seen(node: &ConfiguredNode, now: DateTime<Utc>) -> ConfiguredNode {
    let lines: Vec<ReportLine> = node.lines.iter().filter(|line| line.at <= now).cloned().collect();
    let state = match (now < node.ends_at, node.failed) {
        (true, _) => ConfigurationState::Running,
        (false, 0) => ConfigurationState::Applied,
        (false, _) => ConfigurationState::Failed,
    };
    let failure = (state == ConfigurationState::Failed).then_some(RunFailure::Resources);
    let changed = lines.iter().filter(|line| line.level != "err").count() as u32;
    ConfiguredNode { state, failure, changed, lines, ..node.clone() }
}

/// Whether the machine at `address` runs and serves at `port` because its role says so.
pub(super) fn serves(world: &World, address: &str, port: u16, now: DateTime<Utc>) -> bool {
    let machine = world.machines.values().find(|machine| machine.address == address && machine.ready_at <= now);
    let node = machine.and_then(|machine| world.nodes.values().find(|node| node.certname == machine.fqdn));
    node.is_some_and(|node| {
        seen(node, now).state == ConfigurationState::Applied
            && Role::named(&node.role).is_some_and(|role| role.port == port)
    })
}
