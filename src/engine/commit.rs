//! Group commit: what the runs of this process come to while a transaction is under way commits in the next one,
//! together. A run waits for the disk no longer than alone, and a busy process asks the database and its disk for a
//! fraction of the work.
//!
//! A lane writes one transaction after the other. A process has two: one for what commits with nothing else, which is
//! most and quickly written, and one for what begins, ends or means something outside of its run, which takes several
//! statements and may have to wait for a use case. Should a transaction fail, each of its parts is written again alone,
//! so that no run suffers for another.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use domain::ids::RunId;
use domain::run::RunEvent;
use futures::FutureExt;
use store::job::Front;
use store::{DbErr, Store, Tx};
use tokio::sync::{mpsc, oneshot};

use crate::Engine;
use crate::draft::Draft;
use crate::drive::{DriveError, Driver};
use crate::gate::Consequences;
use crate::journal::{Entry, write_all, write_bare};
use crate::queue::Drawn;

/// No transaction writes more parts: one that has to be repeated should not cost too much.
const AT_ONCE: usize = 64;

/// Where runs bring what they come to.
pub(crate) struct Committer {
    /// For what commits with nothing else: most of it, and quickly written.
    bare: mpsc::UnboundedSender<Part>,
    /// For what begins, ends or means something outside of its run.
    heavy: mpsc::UnboundedSender<Part>,
}

/// What a worker wants to carry.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) engine: Engine,
    pub(crate) worker: String,
    pub(crate) runs: Wanted,
}

/// Which runs a worker wants.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    /// Those that are next in the queue, at most so many. Their jobs leave it with the runs' first moves.
    Next { most: usize, thoroughly: bool },
    /// This one, whatever the queue says.
    #[cfg(test)]
    This(RunId),
}

/// A run that was taken, with its first moves written.
pub(crate) struct Begun {
    pub(crate) driver: Driver,
    pub(crate) draft: Draft,
    pub(crate) events: Vec<RunEvent>,
}

/// What was begun at once.
pub(crate) struct Batch {
    pub(crate) begun: Vec<Begun>,
    pub(crate) found: Found,
    /// Where jobs may wait from then on.
    pub(crate) front: Option<Front>,
}

/// How much of what was wished for was in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// Not as much as was wished for: nothing else waits.
    Some,
    /// All of it, so that more may be there.
    All,
    /// It could not be looked.
    Unknown,
}

type Reply<T> = oneshot::Sender<Result<T, DriveError>>;

/// What is brought to the lane.
enum Part {
    Begin(Wish, Reply<Batch>),
    Entry(Box<Entry>, Reply<Option<Vec<RunEvent>>>),
}

/// What came of a part.
enum Came {
    /// The runs that were taken; not those that are another worker's.
    Begun(Batch),
    /// What happened; nothing when the run is no longer as its worker knows it.
    Written(Option<Vec<RunEvent>>),
}

impl Committer {
    /// Starts the lanes; they end when the committer is dropped.
    pub(crate) fn start(store: &Store, house: &Arc<dyn Consequences>) -> Self {
        let lane = || {
            let (lane, parts) = mpsc::unbounded_channel();
            tokio::spawn(Lane { store: store.clone(), house: Arc::clone(house) }.serve(parts));
            lane
        };
        Self { bare: lane(), heavy: lane() }
    }

    /// Takes runs and makes their first moves; none when there is nothing to carry, or other workers do.
    pub(crate) async fn begin(&self, wish: Wish) -> Result<Batch, DriveError> {
        let (reply, answer) = oneshot::channel();
        self.bring(Part::Begin(wish, reply));
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
        let lane = if part.bare().is_some() { &self.bare } else { &self.heavy };
        let _ = lane.send(part);
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
            let (first, later) = std::mem::take(&mut waiting)
                .into_iter()
                .partition(|part: &Part| part.run().is_none_or(|run| runs.insert(run)));
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
            let came = self.attempt_alone(&part).await;
            part.answer(came);
        }
    }

    /// Where several runs were to begin and could not, the first of them is tried alone: whatever ails one of them does
    /// not keep the others in the queue.
    async fn attempt_alone(&self, part: &Part) -> Result<Came, DriveError> {
        let mut came = self.attempt(std::slice::from_ref(part)).await;
        if let (Err(_), Some(first)) = (&came, part.first_alone()) {
            came = self.attempt(&[first]).await;
        }
        came?.into_iter().next().ok_or(DriveError::BrokeDown)
    }

    /// Writes parts in one transaction.
    async fn attempt(&self, parts: &[Part]) -> Result<Vec<Came>, DriveError> {
        let bare: Option<Vec<&Entry>> = parts.iter().map(Part::bare).collect();
        if let Some(entries) = bare {
            let written = AssertUnwindSafe(write_bare(&self.store, &entries)).catch_unwind().await;
            let written = written.unwrap_or(Err(DriveError::BrokeDown))?;
            return Ok(written.into_iter().map(Came::Written).collect());
        }
        let change = parts.iter().any(Part::changes_state);
        let tx = if change { self.store.begin_change().await? } else { self.store.begin_step().await? };
        let alone = OnceLock::new();
        // A panic of what the parts call is a failure like others: the lane lives.
        let written = AssertUnwindSafe(self.write(&tx, parts, &alone)).catch_unwind().await;
        match written.unwrap_or(Err(DriveError::BrokeDown)) {
            Ok((came, true)) => tx.commit().await.map(|()| came).map_err(DriveError::from),
            Ok((came, false)) => tx.roll_back().await.map(|()| came).map_err(DriveError::from),
            Err(cause) => {
                // What is tried next must find what this one took.
                if let Err(cause) = tx.roll_back().await {
                    tracing::debug!(%cause, "a transaction that failed ends with its connection");
                }
                Err(match alone.get() {
                    Some(&run) => DriveError::NotBegun { run, source: Box::new(cause) },
                    None => cause,
                })
            }
        }
    }

    /// What came of the parts, and whether it is to be committed. `alone` is told which run it is about, should it be one
    /// that begins and nothing else.
    async fn write(&self, tx: &Tx, parts: &[Part], alone: &OnceLock<RunId>) -> Result<(Vec<Came>, bool), DriveError> {
        let moves = moves(tx, parts, alone).await?;
        let entries: Vec<&Entry> = moves.iter().flat_map(Moves::entries).collect();
        let written = write_all(tx, &*self.house, &entries).await?;
        let told_in_vain = entries.iter().zip(&written).any(|(entry, written)| entry.tells() && written.is_none());
        if told_in_vain && parts.len() > 1 {
            return Err(DriveError::ToldInVain);
        }
        let mut written = written.into_iter();
        Ok((moves.into_iter().map(|it| it.came(&mut written)).collect(), !told_in_vain))
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
        self.entry().filter(|entry| entry.is_bare())
    }

    fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Begin(..) => None,
            Self::Entry(entry, _) => Some(entry),
        }
    }

    fn run(&self) -> Option<RunId> {
        self.entry().map(|entry| entry.run.id)
    }

    /// The first of several runs that were to begin; nobody waits for an answer.
    fn first_alone(&self) -> Option<Self> {
        match self {
            Self::Begin(wish @ Wish { runs: Wanted::Next { most: 2.., thoroughly }, .. }, _) => {
                let runs = Wanted::Next { most: 1, thoroughly: *thoroughly };
                Some(Self::Begin(Wish { runs, ..wish.clone() }, oneshot::channel().0))
            }
            _ => None,
        }
    }

    /// Tells whoever brought it. One that is gone no longer needs to know.
    fn answer(self, came: Result<Came, DriveError>) {
        match (self, came) {
            (Self::Begin(_, reply), Ok(Came::Begun(begun))) => drop(reply.send(Ok(begun))),
            (Self::Entry(_, reply), Ok(Came::Written(events))) => drop(reply.send(Ok(events))),
            (Self::Begin(_, reply), Err(cause)) => drop(reply.send(Err(cause))),
            (Self::Entry(_, reply), Err(cause)) => drop(reply.send(Err(cause))),
            (Self::Begin(_, reply), Ok(Came::Written(_))) => drop(reply.send(Err(DriveError::BrokeDown))),
            (Self::Entry(_, reply), Ok(Came::Begun(_))) => drop(reply.send(Err(DriveError::BrokeDown))),
        }
    }
}

/// What is written for a part.
enum Moves<'p> {
    /// Of each run that was taken, the first.
    First {
        firsts: Vec<First>,
        found: Found,
        front: Option<Front>,
    },
    Later(&'p Entry),
    /// Nothing: the run was taken from its worker.
    Lost,
}

/// A run that was just taken, and its first move.
struct First {
    driver: Driver,
    draft: Draft,
    entry: Entry,
}

impl Moves<'_> {
    fn entries(&self) -> Vec<&Entry> {
        match self {
            Self::First { firsts, .. } => firsts.iter().map(|first| &first.entry).collect(),
            Self::Later(entry) => vec![entry],
            Self::Lost => Vec::new(),
        }
    }

    /// `written` is what was written of the entries, in their order.
    fn came(self, written: &mut impl Iterator<Item = Option<Vec<RunEvent>>>) -> Came {
        match self {
            Self::First { firsts, found, front } => {
                let each = firsts.into_iter().zip(written);
                let begun = each
                    .filter_map(|(First { driver, draft, .. }, events)| Some(Begun { driver, draft, events: events? }));
                Came::Begun(Batch { begun: begun.collect(), found, front })
            }
            Self::Later(_) => Came::Written(written.next().flatten()),
            Self::Lost => Came::Written(None),
        }
    }
}

/// Takes the runs that are wished for and makes their first moves; beside them the moves of the others, in their order.
async fn moves<'p>(tx: &Tx, parts: &'p [Part], alone: &OnceLock<RunId>) -> Result<Vec<Moves<'p>>, DriveError> {
    let mut moves = Vec::with_capacity(parts.len());
    let mut taken = HashSet::new();
    for part in parts {
        moves.push(match part {
            Part::Entry(entry, _) => Moves::Later(entry),
            Part::Begin(wish, _) => {
                let drawn = wish.drawn(tx).await?;
                if let ([run], 1) = (drawn.runs.as_slice(), parts.len()) {
                    alone.get_or_init(|| *run);
                }
                let firsts = begin(tx, wish, &drawn.runs).await?;
                taken.extend(firsts.iter().map(|first| first.entry.run.id));
                Moves::First { firsts, found: wish.found(drawn.jobs), front: drawn.front }
            }
        });
    }
    for it in &mut moves {
        if matches!(it, Moves::Later(entry) if taken.contains(&entry.run.id)) {
            *it = Moves::Lost;
        }
    }
    Ok(moves)
}

impl Wish {
    /// The runs that may be there for it.
    async fn drawn(&self, tx: &Tx) -> Result<Drawn, DbErr> {
        match self.runs {
            Wanted::Next { most, thoroughly } => self.engine.draw(tx, most, thoroughly).await,
            #[cfg(test)]
            Wanted::This(run) => Ok(Drawn { runs: vec![run], ..Drawn::default() }),
        }
    }

    fn found(&self, drawn: usize) -> Found {
        match self.runs {
            Wanted::Next { most, .. } if drawn >= most => Found::All,
            Wanted::Next { .. } if drawn == 0 => Found::Nothing,
            Wanted::Next { .. } => Found::Some,
            #[cfg(test)]
            Wanted::This(_) => Found::Unknown,
        }
    }
}

/// Takes those of the runs that are there, and makes their first moves.
async fn begin(tx: &Tx, wish: &Wish, runs: &[RunId]) -> Result<Vec<First>, DriveError> {
    let mut firsts = Vec::with_capacity(runs.len());
    for held in wish.engine.take(tx, runs, &wish.worker).await? {
        let (driver, draft, entry) = Driver::begin(tx, &wish.engine, held).await?;
        firsts.push(First { driver, draft, entry });
    }
    Ok(firsts)
}
