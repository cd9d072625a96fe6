//! Nodes: what each shall become, told when its configuration server asks, and what its runs reported.
//!
//! A server comes in with the token of its site and sees the nodes of that site alone.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::node::{Node, NodeOrder, NodeReport, ReceivedReport, ReportStatus};
use domain::ports::clock::Clock;
use domain::ports::nodes::{NodeEvent, NodeRegister, NodeWords};
use domain::ports::provider_error::ProviderError;
use domain::trouble::{Kind, Trouble};
use store::{DbErr, Store, Tx};

use crate::{App, database, secret};

/// How long reports are kept.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Who has a server's token is told the passwords of its site's machines.
const SHORTEST_TOKEN: usize = 16;

/// A configuration server that may ask about the nodes of its site and report on them.
#[derive(Clone)]
pub struct NodeServer {
    site: String,
    token_hash: String,
    words: Arc<dyn NodeWords>,
}

/// A token by which a configuration server can't be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitToken {
    #[error(
        "the token has fewer than {SHORTEST_TOKEN} letters, and could be guessed: `openssl rand -hex 32` makes one"
    )]
    Weak,
    #[error("the token is that of the site `{site}`, too: who comes in with it must be one of them; give each its own")]
    Shared { site: String },
}

impl NodeServer {
    /// The server of a site, which comes in with this token and speaks these words; `others` have tokens of their own.
    pub fn new(site: &str, token: &str, words: Arc<dyn NodeWords>, others: &[Self]) -> Result<Self, UnfitToken> {
        if token.len() < SHORTEST_TOKEN {
            return Err(UnfitToken::Weak);
        }
        let token_hash = secret::hash(token);
        match others.iter().find(|other| other.token_hash == token_hash) {
            Some(other) => Err(UnfitToken::Shared { site: other.site.clone() }),
            None => Ok(Self { site: site.to_owned(), token_hash, words }),
        }
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    New,
    /// It was there already.
    Known,
}

/// The document that says what the node shall become, for the server of its site.
pub async fn classify(app: &App, server: &NodeServer, certname: &str) -> Result<String, Trouble> {
    let node = store::node::by_certname(&app.store, certname).await.map_err(database)?;
    let node = node.filter(|node| node.order.site == server.site).ok_or_else(|| unknown(certname, server))?;
    let secrets = secret::reveal(app, &node.order.key, &node.order.facts).await?;
    if node.asked_at.is_none() {
        let tx = app.store.begin().await.map_err(database)?;
        store::node::asked(&tx, certname, app.clock.now()).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
    }
    Ok(server.words.classification(&node.order, &secrets))
}

/// Keeps what a server sends as a report of one of its nodes.
pub async fn report(app: &App, server: &NodeServer, sent: Vec<u8>) -> Result<Kept, Trouble> {
    let words = Arc::clone(&server.words);
    // A large one takes a processor for a moment, which holds up nobody's page.
    let report = tokio::task::spawn_blocking(move || words.report(&sent)).await.map_err(Trouble::bug)?;
    let report = report.map_err(|cause| {
        let next = "Check that the site's configuration server alone sends its reports here.";
        Trouble::new(Kind::Malformed, format!("This can't be read as a report: {cause}."), next)
    })?;
    let tx = app.store.begin().await.map_err(database)?;
    let node = store::node::by_certname(&tx, &report.certname).await.map_err(database)?;
    let node = node.filter(|node| node.order.site == server.site);
    let node = node.ok_or_else(|| unknown(&report.certname, server))?;
    let kept = keep(&tx, &node, &report, app.clock.now()).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    Ok(kept)
}

/// The server whose token this is; it takes as long whichever letter is wrong.
pub fn server<'a>(app: &'a App, token: Option<&str>) -> Result<&'a NodeServer, Trouble> {
    let hash = secret::hash(token.unwrap_or_default());
    let known = app.node_servers.iter().find(|server| secret::same(&server.token_hash, &hash));
    known.filter(|_| token.is_some()).ok_or_else(|| {
        Trouble::new(
            Kind::SignInRequired,
            "This needs the token of a site's configuration server.",
            "Send the token that the site's settings name, as `Authorization: Bearer …` or as the password of Basic.",
        )
    })
}

fn unknown(certname: &str, server: &NodeServer) -> Trouble {
    Trouble::new(
        Kind::NotFound,
        format!("Gatehouse has ordered no node {certname:?} on the site {}.", server.site),
        "Order the machine in the portal; what was not ordered there gets no role, and its reports are not kept.",
    )
}

/// Keeps a report with what it says about the order: that it was brought about, or that the node drifted.
async fn keep(tx: &Tx, node: &Node, report: &NodeReport, at: DateTime<Utc>) -> Result<Kept, DbErr> {
    let certname = &node.order.certname;
    let succeeded = report.status != ReportStatus::Failed && !report.noop;
    if !store::node::keep_report(tx, report, node.drift(report, at).as_ref(), at).await? {
        return Ok(Kept::Known);
    }
    if succeeded {
        store::node::end_drift(tx, certname, at).await?;
    }
    if succeeded && node.is_judged_by(at) {
        store::node::settle(tx, certname, at).await?;
    }
    store::node::forget_reports(tx, certname, at - KEPT).await?;
    Ok(Kept::New)
}

/// The register of nodes in our own database.
pub struct BuiltIn {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl NodeRegister for BuiltIn {
    async fn order(&self, order: &NodeOrder) -> Result<Node, ProviderError> {
        let tx = self.store.begin().await.map_err(silent)?;
        let holder = store::node::by_certname(&tx, &order.certname).await.map_err(silent)?;
        if holder.is_some_and(|holder| holder.order.key != order.key) {
            return Err(taken(&order.certname));
        }
        store::node::order(&tx, order, self.clock.now()).await.map_err(silent)?;
        let node = store::node::by_certname(&tx, &order.certname).await.map_err(silent)?;
        tx.commit().await.map_err(silent)?;
        node.ok_or_else(|| taken(&order.certname))
    }

    async fn find(&self, key: &str) -> Result<Option<Node>, ProviderError> {
        store::node::by_key(&self.store, key).await.map_err(silent)
    }

    async fn named(&self, certname: &str) -> Result<Option<Node>, ProviderError> {
        store::node::by_certname(&self.store, certname).await.map_err(silent)
    }

    async fn note(&self, key: &str, event: &NodeEvent) -> Result<(), ProviderError> {
        let tx = self.store.begin().await.map_err(silent)?;
        store::node::note(&tx, key, event, self.clock.now()).await.map_err(silent)?;
        tx.commit().await.map_err(silent)
    }

    async fn latest_report(&self, certname: &str) -> Result<Option<ReceivedReport>, ProviderError> {
        store::node::latest_report(&self.store, certname).await.map_err(silent)
    }

    async fn record(&self, report: &NodeReport) -> Result<(), ProviderError> {
        let tx = self.store.begin().await.map_err(silent)?;
        if let Some(node) = store::node::by_certname(&tx, &report.certname).await.map_err(silent)? {
            keep(&tx, &node, report, self.clock.now()).await.map_err(silent)?;
        }
        tx.commit().await.map_err(silent)
    }

    async fn predecessors(&self, certname: &str) -> Result<u32, ProviderError> {
        store::node::predecessors(&self.store, certname).await.map_err(silent)
    }

    async fn forget(&self, key: &str) -> Result<(), ProviderError> {
        let tx = self.store.begin().await.map_err(silent)?;
        store::node::forget(&tx, key).await.map_err(silent)?;
        tx.commit().await.map_err(silent)
    }
}

fn silent(cause: DbErr) -> ProviderError {
    ProviderError::transient(
        format!("Gatehouse's own register of nodes did not answer: {cause}."),
        "It is asked again in a moment.",
    )
}

fn taken(certname: &str) -> ProviderError {
    ProviderError::not_ours(
        format!("The node {certname} was ordered by another step."),
        "Retire the deployment that holds it, or order the machine under another name.",
    )
}
