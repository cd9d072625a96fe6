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
    /// Takes runs in this transaction; not those that another worker holds, that have nothing to carry, or that are held
    /// up because enough runs of their blueprint are driven.
    pub(crate) async fn take(&self, tx: &Tx, ids: &[RunId], worker: &str) -> Result<Vec<Held>, DbErr> {
        if self.0.settings.bounds.blueprints.is_empty() {
            return self.take_free(tx, ids, worker).await;
        }
        // One after the other, so that each is counted before the next.
        let mut held = Vec::new();
        for &id in ids {
            if !self.hold_up(tx, id).await? {
                held.extend(self.take_free(tx, &[id], worker).await?);
            }
        }
        Ok(held)
    }

    async fn take_free(&self, tx: &Tx, ids: &[RunId], worker: &str) -> Result<Vec<Held>, DbErr> {
        let now = self.0.clock.now();
        let runs = store::run::take(tx, ids, worker, now, now + self.0.settings.lease).await?;
        let mut steps = store::step::of_runs(tx, &runs).await?;
        let deployments: Vec<_> = runs.iter().map(|run| run.deployment).collect();
        let mut ledger = store::resource::standing_of(tx, &deployments).await?;
        let held = |run: Run| Held {
            steps: steps.remove(&run.id).unwrap_or_default(),
            ledger: ledger.remove(&run.deployment).unwrap_or_default(),
            run,
        };
        Ok(runs.into_iter().map(held).collect())
    }

    /// Shows that the worker lives.
    pub(crate) async fn renew(&self, run: &mut Run) -> Result<Renewal, DbErr> {
        let until = self.0.clock.now() + self.0.settings.lease;
        let tx = self.0.store.begin_step().await?;
        let renewal = store::run::renew(&tx, run, until).await?;
        tx.commit().await?;
        (run.lease_until, run.wake_at) = (Some(until), Some(until));
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
    let steps = store::step::of_run(tx, &run).await?;
    let ledger = store::resource::standing(tx, run.deployment).await?;
    Ok(Some(Held { run, steps, ledger }))
}
