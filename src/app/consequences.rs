//! What a change of a run means for its request and its deployment; it commits with the change.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::mailer::Mailer;
use domain::run::Run;
use engine::{Consequences, Gate};
use store::{DbErr, Tx};

/// The house as the engine asks it.
pub struct House {
    /// The address people reach the portal at; links in mails start with it.
    pub base_url: String,
    /// Where mails go; `None` keeps them to be read in the portal.
    pub mailer: Option<Arc<dyn Mailer>>,
}

#[async_trait]
impl Consequences for House {
    async fn may_begin(&self, _: &Tx, _: &Run) -> Result<Gate, DbErr> {
        Ok(Gate::Open)
    }

    async fn run_changed(&self, tx: &Tx, run: &Run, now: DateTime<Utc>) -> Result<(), DbErr> {
        if run.state.has_ended() {
            crate::deployment::run_ended(tx, run, now).await?;
        }
        Ok(())
    }
}
