//! When a worker looks into the queue, and how far back: a look that finds nothing costs as much as one that finds a run.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use store::job::Front;
use tokio::time::{Instant, Sleep};

use crate::commit::Found;

/// Jobs of another process are looked for this often as long as nothing is heard of the others; those of this process
/// ring the bell.
pub(crate) const IDLE_POLL: Duration = Duration::from_secs(1);
/// When somebody rang and nothing was found, it is looked at thoroughly after so long at the latest.
const LATE: Duration = Duration::from_secs(5);
/// A job that was put there so long ago may not have been seen yet: its transaction was under way. What takes longer is
/// found by a thorough look.
const UNSEEN: Duration = Duration::from_millis(500);
/// How often they are looked for all the same while they are heard of.
const QUIET_POLL: Duration = Duration::from_secs(15);

/// Rung when a job was committed, in this process or, on PostgreSQL, in another.
#[derive(Default)]
pub(crate) struct Bell {
    rings: AtomicU64,
    /// Whether it is rung for the jobs of other processes as well.
    hears: AtomicBool,
    waker: AtomicWaker,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        self.waker.wake();
    }

    /// Whether other processes are heard of from now on; what they committed meanwhile is looked for at once.
    pub(crate) fn hears(&self, hears: bool) {
        if self.hears.swap(hears, Ordering::SeqCst) != hears {
            self.ring();
        }
    }

    /// When the queue is looked at although nobody rang.
    fn pause(&self) -> Duration {
        if self.hears.load(Ordering::SeqCst) { QUIET_POLL } else { IDLE_POLL }
    }
}

/// When to look into the queue: when the bell has rung, when more was there than was taken, and else at a slow tick.
pub(crate) struct Look {
    bell: Arc<Bell>,
    heard: u64,
    again: bool,
    /// Somebody rang, and it was not looked at thoroughly since.
    in_a_hurry: bool,
    timer: Pin<Box<Sleep>>,
    /// When it is looked at thoroughly again.
    thoroughly: Instant,
}

impl Look {
    pub(crate) fn new(bell: Arc<Bell>) -> Self {
        // What was put there before is looked for at once.
        let now = Instant::now();
        Self {
            bell,
            heard: 0,
            again: true,
            in_a_hurry: false,
            timer: Box::pin(tokio::time::sleep_until(now)),
            thoroughly: now,
        }
    }

    /// Ready when it is time; true when it is looked at thoroughly.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.bell.waker.register(cx.waker());
        let rings = self.bell.rings.load(Ordering::SeqCst);
        if rings == self.heard && !self.again {
            std::task::ready!(self.timer.as_mut().poll(cx));
        }
        let now = Instant::now();
        let thoroughly = now >= self.thoroughly;
        if thoroughly {
            self.thoroughly = now + QUIET_POLL;
        }
        self.in_a_hurry = rings != self.heard || (self.in_a_hurry && !thoroughly);
        (self.heard, self.again) = (rings, false);
        self.timer.as_mut().reset(self.thoroughly.min(now + self.bell.pause()));
        Poll::Ready(thoroughly)
    }

    pub(crate) fn found(&mut self, found: Found) {
        match found {
            Found::All => self.again = true,
            // Whoever rang may have put there what was under way for long, or another worker was taking it.
            Found::Nothing if self.in_a_hurry => self.thoroughly = self.thoroughly.min(Instant::now() + LATE),
            Found::Some | Found::Nothing => {}
            Found::Unknown => (self.again, self.thoroughly) = (true, Instant::now()),
        }
        let due = self.thoroughly.min(self.timer.deadline());
        self.timer.as_mut().reset(due);
    }
}

/// What is known of the queue without a look into it: where jobs may wait.
#[derive(Default)]
pub(crate) struct Queued(Mutex<Fronts>);

#[derive(Default)]
struct Fronts {
    /// What was seen long enough ago.
    known: Option<Front>,
    /// What was seen since, and when.
    seen: Option<(Front, Instant)>,
}

impl Queued {
    /// Where jobs may wait; nothing when that is not known.
    pub(crate) fn front(&self) -> Option<Front> {
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fronts.age();
        fronts.known
    }

    /// Nothing waited before this place when it was looked. Had jobs been thought to wait only behind it, that was wrong.
    pub(crate) fn looked(&self, front: Front) {
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fronts.age();
        fronts.known = fronts.known.map(|known| known.or_before(front));
        fronts.seen.get_or_insert_with(|| (front, Instant::now()));
    }

    /// As if what was seen of the queue had been seen long ago.
    #[cfg(test)]
    pub(crate) fn let_time_pass(&self) {
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fronts.known = fronts.seen.take().map(|(front, _)| front).or(fronts.known);
    }
}

impl Fronts {
    /// What was seen holds as soon as whatever was being written at that time is committed.
    fn age(&mut self) {
        if let Some((front, _)) = self.seen.take_if(|(_, at)| at.elapsed() > UNSEEN) {
            self.known = Some(front);
        }
    }
}
