//! Who carries a run: one worker at a time, by a lease with a fencing token that only grows. Every write of the run
//! names the token, so that what a stale worker writes changes nothing.

use domain::ids::RunId;
use domain::resource::Resource;
use domain::run::Run;
use domain::step::Step;
use store::run::Renewal;
use store::{DbErr, Tx};

use crate::Engine;

/// A run with all that its worker needs to know of it.
pub(crate) struct Held {
    pub(crate) run: Run,
    pub(crate) steps: Vec<Step>,
    /// The deployment's objects that are there, or may be there.
    pub(crate) ledger: Vec<Resource>,
}

impl Engine {
    /// Takes a run in this transaction; nothing when another worker holds it, or there is nothing to carry.
    pub(crate) async fn take(&self, tx: &Tx, id: RunId, worker: &str) -> Result<Option<Held>, DbErr> {
        let now = self.0.clock.now();
        if !store::run::take(tx, id, worker, now, now + self.0.settings.lease).await? {
            return Ok(None);
        }
        read(tx, id).await
    }

    /// Shows that the worker lives.
    pub(crate) async fn renew(&self, run: &Run) -> Result<Renewal, DbErr> {
        let tx = self.0.store.begin_step().await?;
        let renewal = store::run::renew(&tx, run, self.0.clock.now() + self.0.settings.lease).await?;
        tx.commit().await?;
        Ok(renewal)
    }

    /// Reads a held run again after somebody else changed it; nothing when another worker took it.
    pub(crate) async fn read_again(&self, held: &Run) -> Result<Option<Held>, DbErr> {
        let tx = self.0.store.begin_step().await?;
        let again = read(&tx, held.id).await?;
        Ok(again.filter(|again| again.run.token == held.token))
    }
}

async fn read(tx: &Tx, id: RunId) -> Result<Option<Held>, DbErr> {
    let Some(run) = store::run::find(tx, id).await? else { return Ok(None) };
    let steps = store::step::of_run(tx, id).await?;
    let ledger = store::resource::standing(tx, run.deployment).await?;
    Ok(Some(Held { run, steps, ledger }))
}
