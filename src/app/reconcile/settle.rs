//! Bringing the findings that are kept in line with what a walk found; what is as it was is not written.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::allocation::{Allocation, monthly_cents};
use domain::ci::{CiClass, Lifecycle};
use domain::finding::FindingKind;
use domain::finding::life::{Cause, Found, Kept, Matter, Step, Subject};
use domain::ids::{CiId, DeploymentId, FindingId};
use domain::reconcile::difference::What;
use domain::reconcile::run::Tally;
use domain::reconcile::totals::Braked;
use domain::sighting::Episode;
use domain::trouble::Trouble;
use store::finding::{Teller, Thing};

use super::walk::{Item, World, scope_of};
use crate::ci::describes;
use crate::{App, database};

/// Findings that are looked at, and written, in one go.
const AT_ONCE: usize = 500;
/// Of these something is paid for that is not there, not wanted or not used.
const COSTLY: [FindingKind; 3] = [FindingKind::ExpiredButRunning, FindingKind::SwitchedOff, FindingKind::Gone];

/// What a finding is known by.
type Mark = (String, FindingKind, String);

/// Brings what is kept in line with what was found at `at`.
pub(super) async fn settle(
    app: &App,
    world: &World,
    mut items: Vec<Item>,
    braked: &[Braked],
    at: DateTime<Utc>,
) -> Result<Tally, Trouble> {
    items.sort_by_cached_key(mark);
    items.dedup_by_key(|item| mark(item));
    let last = store::reconcile::last_end(&app.store).await.map_err(database)?.unwrap_or(at);
    let held = braked.iter().map(|braked| braked.class).collect();
    let mut settling = Settling { app, world, held, at, last, tally: Tally::default() };
    for chunk in items.chunks(AT_ONCE) {
        settling.found(chunk).await?;
    }
    settling.not_found(&items).await?;
    Ok(settling.tally)
}

fn mark(item: &Item) -> Mark {
    (item.key.clone(), item.matter.kind(), item.matter.part())
}

fn mark_of(kept: &Kept) -> Mark {
    let Found { subject, matter, .. } = &kept.found;
    (subject.key.clone(), matter.kind(), matter.part())
}

struct Settling<'a> {
    app: &'a App,
    world: &'a World,
    /// Classes of which the brake holds back what is new.
    held: BTreeSet<CiClass>,
    at: DateTime<Utc>,
    /// When findings were found last, before this reconcile.
    last: DateTime<Utc>,
    tally: Tally,
}

impl Settling<'_> {
    /// Whether the brake holds it back. What a CI shows by itself it does not.
    fn holds(&self, item: &Item) -> bool {
        matches!(item.matter, Matter::Differs(_)) && self.held.contains(&item.class)
    }

    async fn found(&mut self, items: &[Item]) -> Result<(), Trouble> {
        let keys: BTreeSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let known = store::finding::of_keys(&self.app.store, &keys).await.map_err(database)?;
        let mut known: HashMap<Mark, Kept> = known.into_iter().map(|kept| (mark_of(&kept), kept)).collect();
        let evidence = Evidence::of(self.app, items, &keys, self.at).await?;
        let mut written = Vec::new();
        for item in items {
            self.tally.found += 1;
            let held = self.holds(item);
            let found = evidence.found(item);
            let step = match known.remove(&mark(item)) {
                Some(kept) => kept.found_again(found, held, self.at),
                None => {
                    self.count_new(held);
                    written.push(Kept::new(store::fresh_id(), found, held, self.at));
                    continue;
                }
            };
            let (counted, kept) = match step {
                Step::OpenAgain(kept) => (&mut self.tally.opened_again, kept),
                Step::WaiverOver(kept) => (&mut self.tally.waivers_over, kept),
                Step::Change(kept) => (&mut self.tally.changed, kept),
                Step::Nothing | Step::Fix(_) | Step::Forget(_) => continue,
            };
            *counted += 1;
            written.push(kept);
        }
        self.write(&written, &[]).await
    }

    fn count_new(&mut self, held: bool) {
        let counted = if held { &mut self.tally.held } else { &mut self.tally.opened };
        *counted += 1;
    }

    /// Closes what is kept and was not found although it was looked for.
    async fn not_found(&mut self, items: &[Item]) -> Result<(), Trouble> {
        let mut after = None;
        loop {
            let standing = store::finding::standing(&self.app.store, after, AT_ONCE as u64).await.map_err(database)?;
            after = standing.last().map(|kept| kept.id);
            let left = standing.len() == AT_ONCE;
            let is_found = |kept: &Kept| items.binary_search_by_key(&mark_of(kept), mark).is_ok();
            let missing: Vec<Kept> = standing.into_iter().filter(|kept| !is_found(kept)).collect();
            self.close(missing).await?;
            if !left {
                return Ok(());
            }
        }
    }

    async fn close(&mut self, missing: Vec<Kept>) -> Result<(), Trouble> {
        let keys: BTreeSet<&str> = missing.iter().map(|kept| kept.found.subject.key.as_str()).collect();
        let keys: Vec<&str> = keys.into_iter().collect();
        let things = store::finding::things(&self.app.store, &keys).await.map_err(database)?;
        let (mut fixed, mut forgotten): (Vec<Kept>, Vec<FindingId>) = Default::default();
        for kept in missing {
            if !self.was_looked_for(&kept.found, things.get(&kept.found.subject.key)) {
                continue;
            }
            match kept.not_found(self.last, self.at) {
                Step::Fix(kept) => fixed.push(kept),
                Step::Forget(id) => forgotten.push(id),
                _ => {}
            }
        }
        self.tally.fixed += fixed.len() as u64;
        self.write(&fixed, &forgotten).await
    }

    /// Whether it would have been found, were it still so.
    fn was_looked_for(&self, found: &Found, thing: Option<&Thing>) -> bool {
        let Found { subject, matter, .. } = found;
        if thing.and_then(|thing| thing.ci.as_ref()).is_some_and(|ci| ci.lifecycle == Lifecycle::Retired) {
            return true;
        }
        let is_held = matches!(matter, Matter::Differs(_)) && self.held.contains(&subject.class);
        if is_held || thing.is_some_and(|thing| thing.under_way) {
            return false;
        }
        let covered = || self.world.coverage.is_complete(subject.class, &subject.scope);
        !matter.needs_sources() || subject.scope.is_empty() || covered()
    }

    async fn write(&self, changed: &[Kept], forgotten: &[FindingId]) -> Result<(), Trouble> {
        if changed.is_empty() && forgotten.is_empty() {
            return Ok(());
        }
        let tx = self.app.store.begin_step().await.map_err(database)?;
        store::finding::save(&tx, changed).await.map_err(database)?;
        store::finding::forget(&tx, forgotten).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }
}

/// What is known of the things that some findings are about.
struct Evidence {
    things: HashMap<String, Thing>,
    tellers: HashMap<(CiId, String), Teller>,
    episodes: HashMap<DeploymentId, Vec<(String, Episode)>>,
    allocations: HashMap<DeploymentId, Vec<Allocation>>,
}

impl Evidence {
    /// Five statements.
    async fn of(app: &App, items: &[Item], keys: &[&str], at: DateTime<Utc>) -> Result<Self, Trouble> {
        let things = store::finding::things(&app.store, keys).await.map_err(database)?;
        let cis: Vec<CiId> = things.values().filter_map(|thing| Some(thing.ci.as_ref()?.id)).collect();
        let named = items.iter().filter_map(|item| match &item.matter {
            Matter::Differs(What::Attribute { name, .. }) => Some(name.as_str()),
            _ => None,
        });
        let tellers = store::finding::tellers(&app.store, &cis, &named.collect()).await.map_err(database)?;
        let deployments: BTreeSet<DeploymentId> = things.values().filter_map(deployment_of).collect();
        let deployments: Vec<DeploymentId> = deployments.into_iter().collect();
        let episodes = store::sighting::deviations(&app.store, &deployments, at, false).await.map_err(database)?;
        let mut allocations: HashMap<DeploymentId, Vec<Allocation>> = HashMap::new();
        if items.iter().any(|item| COSTLY.contains(&item.matter.kind())) {
            for row in store::allocation::of_deployments(&app.store, &deployments).await.map_err(database)? {
                allocations.entry(row.deployment).or_default().push(row);
            }
        }
        Ok(Self { things, tellers, episodes, allocations })
    }

    /// The finding with all that is known of it.
    fn found(&self, item: &Item) -> Found {
        let thing = self.things.get(&item.key);
        let deployment = thing.and_then(deployment_of);
        let costs = deployment.filter(|_| COSTLY.contains(&item.matter.kind()));
        let cents = costs.and_then(|deployment| self.allocations.get(&deployment)).map(monthly_cents);
        Found {
            subject: subject(item, thing, deployment),
            cause: self.cause(item, thing, deployment),
            matter: item.matter.clone(),
            cents: cents.filter(|cents| *cents > 0),
        }
    }

    fn cause(&self, item: &Item, thing: Option<&Thing>, deployment: Option<DeploymentId>) -> Cause {
        let Matter::Differs(what) = &item.matter else { return Cause::default() };
        let maker = thing.and_then(|thing| thing.maker.as_ref());
        let made = Cause {
            run: maker.map(|maker| maker.run),
            step: maker.map(|maker| maker.step.clone()),
            recorded_at: maker.and_then(|maker| maker.live_at),
            ..Cause::default()
        };
        let done = self.episode(item, deployment, |episode| match what {
            What::NotDelivered => episode.deviation.kind == FindingKind::Gone,
            What::NotAsOrdered { .. } => episode.deviation.is_of_attributes(),
            _ => false,
        });
        let cause = match (what, thing.and_then(|thing| thing.ci.as_ref())) {
            (What::Attribute { name, .. }, Some(ci)) => match self.tellers.get(&(ci.id, name.clone())) {
                Some(Teller { source, at, run, step }) => {
                    Cause { source: *source, recorded_at: Some(*at), run: *run, step: step.clone(), ..Cause::default() }
                }
                None => Cause::default(),
            },
            _ => made,
        };
        Cause {
            seen_from: done.map(|episode| episode.since),
            done_by: done.and_then(|episode| episode.deviation.by.clone()),
            ..cause
        }
    }

    /// What others did to the machine that a finding is about.
    fn episode(
        &self,
        item: &Item,
        deployment: Option<DeploymentId>,
        is_it: impl Fn(&Episode) -> bool,
    ) -> Option<&Episode> {
        let of_deployment = self.episodes.get(&deployment?)?;
        of_deployment.iter().find(|(key, episode)| describes(&item.key, key) && is_it(episode)).map(|(_, it)| it)
    }
}

fn deployment_of(thing: &Thing) -> Option<DeploymentId> {
    let of_ci = thing.ci.as_ref().and_then(|ci| ci.deployment);
    of_ci.or_else(|| thing.maker.as_ref().map(|maker| maker.deployment))
}

/// What a finding is about: its CI, else the object behind it.
fn subject(item: &Item, thing: Option<&Thing>, deployment: Option<DeploymentId>) -> Subject {
    let (ci, maker) = (thing.and_then(|it| it.ci.as_ref()), thing.and_then(|it| it.maker.as_ref()));
    let name = ci.map(|ci| &ci.name).or(maker.map(|maker| &maker.name)).unwrap_or(&item.key);
    let of_maker = |word: fn(&store::finding::Maker) -> &String| maker.map(|maker| word(maker).clone());
    Subject {
        key: item.key.clone(),
        class: item.class,
        scope: scope_of(item.class, &item.key, ci.map(|ci| ci.id), thing.and_then(|it| it.site.as_deref())),
        name: name.clone(),
        ci: ci.map(|ci| ci.id),
        project: ci.map(|ci| ci.project).or(maker.map(|maker| maker.project)),
        deployment,
        platform: ci.map_or_else(|| of_maker(|it| &it.platform), |ci| ci.platform.clone()),
        application: ci.map_or_else(|| of_maker(|it| &it.application), |ci| ci.application.clone()),
    }
}
