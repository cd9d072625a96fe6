//! The CMDB audit report: what exists, who ordered and approved it, who answers for it, and what is wrong.
//!
//! The page, the CSV and the JSON read the same rows and the same figures of one instant; the SHA-256 over them says so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::audit::BEGINNING;
use domain::audit_report::filing::Filing;
use domain::audit_report::sampling::{Draw, DrawnCi, Sample};
use domain::audit_report::{Counting, Duty, Figures, Responsible, Row, Unregistered};
use domain::ci::past::rewind;
use domain::ci::{Ci, CiClass};
use domain::finding::{FindingKind, Views};
use domain::ids::{CiId, DeploymentId};
use domain::person::{Principal, Scope};
use domain::trouble::Trouble;
use domain::workload::BLIND_AFTER;
use futures::Stream;
use serde::{Deserialize, Serialize};
use store::audit_report::Facts;
pub use store::audit_report::change::{Changed, Changes};
pub use store::audit_report::{Engine, Ordered, Running};
use uuid::Uuid;

use crate::ci::{describes, drift_of};
use crate::sighting::{self, Seen, SiteSeen};
use crate::{App, database};

pub mod filing;
mod press;
mod sampling;

pub use press::Press;

/// Rows that are read at once.
pub const STRIDE: usize = 1_000;
/// Rows that a page shows.
pub const PAGE: usize = 25;
/// CIs with findings that the page lists; the files list all.
const LISTED: usize = 100;
/// Changes that the report lists.
const CHANGES: u64 = 1_000;
/// How far back the report tells what was ordered.
const PERIOD: TimeDelta = TimeDelta::days(30);

/// The report, without the population, which [`population`] reads a page at a time.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuditReport {
    pub figures: Figures,
    /// Over the rows, the unregistered objects and the figures, each as one line of JSON with a newline.
    pub sha256: String,
    /// Whether all of the installation is in the report, or only the person's projects.
    pub everything: bool,
    /// Who answers for how many CIs, those with most findings first.
    pub duties: Vec<(Responsible, Duty)>,
    /// The first CIs with findings.
    pub listed: Vec<Row>,
    /// The first page of the population; [`rows`] goes on after it.
    pub first: Vec<Row>,
    pub unregistered: Vec<Unregistered>,
    pub engines: Vec<Engine>,
    /// When the machines of each site were last looked at.
    pub sites: Vec<SiteSeen>,
    pub running: Vec<Running>,
    pub ordered: Vec<Ordered>,
    /// What changed since the last report was filed, or in the period.
    #[serde(default)]
    pub changes: Changes,
    /// For a spot check; nothing in a report of an earlier day, whose things nobody can look for any more.
    #[serde(default)]
    pub sample: Option<Sample>,
    /// Where it is filed, and what its parts are known by; nothing for a report of the present.
    #[serde(skip)]
    pub(crate) filed: Option<(Filing, Uuid)>,
}

impl AuditReport {
    /// Where the report is filed; nothing for one that was compiled just now.
    pub fn filing(&self) -> Option<&Filing> {
        self.filed.as_ref().map(|(filing, _)| filing)
    }

    /// Whether the engine told nothing for a day before the report's instant.
    pub fn is_blind(&self, engine: &Engine) -> bool {
        self.figures.as_of - engine.complete_at.unwrap_or(engine.created_at) >= BLIND_AFTER
    }

    /// How many CIs have this finding.
    pub fn found(&self, kind: FindingKind) -> u64 {
        self.figures.findings.get(kind.word()).copied().unwrap_or_default()
    }
}

/// The report of what the person may see, now or as of an instant.
pub async fn compile(app: &App, who: &Principal, as_of: Option<DateTime<Utc>>) -> Result<Arc<AuditReport>, Trouble> {
    match as_of {
        Some(_) => of_scope(app, who.scope(), as_of, None).await.map(Arc::new),
        None => app.press.print(app, who.scope()).await,
    }
}

/// The report of everything, for whoever runs the program on its own machine.
pub async fn of_everything(app: &App, as_of: Option<DateTime<Utc>>) -> Result<AuditReport, Trouble> {
    of_scope(app, Scope::Everything, as_of, None).await
}

/// Compiles a report in one pass over its population, which the binder keeps where the report is filed.
async fn of_scope(
    app: &App,
    scope: Scope,
    as_of: Option<DateTime<Utc>>,
    mut binder: Option<&mut filing::Binder>,
) -> Result<AuditReport, Trouble> {
    let now = app.clock.now();
    let at = as_of.filter(|at| *at < now).unwrap_or(now);
    let engines = store::audit_report::engines(&app.store, &scope, at).await.map_err(database)?;
    let last = store::audit_report::filing::last(&app.store).await.map_err(database)?;
    let mut counting = Counting::new(at);
    let mut draw = Draw::new(seed(last.as_ref(), at));
    let (mut first, mut listed) = (Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let (rows, next) = read(app, &scope, at, (after, STRIDE), &engines).await?;
        if let Some(binder) = binder.as_deref_mut().filter(|_| !rows.is_empty()) {
            binder.keep(&rows).await?;
        }
        for row in rows {
            counting.add(&row);
            draw.pass(&row);
            if first.len() < PAGE {
                first.push(row.clone());
            }
            if listed.len() < LISTED && !row.findings.is_empty() {
                listed.push(row);
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    let unregistered = store::audit_report::unregistered(&app.store, &scope, at).await.map_err(database)?;
    let objects = store::audit_report::objects(&app.store, &scope, at).await.map_err(database)?;
    counting.add_objects(u64::try_from(objects).unwrap_or_default(), &unregistered);
    let (figures, mut duties, sha256) = counting.finish();
    duties.sort_by_key(|(_, duty)| std::cmp::Reverse((duty.with_findings, duty.cis)));
    let sample = match as_of {
        Some(_) => None,
        None => Some(sample(app, &scope, seed(last.as_ref(), at), draw).await?),
    };
    Ok(AuditReport {
        changes: changes(app, &scope, last.as_ref(), at).await?,
        sample,
        figures,
        sha256,
        everything: scope == Scope::Everything,
        duties,
        listed,
        first,
        unregistered,
        engines,
        sites: sighting::sites_of(app, &scope, at).await?,
        running: store::audit_report::running(&app.store, &scope, at).await.map_err(database)?,
        ordered: store::audit_report::ordered(&app.store, &scope, at - PERIOD, at).await.map_err(database)?,
        filed: None,
    })
}

/// The seed of a report's sample: nobody knew the moment when the report before was sealed.
fn seed(last: Option<&Filing>, at: DateTime<Utc>) -> String {
    format!("{} {}", last.map_or(BEGINNING, |last| &last.hash), at.to_rfc3339())
}

async fn sample(app: &App, scope: &Scope, seed: String, cis: Draw<DrawnCi>) -> Result<Sample, Trouble> {
    let things = sampling::things(app, scope, &seed).await?;
    Ok(Sample { cis: cis.finish(), things, seed })
}

/// What changed since the last report of everything was filed, or in the period.
async fn changes(app: &App, scope: &Scope, last: Option<&Filing>, at: DateTime<Utc>) -> Result<Changes, Trouble> {
    let last = last.filter(|last| *scope == Scope::Everything && last.as_of < at);
    let since = last.map_or(at - PERIOD, |last| last.as_of);
    let found =
        store::audit_report::change::changes(&app.store, scope, (since, at), CHANGES).await.map_err(database)?;
    Ok(Changes { since_report: last.map(|last| last.number), ..found })
}

/// The next rows of the population of a report of that instant, at most `limit`, and the CI that those left come after.
pub async fn rows(
    app: &App,
    who: &Principal,
    at: DateTime<Utc>,
    after: Option<CiId>,
    limit: usize,
) -> Result<(Vec<Row>, Option<CiId>), Trouble> {
    let scope = who.scope();
    let engines = store::audit_report::engines(&app.store, &scope, at).await.map_err(database)?;
    read(app, &scope, at, (after, limit), &engines).await
}

/// All rows of a report's population, a page of [`STRIDE`] at a time: of a filed one as they were filed.
pub fn population(
    app: App,
    who: Principal,
    report: &AuditReport,
) -> impl Stream<Item = Result<Vec<Row>, Trouble>> + use<> {
    let (at, draft) = (report.figures.as_of, report.filed.as_ref().map(|(_, draft)| *draft));
    futures::stream::try_unfold(Some(Place::default()), move |place| {
        let (app, who) = (app.clone(), who.clone());
        async move {
            let Some(place) = place else { return Ok(None) };
            match draft {
                Some(draft) => {
                    let rows = filing::rows_of(&app, draft, place.part).await?;
                    Ok(rows.map(|rows| (rows, Some(Place { part: place.part + 1, after: None }))))
                }
                None => {
                    let (rows, next) = self::rows(&app, &who, at, place.after, STRIDE).await?;
                    Ok(Some((rows, next.map(|after| Place { part: 0, after: Some(after) }))))
                }
            }
        }
    })
}

/// How far the population was read: to which part of a filed report, or after which CI of the present.
#[derive(Clone, Copy, Default)]
struct Place {
    part: i64,
    after: Option<CiId>,
}

/// Reads a page of the population as it was then: at most nine statements whatever its length.
async fn read(
    app: &App,
    scope: &Scope,
    at: DateTime<Utc>,
    (after, limit): (Option<CiId>, usize),
    engines: &[Engine],
) -> Result<(Vec<Row>, Option<CiId>), Trouble> {
    // One more than wanted tells whether any are left.
    let more = u64::try_from(limit).map_err(Trouble::bug)? + 1;
    let mut cis = store::audit_report::cis(&app.store, scope, at, after, more).await.map_err(database)?;
    let left = cis.len() > limit;
    cis.truncate(limit);
    let next = cis.last().filter(|_| left).map(|ci| ci.id);
    let then = as_then(app, cis, at).await?;
    let mut deployments: Vec<DeploymentId> = then.iter().filter_map(|ci| ci.deployment).collect();
    deployments.sort_unstable();
    deployments.dedup();
    let facts = store::audit_report::facts(&app.store, &deployments, at).await.map_err(database)?;
    let drifts = store::node::drifts(&app.store, &deployments, at).await.map_err(database)?;
    let seen = sighting::seen_of(app, &deployments, at).await?;
    let reports: HashMap<CiId, &Engine> = engines.iter().map(|engine| (engine.id.into(), engine)).collect();
    let row_of = |ci: Ci| {
        let drift = ci.deployment.and_then(|deployment| drift_of(&ci, drifts.get(&deployment)));
        row(ci, &facts, &reports, drift, &seen, at)
    };
    Ok((then.into_iter().map(row_of).collect(), next))
}

/// The CIs as they were at an instant; those that did not change since cost nothing.
async fn as_then(app: &App, cis: Vec<Ci>, at: DateTime<Utc>) -> Result<Vec<Ci>, Trouble> {
    let changed: Vec<CiId> = cis.iter().filter(|ci| ci.changed_at > at).map(|ci| ci.id).collect();
    if changed.is_empty() {
        return Ok(cis);
    }
    let later = store::audit_report::changes_after(&app.store, &changed, at).await.map_err(database)?;
    let last = store::audit_report::last_changes(&app.store, &changed, at).await.map_err(database)?;
    let then = |mut ci: Ci| {
        if let Some(changes) = later.get(&ci.id) {
            ci = rewind(ci, changes)?;
        }
        ci.changed_at = last.get(&ci.id).copied().unwrap_or(ci.changed_at);
        Some(ci)
    };
    Ok(cis.into_iter().filter_map(then).collect())
}

fn row(
    ci: Ci,
    facts: &HashMap<DeploymentId, Facts>,
    engines: &HashMap<CiId, &Engine>,
    drift: Option<String>,
    seen: &Seen,
    at: DateTime<Utc>,
) -> Row {
    let facts = ci.deployment.and_then(|deployment| facts.get(&deployment));
    let by_hand = facts.map(|facts| seen.of(&ci, &facts.site)).unwrap_or_default();
    let made_by_a_step = ci.class != CiClass::Workload;
    let views = Views {
        live: facts.filter(|_| made_by_a_step).map(|facts| facts.live.iter().any(|key| describes(&ci.key, key))),
        lease_until: facts.and_then(|facts| facts.lease_until),
        // A later answer says that the engine could be asked then as well.
        reported_at: engines.get(&ci.id).and_then(|engine| engine.complete_at).map(|told| told.min(at)),
        drift,
        by_hand: by_hand.findings,
    };
    Row::judged(ci, facts.map(|facts| facts.origin.clone()), views, by_hand.not_evaluated, at)
}

/// The formulas of the figures, by the word of the figure.
pub fn formulas() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        (
            "registered",
            "Live machines, pools, spaces and registrations in the ledger that have a CI, divided by all of them.",
        ),
        ("complete", "Current CIs with every attribute that their class requires, divided by all current CIs."),
        (
            "correct",
            "Current CIs with no finding that the record is wrong (all kinds but not in the CMDB, without owner and incomplete), divided by all current CIs that could be evaluated.",
        ),
        (
            "owned",
            "Current CIs with a platform responsible and an application responsible, divided by all current CIs.",
        ),
        (
            "traced",
            "Current CIs of a deployment whose request is on record, divided by all current CIs of a deployment.",
        ),
    ])
}

#[cfg(test)]
mod tests;
