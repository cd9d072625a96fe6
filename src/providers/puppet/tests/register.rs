//! A register of nodes for tests, in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::node::{Node, NodeOrder, NodeReport, ReceivedReport, ReportStatus};
use domain::ports::clock::Clock;
use domain::ports::nodes::{NodeEvent, NodeRegister};
use domain::ports::provider_error::ProviderError;

#[derive(Default)]
struct Kept {
    nodes: HashMap<String, Node>,
    reports: HashMap<String, ReceivedReport>,
    predecessors: HashMap<String, u32>,
}

/// The register, with the clock by which it notes.
#[derive(Clone)]
pub struct Register {
    kept: Arc<Mutex<Kept>>,
    clock: Arc<dyn Clock>,
}

impl Register {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { kept: Arc::default(), clock }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node's server asks what it shall become.
    pub fn is_asked(&self, key: &str) {
        let now = self.clock.now();
        if let Some(node) = self.kept().nodes.get_mut(key) {
            node.asked_at.get_or_insert(now);
        }
    }

    /// The node of this name.
    #[cfg(feature = "live")]
    pub fn of(&self, certname: &str) -> Option<Node> {
        self.kept().nodes.values().find(|node| node.order.certname == certname).cloned()
    }

    /// A report arrives; says whether it is of a node that is known.
    #[cfg(feature = "live")]
    pub fn receive(&self, report: &NodeReport) -> bool {
        let received = ReceivedReport { received_at: self.clock.now(), report: report.clone() };
        let known = self.of(&report.certname).is_some();
        known && {
            self.kept().reports.insert(report.certname.clone(), received);
            true
        }
    }
}

#[async_trait]
impl NodeRegister for Register {
    async fn order(&self, order: &NodeOrder) -> Result<Node, ProviderError> {
        let mut kept = self.kept();
        if kept.nodes.values().any(|node| node.order.certname == order.certname && node.order.key != order.key) {
            return Err(ProviderError::not_ours(format!("{} is held.", order.certname), "Choose another."));
        }
        let before = kept.nodes.remove(&order.key);
        let node = Node {
            order: order.clone(),
            ordered_at: self.clock.now(),
            asked_at: None,
            started_at: None,
            key_print: before.as_ref().and_then(|node| node.key_print.clone()),
            signed_at: before.and_then(|node| node.signed_at),
            settled_at: None,
        };
        kept.nodes.insert(order.key.clone(), node.clone());
        Ok(node)
    }

    async fn find(&self, key: &str) -> Result<Option<Node>, ProviderError> {
        Ok(self.kept().nodes.get(key).cloned())
    }

    async fn named(&self, certname: &str) -> Result<Option<Node>, ProviderError> {
        Ok(self.kept().nodes.values().find(|node| node.order.certname == certname).cloned())
    }

    async fn note(&self, key: &str, event: &NodeEvent) -> Result<(), ProviderError> {
        let now = self.clock.now();
        if let Some(node) = self.kept().nodes.get_mut(key) {
            match event {
                NodeEvent::Signing { key_print } => node.key_print = Some(key_print.clone()),
                NodeEvent::Signed => node.signed_at = Some(now),
                NodeEvent::Started => node.started_at = Some(now),
            }
        }
        Ok(())
    }

    async fn latest_report(&self, certname: &str) -> Result<Option<ReceivedReport>, ProviderError> {
        Ok(self.kept().reports.get(certname).cloned())
    }

    async fn record(&self, report: &NodeReport) -> Result<(), ProviderError> {
        let received = ReceivedReport { received_at: self.clock.now(), report: report.clone() };
        let mut kept = self.kept();
        if report.status != ReportStatus::Failed {
            let now = received.received_at;
            kept.nodes.values_mut().for_each(|node| node.settled_at = node.settled_at.or(Some(now)));
        }
        kept.reports.insert(report.certname.clone(), received);
        Ok(())
    }

    async fn predecessors(&self, certname: &str) -> Result<u32, ProviderError> {
        Ok(self.kept().predecessors.get(certname).copied().unwrap_or_default())
    }

    async fn forget(&self, key: &str) -> Result<(), ProviderError> {
        let mut kept = self.kept();
        if let Some(node) = kept.nodes.remove(key) {
            kept.reports.remove(&node.order.certname);
            *kept.predecessors.entry(node.order.certname).or_default() += 1;
        }
        Ok(())
    }
}
