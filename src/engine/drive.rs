//! Carries a run as far as it goes in one go. Each finished step is one transaction: its result, the steps that it
//! releases, their intents, ledger rows, CI changes and events. The worker lets go of the run when only timers,
//! people or outside systems are left to wait for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ci::delta::UnknownCi;
use domain::ids::RunId;
use domain::resource::{LedgerChange, ResourceState};
use domain::run::{EventKind, RunEvent, RunState};
use domain::step::StepState;
use domain::workflow::Graph;
use store::ci::ApplyError;
use store::run::Renewal;
use store::{DbErr, Fault, Tx};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::attempt::{Finished, Said, panicked};
use crate::circuit::Heard;
use crate::commit::{Batch, Begun, Found, Wish};
use crate::draft::{Draft, Line, Rest};
use crate::gate::Gate;
use crate::journal::Entry;
use crate::lease::Held;
use crate::log::run_span;
use crate::worker::Busy;
use crate::{ActionError, Engine, queue};

/// How far a drive came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// Nothing is left to do for now; the run is in this state.
    Rested(RunState),
    /// Another worker holds the run, or there is nothing to carry.
    #[cfg(test)]
    NotTaken,
    /// Another worker took the run meanwhile; nothing more was written.
    Lost,
    /// The worker was told to stop; another one may go on.
    HandedBack,
}

/// Why a drive broke off; the run is taken up again when its lease is over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    #[error("the database did not take what the run came to")]
    Database(#[from] DbErr),
    #[error("the CMDB did not take what a step told it")]
    Cmdb(#[from] ApplyError),
    #[error(transparent)]
    Run(#[from] domain::run::InvalidTransition),
    #[error(transparent)]
    Step(#[from] domain::step::InvalidTransition),
    #[error(transparent)]
    Graph(#[from] domain::workflow::GraphError),
    #[error("people were told by a run that another worker has by now, so it is written alone")]
    ToldInVain,
    #[error("what was being written when this process broke down in it is not known")]
    BrokeDown,
    #[error("the run {run} could not begin")]
    NotBegun { run: RunId, source: Box<DriveError> },
}

/// A run in the hands of a worker.
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) held: Held,
    /// What is logged of the run stands in it.
    pub(crate) span: Span,
    pub(crate) graph: Graph,
    /// The runs that somebody else changed.
    changes: broadcast::Receiver<RunId>,
    outages: watch::Receiver<u64>,
    calls: JoinSet<Finished>,
    /// Places of the steps whose calls are under way.
    pub(crate) in_flight: HashMap<tokio::task::Id, usize>,
    pub(crate) mouth: mpsc::UnboundedSender<Said>,
    ear: mpsc::UnboundedReceiver<Said>,
    said: Vec<Said>,
    /// When what was said is written at the latest.
    log_due: Option<Instant>,
    /// Where steps that are ready wait for a place for their calls.
    pub(crate) wants: Vec<String>,
    /// What was due by then could not be started; it is tried again when something else happens.
    held_up: Option<DateTime<Utc>>,
    /// The worker is told to stop: nothing new is started.
    pub(crate) stopping: bool,
    end: Option<Drive>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.engine.0.places.wait_only_at(self.held.run.id, &[]);
    }
}

/// What wakes a driver.
enum Event {
    Finished(Finished),
    Said(Said),
    WriteLog,
    Heartbeat,
    Changed,
    Due,
    Place,
    /// A provider is away, or answers again.
    Outages,
    Stop,
}

impl Engine {
    /// Takes runs and makes their first moves. One that can't begin is left to a person, or looked at again later; what
    /// a fault of the database kept from beginning is still in the queue.
    pub(crate) async fn begin(&self, wish: Wish) -> Result<Batch, DriveError> {
        match self.0.committer.begin(wish).await {
            Err(DriveError::NotBegun { run, source }) => match *source {
                DriveError::Database(DbErr::Json(why)) => self.set_aside(run, &why).await?,
                DriveError::Database(cause) if Fault::passes(&cause) => return Err(cause.into()),
                cause => {
                    tracing::error!(
                        %run,
                        error = &cause as &dyn std::error::Error,
                        "a run could not begin; it is looked at again later"
                    );
                    self.pass_by(run).await?;
                }
            },
            Err(cause) => return Err(cause),
            Ok(batch) => {
                if let Some(front) = batch.front {
                    self.0.queued.looked(front);
                }
                return Ok(batch);
            }
        }
        Ok(Batch { begun: Vec::new(), found: Found::Unknown, front: None })
    }

    /// Carries a run that was taken as far as it goes now.
    pub(crate) async fn carry(&self, begun: Begun, stop: watch::Receiver<bool>) -> Result<Drive, DriveError> {
        let _busy = Busy::enter(&self.0.driving);
        let Begun { mut driver, draft, events } = begun;
        let span = driver.span.clone();
        driver.committed(draft, &events);
        let driven = driver.carry(stop).instrument(span).await;
        if let Err(cause) = self.let_in().await {
            tracing::warn!(%cause, "runs that wait for their blueprint's turn are looked at later");
        }
        driven
    }

    /// Leaves a run to a person of which something can't be read: trying again would come to the same.
    async fn set_aside(&self, run: RunId, why: &str) -> Result<(), DbErr> {
        tracing::error!(%run, why, "a run can't be read, and is left to a person");
        let why = format!(
            "This version can't read it: {why}. Bring all workers to the version that wrote it, or restore its row from \
             a backup; then try again."
        );
        let tx = self.0.store.begin_step().await?;
        // In this order, which is that of a worker that takes it.
        queue::forget(&tx, run).await?;
        store::run::set_aside(&tx, run, &why, self.0.clock.now()).await?;
        tx.commit().await
    }

    /// Takes a run out of the queue; the sweeper brings it again.
    async fn pass_by(&self, run: RunId) -> Result<(), DbErr> {
        let tx = self.0.store.begin_step().await?;
        queue::forget(&tx, run).await?;
        tx.commit().await
    }
}

impl Driver {
    /// Makes the first moves of a run that was taken in this transaction.
    pub(crate) async fn begin(tx: &Tx, engine: &Engine, held: Held) -> Result<(Self, Draft, Entry), DriveError> {
        let mut driver = Self::holding(engine, held)?;
        let mut draft = Draft::default();
        driver.open_gate(tx, &mut draft).await?;
        driver.advance(&mut draft)?;
        let entry = driver.draw_up(&mut draft);
        Ok((driver, draft, entry))
    }

    fn holding(engine: &Engine, held: Held) -> Result<Self, DriveError> {
        let graph = Graph::of(&held.run.workflow)?;
        let (mouth, ear) = mpsc::unbounded_channel();
        Ok(Self {
            engine: engine.clone(),
            span: run_span(&held.run),
            held,
            graph,
            // Nobody changes the run before the transaction ends that took it: no change is missed.
            changes: engine.0.hub.changes(),
            outages: engine.0.circuits.changed(),
            calls: JoinSet::new(),
            in_flight: HashMap::new(),
            mouth,
            ear,
            said: Vec::new(),
            log_due: None,
            wants: Vec::new(),
            held_up: None,
            stopping: false,
            end: None,
        })
    }

    /// A run that has not begun may have lost what allowed it; that is read in the transaction that begins it.
    async fn open_gate(&mut self, tx: &Tx, draft: &mut Draft) -> Result<(), DriveError> {
        let now = self.now();
        match self.held.run.state {
            RunState::Queued => match self.engine.0.consequences.may_begin(tx, &self.held.run).await? {
                Gate::Open => {
                    self.change_run(draft, |run| run.running(now))?;
                    draft.tell(now, None, "Started.");
                }
                Gate::Closed(why) => {
                    draft.tell(now, None, format!("Refused: {why}"));
                    self.change_run(draft, |run| run.refused(why, now))?;
                    draft.let_go = Some(Rest::Open);
                }
            },
            RunState::Waiting => self.change_run(draft, |run| run.running(now))?,
            _ => {}
        }
        Ok(())
    }

    async fn carry(mut self, mut stop: watch::Receiver<bool>) -> Result<Drive, DriveError> {
        let mut heartbeat = tokio::time::interval(self.engine.0.settings.heartbeat);
        heartbeat.reset();
        let mut freed = self.engine.0.places.freed();
        let id = self.held.run.id;
        while self.end.is_none() {
            let due = self.until_due();
            let write_log = self.log_due;
            let event = tokio::select! {
                // In this order: nothing new is started for what finished after the worker was told to stop.
                biased;
                _ = stop.wait_for(|stop| *stop), if !self.stopping => Event::Stop,
                _ = heartbeat.tick() => Event::Heartbeat,
                Some(call) = self.calls.join_next_with_id(), if !self.calls.is_empty() => self.returned(call),
                () = heard_of(&mut self.changes, id) => Event::Changed,
                () = sleep_until(write_log) => Event::WriteLog,
                () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => Event::Due,
                Ok(()) = freed.changed(), if !self.wants.is_empty() => Event::Place,
                Ok(()) = self.outages.changed() => Event::Outages,
                Some(said) = self.ear.recv() => Event::Said(said),
            };
            self.handle(event).await?;
        }
        self.leave_nobody_waiting().await;
        Ok(self.end.unwrap_or(Drive::Lost))
    }

    async fn handle(&mut self, event: Event) -> Result<(), DriveError> {
        match event {
            Event::Finished(finished) => {
                let back = if let Heard::Back(provider) = &finished.heard { Some(Arc::clone(provider)) } else { None };
                self.turn(Some(finished)).await?;
                if let Some(provider) = back {
                    self.engine.go_on_after(&provider).await;
                }
                Ok(())
            }
            Event::Said(said) => {
                let delay = self.engine.0.settings.log_delay;
                self.log_due.get_or_insert_with(|| Instant::now() + delay);
                self.said.push(said);
                Ok(())
            }
            Event::WriteLog | Event::Due | Event::Place | Event::Outages => self.turn(None).await,
            Event::Stop => {
                self.stopping = true;
                self.turn(None).await
            }
            Event::Changed => self.look_again().await,
            Event::Heartbeat => match self.engine.renew(&mut self.held.run).await? {
                Renewal::Renewed => Ok(()),
                Renewal::Changed => self.look_again().await,
                Renewal::Lost => self.lost(),
            },
        }
    }

    /// A call has returned; what it said before goes with it.
    fn returned(&mut self, call: Result<(tokio::task::Id, Finished), tokio::task::JoinError>) -> Event {
        while let Ok(said) = self.ear.try_recv() {
            self.said.push(said);
        }
        Event::Finished(match call {
            Ok((id, finished)) => {
                self.in_flight.remove(&id);
                finished
            }
            Err(cause) => panicked(self.in_flight.remove(&cause.id()).unwrap_or_default(), &cause),
        })
    }

    /// Takes in what finished, makes the next moves and writes all of it in one transaction. When somebody else
    /// changed the run meanwhile, or the CMDB does not take what the step told it, the run is read again and the moves
    /// are made anew.
    async fn turn(&mut self, mut finished: Option<Finished>) -> Result<(), DriveError> {
        loop {
            let now = self.now();
            let mut draft = Draft::default();
            if let Some(finished) = &finished {
                self.take_in(finished, &mut draft)?;
            }
            self.advance(&mut draft)?;
            self.held_up = draft.is_empty().then_some(now);
            if draft.is_empty() && self.said.is_empty() {
                return Ok(());
            }
            let entry = self.draw_up(&mut draft);
            match self.engine.0.committer.write(entry).await {
                Ok(Some(events)) => {
                    self.committed(draft, &events);
                    return Ok(());
                }
                Ok(None) => {}
                // Trying again would come to the same: the step fails, and a person decides.
                Err(DriveError::Cmdb(ApplyError::UnknownCi(unknown))) => {
                    finished = finished.map(|call| Finished { result: Err(names_nothing(&unknown)), ..call });
                }
                Err(cause) => return Err(cause),
            }
            match self.engine.read_again(&self.held.run).await? {
                Some(held) => self.held = held,
                None => return self.lost(),
            }
        }
    }

    async fn look_again(&mut self) -> Result<(), DriveError> {
        match self.engine.read_again(&self.held.run).await? {
            Some(held) => {
                self.held = held;
                self.turn(None).await
            }
            None => self.lost(),
        }
    }

    /// Another worker has the run: whatever is under way here no longer counts.
    fn lost(&mut self) -> Result<(), DriveError> {
        self.calls.abort_all();
        self.end = Some(Drive::Lost);
        Ok(())
    }

    /// What a draft comes to, as it is written: the lines first that were said before it.
    fn draw_up(&mut self, draft: &mut Draft) -> Entry {
        let now = self.now();
        let said = self.said.iter().map(|said| Line {
            at: said.time,
            step: Some(said.at),
            kind: EventKind::Said,
            line: said.line.clone(),
            detail: None,
        });
        let lines: Vec<Line> = said.chain(std::mem::take(&mut draft.lines)).collect();
        self.hold_or_let_go(draft.let_go, now);
        let mut entry = Entry {
            run: self.held.run.clone(),
            changes_state: draft.left.is_some(),
            steps: draft.steps.iter().map(|&at| self.held.steps[at].clone()).collect(),
            lines,
            notices: std::mem::take(&mut draft.notices),
            asks: std::mem::take(&mut draft.asks),
            intents: std::mem::take(&mut draft.intents),
            leaning: self.held.ledger.iter().filter(|row| draft.leaning.contains(&row.id)).cloned().collect(),
            ledger: std::mem::take(&mut draft.ledger),
            cis: std::mem::take(&mut draft.cis),
            at: now,
        };
        entry.run.next_event += i64::try_from(entry.count()).unwrap_or_default();
        entry
    }

    /// Until when the worker holds the run, or when somebody looks at it again. A lease that is young enough stays as
    /// it is: the row is then written without touching an index.
    fn hold_or_let_go(&mut self, let_go: Option<Rest>, now: DateTime<Utc>) {
        let (run, lease) = (&mut self.held.run, self.engine.0.settings.lease);
        match let_go {
            None if run.lease_until.is_some_and(|until| until - now > lease / 2) => {}
            None => (run.lease_until, run.wake_at) = (Some(now + lease), Some(now + lease)),
            Some(rest) => {
                run.worker = None;
                run.lease_until = None;
                run.wake_at = if let Rest::Until(time) = rest { Some(time) } else { None };
            }
        }
    }

    /// What was written is true now: it is told, and the calls are made.
    fn committed(&mut self, draft: Draft, events: &[RunEvent]) {
        if let Some(last) = events.last() {
            self.held.run.next_event = last.number + 1;
        }
        self.said.clear();
        self.log_due = None;
        self.log(&draft, events);
        self.engine.0.hub.publish(events);
        if let Some(Rest::Until(_)) = draft.let_go {
            self.engine.0.rested.notify_one();
        }
        if draft.let_go.is_some() {
            let handed_back = self.stopping && self.held.run.state.can_be_driven();
            self.end = Some(if handed_back { Drive::HandedBack } else { Drive::Rested(self.held.run.state) });
        }
        for call in draft.calls {
            let at = call.at;
            let span = self.step_span(at);
            let task = self.calls.spawn(call.make().instrument(span));
            self.in_flight.insert(task.id(), at);
        }
    }

    /// How long until a step that waits is due; nothing when none waits. One that is due and held up is not counted:
    /// looking at it over and over would start it no sooner.
    fn until_due(&self) -> Option<Duration> {
        let timed = self.held.steps.iter().filter(|step| self.is_timed(step.state));
        let times = timed.filter_map(|step| step.wake_at).filter(|&due| self.held_up.is_none_or(|until| due > until));
        Some((times.min()? - self.now()).to_std().unwrap_or_default())
    }

    fn is_timed(&self, state: StepState) -> bool {
        let forward = matches!(state, StepState::Waiting | StepState::Retrying);
        if self.held.run.takes_back() { state == StepState::Undoing } else { forward }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.engine.0.clock.now()
    }

    /// The ledger as it will be when the draft is written.
    pub(crate) fn remember(&mut self, change: &LedgerChange) {
        for row in self.held.ledger.iter_mut().filter(|row| row.key == change.key()) {
            match change {
                LedgerChange::Live { native_id, attributes, .. } => {
                    row.state = ResourceState::Live;
                    row.native_id = Some(native_id.clone());
                    row.attributes = attributes.clone();
                }
                LedgerChange::Gone { .. } => row.state = ResourceState::Gone,
            }
        }
        self.held.ledger.retain(|row| row.state != ResourceState::Gone);
    }
}

/// The failure of a step that relates something to a CI which was never declared.
fn names_nothing(UnknownCi(key): &UnknownCi) -> ActionError {
    ActionError::permanent(
        format!("The CMDB has no CI with the key `{key}`, to which this step relates what it made."),
        "The step that declares that CI was probably skipped: change this step's input so that it names a CI that \
         stands in the CMDB and try again, or skip this step too.",
    )
}

/// Returns when somebody else changed this run, or when so much was said that it may have been missed.
async fn heard_of(changes: &mut broadcast::Receiver<RunId>, run: RunId) {
    loop {
        match changes.recv().await {
            Ok(changed) if changed != run => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The engine itself is held by the driver, so its channel stays open.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
