//! Finds the runs that are due: a timer is up, a worker died, a job was lost. Waiting costs a row, not a thread.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::RunId;
use store::DbErr;
use tokio::sync::watch;

use crate::{Engine, queue};

/// How many due runs one sweep brings to the queue.
const AT_ONCE: u64 = 200;
/// How often a worker looks that drives nothing. It knows when the next run is due, so that it is not late for one.
const QUIET: Duration = Duration::from_secs(15);
/// What is not urgent goes before what is when it has waited for longer.
const TOO_LONG: TimeDelta = TimeDelta::minutes(1);

/// Every so often all is looked at that is due, however long it has been.
const THOROUGHLY: Duration = Duration::from_secs(60);
/// What was due for so long when nothing else was may have been written since, by a machine whose clock is behind.
const UNSEEN: TimeDelta = TimeDelta::minutes(2);

/// Until when nothing is due any more, as far as is known.
#[derive(Default)]
pub(crate) struct Swept(Mutex<Option<(DateTime<Utc>, Instant)>>);

impl Swept {
    /// From when on something may be due; nothing when all is to be looked at: for long it was not, or the clock was
    /// put back.
    fn from(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (until, thoroughly) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        (until <= now && thoroughly.elapsed() < THOROUGHLY).then(|| until - UNSEEN)
    }

    /// Nothing is due that was due by `now` and after `from`.
    fn until(&self, now: DateTime<Utc>, from: Option<DateTime<Utc>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let thoroughly = known.filter(|_| from.is_some()).map_or_else(Instant::now, |(_, thoroughly)| thoroughly);
        *known = Some((now, thoroughly));
    }
}

impl Engine {
    /// Brings the runs that are due by now to the queue; says which.
    pub async fn sweep(&self) -> Result<Vec<RunId>, DbErr> {
        let now = self.0.clock.now();
        let from = self.0.swept.from(now);
        if store::run::due(&self.0.store, from, now, 1).await?.is_empty() {
            self.0.swept.until(now, from);
            return Ok(Vec::new());
        }
        let tx = self.0.store.begin().await?;
        // Every worker sweeps, one after the other: what another one has brought meanwhile is due no more.
        let due = store::run::due(&tx, from, now, AT_ONCE).await?;
        let ids: Vec<RunId> = due.iter().map(|run| run.id).collect();
        store::run::put_off(&tx, &ids, now + self.0.settings.look_again).await?;
        for run in &due {
            self.push(&tx, run.id, run.project, queue::rank(run.kind, run.state)).await?;
        }
        tx.commit().await?;
        self.0.bell.ring();
        Ok(ids)
    }

    /// Lets a run that has waited for too long behind urgent ones go before them: at each look one.
    async fn let_one_pass(&self) -> Result<(), DbErr> {
        let front = self.0.queued.front();
        if !store::job::is_passed_over(&self.0.store, queue::QUEUE, TOO_LONG, front).await? {
            return Ok(());
        }
        let tx = self.0.store.begin_step().await?;
        store::job::let_pass(&tx, queue::QUEUE, TOO_LONG, front).await?;
        tx.commit().await
    }

    /// Sweeps whenever something is due, at least as often as `longest`, until told to stop.
    pub(crate) async fn keep_sweeping(self, longest: Duration, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(cause) = self.sweep().await {
                tracing::error!(%cause, "the runs that are due could not be brought to the queue");
            }
            if let Err(cause) = self.let_one_pass().await {
                tracing::error!(%cause, "runs that wait behind urgent ones were not looked at");
            }
            if let Err(cause) = self.let_in().await {
                tracing::error!(%cause, "runs that wait for their blueprint's turn were not looked at");
            }
            // Whoever drives runs sees to those that wait for their turn; nobody else needs to look as often.
            let longest = if self.busy() == 0 { longest.max(QUIET) } else { longest };
            let pause = self.until_next_due(longest).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.0.rested.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn until_next_due(&self, longest: Duration) -> Duration {
        let now = self.0.clock.now();
        let Ok(Some(next)) = store::run::next_due(&self.0.store, self.0.swept.from(now)).await else { return longest };
        let until = (next - now).to_std().unwrap_or_default();
        // Not less than this, so that a run that is due but can't be taken does not keep the worker spinning.
        until.clamp(Duration::from_millis(50), longest)
    }
}
