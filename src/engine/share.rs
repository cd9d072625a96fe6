//! Bounds that hold for all workers together: each worker holds some of a provider's places by a lease, and never do
//! all together hold more than there are.
//!
//! A call takes one of the places that its worker holds, so that it costs no write. What a worker does not use it hands
//! on as soon as another one wants it; where all want, each has its part, and where there are fewer places than workers,
//! they go to whoever has waited longest. A worker that falls silent loses its places when its lease is over.

use std::time::Duration;

use store::share::Share;
use store::{DbErr, Store};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Engine;
use crate::place::Demand;

/// How often a worker looks whether others want what it holds.
const LOOK: Duration = Duration::from_secs(1);
/// And how often while somebody waits.
const HURRIED_LOOK: Duration = Duration::from_millis(200);
/// Who waits for places asks for them no more often.
const PAUSE: Duration = Duration::from_millis(50);
/// How often a lease is renewed before it would be over.
const RENEWALS: u32 = 3;

impl Engine {
    /// Shares places with the other workers until told to stop and no run is driven here any more.
    pub(crate) async fn keep_shares(self, worker: String, mut stop: watch::Receiver<bool>) {
        if self.0.settings.bounds.providers.is_empty() {
            return;
        }
        let (mut wanted, mut freed) = (self.0.places.wanted(), self.0.places.freed());
        let mut renewed: Option<Instant> = None;
        let mut pressed = false;
        while !(*stop.borrow() && self.busy() == 0) {
            let due = renewed.is_none_or(|at| at.elapsed() >= self.lease() / RENEWALS);
            match self.look_at_shares(&worker, due).await {
                Ok(others_want) => {
                    pressed = others_want;
                    renewed = if due { Some(Instant::now()) } else { renewed };
                }
                Err(cause) => tracing::warn!(%cause, "the places of providers could not be shared with other workers"),
            }
            let stopping = *stop.borrow();
            let hurried = stopping || pressed || self.waits_for_a_share();
            let several_may_come = tokio::select! {
                () = tokio::time::sleep(if hurried { HURRIED_LOOK } else { LOOK }) => false,
                Ok(()) = wanted.changed() => true,
                Ok(()) = freed.changed(), if pressed => true,
                _ = stop.wait_for(|stop| *stop), if !stopping => false,
            };
            if several_may_come {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if let Err(cause) = give_back(&self.0.store, &worker).await {
            tracing::warn!(%cause, "others get the places of this worker when their lease is over");
        }
    }

    fn waits_for_a_share(&self) -> bool {
        self.0.settings.bounds.providers.keys().any(|provider| self.0.places.demand(provider).waiting > 0)
    }

    /// Settles those shares in which something is to be changed; all of them when their lease is to be renewed. True
    /// when other workers want some of what there is.
    async fn look_at_shares(&self, worker: &str, renew: bool) -> Result<bool, DbErr> {
        let shares = store::share::all(&self.0.store).await?;
        for (provider, bound) in &self.0.settings.bounds.providers {
            let demand = self.0.places.demand(provider);
            let (mine, others) = parted(&shares, provider, worker);
            let held = mine.map_or(0, |share| share.places);
            let part = part(*bound, demand, mine, &others);
            let told = mine.is_some_and(|share| share.wanted == demand.wanted(part.allowed));
            if renew || !told || part.holds != held || part.allowed != demand.allowed {
                self.settle(provider, *bound, worker).await?;
            }
        }
        Ok(shares.iter().any(|share| share.worker != worker && share.wanted > 0))
    }

    /// Takes what is this worker's part, in one transaction with what the others hold.
    async fn settle(&self, provider: &str, bound: usize, worker: &str) -> Result<(), DbErr> {
        let (asked, places) = (Instant::now(), &self.0.places);
        let tx = self.0.store.begin_step().await?;
        let shares = store::share::lock(&tx, provider).await?;
        let (mine, others) = parted(&shares, provider, worker);
        let allowed = part(bound, places.demand(provider), mine, &others).allowed;
        // What is to be given back is not used from now on, and only then it is counted what still is.
        places.restrict(provider, allowed);
        let demand = places.demand(provider);
        let part = part(bound, demand, mine, &others);
        let share = Share {
            provider: provider.to_owned(),
            worker: worker.to_owned(),
            places: part.holds,
            wanted: demand.wanted(part.allowed),
            wanted_since: None,
        };
        store::share::save(&tx, &share, self.0.settings.lease).await?;
        tx.commit().await?;
        places.share(provider, part.allowed.min(part.holds), asked + self.lease());
        Ok(())
    }

    fn lease(&self) -> Duration {
        self.0.settings.lease.to_std().unwrap_or_default()
    }
}

impl Demand {
    /// How many more places it could use than it may.
    fn wanted(self, allowed: usize) -> usize {
        (self.taken + self.waiting).saturating_sub(allowed)
    }
}

/// What a worker should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// How many calls it may have side by side.
    allowed: usize,
    /// How many places it holds: those, and what its calls still use.
    holds: usize,
}

/// A worker's own share, and those of the others.
fn parted<'s>(shares: &'s [Share], provider: &str, worker: &str) -> (Option<&'s Share>, Vec<&'s Share>) {
    let of_provider = || shares.iter().filter(|share| share.provider == provider);
    (of_provider().find(|share| share.worker == worker), of_provider().filter(|share| share.worker != worker).collect())
}

/// What a worker should have of a provider's places.
fn part(bound: usize, demand: Demand, mine: Option<&Share>, others: &[&Share]) -> Part {
    let free = bound.saturating_sub(others.iter().map(|share| share.places).sum());
    let (held, needs) = (mine.map_or(0, |share| share.places), demand.taken + demand.waiting);
    let active = others.iter().filter(|share| share.places > 0 || share.wanted > 0).count() + usize::from(needs > 0);
    let fair = bound / active.max(1);
    let poorer = || others.iter().filter(|share| share.wanted > 0 && share.places < fair.max(1));
    let wish = if others.iter().all(|share| share.wanted == 0) {
        // Nobody minds: what is free is kept ready.
        bound
    } else if poorer().next().is_none() {
        needs
    } else if fair > 0 {
        fair.min(needs)
    } else {
        // Fewer places than workers: a place that is given back goes to whoever has waited longest.
        let since = mine.filter(|_| held == 0).and_then(|share| share.wanted_since);
        let first = since.is_some_and(|since| poorer().all(|other| other.wanted_since.is_none_or(|it| since <= it)));
        usize::from(first)
    };
    let allowed = wish.min(free);
    Part { allowed, holds: allowed.max(demand.taken.min(held)).min(free) }
}

async fn give_back(store: &Store, worker: &str) -> Result<(), DbErr> {
    let tx = store.begin_step().await?;
    store::share::give_back(&tx, worker).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn share(places: usize, wanted: usize, since: i64) -> Share {
        let since = (wanted > 0).then_some(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(since));
        Share { provider: "world".to_owned(), worker: String::new(), places, wanted, wanted_since: since }
    }

    fn demand(taken: usize, waiting: usize) -> Demand {
        Demand { taken, waiting, allowed: taken }
    }

    fn parts(bound: usize, demand: Demand, mine: &Share, others: &[Share]) -> (usize, usize) {
        let part = part(bound, demand, Some(mine), &others.iter().collect::<Vec<_>>());
        (part.allowed, part.holds)
    }

    #[test]
    fn who_is_alone_keeps_all_places_ready() {
        assert_eq!(parts(8, demand(0, 0), &share(0, 0, 0), &[]), (8, 8));
        assert_eq!(parts(8, demand(2, 0), &share(8, 0, 0), &[share(0, 0, 0)]), (8, 8), "the others want none");
    }

    #[test]
    fn who_is_busy_hands_on_what_is_more_than_its_part_as_its_calls_return() {
        let newcomer = [share(0, 5, 1)];
        assert_eq!(parts(8, demand(8, 4), &share(8, 4, 0), &newcomer), (4, 8));
        assert_eq!(parts(8, demand(6, 4), &share(8, 4, 0), &newcomer), (4, 6));
        assert_eq!(parts(8, demand(4, 4), &share(6, 4, 0), &newcomer), (4, 4));
        assert_eq!(parts(8, demand(0, 0), &share(8, 0, 0), &newcomer), (0, 0), "who is idle hands on all");
    }

    #[test]
    fn never_more_is_taken_than_the_others_leave() {
        assert_eq!(parts(8, demand(0, 20), &share(0, 20, 0), &[share(7, 9, 0)]), (1, 1));
        assert_eq!(parts(8, demand(0, 20), &share(0, 20, 0), &[share(8, 9, 0)]), (0, 0));
        assert_eq!(parts(8, demand(5, 2), &share(5, 2, 0), &[share(3, 0, 0)]), (5, 5));
    }

    #[test]
    fn what_one_leaves_of_its_part_the_other_may_have() {
        assert_eq!(parts(8, demand(1, 0), &share(4, 0, 0), &[share(4, 6, 0)]), (1, 1));
        assert_eq!(parts(8, demand(4, 6), &share(4, 6, 0), &[share(1, 0, 0)]), (7, 7));
    }

    #[test]
    fn fewer_places_than_workers_go_to_whoever_has_waited_longest() {
        let waits = [share(0, 1, 5)];
        assert_eq!(parts(1, demand(1, 3), &share(1, 3, 9), &waits), (0, 1), "no other call is begun");
        assert_eq!(parts(1, demand(0, 3), &share(1, 3, 9), &waits), (0, 0), "given back when its call has returned");
        assert_eq!(parts(1, demand(0, 1), &share(0, 1, 5), &[share(0, 3, 9)]), (1, 1));
        assert_eq!(parts(1, demand(0, 3), &share(0, 3, 9), &waits), (0, 0));
    }
}
