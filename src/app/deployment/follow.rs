//! How a deployment follows its requests and runs; each step in the transaction of what it follows.

use chrono::{DateTime, TimeDelta, Utc};
use domain::blueprint::{self, plan::Plan};
use domain::deployment::{Deployment, DeploymentState, Lease};
use domain::request::{Request, RequestKind};
use domain::run::{Run, RunKind, RunState};
use domain::trouble::Trouble;
use store::{DbErr, Tx};

use crate::{App, database};

/// A request was approved and its run is about to be enqueued: a new deployment comes to be, or one that stands is
/// marked as being changed or retired. `lease` is what the blueprint says of leases.
pub async fn begin(app: &App, tx: &Tx, request: &Request, lease: blueprint::Lease) -> Result<(), Trouble> {
    if request.kind == RequestKind::Provision {
        let plan = request.plan.as_ref().ok_or_else(|| Trouble::bug("an order without a plan"))?;
        let deployment = ordered(request, plan, lease, app.clock.now());
        return store::deployment::insert(tx, &deployment).await.map_err(database);
    }
    let found = store::deployment::lock(tx, request.deployment).await.map_err(database)?;
    let deployment = found.ok_or_else(|| Trouble::not_found("deployment"))?;
    let under_way = match (request.kind, &request.plan) {
        (RequestKind::Action, Some(plan)) => deployment.changing(plan.parameters_after.clone()),
        (RequestKind::Retire, _) => deployment.retiring(),
        _ => Ok(deployment),
    };
    let under_way = under_way.map_err(|refusal| {
        Trouble::conflict(format!("{refusal}."), "Wait until the run that is under way has ended, then ask again.")
    })?;
    store::deployment::update(tx, &under_way).await.map_err(database)
}

fn ordered(request: &Request, plan: &Plan, lease: blueprint::Lease, now: DateTime<Utc>) -> Deployment {
    let days = |period: blueprint::Period| TimeDelta::days(i64::from(period.days()));
    Deployment {
        id: request.deployment,
        project: request.project,
        site: request.site.clone(),
        request: request.id,
        owner: request.requester,
        name: plan.deployment_name().unwrap_or(&plan.title).to_owned(),
        blueprint: plan.blueprint.clone(),
        version: plan.version.to_string(),
        title: plan.title.clone(),
        params: plan.parameters_after.clone(),
        next_params: None,
        platform: plan.responsible.platform.clone(),
        application: plan.responsible.application.clone(),
        state: DeploymentState::Building,
        lease: Lease {
            until: now + days(plan.lease),
            longest_until: now + days(lease.max),
            grace_days: i64::from(lease.grace.days()),
            warned_at: None,
        },
        created_at: now,
        built_at: None,
        ended_at: None,
    }
}

/// Follows a run that has just ended: success makes live what was reserved, or gives back everything of a deployment
/// that is gone; anything else gives back what the run's request had reserved, unless something that the run made stands.
pub async fn run_ended(tx: &Tx, run: &Run, now: DateTime<Utc>) -> Result<(), DbErr> {
    let Some(before) = store::deployment::lock(tx, run.deployment).await? else { return Ok(()) };
    let succeeded = run.state == RunState::Done;
    let standing = store::resource::standing(tx, run.deployment).await?;
    let left_standing = !standing.is_empty();
    let after =
        if succeeded { before.run_succeeded(left_standing, now) } else { before.run_gave_up(left_standing, now) };
    store::deployment::update(tx, &after).await?;
    if after.state.is_over() {
        return store::allocation::release_deployment(tx, run.deployment, now).await;
    }
    let Some(request) = run.request else { return Ok(()) };
    // What was given up half-done keeps what it takes for as long as something of it stands.
    let leaves_something =
        if run.kind == RunKind::Provision { left_standing } else { standing.iter().any(|row| row.run == run.id) };
    if succeeded {
        store::allocation::make_live(tx, request, now).await
    } else if leaves_something {
        store::allocation::keep_taken(tx, request, now).await
    } else {
        store::allocation::release(tx, request, now).await
    }
}
