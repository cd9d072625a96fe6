//! The CMDB for people: finding CIs, and everything that is known of one, now or at an earlier instant.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use domain::ci::class::Authority;
use domain::ci::past::replay;
use domain::ci::{Attribute, Attributes, Change, Ci, CiClass, Lifecycle, Relation};
use domain::deployment::Deployment;
use domain::finding::life::{Kept, Matter, State};
use domain::finding::{Finding, Views, findings};
use domain::ids::{CiId, DeploymentId};
use domain::moment::written;
use domain::person::{Principal, Scope};
use domain::trouble::Trouble;
use serde_json::Value;
pub use store::ci::{CiQuery, CiSort, Hop};
pub use store::workload::{Report, Seen};

use crate::page::{Counted, Part, Turn, Window};
use crate::sighting::{self, ByHand, Standing};
use crate::{App, database};

/// CIs of one deployment that are looked at in one go.
const MOST_OF_DEPLOYMENT: u64 = 500;
/// How far impact is followed.
const DEPTH: u8 = 3;
/// Entries of its history that a CI's page shows.
const SHOWN_HISTORY: u64 = 300;
/// Entries of its history that an answer for an earlier instant reads.
const READ_HISTORY: u64 = 100_000;
/// Containers that a page shows.
const SHOWN_CONTAINERS: u64 = 200;
/// Words of a search that count.
const WORDS: usize = 5;

/// The lower-case beginnings of words that a search means.
pub fn words(text: &str) -> Vec<String> {
    let words: BTreeSet<String> = text.to_lowercase().split_whitespace().take(WORDS).map(str::to_owned).collect();
    words.into_iter().collect()
}

/// A part of the CIs that the person may see and the query finds.
pub async fn list(
    app: &App,
    who: &Principal,
    query: &CiQuery,
    window: Window<CiSort, CiId>,
) -> Result<Part<Ci>, Trouble> {
    store::ci::list(&app.store, &who.scope(), query, window).await.map_err(database)
}

/// The same, with how many CIs there are, as far as it is counted.
pub async fn list_counted(
    app: &App,
    who: &Principal,
    query: &CiQuery,
    window: Window<CiSort, CiId>,
) -> Result<(Part<Ci>, Counted), Trouble> {
    store::ci::list_counted(&app.store, &who.scope(), query, window).await.map_err(database)
}

/// Everything that is known of one CI.
#[derive(Debug)]
pub struct CiView {
    pub ci: Ci,
    pub project: String,
    pub attributes: Vec<Told>,
    pub findings: Vec<Finding>,
    /// What reconciles found of it by comparing, and is not fixed; nothing as of an earlier instant.
    pub compared: Vec<Kept>,
    /// Why nobody knows whether its machine stands as it was built; nothing where that is known.
    pub not_evaluated: Option<String>,
    /// How its machine stood when its site was last looked at; nothing as of an earlier instant.
    pub standing: Option<Standing>,
    /// What it needs, and what that needs, to three steps.
    pub needs: Reach,
    /// What its trouble reaches, to three steps.
    pub affects: Reach,
    pub history: Vec<Day>,
    /// The containers that ran on or as it at that instant.
    pub containers: Vec<Seen>,
    /// What a container engine told last.
    pub report: Option<Report>,
    /// The instant that all of this is about, when it is not now.
    pub as_of: Option<DateTime<Utc>>,
}

/// An attribute with what its class says about it.
#[derive(Debug)]
pub struct Told {
    /// The name that the CMDB keeps it under.
    pub name: String,
    pub title: String,
    pub value: String,
    /// Whose word counts; nothing for attributes that the class does not know.
    pub authority: Option<Authority>,
    /// Who said so and when; nothing for a required attribute that nobody told.
    pub said: Option<Attribute>,
    pub misfit: bool,
}

/// What stands around a CI in one direction.
#[derive(Debug, Default)]
pub struct Reach {
    pub hops: Vec<Hop>,
    /// Whether there is more than is followed in one step.
    pub is_cut: bool,
}

impl Reach {
    /// How many CIs there are, as people read it.
    pub fn count(&self) -> String {
        let cis: BTreeSet<CiId> = self.hops.iter().map(|hop| hop.ci).collect();
        if self.is_cut { format!("more than {}", cis.len()) } else { cis.len().to_string() }
    }
}

/// What changed in a day, the latest first.
#[derive(Debug)]
pub struct Day {
    pub date: NaiveDate,
    pub changes: Vec<Change>,
}

/// What is known of the CI, now or as of an instant. A CI outside the person's projects is not found.
pub async fn show(app: &App, who: &Principal, id: CiId, as_of: Option<DateTime<Utc>>) -> Result<CiView, Trouble> {
    let missing = || Trouble::not_found("CI");
    let scope = who.scope();
    let now = store::ci::by_id(&app.store, &scope, id).await.map_err(database)?.ok_or_else(missing)?;
    let at = as_of.unwrap_or_else(|| app.clock.now());
    let (ci, attributes) = match as_of {
        None => {
            let attributes = store::ci::attributes(&app.store, id).await.map_err(database)?;
            (now, attributes)
        }
        Some(at) => then(app, id, at).await?.ok_or_else(|| not_yet(&now))?,
    };
    let history = history(app, &ci, at).await?;
    let containers = store::workload::containers(&app.store, &[id], at, SHOWN_CONTAINERS).await.map_err(database)?;
    let report = store::workload::reports(&app.store, &[id]).await.map_err(database)?.pop();
    let deployment = deployment_of(app, &ci).await?;
    let ByHand { findings: by_hand, not_evaluated } = by_hand(app, &ci, deployment.as_ref(), at).await?;
    let views = Views { by_hand, ..views(app, &ci, deployment.as_ref(), report.as_ref(), at).await? };
    let standing = match (&deployment, as_of) {
        (Some(deployment), None) => sighting::standing(app, &ci, &deployment.site).await?,
        _ => None,
    };
    let project = store::project::find(&app.store, ci.project).await.map_err(database)?;
    let compared = if as_of.is_none() { compared(app, &ci).await? } else { Vec::new() };
    Ok(CiView {
        findings: findings(&ci, &views, at),
        compared,
        not_evaluated,
        standing,
        needs: impact(app, &scope, id, false, at).await?,
        affects: impact(app, &scope, id, true, at).await?,
        attributes: told(&ci, attributes),
        history: by_day(history),
        project: project.map_or_else(String::new, |project| project.title),
        ci,
        containers,
        report,
        as_of,
    })
}

/// What a reconcile found of a CI by comparing the views. A key that others have too is told of each for itself.
async fn compared(app: &App, ci: &Ci) -> Result<Vec<Kept>, Trouble> {
    let kept = store::finding::of_keys(&app.store, &[&ci.key]).await.map_err(database)?;
    let is_its = |kept: &Kept| {
        let differs = matches!(kept.found.matter, Matter::Differs(_));
        kept.found.subject.ci == Some(ci.id) && differs && matches!(kept.state, State::Open | State::Waived(_))
    };
    Ok(kept.into_iter().filter(is_its).collect())
}

/// The CIs of a deployment that are not retired; the caller has checked that the person may see the deployment.
pub async fn of_deployment(app: &App, who: &Principal, deployment: DeploymentId) -> Result<Vec<Ci>, Trouble> {
    let lifecycles = vec![Lifecycle::Planned, Lifecycle::Building, Lifecycle::Operational];
    let query = CiQuery { deployment: Some(deployment), lifecycles, ..CiQuery::default() };
    let window = Window { sort: CiSort::Name, descending: false, turn: Turn::First, limit: MOST_OF_DEPLOYMENT };
    Ok(list(app, who, &query, window).await?.rows)
}

async fn then(app: &App, id: CiId, at: DateTime<Utc>) -> Result<Option<(Ci, Attributes)>, Trouble> {
    let mut history = store::ci::history(&app.store, id, at, READ_HISTORY).await.map_err(database)?;
    history.reverse();
    Ok(replay(&history))
}

fn not_yet(ci: &Ci) -> Trouble {
    Trouble::new(
        domain::trouble::Kind::NotFound,
        format!("{} was not in the CMDB yet at that time.", ci.name),
        format!("It was registered on {}; choose a later day.", written(ci.created_at)),
    )
}

/// What changed in its record, and what others made of what it stands for, newest first.
async fn history(app: &App, ci: &Ci, until: DateTime<Utc>) -> Result<Vec<Change>, Trouble> {
    let mut history = store::ci::history(&app.store, ci.id, until, SHOWN_HISTORY).await.map_err(database)?;
    history.extend(sighting::history(app, ci, until).await?);
    history.sort_by_key(|change| Reverse(change.at));
    Ok(history)
}

async fn deployment_of(app: &App, ci: &Ci) -> Result<Option<Deployment>, Trouble> {
    match ci.deployment {
        Some(id) => store::deployment::find(&app.store, id).await.map_err(database),
        None => Ok(None),
    }
}

/// What others made of the machine that this CI stands for.
async fn by_hand(app: &App, ci: &Ci, deployment: Option<&Deployment>, at: DateTime<Utc>) -> Result<ByHand, Trouble> {
    let Some(deployment) = deployment.filter(|_| ci.class == CiClass::VirtualMachine) else {
        return Ok(ByHand::default());
    };
    Ok(sighting::seen_of(app, &[deployment.id], at).await?.of(ci, &deployment.site))
}

async fn views(
    app: &App,
    ci: &Ci,
    deployment: Option<&Deployment>,
    report: Option<&Report>,
    at: DateTime<Utc>,
) -> Result<Views, Trouble> {
    let live = match ci.deployment {
        Some(deployment) if ci.class != CiClass::Workload => {
            let rows = store::resource::standing(&app.store, deployment).await.map_err(database)?;
            Some(rows.iter().any(|row| row.live_at.is_some() && describes(&ci.key, &row.key)))
        }
        _ => None,
    };
    let lease_until = deployment.filter(|it| it.ended_at.is_none()).map(|it| it.lease.removal(it.lease.until));
    let drift = match ci.deployment {
        Some(deployment) => {
            let drifts = store::node::drifts(&app.store, &[deployment], at).await.map_err(database)?;
            drift_of(ci, drifts.get(&deployment))
        }
        None => None,
    };
    let reported_at = report.and_then(|report| report.complete_at);
    Ok(Views { live, lease_until, reported_at, drift, ..Views::default() })
}

/// What was found on the machine of this CI, of all that drifted in its deployment.
pub(crate) fn drift_of(ci: &Ci, drifts: Option<&Vec<(String, String)>>) -> Option<String> {
    let of_it = drifts?.iter().find(|(about, _)| ci.key == *about || describes(&ci.key, about));
    of_it.map(|(_, drift)| drift.clone())
}

/// What runs in the containers of a deployment, and what its engine told last; nothing for one that holds none.
#[derive(Clone, Debug)]
pub struct Running {
    pub containers: Vec<Seen>,
    pub report: Option<Report>,
}

/// What runs now in the containers of these CIs, of which the person may see every one.
pub(crate) async fn running(app: &App, cis: &[Ci]) -> Result<Option<Running>, Trouble> {
    let of = |class| cis.iter().filter(move |ci| ci.class == class).map(|ci| ci.id);
    let engines: Vec<CiId> = of(CiClass::ContainerEngine).collect();
    let holders: Vec<CiId> = engines.iter().copied().chain(of(CiClass::Workload)).collect();
    if holders.is_empty() {
        return Ok(None);
    }
    let now = app.clock.now();
    let containers =
        store::workload::containers(&app.store, &holders, now, SHOWN_CONTAINERS).await.map_err(database)?;
    let report = store::workload::reports(&app.store, &engines).await.map_err(database)?.pop();
    Ok(Some(Running { containers, report }))
}

/// Whether the CI with this key describes a part of the object with that key.
pub(crate) fn describes(ci_key: &str, object_key: &str) -> bool {
    ci_key.strip_prefix(object_key).is_some_and(|part| part.starts_with('/'))
}

/// Follows relations from one CI, a statement a step; CIs outside the scope end the way.
async fn impact(app: &App, scope: &Scope, from: CiId, affected: bool, at: DateTime<Utc>) -> Result<Reach, Trouble> {
    let mut seen = BTreeSet::from([from]);
    let mut edge = vec![from];
    let mut all: BTreeMap<(CiId, Relation, CiId), Hop> = BTreeMap::new();
    let mut is_cut = false;
    for _ in 0..DEPTH {
        let (hops, more) = store::ci::neighbours(&app.store, scope, &edge, affected, at).await.map_err(database)?;
        is_cut |= more;
        edge.clear();
        for hop in hops {
            if seen.insert(hop.ci) {
                edge.push(hop.ci);
            }
            all.insert((hop.from, hop.relation, hop.to), hop);
        }
    }
    Ok(Reach { hops: all.into_values().collect(), is_cut })
}

/// Attributes in the order of the class, then those that it does not know; required ones that nobody told are shown
/// as missing.
fn told(ci: &Ci, mut attributes: Attributes) -> Vec<Told> {
    let mut all = Vec::new();
    for expected in ci.class.expectations() {
        let said = attributes.remove(expected.name).filter(|said| !said.value.is_null());
        if said.is_none() && !expected.required {
            continue;
        }
        all.push(Told {
            name: expected.name.to_owned(),
            title: expected.title.to_owned(),
            value: said.as_ref().map_or_else(String::new, |said| in_words(&said.value)),
            authority: Some(expected.authority),
            misfit: ci.misfits.iter().any(|name| name == expected.name),
            said,
        });
    }
    for (name, said) in attributes.into_iter().filter(|(_, said)| !said.value.is_null()) {
        let value = in_words(&said.value);
        all.push(Told { title: spelled(&name), name, value, authority: None, said: Some(said), misfit: false });
    }
    all
}

/// A value as people read it.
pub fn in_words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The title of a field of the record or of an attribute.
pub fn title_of(ci: &Ci, field: &str) -> String {
    let known = match field {
        "platform" => Some("Platform responsible"),
        "application" => Some("Application responsible"),
        "retired_at" => Some("Retired at"),
        "gaps" => Some("Missing attributes"),
        "misfits" => Some("Attributes of the wrong kind"),
        _ => ci.class.expects(field).map(|expected| expected.title),
    };
    known.map_or_else(|| spelled(field), str::to_owned)
}

fn spelled(name: &str) -> String {
    let name = name.replace('_', " ");
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn by_day(history: Vec<Change>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for change in history {
        let date = change.at.date_naive();
        match days.last_mut() {
            Some(day) if day.date == date => day.changes.push(change),
            _ => days.push(Day { date, changes: vec![change] }),
        }
    }
    days
}

#[cfg(test)]
mod tests;
