//! Group commit: what the runs of this process come to while a transaction is under way commits in the next one,
//! together. A run waits for the disk no longer than alone, and a busy process asks the database and its disk for a
//! fraction of the work.
//!
//! A lane writes one transaction after the other. There is one for each process: two would each find half as much to
//! write together, which costs more than the waiting for the disk that they would share. Should a transaction fail, each
//! of its parts is written again alone, so that no run suffers for another.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use domain::ids::RunId;
use domain::run::RunEvent;
use futures::FutureExt;
use store::{Store, Tx};
use tokio::sync::{mpsc, oneshot};

use crate::draft::Draft;
use crate::drive::{DriveError, Driver};
use crate::gate::Consequences;
use crate::journal::{Entry, write_all, write_bare};
use crate::lease::Held;
use crate::{Engine, queue};

/// No transaction writes more parts: one that has to be repeated should not cost too much.
const AT_ONCE: usize = 64;

/// Where runs bring what they come to.
pub(crate) struct Committer {
    lane: mpsc::UnboundedSender<Part>,
}

/// A run that a worker wants to carry.
pub(crate) struct Wish {
    pub(crate) engine: Engine,
    pub(crate) run: RunId,
    pub(crate) worker: String,
    /// The job that brought the run.
    pub(crate) job: Option<String>,
}

/// A run that was taken, with its first moves written.
pub(crate) struct Begun {
    pub(crate) driver: Driver,
    pub(crate) draft: Draft,
    pub(crate) events: Vec<RunEvent>,
}

type Reply<T> = oneshot::Sender<Result<Option<T>, DriveError>>;

/// What one run brings.
enum Part {
    Begin(Box<Wish>, Reply<Begun>),
    Entry(Box<Entry>, Reply<Vec<RunEvent>>),
}

/// What came of a part; nothing when the run is another worker's, or no longer as its worker knows it.
enum Came {
    Begun(Option<Box<Begun>>),
    Written(Option<Vec<RunEvent>>),
}

impl Committer {
    /// Starts the lane; it ends when the committer is dropped.
    pub(crate) fn start(store: &Store, house: &Arc<dyn Consequences>) -> Self {
        let (lane, parts) = mpsc::unbounded_channel();
        tokio::spawn(Lane { store: store.clone(), house: Arc::clone(house) }.serve(parts));
        Self { lane }
    }

    /// Takes a run and makes its first moves; nothing when there is nothing to carry, or another worker does.
    pub(crate) async fn begin(&self, wish: Wish) -> Result<Option<Begun>, DriveError> {
        let (reply, answer) = oneshot::channel();
        self.bring(Part::Begin(Box::new(wish), reply));
        answer.await.unwrap_or(Err(DriveError::BrokeDown))
    }

    /// Writes a move of a run; nothing, and nothing written, when the run is no longer as its worker knows it.
    pub(crate) async fn write(&self, entry: Entry) -> Result<Option<Vec<RunEvent>>, DriveError> {
        let (reply, answer) = oneshot::channel();
        self.bring(Part::Entry(Box::new(entry), reply));
        answer.await.unwrap_or(Err(DriveError::BrokeDown))
    }

    /// A lane that is gone drops the part, and with it the reply.
    fn bring(&self, part: Part) {
        let _ = self.lane.send(part);
    }
}

struct Lane {
    store: Store,
    house: Arc<dyn Consequences>,
}

impl Lane {
    async fn serve(self, mut parts: mpsc::UnboundedReceiver<Part>) {
        let mut waiting = Vec::with_capacity(AT_ONCE);
        while !waiting.is_empty() || parts.recv_many(&mut waiting, AT_ONCE).await > 0 {
            // A worker that lost a run may write it beside the one that took it: not in one statement.
            let mut runs = HashSet::new();
            let (first, later) =
                std::mem::take(&mut waiting).into_iter().partition(|part: &Part| runs.insert(part.run()));
            self.commit(first).await;
            waiting = later;
        }
    }

    async fn commit(&self, parts: Vec<Part>) {
        if parts.len() > 1 {
            match self.attempt(&parts).await {
                Ok(came) => return parts.into_iter().zip(came).for_each(|(part, came)| part.answer(Ok(came))),
                Err(cause) => {
                    tracing::debug!(%cause, parts = parts.len(), "what commits together failed; each is written alone");
                }
            }
        }
        for part in parts {
            let came = self.attempt(std::slice::from_ref(&part)).await;
            match came.map(|came| came.into_iter().next()) {
                Ok(Some(came)) => part.answer(Ok(came)),
                Ok(None) => part.answer(Err(DriveError::BrokeDown)),
                Err(cause) => part.answer(Err(cause)),
            }
        }
    }

    /// Writes parts in one transaction. A panic of what they call is a failure like others: the lane lives.
    async fn attempt(&self, parts: &[Part]) -> Result<Vec<Came>, DriveError> {
        let attempt = AssertUnwindSafe(self.write(parts)).catch_unwind().await;
        attempt.unwrap_or(Err(DriveError::BrokeDown))
    }

    async fn write(&self, parts: &[Part]) -> Result<Vec<Came>, DriveError> {
        let bare: Option<Vec<&Entry>> = parts.iter().map(Part::bare).collect();
        if let Some(entries) = bare {
            let written = write_bare(&self.store, &entries).await?;
            return Ok(written.into_iter().map(Came::Written).collect());
        }
        let change = parts.iter().any(Part::changes_state);
        let tx = if change { self.store.begin_change().await? } else { self.store.begin_step().await? };
        let moves = moves(&tx, parts).await?;
        let entries: Vec<&Entry> = moves.iter().filter_map(Move::entry).collect();
        let written = write_all(&tx, &*self.house, &entries).await?;
        let told_in_vain = entries.iter().zip(&written).any(|(entry, written)| entry.tells() && written.is_none());
        match (told_in_vain, parts.len()) {
            (false, _) => tx.commit().await?,
            (true, 1) => drop(tx),
            (true, _) => return Err(DriveError::ToldInVain),
        }
        let mut written = written.into_iter();
        Ok(moves.into_iter().map(|it| it.came(&mut written)).collect())
    }
}

impl Part {
    fn changes_state(&self) -> bool {
        match self {
            // A run that begins leaves the queue.
            Self::Begin(..) => true,
            Self::Entry(entry, _) => entry.changes_state,
        }
    }

    /// The move that is all there is to write.
    fn bare(&self) -> Option<&Entry> {
        match self {
            Self::Begin(..) => None,
            Self::Entry(entry, _) => entry.is_bare().then_some(entry),
        }
    }

    fn run(&self) -> RunId {
        match self {
            Self::Begin(wish, _) => wish.run,
            Self::Entry(entry, _) => entry.run.id,
        }
    }

    fn wish(&self) -> Option<&Wish> {
        match self {
            Self::Begin(wish, _) => Some(wish),
            Self::Entry(..) => None,
        }
    }

    /// Tells the run's task. One that is gone no longer needs to know.
    fn answer(self, came: Result<Came, DriveError>) {
        match (self, came) {
            (Self::Begin(_, reply), Ok(Came::Begun(begun))) => drop(reply.send(Ok(begun.map(|begun| *begun)))),
            (Self::Entry(_, reply), Ok(Came::Written(events))) => drop(reply.send(Ok(events))),
            (Self::Begin(_, reply), Err(cause)) => drop(reply.send(Err(cause))),
            (Self::Entry(_, reply), Err(cause)) => drop(reply.send(Err(cause))),
            // Dropped, the reply says that this broke down: each part comes to its own kind.
            (Self::Begin(..), Ok(Came::Written(_))) | (Self::Entry(..), Ok(Came::Begun(_))) => {}
        }
    }
}

/// What is written for a part.
enum Move<'p> {
    /// Nothing: the run was not taken.
    None,
    First(Box<(Driver, Draft, Entry)>),
    Later(&'p Entry),
}

impl Move<'_> {
    fn entry(&self) -> Option<&Entry> {
        match self {
            Self::None => None,
            Self::First(first) => Some(&first.2),
            Self::Later(entry) => Some(entry),
        }
    }

    /// `written` is what was written of those that have one, in their order.
    fn came(self, written: &mut impl Iterator<Item = Option<Vec<RunEvent>>>) -> Came {
        match self {
            Self::None => Came::Begun(None),
            Self::First(first) => {
                let (driver, draft, _) = *first;
                let events = written.next().flatten();
                Came::Begun(events.map(|events| Box::new(Begun { driver, draft, events })))
            }
            Self::Later(_) => Came::Written(written.next().flatten()),
        }
    }
}

/// Takes the runs that are wished for and makes their first moves; beside them the moves of the others, in their order.
async fn moves<'p>(tx: &Tx, parts: &'p [Part]) -> Result<Vec<Move<'p>>, DriveError> {
    let mut taken = take_all(tx, parts).await?;
    let mut moves = Vec::with_capacity(parts.len());
    let mut in_vain = Vec::new();
    for part in parts {
        moves.push(match part {
            Part::Entry(entry, _) => Move::Later(entry),
            Part::Begin(wish, _) => match taken.remove(&(wish.run, wish.worker.as_str())) {
                Some(held) => Move::First(Box::new(Driver::begin(tx, wish, held).await?)),
                None => {
                    in_vain.extend(wish.job.as_deref());
                    Move::None
                }
            },
        });
    }
    queue::forget(tx, &in_vain).await?;
    Ok(moves)
}

/// The runs that each worker gets of those that it wishes for.
async fn take_all<'p>(tx: &Tx, parts: &'p [Part]) -> Result<HashMap<(RunId, &'p str), Held>, DriveError> {
    let mut wishes: HashMap<&str, Vec<&Wish>> = HashMap::new();
    for wish in parts.iter().filter_map(Part::wish) {
        wishes.entry(&wish.worker).or_default().push(wish);
    }
    let mut taken = HashMap::new();
    for (worker, wishes) in wishes {
        let ids: Vec<RunId> = wishes.iter().map(|wish| wish.run).collect();
        let held = wishes[0].engine.take(tx, &ids, worker).await?;
        taken.extend(held.into_iter().map(|held| ((held.run.id, worker), held)));
    }
    Ok(taken)
}
