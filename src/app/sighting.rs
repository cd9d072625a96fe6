//! Machines as their sites show them: following every hypervisor, judging what others made of the ledger's machines, and
//! telling people.
//!
//! Only a look that saw everything says that a machine is gone. What a run works on is judged when the run is over.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use domain::ci::{Aspect, Change, Ci, CiClass, Lifecycle, Source};
use domain::finding::Finding;
use domain::ids::{CiId, DeploymentId, ResourceId};
use domain::person::Scope;
use domain::ports::machine_change::MachineChange;
use domain::ports::machines::Machine;
use domain::ports::provider_error::ProviderError;
use domain::sighting::{Episode, LedgerMachine, Sighting, Unseen, Watch, findings_of, review};
use domain::trouble::Trouble;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ci::describes;
use crate::{App, database};

mod follow;

pub use follow::{Hypervisors, follow};

/// Writes what a look at a site saw, in one transaction; answers the ledger that it was compared with.
///
/// `before` is the ledger as it was before the look: a machine is judged only if no run worked on its deployment either
/// before or after.
pub(crate) async fn record(
    app: &App,
    site: &str,
    before: &[LedgerMachine],
    there: &[Machine],
    news: &[MachineChange],
) -> Result<Vec<LedgerMachine>, Trouble> {
    let now = app.clock.now();
    let tx = app.store.begin().await.map_err(database)?;
    let mut ledger = store::sighting::machines(&tx, site).await.map_err(database)?;
    let after = ledger.clone();
    let settled: HashSet<ResourceId> = before.iter().filter(|it| !it.under_way).map(|it| it.resource).collect();
    for machine in &mut ledger {
        machine.under_way |= !settled.contains(&machine.resource);
    }
    let record = store::sighting::on_record(&tx, site).await.map_err(database)?;
    let review = review(title(app, site), &ledger, there, news, &record);
    store::sighting::apply(&tx, &review, now).await.map_err(database)?;
    store::sighting::heard(&tx, site, now).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    for (resource, deviation) in &review.found {
        let machine = after.iter().find(|it| it.resource == *resource).map(|it| it.name.as_str());
        tracing::warn!(site, machine, kind = deviation.kind.word(), by = ?deviation.by, "{}", deviation.what);
    }
    Ok(after)
}

/// Notes that a site can't be looked at.
async fn note(app: &App, site: &str, error: &ProviderError) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    store::sighting::unheard(&tx, site, &error.to_string(), app.clock.now()).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

fn title<'a>(app: &'a App, site: &'a str) -> &'a str {
    app.sites.find(site).map_or(site, |site| &site.title)
}

/// What others made of a machine, and why that may not be all.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByHand {
    pub findings: Vec<Finding>,
    /// Why its site could not be looked at; nothing where it could.
    pub not_evaluated: Option<String>,
}

/// What was seen of the machines of some deployments, for their CIs.
pub(crate) struct Seen {
    deviations: HashMap<DeploymentId, Vec<(String, Episode)>>,
    unseen: BTreeMap<String, String>,
}

/// What was seen by then of the machines of these deployments: two statements.
pub(crate) async fn seen_of(app: &App, deployments: &[DeploymentId], at: DateTime<Utc>) -> Result<Seen, Trouble> {
    let deviations = store::sighting::deviations(&app.store, deployments, at, false).await.map_err(database)?;
    let sites = sites(app, at).await?;
    let told = |site: SiteSeen| Some((site.name, site.unseen?.told(&site.title)));
    Ok(Seen { deviations, unseen: sites.into_iter().filter_map(told).collect() })
}

impl Seen {
    /// What others made of the machine that this CI stands for, which is at that site.
    pub fn of(&self, ci: &Ci, site: &str) -> ByHand {
        let stands = ci.class == CiClass::VirtualMachine && ci.lifecycle == Lifecycle::Operational;
        let Some(deployment) = ci.deployment.filter(|_| stands) else { return ByHand::default() };
        let episodes = self.deviations.get(&deployment).into_iter().flatten();
        let of_it: Vec<Episode> =
            episodes.filter(|(key, _)| describes(&ci.key, key)).map(|(_, episode)| episode.clone()).collect();
        ByHand { findings: findings_of(&of_it), not_evaluated: self.unseen.get(site).cloned() }
    }
}

/// When a site's machines were last looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SiteSeen {
    pub name: String,
    pub title: String,
    /// The last look that saw everything; nothing where there was none.
    pub looked_at: Option<DateTime<Utc>>,
    /// Since when they are not evaluated, and why; nothing while they are.
    pub unseen: Option<Unseen>,
}

/// The sites at which something of the scope stands or stood, as of then; of everything, all sites of the house.
pub(crate) async fn sites_of(app: &App, scope: &Scope, at: DateTime<Utc>) -> Result<Vec<SiteSeen>, Trouble> {
    let mut all = sites(app, at).await?;
    if *scope != Scope::Everything {
        let own = store::sighting::sites_of(&app.store, scope).await.map_err(database)?;
        all.retain(|site| own.contains(&site.name));
    }
    Ok(all)
}

/// The sites of the house and those that were looked at before, as of then: one statement.
pub(crate) async fn sites(app: &App, at: DateTime<Utc>) -> Result<Vec<SiteSeen>, Trouble> {
    let watches = store::sighting::watches(&app.store, at).await.map_err(database)?;
    let known = app.sites.names().map(|name| (name.to_owned(), watches.get(name)));
    let mut all: BTreeMap<String, Option<&Watch>> = known.collect();
    all.extend(watches.iter().map(|(name, watch)| (name.clone(), Some(watch))));
    let seen = |(name, watch): (String, Option<&Watch>)| SiteSeen {
        title: title(app, &name).to_owned(),
        looked_at: watch.filter(|it| it.ended_at != Some(it.began_at)).map(|watch| watch.heard_at.min(at)),
        unseen: Watch::unseen(watch, at),
        name,
    };
    Ok(all.into_iter().map(seen).collect())
}

/// How a machine stood when its site was last looked at.
#[derive(Clone, Debug)]
pub struct Standing {
    pub sighting: Sighting,
    /// Since when it stands like this.
    pub since: DateTime<Utc>,
    /// When it was last looked at.
    pub looked_at: Option<DateTime<Utc>>,
}

/// How the machine that this CI stands for was last seen at its site; nothing for other CIs, and where it was not seen.
pub(crate) async fn standing(app: &App, ci: &Ci, site: &str) -> Result<Option<Standing>, Trouble> {
    let Some((key, _)) = ci.key.rsplit_once('/').filter(|_| ci.class == CiClass::VirtualMachine) else {
        return Ok(None);
    };
    let seen = store::sighting::of_machine(&app.store, key).await.map_err(database)?;
    let Some((sighting, since)) = seen else { return Ok(None) };
    let site = sites(app, app.clock.now()).await?.into_iter().find(|it| it.name == site);
    Ok(Some(Standing { sighting, since, looked_at: site.and_then(|site| site.looked_at) }))
}

/// What others made of the machine that this CI stands for until then, as entries of its history.
pub(crate) async fn history(app: &App, ci: &Ci, until: DateTime<Utc>) -> Result<Vec<Change>, Trouble> {
    let Some(deployment) = ci.deployment.filter(|_| ci.class == CiClass::VirtualMachine) else { return Ok(Vec::new()) };
    let known = store::sighting::deviations(&app.store, &[deployment], until, true).await.map_err(database)?;
    let of_it = known.into_values().flatten().filter(|(key, _)| describes(&ci.key, key));
    Ok(of_it.flat_map(|(_, episode)| entries(ci.id, &episode, until)).collect())
}

/// That it came to be so; and, where it did by then, that it was over.
fn entries(ci: CiId, episode: &Episode, until: DateTime<Utc>) -> Vec<Change> {
    let entry = |at, before, after| Change {
        ci,
        at,
        aspect: Aspect::Finding,
        field: episode.deviation.kind.word().to_owned(),
        before,
        after,
        source: Source::MachineReport,
        run: None,
        step: None,
    };
    let over = episode.until.filter(|over| *over <= until);
    let over = over.map(|over| entry(over, json!(episode.deviation.what), Value::Null));
    std::iter::once(entry(episode.since, Value::Null, json!(episode.told()))).chain(over).collect()
}

#[cfg(test)]
mod tests;
