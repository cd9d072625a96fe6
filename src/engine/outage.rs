//! What an outage means for a run: steps that need the provider wait for it at no cost of their attempts, and go on
//! when it answers again.

use std::sync::Arc;

use domain::outage::Outage;

use crate::circuit::Pass;
use crate::draft::Draft;
use crate::drive::{DriveError, Driver};
use crate::{ActionError, Engine};

impl Driver {
    /// Makes those steps due whose provider answers again.
    pub(crate) fn end_waits(&mut self, draft: &mut Draft) -> Result<(), DriveError> {
        let now = self.now();
        for at in 0..self.held.steps.len() {
            if self.answered(at).is_some() {
                self.change(at, draft, |step| step.answered(now))?;
            }
        }
        Ok(())
    }

    /// Leave to call this provider for a step; none while it is away, and the step waits for it.
    pub(crate) fn pass(
        &mut self,
        at: usize,
        provider: Option<&Arc<str>>,
        draft: &mut Draft,
    ) -> Result<Option<Pass>, DriveError> {
        let outage = match self.engine.0.circuits.admit(provider) {
            Ok(pass) => return Ok(Some(pass)),
            Err(outage) => outage,
        };
        let (why, takes_back) = (outage.told(), self.held.run.takes_back());
        self.tell_wait(at, &why, draft);
        self.change(at, draft, |step| match takes_back {
            true => step.undo_waiting_for(&outage.provider, outage.next_try, why),
            false => step.waiting_for(&outage.provider, outage.next_try, why),
        })?;
        Ok(None)
    }

    /// Takes in that a call was not answered because its provider is away.
    pub(crate) fn wait_for(
        &mut self,
        at: usize,
        outage: &Outage,
        error: &ActionError,
        draft: &mut Draft,
    ) -> Result<(), DriveError> {
        let why = outage.told();
        if self.held.steps[at].why.as_ref() != Some(&why) {
            draft.tell(self.now(), Some(at), error.what.clone());
        }
        self.tell_wait(at, &why, draft);
        self.change(at, draft, |step| step.waiting_for(&outage.provider, outage.next_try, why))
    }

    /// Brings the runs forward that wait for a provider which was heard again while this one was let go: nobody could
    /// see yet that it waits.
    pub(crate) async fn leave_nobody_waiting(&self) {
        let answered = (0..self.held.steps.len()).find_map(|at| self.answered(at));
        if let Some(provider) = answered {
            self.engine.go_on_after(provider).await;
        }
    }

    /// The provider for which a step waits although it answers.
    fn answered(&self, at: usize) -> Option<&str> {
        let provider = self.held.steps[at].waits_for.as_deref()?;
        self.engine.0.circuits.answers(provider).then_some(provider)
    }
}

impl Engine {
    /// Lets all runs go on that wait for a provider, whichever process let them wait.
    pub(crate) async fn go_on_after(&self, provider: &str) {
        match self.bring_forward(provider).await {
            Ok(()) => self.0.rested.notify_one(),
            Err(cause) => tracing::warn!(%cause, provider, "the runs that wait for it go on when their time is up"),
        }
    }

    async fn bring_forward(&self, provider: &str) -> Result<(), store::DbErr> {
        let tx = self.0.store.begin_step().await?;
        store::run::bring_forward(&tx, provider, self.0.clock.now()).await?;
        tx.commit().await
    }
}
