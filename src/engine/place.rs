//! Bounds on what goes on side by side: places for calls, by worker and by outside system. Who finds none waits in line;
//! when one is freed, the projects take turns, and what is taken down goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::{ProjectId, RunId};
use tokio::sync::watch;
use tokio::time::Instant;

/// Where calls wait that find their worker full.
pub(crate) const WORKER: &str = "worker";
/// After so many urgent calls in a row, one of the others that wait has its turn.
const URGENT_IN_A_ROW: u32 = 4;

/// The places of one worker. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Places(Arc<Desks>);

struct Desks {
    per_provider: usize,
    desks: Mutex<BTreeMap<String, Desk>>,
    freed: watch::Sender<u64>,
    wanted: watch::Sender<u64>,
}

/// The places at one provider, and who waits for them.
struct Desk {
    places: usize,
    /// Where the places are this worker's share of a bound that holds for all workers: until when it may use them.
    shared: Option<Option<Instant>>,
    taken: usize,
    line: Vec<Waiter>,
    /// Grows with each who comes and each who is served.
    number: u64,
    /// When each project was served last.
    served: HashMap<ProjectId, u64>,
    urgent_in_a_row: u32,
}

/// Who asks for a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) run: RunId,
    pub(crate) project: ProjectId,
    /// Goes before the others: something is taken down.
    pub(crate) urgent: bool,
}

struct Waiter {
    claim: Claim,
    came: u64,
}

/// A place that is taken; free again when dropped.
pub(crate) struct Place {
    at: Vec<String>,
    places: Places,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut desks = self.places.locked();
        for name in &self.at {
            if let Some(desk) = desks.get_mut(name) {
                desk.taken -= 1;
            }
        }
        drop(desks);
        self.places.tell();
    }
}

/// How many calls a worker has at a provider, and how many runs wait for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) taken: usize,
    pub(crate) waiting: usize,
    /// How many calls it may have.
    pub(crate) allowed: usize,
}

impl Places {
    /// Places for calls of the worker, and for calls to each provider; of the providers named, as many as the workers
    /// share out among themselves, none until then.
    pub(crate) fn new<'s>(calls: usize, per_provider: usize, shared: impl Iterator<Item = &'s String>) -> Self {
        let mut desks: BTreeMap<String, Desk> = shared.map(|name| (name.clone(), Desk::new(0, Some(None)))).collect();
        desks.insert(WORKER.to_owned(), Desk::new(calls, None));
        let (freed, wanted) = (watch::Sender::new(0), watch::Sender::new(0));
        Self(Arc::new(Desks { per_provider, desks: Mutex::new(desks), freed, wanted }))
    }

    /// A place for one call, if it is its turn; else where it waits from now on.
    pub(crate) fn take(&self, provider: Option<&str>, claim: Claim) -> Result<Place, String> {
        // One at a time: whoever gets no place at its provider must not meanwhile hold the last one of the worker.
        let mut desks = self.locked();
        let wanted: Vec<&str> = provider.into_iter().chain([WORKER]).collect();
        for name in &wanted {
            let desk = desks.entry((*name).to_owned()).or_insert_with(|| Desk::new(self.0.per_provider, None));
            if !desk.has_turn(&claim) {
                desk.wait(claim);
                if desk.shared.is_some() {
                    self.0.wanted.send_modify(|count| *count += 1);
                }
                return Err((*name).to_owned());
            }
        }
        for name in &wanted {
            desks.get_mut(*name).into_iter().for_each(|desk| desk.serve(&claim));
        }
        Ok(Place { at: wanted.into_iter().map(str::to_owned).collect(), places: self.clone() })
    }

    /// The run waits at these, and nowhere else any more.
    pub(crate) fn wait_only_at(&self, run: RunId, names: &[String]) {
        let mut left = false;
        for (name, desk) in self.locked().iter_mut() {
            if !names.contains(name) {
                let before = desk.line.len();
                desk.line.retain(|waiter| waiter.claim.run != run);
                left |= desk.line.len() < before;
            }
        }
        // Somebody else may have the turn that was the run's.
        if left {
            self.tell();
        }
    }

    /// Changes whenever a place becomes free, or it may be somebody else's turn.
    pub(crate) fn freed(&self) -> watch::Receiver<u64> {
        self.0.freed.subscribe()
    }

    /// Changes whenever somebody waits for a place of those that the workers share.
    pub(crate) fn wanted(&self) -> watch::Receiver<u64> {
        self.0.wanted.subscribe()
    }

    /// What goes on at a provider.
    pub(crate) fn demand(&self, provider: &str) -> Demand {
        let demand = |desk: &Desk| Demand { taken: desk.taken, waiting: desk.line.len(), allowed: desk.places };
        self.locked().get(provider).map(demand).unwrap_or_default()
    }

    /// The worker may have no more calls than so many at a provider.
    pub(crate) fn restrict(&self, provider: &str, places: usize) {
        if let Some(desk) = self.locked().get_mut(provider) {
            desk.places = desk.places.min(places);
        }
    }

    /// The worker may have so many calls at a provider until then.
    pub(crate) fn share(&self, provider: &str, places: usize, until: Instant) {
        if let Some(desk) = self.locked().get_mut(provider) {
            (desk.places, desk.shared) = (places, Some(Some(until)));
        }
        self.tell();
    }

    fn tell(&self) {
        self.0.freed.send_modify(|count| *count += 1);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Desk>> {
        self.0.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn new(places: usize, shared: Option<Option<Instant>>) -> Self {
        let (line, served) = (Vec::new(), HashMap::new());
        Self { places, shared, taken: 0, line, number: 0, served, urgent_in_a_row: 0 }
    }

    /// Whether there is a free place, and nobody is before this one in line for it.
    fn has_turn(&self, claim: &Claim) -> bool {
        let places = match self.shared {
            Some(until) if until.is_none_or(|until| until <= Instant::now()) => 0,
            _ => self.places,
        };
        let free = places.saturating_sub(self.taken);
        let came = self.line.iter().find(|waiter| waiter.claim.run == claim.run).map_or(self.number, |it| it.came);
        let mine = self.order(claim, came);
        let others = self.line.iter().filter(|waiter| waiter.claim.run != claim.run);
        others.filter(|other| self.order(&other.claim, other.came) < mine).count() < free
    }

    /// Whoever comes first in this order is next: the urgent, then the project that was served longest ago.
    fn order(&self, claim: &Claim, came: u64) -> (bool, u64, u64) {
        let urgent_first = self.urgent_in_a_row < URGENT_IN_A_ROW;
        (claim.urgent != urgent_first, self.served.get(&claim.project).copied().unwrap_or_default(), came)
    }

    fn wait(&mut self, claim: Claim) {
        if self.line.iter().all(|waiter| waiter.claim.run != claim.run) {
            self.line.push(Waiter { claim, came: self.number });
            self.number += 1;
        }
    }

    fn serve(&mut self, claim: &Claim) {
        self.line.retain(|waiter| waiter.claim.run != claim.run);
        self.taken += 1;
        self.number += 1;
        self.served.insert(claim.project, self.number);
        let others_wait = self.line.iter().any(|waiter| !waiter.claim.urgent);
        self.urgent_in_a_row = if claim.urgent && others_wait { self.urgent_in_a_row + 1 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn claims(projects: usize, each: usize, urgent: bool) -> Vec<Vec<Claim>> {
        let claim = |project| Claim { run: store::fresh_id(), project, urgent };
        (0..projects).map(|_| store::fresh_id()).map(|project| (0..each).map(|_| claim(project)).collect()).collect()
    }

    /// Frees the place and lets whoever has the turn take it; answers where in the line he was.
    fn pass_on(places: &Places, held: &mut Option<Place>, line: &mut Vec<Claim>) -> Claim {
        *held = None;
        let next =
            line.iter().position(|claim| places.take(Some("world"), *claim).map(|place| *held = Some(place)).is_ok());
        line.remove(next.expect("somebody has the turn"))
    }

    fn one_place() -> Places {
        Places::new(8, 1, [].iter())
    }

    #[test]
    fn a_place_that_is_freed_goes_round_among_the_projects_whoever_asks_first() {
        let places = one_place();
        let projects = claims(3, 4, false);
        let mut held = places.take(Some("world"), projects[0][0]).ok();
        let mut line: Vec<Claim> = projects.concat().into_iter().skip(1).collect();
        for claim in &line {
            assert_eq!(places.take(Some("world"), *claim).err().as_deref(), Some("world"));
        }
        let served: Vec<ProjectId> = (0..6).map(|_| pass_on(&places, &mut held, &mut line).project).collect();
        let round = [projects[1][0].project, projects[2][0].project, projects[0][0].project];
        assert_eq!(served, [round, round].concat());
    }

    #[test]
    fn what_is_urgent_goes_first_but_for_one_in_five() {
        let places = one_place();
        let (builds, retires) = (claims(1, 3, false).concat(), claims(1, 12, true).concat());
        let mut held = places.take(Some("world"), builds[0]).ok();
        let mut line: Vec<Claim> = builds[1..].iter().chain(&retires).copied().collect();
        for claim in &line {
            assert!(places.take(Some("world"), *claim).is_err());
        }
        let urgent: Vec<bool> = (0..10).map(|_| pass_on(&places, &mut held, &mut line).urgent).collect();
        assert_eq!(urgent, [true, true, true, true, false, true, true, true, true, false]);
    }

    #[test]
    fn a_run_that_waits_no_more_holds_up_nobody() {
        let places = one_place();
        let claims = claims(2, 1, false).concat();
        let held = places.take(Some("world"), claims[0]).ok();
        assert!(places.take(Some("world"), claims[1]).is_err());
        drop(held);
        assert!(places.take(Some("world"), claims[0]).is_err(), "it is the other one's turn");
        places.wait_only_at(claims[1].run, &[]);
        assert!(places.take(Some("world"), claims[0]).is_ok());
    }

    #[test]
    fn whoever_finds_the_worker_full_holds_no_place_at_its_provider() {
        let places = Places::new(1, 1, [].iter());
        let claims = claims(2, 1, false).concat();
        let held = places.take(None, claims[0]).ok();
        assert_eq!(places.take(Some("world"), claims[1]).err().as_deref(), Some(WORKER));
        assert_eq!(places.demand("world").taken, 0);
        drop(held);
        assert!(places.take(Some("world"), claims[1]).is_ok());
    }

    #[test]
    fn places_that_the_workers_share_are_none_until_they_are_shared_out_and_when_the_share_is_over() {
        let shared = ["world".to_owned()];
        let places = Places::new(8, 16, shared.iter());
        let claim = claims(1, 1, false).concat()[0];
        assert!(places.take(Some("world"), claim).is_err());
        places.share("world", 1, Instant::now() + Duration::from_secs(15));
        assert!(places.take(Some("world"), claim).is_ok());
        places.share("world", 1, Instant::now());
        assert!(places.take(Some("world"), claim).is_err(), "another worker may have it by now");
    }
}
