//! Leases: prolonged by people, watched by the house. Nobody loses a machine without having been told twice.

use chrono::{DateTime, TimeDelta, Utc};
use domain::audit::{Actor, Note};
use domain::blueprint::plan::{Bindings, Responsibilities};
use domain::deployment::{Deployment, DeploymentState, Lease, LeaseDue};
use domain::ids::DeploymentId;
use domain::moment::day;
use domain::person::{Person, Principal};
use domain::run::RunKind;
use domain::trouble::Trouble;
use engine::NewRun;
use serde_json::json;
use store::Tx;

use super::{find, may_act};
use crate::idempotency::Sent;
use crate::letter::{Message, Way};
use crate::{App, approval, audit, database};

/// The longest that a lease is prolonged at once, in days.
const MOST_DAYS: i64 = 365;
/// How far ahead the duty looks; no lease asks for anything earlier.
const LOOK_AHEAD: TimeDelta = TimeDelta::days(15);

/// Prolongs the lease of a deployment by so many days, as far as its blueprint allows.
pub async fn prolong(
    app: &App,
    who: &Principal,
    id: DeploymentId,
    days: i64,
    sent: &Sent,
) -> Result<Deployment, Trouble> {
    let deployment = find(app, &who.scope(), id).await?;
    if !may_act(who, deployment.project) {
        return Err(Trouble::forbidden(
            "Only requesters of the project may prolong its leases.",
            format!("Ask {}, who answers for the application.", deployment.application),
        ));
    }
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Trouble::field("days", format!("Give a number of days from 1 to {MOST_DAYS}.")));
    }
    let tx = app.store.begin().await.map_err(database)?;
    // A run may have moved it on since: what is written is computed from what stands now.
    let found = store::deployment::lock(&tx, id).await.map_err(database)?;
    let deployment = found.ok_or_else(|| Trouble::not_found("deployment"))?;
    if !sent.is_new(app, &tx, who).await? {
        return Ok(deployment);
    }
    let before = deployment.lease.until;
    let deployment = prolonged(deployment, days, app.clock.now())?;
    store::deployment::update(&tx, &deployment).await.map_err(database)?;
    let note = Note {
        actor: Actor::person(who, sent.via),
        action: "deployment.prolonged",
        subject: format!("deployment {}", deployment.name),
        project: Some(deployment.project),
        data: json!({ "before": before, "after": deployment.lease.until }),
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    Ok(deployment)
}

fn prolonged(deployment: Deployment, days: i64, now: DateTime<Utc>) -> Result<Deployment, Trouble> {
    if deployment.state.is_over() || deployment.state == DeploymentState::Retiring {
        return Err(Trouble::conflict(
            format!(
                "{} is {}, so its lease can't be prolonged.",
                deployment.name,
                deployment.state.reads(None).label.to_lowercase()
            ),
            "Order a new deployment if it is still needed.",
        ));
    }
    let lease = deployment.lease.prolonged(days, now).map_err(|longest| {
        Trouble::conflict(format!("{longest}."), "Order a new deployment if it is needed for longer.")
    })?;
    Ok(Deployment { lease, ..deployment })
}

/// Tells people whose leases end, and retires the deployments whose grace is over. What fails for one deployment is
/// logged and tried again with the next call; the others are handled all the same.
pub async fn keep_leases(app: &App) -> Result<(), Trouble> {
    let now = app.clock.now();
    for deployment in store::deployment::lease_ends_before(&app.store, now + LOOK_AHEAD).await.map_err(database)? {
        let kept = match deployment.lease.due(now) {
            LeaseDue::Nothing => Ok(()),
            LeaseDue::Warn | LeaseDue::SayEnded => tell(app, deployment.id).await,
            LeaseDue::Remove => remove(app, deployment.id).await,
        };
        if let Err(trouble) = kept {
            tracing::error!(deployment = %deployment.id, error = ?trouble, "a lease is not kept; it is tried again");
        }
    }
    Ok(())
}

/// Begins to take down a deployment whose grace is over, unless something has been done about it meanwhile.
async fn remove(app: &App, id: DeploymentId) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    let found = store::deployment::lock(&tx, id).await.map_err(database)?;
    let Some(deployment) = found.filter(|it| it.lease.due(app.clock.now()) == LeaseDue::Remove) else { return Ok(()) };
    let Ok(retiring) = deployment.retiring() else { return Ok(()) };
    let run = app.engine.enqueue(&tx, last_run(app, &tx, &retiring).await?).await?;
    store::deployment::update(&tx, &retiring).await.map_err(database)?;
    let note = Note {
        actor: Actor::clock(),
        action: "deployment.lease_over",
        subject: format!("deployment {}", retiring.name),
        project: Some(retiring.project),
        data: json!({ "until": retiring.lease.until, "run": run }),
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    app.engine.wake(run);
    Ok(())
}

async fn last_run(app: &App, tx: &Tx, deployment: &Deployment) -> Result<NewRun, Trouble> {
    Ok(NewRun {
        deployment: deployment.id,
        project: deployment.project,
        site: deployment.site.clone(),
        request: None,
        kind: RunKind::Retire,
        title: format!("Retire {}: its lease is over", deployment.name),
        blueprint: deployment.blueprint.clone(),
        version: deployment.version.clone(),
        action: None,
        workflow: app.engine.retirement(tx, deployment.id).await.map_err(database)?,
        bindings: Bindings::default(),
        responsible: Responsibilities {
            platform: deployment.platform.clone(),
            application: deployment.application.clone(),
        },
    })
}

/// Tells the owner how the lease stands, unless that has been done meanwhile.
async fn tell(app: &App, id: DeploymentId) -> Result<(), Trouble> {
    let now = app.clock.now();
    let tx = app.store.begin().await.map_err(database)?;
    let found = store::deployment::lock(&tx, id).await.map_err(database)?;
    let Some(deployment) = found else { return Ok(()) };
    let ended = match deployment.lease.due(now) {
        LeaseDue::Warn => false,
        LeaseDue::SayEnded => true,
        LeaseDue::Nothing | LeaseDue::Remove => return Ok(()),
    };
    if let Some(owner) = store::person::find(&tx, deployment.owner).await.map_err(database)? {
        approval::post(app, &tx, message(app, &deployment, &owner, ended)).await?;
    }
    let lease = Lease { warned_at: Some(now), ..deployment.lease };
    store::deployment::update(&tx, &Deployment { lease, ..deployment }).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

fn message<'m>(app: &App, deployment: &Deployment, owner: &'m Person, ended: bool) -> Message<'m> {
    let name = &deployment.name;
    let until = day(deployment.lease.until);
    let removal = day(deployment.lease.removal(app.clock.now()));
    let headline =
        if ended { format!("The lease of {name} has ended") } else { format!("The lease of {name} ends on {until}") };
    Message {
        to: owner,
        kind: "lease",
        headline,
        lines: vec![format!("Unless it is prolonged, {name} ({}) is removed on {removal}.", deployment.title)],
        facts: Vec::new(),
        ways: vec![Way {
            label: "Prolong it, or retire it now".to_owned(),
            url: format!("{}/deployments/{}", app.base_url, deployment.id),
        }],
        fine: vec![format!("It may last until {} at most.", day(deployment.lease.longest_until))],
        request: Some(deployment.request),
        asks: None,
        reason: format!(
            "lease of {} until {} {}",
            deployment.id,
            deployment.lease.until,
            if ended { "ended" } else { "ends" }
        ),
    }
}
