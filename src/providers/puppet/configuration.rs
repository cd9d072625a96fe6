//! Puppet as our port of configuration managers.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::first_boot::Enrolment;
use domain::moment::written;
use domain::node::{Node, NodeOrder, NodeReport, ReceivedReport, ReportStatus};
use domain::ports::configuration::{Configuration, ConfigurationOrder, ConfigurationState, ConfiguredNode, RunFailure};
use domain::ports::nodes::NodeEvent;
use domain::ports::provider_error::ProviderError;

use super::Puppet;

/// The longest certificate name: that of a host (RFC 1035 2.3.4).
const LONGEST_NAME: usize = 253;

#[async_trait]
impl Configuration for Puppet {
    async fn enrol(&self, certname: &str) -> Result<Option<Enrolment>, ProviderError> {
        check_name(certname)?;
        Ok(Some(Enrolment {
            server: self.server.clone(),
            port: self.port,
            address: self.address.map(|address| address.to_string()),
            certname: certname.to_owned(),
            environment: self.environment.clone(),
            challenge: self.challenge(certname).await?.word(),
        }))
    }

    async fn apply(&self, key: &str, order: &ConfigurationOrder) -> Result<ConfiguredNode, ProviderError> {
        check_name(&order.certname)?;
        let wanted = NodeOrder {
            certname: order.certname.clone(),
            key: key.to_owned(),
            site: self.site.clone(),
            role: order.role.clone(),
            environment: self.environment.clone(),
            facts: order.facts.clone(),
        };
        if let Some(node) = self.register.find(key).await?.filter(|node| node.order == wanted) {
            let standing = self.look(&node).await?;
            match &standing.failure {
                None => return Ok(standing),
                Some(RunFailure::CertificateRefused { .. }) => self.clear_request(&order.certname).await?,
                Some(_) => {}
            }
        }
        let node = self.register.order(&wanted).await?;
        self.look(&node).await
    }

    async fn find(&self, key: &str) -> Result<Option<ConfiguredNode>, ProviderError> {
        match self.register.find(key).await? {
            Some(node) => self.look(&node).await.map(Some),
            None => Ok(None),
        }
    }

    async fn purge(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let Some(node) = self.register.named(id).await? else { return Ok(()) };
        if node.order.key != key {
            return Err(ProviderError::not_ours(
                format!("The node {id} was ordered by another step."),
                "Retire the deployment that holds it.",
            ));
        }
        self.expel(&node).await?;
        self.register.forget(key).await
    }
}

impl Puppet {
    /// How the node's run stands. One that has not begun is helped along: its machine is let in, its agent started.
    async fn look(&self, node: &Node) -> Result<ConfiguredNode, ProviderError> {
        if let Some(told) = self.verdict(node).await? {
            return Ok(judged(node, &told));
        }
        let mut failure = None;
        if node.asked_at.is_none() {
            failure = self.admit(node).await?;
            self.start(node).await?;
        } else if let Some(found) = self.found_elsewhere(node).await? {
            return Ok(judged(node, &found));
        }
        let late = self.clock.now() >= node.ordered_at + self.report_within;
        Ok(self.waited_for(node, failure.or_else(|| late.then(|| self.no_report(node)))))
    }

    /// The report by which the order is judged: the latest of a run that knew it and did more than look.
    async fn verdict(&self, node: &Node) -> Result<Option<NodeReport>, ProviderError> {
        let latest = self.register.latest_report(&node.order.certname).await?;
        let counts = |it: &ReceivedReport| node.is_judged_by(it.received_at) && !it.report.noop;
        Ok(latest.filter(counts).map(|it| it.report))
    }

    /// The report as PuppetDB has it, where it did not come by itself. One that does not answer is no reason to stop
    /// waiting.
    async fn found_elsewhere(&self, node: &Node) -> Result<Option<NodeReport>, ProviderError> {
        let (Some(database), Some(asked)) = (&self.database, node.asked_at) else { return Ok(None) };
        let found = database.report(&node.order.certname, asked).await;
        let found = found.inspect_err(|error| tracing::warn!(%error, "a report could not be looked for"));
        let Ok(Some(report)) = found else { return Ok(None) };
        self.register.record(&report).await?;
        Ok(Some(report).filter(|report| !report.noop))
    }

    /// Has the agent run now, where its machine was let in before the order and nobody has started it since.
    async fn start(&self, node: &Node) -> Result<(), ProviderError> {
        let was_in_before = node.signed_at.is_some_and(|signed| signed < node.ordered_at);
        let Some(agents) = self.agents.as_ref().map(Arc::clone) else { return Ok(()) };
        if !was_in_before || node.started_at.is_some() {
            return Ok(());
        }
        agents.start(&node.order.certname).await?;
        self.register.note(&node.order.key, &NodeEvent::Started).await
    }

    fn no_report(&self, node: &Node) -> RunFailure {
        let seen = match (node.asked_at, node.signed_at) {
            (Some(asked), _) => format!("its server asked for its role at {}, and no report came", written(asked)),
            (None, None) => "its agent has not asked for a certificate".to_owned(),
            (None, Some(_)) if node.started_at.is_some() => {
                "its agent was started and its server never asked for its role".to_owned()
            }
            (None, Some(_)) => "it has its certificate, and its server never asked for its role".to_owned(),
        };
        RunFailure::NoReport { minutes: self.report_within.num_minutes(), seen }
    }

    fn waited_for(&self, node: &Node, failure: Option<RunFailure>) -> ConfiguredNode {
        let state = if failure.is_some() { ConfigurationState::Failed } else { ConfigurationState::Running };
        ConfiguredNode { state, failure, ends_at: node.ordered_at + self.report_within, ..bare(node, node.ordered_at) }
    }
}

/// The node with what its report says.
fn judged(node: &Node, report: &NodeReport) -> ConfiguredNode {
    let (state, failure) = match report.status {
        ReportStatus::Changed | ReportStatus::Unchanged => (ConfigurationState::Applied, None),
        ReportStatus::Failed if report.resources == 0 => {
            let why = report.first_error().unwrap_or_else(|| "the agent does not say why".to_owned());
            (ConfigurationState::Failed, Some(RunFailure::NoCatalog { why }))
        }
        ReportStatus::Failed => (ConfigurationState::Failed, Some(RunFailure::Resources)),
    };
    // The machine's clock may say anything.
    let ends_at = report.began_at.checked_add_signed(TimeDelta::milliseconds((report.seconds * 1_000.0) as i64));
    ConfiguredNode {
        state,
        failure,
        resources: report.resources,
        changed: report.changed,
        failed: report.failed,
        lines: report.lines.clone(),
        catalog_seconds: report.catalog_seconds,
        ends_at: ends_at.unwrap_or(report.began_at),
        ..bare(node, report.began_at)
    }
}

/// The node without a word of its run.
fn bare(node: &Node, started_at: DateTime<Utc>) -> ConfiguredNode {
    ConfiguredNode {
        id: node.order.certname.clone(),
        key: node.order.key.clone(),
        certname: node.order.certname.clone(),
        role: node.order.role.clone(),
        facts: node.order.facts.clone(),
        state: ConfigurationState::Running,
        failure: None,
        resources: 0,
        changed: 0,
        failed: 0,
        lines: Vec::new(),
        catalog_seconds: None,
        started_at,
        ends_at: started_at,
    }
}

/// Whether the name is that of a host, as Puppet takes it: small letters, digits, dashes and dots.
fn check_name(certname: &str) -> Result<(), ProviderError> {
    let fits = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-')
    };
    if certname.len() <= LONGEST_NAME && certname.split('.').all(fits) {
        return Ok(());
    }
    Err(ProviderError::permanent(
        format!("{certname:?} is no name of a node: small letters, digits, dashes and dots are."),
        "Correct the machine's name, then order again.",
    ))
}
