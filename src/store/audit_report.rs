//! What the audit report reads: the population a page at a time, the ledger's side, orders and approvals, and what
//! runs in containers. Every statement is bounded by the scope and asks what was true at one instant.

pub mod change;
pub mod filing;
pub mod thing;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::audit_report::{Origin, Unregistered};
use domain::ci::{Aspect, Change, Ci};
use domain::ids::{CiId, DeploymentId};
use domain::person::Scope;
use domain::reading::Reading;
use domain::request::{RequestKind, RequestState};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::Reads;
use crate::ci::row::{ci, history};
use crate::sql::Sql;

/// The kinds of objects in the ledger that ought to have a CI; a reserved name, for one, ought not.
const REGISTERED_KINDS: &str = "('machine', 'pool', 'space', 'registration')";
/// Findings and changes that one report lists at most.
const MOST_LISTED: u64 = 1_000;
/// Whether nobody was asked to approve request `r`: it was planned, or retires, which is never asked about, and no
/// level of approval was opened for what was ordered in the end.
const ASKED_NOBODY: &str = "r.id IS NOT NULL AND (r.plan IS NOT NULL OR r.kind = 'retire') AND NOT EXISTS \
     (SELECT 1 FROM approval_level l WHERE l.request_id = r.id AND l.revision = r.revision)";

/// The CIs in scope that were registered by then, in the order of their ids, as they are now.
pub async fn cis(
    on: &impl Reads,
    scope: &Scope,
    at: DateTime<Utc>,
    after: Option<CiId>,
    limit: u64,
) -> Result<Vec<Ci>, DbErr> {
    let mut found = ci::Entity::find().filter(ci::Column::CreatedAt.lte(at)).order_by_asc(ci::Column::Id).limit(limit);
    if let Scope::Projects(projects) = scope {
        found = found.filter(ci::Column::ProjectId.is_in(projects.iter().map(|project| project.0)));
    }
    if let Some(after) = after {
        found = found.filter(ci::Column::Id.gt(after.0));
    }
    found.all(on.db()).await?.into_iter().map(ci::Model::into_domain).collect()
}

/// What changed in the records of these CIs after the instant, newest first.
pub async fn changes_after(
    on: &impl Reads,
    ids: &[CiId],
    at: DateTime<Utc>,
) -> Result<HashMap<CiId, Vec<Change>>, DbErr> {
    let rows = history::Entity::find()
        .filter(history::Column::CiId.is_in(ids.iter().map(|id| id.0)))
        .filter(history::Column::At.gt(at))
        .filter(history::Column::Aspect.eq(Aspect::Core.word()))
        .order_by_desc(history::Column::At)
        .order_by_desc(history::Column::Id)
        .all(on.db())
        .await?;
    let mut changes: HashMap<CiId, Vec<Change>> = HashMap::new();
    for row in rows {
        let change = row.into_domain()?;
        changes.entry(change.ci).or_default().push(change);
    }
    Ok(changes)
}

/// When each of these CIs had last changed by the instant.
pub async fn last_changes(
    on: &impl Reads,
    ids: &[CiId],
    at: DateTime<Utc>,
) -> Result<HashMap<CiId, DateTime<Utc>>, DbErr> {
    let rows: Vec<(Uuid, DateTime<Utc>)> = history::Entity::find()
        .select_only()
        .column(history::Column::CiId)
        .column_as(history::Column::At.max(), "last")
        .filter(history::Column::CiId.is_in(ids.iter().map(|id| id.0)))
        .filter(history::Column::At.lte(at))
        .group_by(history::Column::CiId)
        .into_tuple()
        .all(on.db())
        .await?;
    Ok(rows.into_iter().map(|(id, last)| (id.into(), last)).collect())
}

/// What the ledger and the orders say of a deployment.
#[derive(Clone, Debug)]
pub struct Facts {
    pub origin: Origin,
    /// The site where it stands.
    pub site: String,
    /// When its lease, with its grace, ends or ended; nothing once it is gone.
    pub lease_until: Option<DateTime<Utc>>,
    /// Keys of its objects that were live then.
    pub live: Vec<String>,
}

/// What is on record of these deployments: three statements.
pub async fn facts(
    on: &impl Reads,
    deployments: &[DeploymentId],
    at: DateTime<Utc>,
) -> Result<HashMap<DeploymentId, Facts>, DbErr> {
    if deployments.is_empty() {
        return Ok(HashMap::new());
    }
    let mut facts = orders(on, deployments).await?;
    let mut sql = Sql::at(at);
    let ids = sql.bind_all(deployments.iter().map(|id| id.0));
    sql.text = format!(
        "SELECT deployment_id, key FROM resource WHERE deployment_id IN ({ids}) AND live_at IS NOT NULL \
         AND live_at <= $1 AND (gone_at IS NULL OR gone_at > $1)"
    );
    for (deployment, key) in sql.pairs(on).await? {
        if let Some(known) = facts.get_mut(&deployment.into()) {
            known.live.push(key);
        }
    }
    let mut sql = Sql::at(at);
    let ids = sql.bind_all(deployments.iter().map(|id| id.0));
    sql.text = format!(
        "SELECT d.id, p.name FROM deployment d JOIN approval a ON a.request_id = d.request_id \
         JOIN person p ON p.id = a.approver_id \
         WHERE d.id IN ({ids}) AND a.state = 'approved' AND a.decided_at <= $1 ORDER BY a.level, a.decided_at"
    );
    for (deployment, approver) in sql.pairs(on).await? {
        if let Some(known) = facts.get_mut(&deployment.into()) {
            known.origin.approvers.push(approver);
        }
    }
    Ok(facts)
}

#[derive(FromQueryResult)]
struct OrderRow {
    id: Uuid,
    name: String,
    site: String,
    lease_until: DateTime<Utc>,
    grace_days: i64,
    ended_at: Option<DateTime<Utc>>,
    number: Option<i32>,
    request_id: Option<Uuid>,
    requester: Option<String>,
    submitted_at: Option<DateTime<Utc>>,
    asked_nobody: bool,
}

async fn orders(on: &impl Reads, deployments: &[DeploymentId]) -> Result<HashMap<DeploymentId, Facts>, DbErr> {
    let mut sql = Sql::default();
    let ids = sql.bind_all(deployments.iter().map(|id| id.0));
    sql.text = format!(
        "SELECT d.id, d.name, d.site, d.lease_until, d.grace_days, d.ended_at, r.number, r.id AS request_id, \
         p.name AS requester, r.submitted_at, ({ASKED_NOBODY}) AS asked_nobody FROM deployment d \
         LEFT JOIN request r ON r.id = d.request_id LEFT JOIN person p ON p.id = r.requester_id WHERE d.id IN ({ids})"
    );
    let rows: Vec<OrderRow> = sql.all(on).await?;
    let facts = |row: OrderRow| {
        let origin = Origin {
            deployment: row.name,
            request: row.number.map(i64::from),
            request_id: row.request_id.map(Into::into),
            requester: row.requester,
            requested_at: row.submitted_at,
            approvers: Vec::new(),
            no_approval_needed: row.asked_nobody,
        };
        let ends = row.lease_until + chrono::TimeDelta::days(row.grace_days);
        let lease_until = row.ended_at.is_none().then_some(ends);
        (row.id.into(), Facts { origin, site: row.site, lease_until, live: Vec::new() })
    };
    Ok(rows.into_iter().map(facts).collect())
}

/// How many live objects in scope ought to have a CI.
pub async fn objects(on: &impl Reads, scope: &Scope, at: DateTime<Utc>) -> Result<i64, DbErr> {
    let mut sql = Sql::at(at);
    let Some(scoped) = sql.scoped(scope, "d.project_id") else { return Ok(0) };
    sql.text = format!("SELECT count(*) {LIVE_OBJECTS} AND r.kind IN {REGISTERED_KINDS}{scoped}");
    sql.number(on).await
}

/// The live objects in scope that ought to have a CI and have none.
pub async fn unregistered(on: &impl Reads, scope: &Scope, at: DateTime<Utc>) -> Result<Vec<Unregistered>, DbErr> {
    #[derive(FromQueryResult)]
    struct ObjectRow {
        kind: String,
        name: String,
        provider: String,
        deployment: String,
    }
    let mut sql = Sql::at(at);
    let Some(scoped) = sql.scoped(scope, "d.project_id") else { return Ok(Vec::new()) };
    sql.text = format!(
        "SELECT r.kind, r.name, r.provider, d.name AS deployment {LIVE_OBJECTS} AND r.kind IN {REGISTERED_KINDS}{scoped} \
         AND NOT EXISTS (SELECT 1 FROM ci c WHERE c.deployment_id = r.deployment_id AND c.created_at <= $1 \
         AND (c.retired_at IS NULL OR c.retired_at > $1) \
         AND substr(c.key, 1, length(r.key) + 1) = r.key || '/') ORDER BY d.name, r.name, r.id"
    );
    let rows: Vec<ObjectRow> = sql.all(on).await?;
    let object = |row: ObjectRow| Unregistered {
        kind: row.kind,
        name: row.name,
        provider: row.provider,
        deployment: row.deployment,
    };
    Ok(rows.into_iter().map(object).collect())
}

const LIVE_OBJECTS: &str = "FROM resource r JOIN deployment d ON d.id = r.deployment_id WHERE r.live_at IS NOT NULL \
     AND r.live_at <= $1 AND (r.gone_at IS NULL OR r.gone_at > $1)";

/// What a container engine ran then.
#[derive(Clone, Debug, PartialEq, FromQueryResult, serde::Serialize, serde::Deserialize)]
pub struct Engine {
    pub id: Uuid,
    pub name: String,
    pub platform: Option<String>,
    /// When it last told everything, as known now.
    pub complete_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub workloads: i64,
    pub containers: i64,
}

/// The container engines in scope, with how much ran on each.
pub async fn engines(on: &impl Reads, scope: &Scope, at: DateTime<Utc>) -> Result<Vec<Engine>, DbErr> {
    let mut sql = Sql::at(at);
    let Some(scoped) = sql.scoped(scope, "c.project_id") else { return Ok(Vec::new()) };
    let running = "FROM container_journal j WHERE j.engine_id = c.id AND j.seen_from <= $1 \
                   AND (j.seen_until IS NULL OR j.seen_until > $1)";
    sql.text = format!(
        "SELECT c.id, c.name, c.platform, r.complete_at, c.created_at, \
         (SELECT count(DISTINCT j.workload_id) {running}) AS workloads, (SELECT count(*) {running}) AS containers \
         FROM ci c LEFT JOIN container_report r ON r.engine_id = c.id WHERE c.class = 'container_engine' \
         AND c.created_at <= $1 AND (c.retired_at IS NULL OR c.retired_at > $1){scoped} ORDER BY c.sort_name, c.id"
    );
    sql.all(on).await
}

/// A workload on its machine.
#[derive(Clone, Debug, PartialEq, FromQueryResult, serde::Serialize, serde::Deserialize)]
pub struct Running {
    pub engine_id: Uuid,
    pub engine: String,
    pub workload_id: Uuid,
    pub workload: String,
    pub image: String,
    pub application: Option<String>,
    pub containers: i64,
}

/// What ran where: the workloads in scope with their machines, up to a thousand.
pub async fn running(on: &impl Reads, scope: &Scope, at: DateTime<Utc>) -> Result<Vec<Running>, DbErr> {
    let mut sql = Sql::at(at);
    let Some(scoped) = sql.scoped(scope, "e.project_id") else { return Ok(Vec::new()) };
    sql.text = format!(
        "SELECT e.id AS engine_id, e.name AS engine, w.id AS workload_id, w.name AS workload, max(j.image) AS image, \
         w.application, count(*) AS containers FROM container_journal j JOIN ci e ON e.id = j.engine_id \
         JOIN ci w ON w.id = j.workload_id WHERE j.seen_from <= $1 AND (j.seen_until IS NULL OR j.seen_until > $1){scoped} \
         GROUP BY e.id, e.name, e.sort_name, w.id, w.name, w.sort_name, w.application \
         ORDER BY e.sort_name, w.sort_name LIMIT {MOST_LISTED}"
    );
    sql.all(on).await
}

/// An order of the period, with who asked, who approved, and the run that carried it out.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ordered {
    pub request: i32,
    pub id: Uuid,
    pub title: String,
    pub kind: String,
    pub state: String,
    pub requester: String,
    pub submitted_at: DateTime<Utc>,
    pub approvers: Vec<String>,
    /// Whether its plan asked nobody to approve.
    pub no_approval_needed: bool,
    pub run: Option<Uuid>,
}

impl Ordered {
    /// How the request reads.
    pub fn reads(&self) -> Option<Reading> {
        Some(RequestState::from_word(&self.state)?.reads(RequestKind::from_word(&self.kind)?))
    }
}

#[derive(FromQueryResult)]
struct OrderedRow {
    number: i32,
    id: Uuid,
    title: String,
    kind: String,
    state: String,
    requester: String,
    submitted_at: DateTime<Utc>,
    run_id: Option<Uuid>,
    asked_nobody: bool,
}

/// The orders of a period in scope, newest first, up to a thousand: two statements.
pub async fn ordered(
    on: &impl Reads,
    scope: &Scope,
    since: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<Vec<Ordered>, DbErr> {
    let mut sql = Sql::at(at);
    let since = sql.bind(since);
    let Some(scoped) = sql.scoped(scope, "r.project_id") else { return Ok(Vec::new()) };
    sql.text = format!(
        "SELECT r.number, r.id, r.title, r.kind, r.state, p.name AS requester, r.submitted_at, r.run_id, \
         ({ASKED_NOBODY}) AS asked_nobody FROM request r JOIN person p ON p.id = r.requester_id \
         WHERE r.submitted_at <= $1 AND r.submitted_at > {since}{scoped} \
         ORDER BY r.submitted_at DESC, r.number DESC LIMIT {MOST_LISTED}"
    );
    let rows: Vec<OrderedRow> = sql.all(on).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut approvers = approvers_of(on, rows.iter().map(|row| row.id).collect(), at).await?;
    let ordered = |row: OrderedRow| Ordered {
        approvers: approvers.remove(&row.id).unwrap_or_default(),
        no_approval_needed: row.asked_nobody,
        request: row.number,
        id: row.id,
        title: row.title,
        kind: row.kind,
        state: row.state,
        requester: row.requester,
        submitted_at: row.submitted_at,
        run: row.run_id,
    };
    Ok(rows.into_iter().map(ordered).collect())
}

/// Who had approved these requests by then, in the order of their decisions.
async fn approvers_of(
    on: &impl Reads,
    mut requests: Vec<Uuid>,
    at: DateTime<Utc>,
) -> Result<HashMap<Uuid, Vec<String>>, DbErr> {
    requests.sort_unstable();
    requests.dedup();
    let mut approvers: HashMap<Uuid, Vec<String>> = HashMap::new();
    if requests.is_empty() {
        return Ok(approvers);
    }
    let mut sql = Sql::at(at);
    let ids = sql.bind_all(requests);
    sql.text = format!(
        "SELECT a.request_id, p.name FROM approval a JOIN person p ON p.id = a.approver_id \
         WHERE a.request_id IN ({ids}) AND a.state = 'approved' AND a.decided_at <= $1 ORDER BY a.level, a.decided_at"
    );
    for (request, approver) in sql.pairs(on).await? {
        approvers.entry(request).or_default().push(approver);
    }
    Ok(approvers)
}
