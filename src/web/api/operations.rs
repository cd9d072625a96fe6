//! The platform at a glance, for operators: what needs a person, what goes on, who carries it, what waits.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;
use app::operations::{self, Listed, Overview, Provider, QueuedOf};
use app::sighting::SiteSeen;
use chrono::{DateTime, Utc};
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::Caller;
use super::connectors::ConnectorDetails;
use super::endpoint::Endpoint;
use super::runs::RunEntry;
use super::tasks::TaskEntry;

/// The platform at a glance.
#[derive(Serialize, ToSchema)]
pub struct OperationsOverview {
    /// Whether the disk of the database is full, so that nothing can be written.
    disk_is_full: bool,
    /// How many runs stand in each state that is not an end.
    runs: BTreeMap<String, u64>,
    /// Runs that are paused or stuck, newest first.
    need_a_person: Vec<RunEntry>,
    /// What people were asked to do and did not do in time, longest overdue first.
    overdue: Vec<TaskEntry>,
    /// Runs that go on or wait in line, newest first.
    under_way: Vec<RunEntry>,
    /// Runs that ended last.
    ended: Vec<RunEntry>,
    workers: Vec<WorkerDetails>,
    duties: DutyDetails,
    /// The outside systems that actions call.
    providers: Vec<ProviderDetails>,
    /// When the machines of each site were last looked at.
    sites: Vec<SiteDetails>,
    /// The company's CMDBs that ours is carried to.
    connectors: Vec<ConnectorDetails>,
    /// Runs that wait for a worker.
    queue: u64,
    /// The same by project, those with most first.
    queued: Vec<QueuedDetails>,
    /// Mails by what became of them: `kept`, `queued`, `sent` or `refused`.
    mails: BTreeMap<String, u64>,
}

/// A worker as it last told of itself.
#[derive(Serialize, ToSchema)]
pub struct WorkerDetails {
    name: String,
    host: String,
    /// `running`, `stopped` or `lost`.
    state: String,
    /// How many runs it carries at once.
    places: usize,
    /// How many it carries now.
    busy: usize,
    started_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
}

/// Who sends mails, reminds approvers and ends leases: one process at a time.
#[derive(Serialize, ToSchema)]
pub struct DutyDetails {
    /// Whether somebody does them now.
    done: bool,
    /// The process that does them, or did until it fell silent.
    process: Option<String>,
    since: Option<DateTime<Utc>>,
}

/// An outside system, as its callers find it.
#[derive(Serialize, ToSchema)]
pub struct ProviderDetails {
    name: String,
    /// `answers` or `away`.
    state: &'static str,
    away_since: Option<DateTime<Utc>>,
    /// When it is called again, to see whether it is back.
    next_try: Option<DateTime<Utc>>,
    /// What the last call came to, while it is away.
    why: Option<String>,
    /// Steps that wait for it to answer.
    waiting: u64,
    /// Calls that are under way.
    calls: u64,
    /// How many it gets side by side.
    places: u64,
    /// Whether that holds for all workers together, or for each of them.
    shared: bool,
    /// Steps that wait for a place.
    in_line: u64,
    /// Since when the first of them waits.
    in_line_since: Option<DateTime<Utc>>,
}

/// A site, and whether its machines are evaluated.
#[derive(Serialize, ToSchema)]
pub struct SiteDetails {
    name: String,
    /// The last look that saw all of its machines.
    looked_at: Option<DateTime<Utc>>,
    /// Whether it can be looked at; what can't is not evaluated.
    evaluated: bool,
    /// Since when it is not, and why.
    not_evaluated_since: Option<DateTime<Utc>>,
    why: Option<String>,
}

/// Runs of a project that wait for a worker.
#[derive(Serialize, ToSchema)]
pub struct QueuedDetails {
    project: String,
    number: u64,
    /// Since when the first of them waits.
    since: Option<DateTime<Utc>>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let overview = Endpoint::get("/operations", index).is("Operations", "The platform at a glance");
    vec![overview.needs(TokenScope::Read).gives::<OperationsOverview>()]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let overview = operations::overview(&house, caller.may(TokenScope::Read)?).await?;
    Ok(HttpResponse::Ok().json(OperationsOverview::from(overview)))
}

impl From<Overview> for OperationsOverview {
    fn from(overview: Overview) -> Self {
        let entries = |runs: Vec<app::run::RunSummary>| runs.into_iter().map(RunEntry::from).collect();
        Self {
            disk_is_full: overview.disk_is_full,
            runs: overview.open.into_iter().map(|(state, count)| (state.word().to_owned(), count)).collect(),
            need_a_person: entries(overview.need_a_person.into_iter().map(|halted| halted.run).collect()),
            overdue: overview.overdue.iter().map(|task| TaskEntry::of(task, overview.now)).collect(),
            under_way: overview.under_way.into_iter().map(RunEntry::from).collect(),
            ended: entries(overview.ended),
            workers: overview.workers.into_iter().map(WorkerDetails::from).collect(),
            duties: DutyDetails {
                done: !overview.duty.is_over,
                process: overview.duty.holder,
                since: overview.duty.held_since,
            },
            connectors: overview.connectors.into_iter().map(ConnectorDetails::from).collect(),
            sites: overview.sites.into_iter().map(SiteDetails::from).collect(),
            providers: overview.providers.into_iter().map(ProviderDetails::from).collect(),
            queue: overview.queue.number,
            queued: overview.backlogs.into_iter().map(QueuedDetails::from).collect(),
            mails: overview.mails.into_iter().map(|(state, count)| (state.word().to_owned(), count)).collect(),
        }
    }
}

impl From<Listed> for WorkerDetails {
    fn from(listed: Listed) -> Self {
        let Listed { worker, state } = listed;
        Self {
            name: worker.name,
            host: worker.host,
            state: state.to_owned(),
            places: worker.places,
            busy: worker.busy,
            started_at: worker.started_at,
            seen_at: worker.seen_at,
        }
    }
}

impl From<Provider> for ProviderDetails {
    fn from(provider: Provider) -> Self {
        let outage = provider.outage.as_ref();
        Self {
            state: provider.state(),
            away_since: outage.map(|outage| outage.since),
            next_try: outage.map(|outage| outage.next_try),
            why: outage.map(|outage| outage.why.clone()),
            waiting: provider.waiting,
            calls: provider.calls,
            places: provider.places,
            shared: provider.shared,
            in_line: provider.in_line,
            in_line_since: provider.in_line_since,
            name: provider.name,
        }
    }
}

impl From<QueuedOf> for QueuedDetails {
    fn from(queued: QueuedOf) -> Self {
        Self { project: queued.project, number: queued.number, since: queued.since }
    }
}

impl From<SiteSeen> for SiteDetails {
    fn from(site: SiteSeen) -> Self {
        Self {
            name: site.name,
            looked_at: site.looked_at,
            evaluated: site.unseen.is_none(),
            not_evaluated_since: site.unseen.as_ref().and_then(|unseen| unseen.since),
            why: site.unseen.map(|unseen| unseen.why),
        }
    }
}
