//! What changed in the CMDB in a time, with the run, the request and the approvers behind each change.

use chrono::{DateTime, Utc};
use domain::ids::{CiId, RequestId, RunId};
use domain::person::Scope;
use sea_orm::{DbErr, FromQueryResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ASKED_NOBODY, approvers_of};
use crate::Reads;
use crate::sql::Sql;

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// After this moment; nothing where nobody looked.
    pub since: Option<DateTime<Utc>>,
    /// The filed report that told how it stood then.
    pub since_report: Option<i64>,
    /// Changes, the CIs that changed, and the changes that a run made.
    pub changes: i64,
    pub cis: i64,
    pub by_runs: i64,
    /// The newest of them.
    pub listed: Vec<Changed>,
}

/// One change of a CI.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub at: DateTime<Utc>,
    pub ci: CiId,
    pub name: String,
    /// The word of what part of the CI changed, and its name.
    pub aspect: String,
    pub field: String,
    /// Values as JSON.
    pub before: String,
    pub after: String,
    /// Who said so.
    pub source: String,
    pub run: Option<RunId>,
    pub step: Option<String>,
    pub request: Option<i64>,
    pub request_id: Option<RequestId>,
    pub requester: Option<String>,
    pub approvers: Vec<String>,
    /// Whether the plan of its request asked nobody to approve.
    pub no_approval_needed: bool,
}

#[derive(FromQueryResult)]
struct Row {
    at: DateTime<Utc>,
    ci_id: Uuid,
    name: String,
    aspect: String,
    field: String,
    before: String,
    after: String,
    source: String,
    run_id: Option<Uuid>,
    step_key: Option<String>,
    number: Option<i32>,
    request_id: Option<Uuid>,
    requester: Option<String>,
    asked_nobody: bool,
}

/// What changed in scope after one moment and by another, with the newest changes, at most `limit`: three statements.
pub async fn changes(
    on: &impl Reads,
    scope: &Scope,
    (since, at): (DateTime<Utc>, DateTime<Utc>),
    limit: u64,
) -> Result<Changes, DbErr> {
    let mut sql = Sql::at(at);
    let after = sql.bind(since);
    let Some(scoped) = sql.scoped(scope, "c.project_id") else { return Ok(Changes::default()) };
    let within =
        format!("FROM ci_history h JOIN ci c ON c.id = h.ci_id {{}} WHERE h.at > {after} AND h.at <= $1{scoped}");
    let mut list = sql.clone();
    sql.text = format!("SELECT count(*), count(DISTINCT h.ci_id), count(h.run_id) {}", within.replace("{}", ""));
    let counted = sql.numbers(on, 3).await?;
    list.text = format!(
        "SELECT h.at, h.ci_id, c.name, h.aspect, h.field, h.before, h.after, h.source, h.run_id, h.step_key, r.number, \
         r.id AS request_id, p.name AS requester, ({ASKED_NOBODY}) AS asked_nobody {} ORDER BY h.at DESC, h.id DESC \
         LIMIT {limit}",
        within.replace(
            "{}",
            "LEFT JOIN run u ON u.id = h.run_id LEFT JOIN request r ON r.id = u.request_id \
             LEFT JOIN person p ON p.id = r.requester_id"
        )
    );
    let rows: Vec<Row> = list.all(on).await?;
    let requests = rows.iter().filter_map(|row| row.request_id).collect();
    let approvers = approvers_of(on, requests, at).await?;
    let changed = |row: Row| Changed {
        at: row.at,
        ci: row.ci_id.into(),
        name: row.name,
        aspect: row.aspect,
        field: row.field,
        before: row.before,
        after: row.after,
        source: row.source,
        run: row.run_id.map(Into::into),
        step: row.step_key,
        request: row.number.map(i64::from),
        request_id: row.request_id.map(Into::into),
        requester: row.requester,
        approvers: row.request_id.and_then(|id| approvers.get(&id).cloned()).unwrap_or_default(),
        no_approval_needed: row.asked_nobody,
    };
    let number = |at: usize| counted.get(at).copied().unwrap_or_default();
    Ok(Changes {
        since: Some(since),
        since_report: None,
        changes: number(0),
        cis: number(1),
        by_runs: number(2),
        listed: rows.into_iter().map(changed).collect(),
    })
}
