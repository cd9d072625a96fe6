//! Quota: what a project may use, what it uses, and what an order would make of it.

use std::collections::BTreeMap;

use domain::allocation::{Allocation, AllocationState, CENTS_PER_MONTH};
use domain::blueprint::QUOTA_KINDS;
use domain::blueprint::plan::Plan;
use domain::ids::ProjectId;
use domain::person::Principal;
use domain::project::Project;
use domain::request::Request;
use domain::trouble::Trouble;
use store::{Reads, Tx};

use crate::{App, database};

/// One line of a project's quota, with an order in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaAfter {
    pub kind: String,
    pub title: String,
    pub before: i64,
    pub after: i64,
    /// None: without limit.
    pub limit: Option<i64>,
}

/// What a project uses of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    pub kind: &'static str,
    pub title: &'static str,
    /// By what stands and what was promised.
    pub used: i64,
    /// None: without limit.
    pub limit: Option<i64>,
}

/// A project that the person may see, with what it may use and what it uses.
pub async fn of_project(app: &App, who: &Principal, id: ProjectId) -> Result<(Project, Vec<Usage>), Trouble> {
    let gone = || Trouble::not_found("project");
    if !who.scope().covers(id) {
        return Err(gone());
    }
    let project = store::project::find(&app.store, id).await.map_err(database)?.ok_or_else(gone)?;
    let used = store::allocation::usage(&app.store, id).await.map_err(database)?;
    let limits = store::allocation::limits(&app.store, id).await.map_err(database)?;
    let usage = |(kind, title): &(&'static str, &'static str)| Usage {
        kind,
        title,
        used: used.get(*kind).copied().unwrap_or_default(),
        limit: limits.get(*kind).copied(),
    };
    Ok((project, QUOTA_KINDS.iter().map(usage).collect()))
}

/// What the project's quota comes to with a plan; `reserved` says whether the plan is counted as used already.
pub(crate) async fn quota_after(
    on: &impl Reads,
    project: ProjectId,
    plan: &Plan,
    reserved: bool,
) -> Result<Vec<QuotaAfter>, Trouble> {
    let used = store::allocation::usage(on, project).await.map_err(database)?;
    let limits = store::allocation::limits(on, project).await.map_err(database)?;
    Ok(lines(plan, &used, &limits, reserved))
}

fn lines(plan: &Plan, used: &BTreeMap<String, i64>, limits: &BTreeMap<String, i64>, reserved: bool) -> Vec<QuotaAfter> {
    let line = |line: &domain::blueprint::plan::QuotaLine| {
        let used = used.get(&line.kind).copied().unwrap_or_default();
        let change = line.amount - line.before;
        // What is given back is counted only when it is given back.
        let counted = if reserved { change.max(0) } else { 0 };
        QuotaAfter {
            kind: line.kind.clone(),
            title: line.title.clone(),
            before: used - counted,
            after: used - counted + change,
            limit: limits.get(&line.kind).copied(),
        }
    };
    plan.quota.iter().map(line).collect()
}

/// Reserves what a request takes, in its transaction; refuses what goes beyond the project's quota.
pub(crate) async fn reserve(app: &App, tx: &Tx, request: &Request, plan: &Plan) -> Result<(), Trouble> {
    let after = quota_after(tx, request.project, plan, false).await?;
    for line in &after {
        if let Some(limit) = line.limit.filter(|limit| line.after > *limit && line.after > line.before) {
            return Err(Trouble::conflict(
                format!(
                    "The project's quota is not enough. {} would be {} of {limit}; {} are used or promised.",
                    line.title, line.after, line.before
                ),
                "Order less, retire what is not needed, or ask an administrator for more quota.",
            ));
        }
    }
    let allocation = |key: &str, amount: i64| Allocation {
        project: request.project,
        request: request.id,
        deployment: request.deployment,
        key: key.to_owned(),
        amount,
        state: AllocationState::Reserved,
        reserved_at: app.clock.now(),
        live_at: None,
        released_at: None,
    };
    let mut rows: Vec<Allocation> =
        plan.quota.iter().map(|line| allocation(&line.kind, line.amount - line.before)).collect();
    rows.push(allocation(CENTS_PER_MONTH, (plan.monthly - plan.monthly_before).cents));
    rows.retain(|row| row.amount != 0);
    store::allocation::reserve(tx, &rows).await.map_err(database)
}
