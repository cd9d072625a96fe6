//! Walking the three views as they were at one instant, a page of each in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter::Peekable;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ci::{Ci, CiClass, Lifecycle, Relation};
use domain::finding::life::Matter;
use domain::finding::{Finding, FindingKind, Views, findings};
use domain::ids::{CiId, DeploymentId};
use domain::moment::written;
use domain::person::Scope;
use domain::reconcile::coverage::Coverage;
use domain::reconcile::judge::{Outcome, reconcile};
use domain::reconcile::ledger::{Object, records};
use domain::reconcile::record::{Record, Standing};
use domain::reconcile::rules::Rules;
use domain::reconcile::run::Look;
use domain::sighting::{Episode, findings_of};
use domain::trouble::Trouble;
use serde_json::{Value, json};
use store::reconcile::view::{self, CiRow, ContainerRow, Glimpse, LedgerRow, MachineRow};
use store::{DbErr, Snapshot};
use tokio::runtime::Handle;

use crate::ci::{describes, drift_of};
use crate::{App, database, sighting};

/// Rows of each view that are read at once.
const PAGE: usize = 1_000;
/// After how long without a complete answer nobody knows what an engine runs.
const STALE: TimeDelta = TimeDelta::minutes(15);
/// What is found of a CI by itself. All else is found by comparing.
const SOLO: [FindingKind; 8] = [
    FindingKind::ExpiredButRunning,
    FindingKind::BlindContainerHost,
    FindingKind::SwitchedOff,
    FindingKind::ChangedByHand,
    FindingKind::Drifted,
    FindingKind::Ownerless,
    FindingKind::Incomplete,
    FindingKind::Misfit,
];

/// What was looked at, when and how completely.
pub(super) struct World {
    pub(super) at: DateTime<Utc>,
    pub(super) rules: &'static Rules,
    pub(super) looks: Vec<Look>,
    pub(super) coverage: Coverage,
    /// When each site was last looked at.
    sites: BTreeMap<String, Option<DateTime<Utc>>>,
    /// When each container engine last told everything that it runs.
    engines: HashMap<CiId, Option<DateTime<Utc>>>,
}

impl World {
    pub(super) async fn of(app: &App, rules: &'static Rules, at: DateTime<Utc>) -> Result<Arc<Self>, Trouble> {
        let mut world = Self {
            at,
            rules,
            looks: Vec::new(),
            coverage: Coverage::default(),
            sites: BTreeMap::new(),
            engines: HashMap::new(),
        };
        for site in sighting::sites(app, at).await? {
            let why = site.unseen.as_ref().map(|unseen| unseen.told(&site.title));
            world.look(CiClass::VirtualMachine, &site.name, &site.title, (site.looked_at, why));
            world.sites.insert(site.name, site.looked_at);
        }
        let engines = store::audit_report::engines(&app.store, &Scope::Everything, at).await.map_err(database)?;
        let ids: Vec<CiId> = engines.iter().map(|engine| engine.id.into()).collect();
        let reports = store::workload::reports(&app.store, &ids).await.map_err(database)?;
        let reports: HashMap<CiId, _> = reports.into_iter().map(|report| (report.engine, report)).collect();
        for engine in engines {
            let report = reports.get(&engine.id.into());
            let told_at = report.and_then(|report| report.complete_at);
            let why = report.and_then(|report| report.why.clone()).or_else(|| silent_since(told_at, at));
            for class in [CiClass::ContainerEngine, CiClass::Workload] {
                world.look(class, &engine.id.to_string(), &engine.name, (told_at, why.clone()));
            }
            world.engines.insert(engine.id.into(), told_at);
        }
        Ok(Arc::new(world))
    }

    fn look(&mut self, class: CiClass, scope: &str, title: &str, told: (Option<DateTime<Utc>>, Option<String>)) {
        let (looked_at, why) = told;
        self.coverage = std::mem::take(&mut self.coverage).looked(class, scope, why.is_none());
        self.looks.push(Look { class, scope: scope.to_owned(), title: title.to_owned(), looked_at, why });
    }

    /// Whether the engine answered lately, with all that it runs.
    fn answers(&self, engine: CiId) -> bool {
        self.coverage.is_complete(CiClass::ContainerEngine, &engine.to_string())
    }

    /// Where a machine would be missed: at its site, unless it is there or gone for so short a time that it may be on its
    /// way.
    fn scope_of_machine<'s>(&self, site: &'s str, live: Option<DateTime<Utc>>, glimpse: Option<Glimpse>) -> &'s str {
        let fresh = |since: DateTime<Utc>| since > self.at - self.rules.grace;
        let is_fresh = match glimpse {
            Some(Glimpse { absent, seen_from }) => absent && fresh(seen_from),
            // Nobody has looked since it came to be.
            None => live.is_none_or(|live| fresh(live) || self.sites.get(site).copied().flatten() < Some(live)),
        };
        if is_fresh { "" } else { site }
    }
}

/// Why nobody knows what an engine runs whose last complete answer came then; nothing where that is known.
fn silent_since(told_at: Option<DateTime<Utc>>, at: DateTime<Utc>) -> Option<String> {
    match told_at {
        Some(told) if at - told <= STALE => None,
        Some(told) => Some(format!("It last told what it runs on {}.", written(told))),
        None => Some("It never told what it runs.".to_owned()),
    }
}

/// The part of the world in which a CI of this class is looked for, whatever is known of it at the moment.
pub(super) fn scope_of(class: CiClass, key: &str, ci: Option<CiId>, site: Option<&str>) -> String {
    match class {
        CiClass::VirtualMachine => site.unwrap_or_default().to_owned(),
        CiClass::ContainerEngine => ci.map(|ci| ci.to_string()).unwrap_or_default(),
        CiClass::Workload => engine_of(key).to_owned(),
        _ => String::new(),
    }
}

/// The engine that a workload's key names.
fn engine_of(key: &str) -> &str {
    key.strip_prefix("workload/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// Something that was found, of the thing with this key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) class: CiClass,
    pub(super) matter: Matter,
}

/// What a walk came to.
pub(super) struct Walked {
    pub(super) items: Vec<Item>,
    pub(super) outcome: Outcome,
}

/// Walks the views as they are now. Whoever walks waits for pages, and so does it on a thread of its own.
pub(super) async fn walk(app: &App, world: Arc<World>) -> Result<Walked, Trouble> {
    let snapshot = app.store.snapshot().await.map_err(database)?;
    let pages = Handle::current();
    let walked = tokio::task::spawn_blocking(move || Walk { snapshot, world, pages }.go());
    walked.await.map_err(Trouble::bug)?
}

struct Walk {
    snapshot: Snapshot,
    world: Arc<World>,
    pages: Handle,
}

impl Walk {
    fn go(self) -> Result<Walked, Trouble> {
        let found: RefCell<Vec<Item>> = RefCell::default();
        let ledger = Paged::of(|after: Option<String>| {
            let rows = self.pages.block_on(view::ledger(&self.snapshot, after.as_deref(), PAGE))?;
            let next = next(&rows, |row| &row.key);
            Ok((rows.into_iter().flat_map(|row| self.ledger(row)).collect(), next))
        });
        let machines = Paged::of(|after: Option<String>| {
            let rows = self.pages.block_on(view::machines(&self.snapshot, after.as_deref(), PAGE))?;
            let next = next(&rows, |row| &row.key);
            Ok((rows.into_iter().filter(|row| !row.under_way).map(machine).collect(), next))
        });
        let containers = Paged::of(|after: Option<String>| {
            let rows = self.pages.block_on(view::containers(&self.snapshot, after.as_deref(), PAGE))?;
            let next = next(&rows, |row| &row.key);
            Ok((rows.into_iter().filter_map(|row| self.running(row)).collect(), next))
        });
        let cmdb = Paged::of(|after: Option<String>| {
            let gone_after = self.world.at - self.world.rules.grace;
            let rows = self.pages.block_on(view::cis(&self.snapshot, after.as_deref(), PAGE, gone_after))?;
            let next = next(&rows, |row| &row.ci.key);
            found.borrow_mut().extend(self.pages.block_on(self.shown(&rows))?);
            Ok((rows.into_iter().map(|row| self.record(row)).collect(), next))
        });
        let reality = Merged { one: machines.peekable(), other: containers.peekable() };
        let judged = reconcile(ledger, reality, cmdb, (self.world.rules, &self.world.coverage), |difference| {
            let matter = Matter::Differs(difference.what);
            found.borrow_mut().push(Item { key: difference.key, class: difference.class, matter });
        });
        let outcome = judged.map_err(Trouble::bug)?;
        if !outcome.totals.add_up() {
            return Err(Trouble::bug("the control totals of a reconcile do not add up"));
        }
        Ok(Walked { items: found.into_inner(), outcome })
    }

    fn ledger(&self, row: LedgerRow) -> Vec<Record> {
        let scope = self.world.scope_of_machine(&row.site, row.live_at, row.glimpse).to_owned();
        records(&Object {
            key: row.key,
            kind: row.kind,
            native_id: row.native_id,
            attributes: row.attributes,
            state: row.state,
            site: row.site,
            scope,
            under_way: row.under_way,
            software: row.software,
        })
    }

    /// An engine that answers, or a workload that runs somewhere.
    fn running(&self, row: ContainerRow) -> Option<Record> {
        if row.class == CiClass::ContainerEngine {
            let answers = self.world.answers(row.ci);
            return answers.then(|| Record::of(&row.key, row.class).at(&row.ci.to_string()).finish());
        }
        let told = |of: fn(&(String, String, String)) -> &String| -> BTreeSet<&str> {
            row.containers.iter().map(|container| of(container).as_str()).collect()
        };
        let (images, digests, engines) = (told(|it| &it.0), told(|it| &it.1), told(|it| &it.2));
        if engines.is_empty() {
            return None;
        }
        let image = images.into_iter().collect::<Vec<_>>().join(", ");
        let draft = Record::of(&row.key, row.class)
            .at(engine_of(&row.key))
            .tell("image", &Value::from(image))
            .tell("digests", &json!(digests));
        Some(engines.into_iter().fold(draft, |draft, engine| draft.link(Relation::RunsOn, engine)).finish())
    }

    fn record(&self, row: CiRow) -> Record {
        let ci = &row.ci;
        let standing = match ci.lifecycle {
            _ if row.under_way => Standing::Due,
            Lifecycle::Planned | Lifecycle::Building => Standing::Due,
            Lifecycle::Operational => Standing::Stands,
            Lifecycle::Retired => Standing::Over,
        };
        let site = row.site.as_deref().unwrap_or_default();
        let natural = scope_of(ci.class, &ci.key, Some(ci.id), Some(site));
        let scope = match ci.class {
            CiClass::VirtualMachine => self.world.scope_of_machine(site, row.live_at, row.glimpse),
            _ if row.just_gone => "",
            _ => natural.as_str(),
        };
        let draft = Record::of(&ci.key, ci.class).at(scope).standing(standing);
        let draft = row.attributes.iter().fold(draft, |draft, (name, value)| draft.tell(name, value));
        row.relations.iter().fold(draft, |draft, (relation, to)| draft.link(*relation, to)).finish()
    }

    /// What CIs show by themselves: two statements.
    async fn shown(&self, rows: &[CiRow]) -> Result<Vec<Item>, DbErr> {
        let deployments: BTreeSet<DeploymentId> = rows.iter().filter_map(|row| row.ci.deployment).collect();
        let deployments: Vec<DeploymentId> = deployments.into_iter().collect();
        let at = self.world.at;
        let drifts = store::node::drifts(&self.snapshot, &deployments, at).await?;
        let episodes = store::sighting::deviations(&self.snapshot, &deployments, at, false).await?;
        let of_ci = |row: &CiRow| {
            let of_it = row.ci.deployment.and_then(|deployment| episodes.get(&deployment));
            let views = Views {
                live: None,
                lease_until: row.lease_until,
                reported_at: self.world.engines.get(&row.ci.id).copied().flatten(),
                drift: row.ci.deployment.and_then(|deployment| drift_of(&row.ci, drifts.get(&deployment))),
                by_hand: of_it.map(|of_it| by_hand(&row.ci, of_it)).unwrap_or_default(),
            };
            let found = findings(&row.ci, &views, at).into_iter().filter(|finding| SOLO.contains(&finding.kind));
            let item = |finding| Item { key: row.ci.key.clone(), class: row.ci.class, matter: Matter::Shows(finding) };
            found.map(item).collect::<Vec<_>>()
        };
        Ok(rows.iter().filter(|row| !row.under_way).flat_map(of_ci).collect())
    }
}

/// What others made of the machine that this CI stands for, but for what is compared attribute by attribute.
fn by_hand(ci: &Ci, episodes: &[(String, Episode)]) -> Vec<Finding> {
    if ci.class != CiClass::VirtualMachine {
        return Vec::new();
    }
    let of_it =
        episodes.iter().filter(|(key, episode)| describes(&ci.key, key) && !episode.deviation.is_of_attributes());
    findings_of(&of_it.map(|(_, episode)| episode.clone()).collect::<Vec<_>>())
}

fn machine(row: MachineRow) -> Record {
    Record::of(&format!("{}/machine", row.key), CiClass::VirtualMachine)
        .at(&row.site)
        .tell("host", &Value::from(row.host))
        .tell("cpu", &Value::from(row.cpu))
        .tell("memory_gb", &Value::from(row.memory_gb))
        .finish()
}

/// The key behind which the next page begins; nothing after the last page.
fn next<R>(rows: &[R], key: impl Fn(&R) -> &String) -> Option<String> {
    rows.last().filter(|_| rows.len() == PAGE).map(|last| key(last).clone())
}

/// A view that is read a page at a time, each telling behind which key the next one begins.
struct Paged<F> {
    read: F,
    page: std::vec::IntoIter<Record>,
    /// Where the next page begins; nothing when there is none.
    next: Option<Option<String>>,
}

impl<F: FnMut(Option<String>) -> Result<(Vec<Record>, Option<String>), DbErr>> Paged<F> {
    fn of(read: F) -> Self {
        Self { read, page: Vec::new().into_iter(), next: Some(None) }
    }
}

impl<F: FnMut(Option<String>) -> Result<(Vec<Record>, Option<String>), DbErr>> Iterator for Paged<F> {
    type Item = Result<Record, DbErr>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            match (self.read)(self.next.take()?) {
                Ok((page, after)) => {
                    self.page = page.into_iter();
                    self.next = after.map(Some);
                }
                Err(cause) => return Some(Err(cause)),
            }
        }
    }
}

/// Two sources as one, in the order of their keys.
struct Merged<A: Iterator, B: Iterator> {
    one: Peekable<A>,
    other: Peekable<B>,
}

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = Result<Record, DbErr>>,
    B: Iterator<Item = Result<Record, DbErr>>,
{
    type Item = Result<Record, DbErr>;

    fn next(&mut self) -> Option<Self::Item> {
        let of_other = match (self.one.peek(), self.other.peek()) {
            (Some(Ok(one)), Some(Ok(other))) => other.key() < one.key(),
            (one, _) => one.is_none(),
        };
        if of_other { self.other.next() } else { self.one.next() }
    }
}
