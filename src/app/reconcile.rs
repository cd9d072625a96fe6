//! Reconcile from the database: the ledger, what the sources saw and the CMDB are walked side by side, and what differs
//! is kept as findings, each with its life.
//!
//! One process at a time does it, by a lease; whoever lost that writes nothing any more, and a reconcile whose process
//! died is closed by the next one, which begins anew. What is written is true by itself, finding by finding, so that
//! nothing has to be taken back. A reconcile that finds what is known writes no finding.

mod settle;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::audit::{Actor, Note};
use domain::ci::CiClass;
use domain::person::{Principal, Role};
use domain::reconcile::rules::Rules;
use domain::reconcile::run::{Release, Run, RunState, Summary};
use domain::reconcile::totals::Braked;
use domain::trouble::Trouble;
use serde_json::json;
use store::duty::{Token, Work};

use crate::{App, audit, database};

/// How long a silent process keeps others from reconciling, and how often it shows that it lives.
const LEASE: TimeDelta = TimeDelta::seconds(60);
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How long it is kept what reconciles came to.
const KEPT: TimeDelta = TimeDelta::days(30);
/// Reconciles that are listed.
const LISTED: u64 = 50;

/// Reconciles everything in the name of somebody who was let in elsewhere; nothing where another process is at it.
pub async fn run_as(app: &App, actor: &Actor) -> Result<Option<Run>, Trouble> {
    let rules = Rules::standard();
    let process = format!("{}-{}", engine::host(), std::process::id());
    let Some((token, run)) = begin(app, (actor, &process), rules, LEASE).await? else { return Ok(None) };
    let app = App { store: app.store.unfenced().fenced(token), ..app.clone() };
    let done = tokio::select! {
        done = reconcile(&app, &run, rules) => done,
        lost = stay(&app, token) => Err(lost),
    };
    finish(&app, token, run, done).await.map(Some)
}

/// Reconciles everything for an operator; to its end, also when he does not wait for it.
pub async fn run(app: &App, who: &Principal, via: &str) -> Result<Run, Trouble> {
    must_operate(who)?;
    let (app, actor) = (app.clone(), Actor::person(who, via));
    let done = tokio::spawn(async move { run_as(&app, &actor).await });
    done.await.map_err(Trouble::bug)??.ok_or_else(busy)
}

/// The latest reconciles, the newest first, for whoever sees everything.
pub async fn latest(app: &App, who: &Principal) -> Result<Vec<Run>, Trouble> {
    if who.scope() != domain::person::Scope::Everything {
        return Err(Trouble::forbidden("Reconciles are of everything, and you see a part of it.", "Ask an auditor."));
    }
    store::reconcile::latest(&app.store, LISTED).await.map_err(database)
}

/// Lets through what the brake holds back of a class, as it was counted last; the next reconcile makes findings of it.
pub async fn release(app: &App, who: &Principal, via: &str, class: CiClass, reason: &str) -> Result<Release, Trouble> {
    must_operate(who)?;
    release_as(app, Actor::person(who, via), class, reason).await
}

/// The same in the name of somebody who was let in elsewhere.
pub async fn release_as(app: &App, actor: Actor, class: CiClass, reason: &str) -> Result<Release, Trouble> {
    if reason.trim().is_empty() {
        return Err(Trouble::field("reason", "Say why so much may vanish or change: auditors read it."));
    }
    let tx = app.store.begin().await.map_err(database)?;
    let last = store::reconcile::latest(&tx, LISTED).await.map_err(database)?;
    let last = last.into_iter().find_map(|run| run.outcome).unwrap_or_default();
    let held = last.braked.into_iter().find(|braked| braked.class == class).ok_or_else(|| {
        let what = format!("Nothing of the class {} is held back.", class.title().to_lowercase());
        Trouble::conflict(what, "Look at what the last reconcile came to.")
    })?;
    let released = Release {
        class,
        would_vanish: held.would_vanish,
        would_change: held.would_change,
        by: actor.name.clone(),
        reason: reason.trim().to_owned(),
        at: app.clock.now(),
    };
    store::reconcile::release(&tx, &released).await.map_err(database)?;
    let note = Note {
        actor,
        action: "reconcile.released",
        subject: format!("class {}", class.word()),
        project: None,
        data: json!({ "would_vanish": held.would_vanish, "would_change": held.would_change, "of": held.cis,
                      "reason": released.reason }),
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    Ok(released)
}

/// Takes the work up and puts down that it begins; what another process left unfinished is over.
async fn begin(
    app: &App,
    (actor, process): (&Actor, &str),
    rules: &Rules,
    lease: TimeDelta,
) -> Result<Option<(Token, Run)>, Trouble> {
    // Looked at first, so that those who wait write nothing.
    if !store::duty::find(&app.store, Work::Reconcile).await.map_err(database)?.is_over {
        return Ok(None);
    }
    let now = app.clock.now();
    let run = Run {
        id: store::fresh_id(),
        asked_by: actor.name.clone(),
        process: process.to_owned(),
        began_at: now,
        ended_at: None,
        state: RunState::Running,
        rules: rules.hash.clone(),
        outcome: None,
        why: None,
    };
    let tx = app.store.begin_step().await.map_err(database)?;
    let Some(token) = store::duty::take(&tx, Work::Reconcile, process, lease).await.map_err(database)? else {
        return Ok(None);
    };
    let left = store::reconcile::interrupt(&tx, now).await.map_err(database)?;
    store::reconcile::insert(&tx, &run).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    if left > 0 {
        tracing::warn!("a reconcile was left unfinished by a process that stopped; it begins anew");
    }
    Ok(Some((token, run)))
}

/// Shows that the process lives for as long as it is awaited; ends when another one has taken the work over.
async fn stay(app: &App, token: Token) -> Trouble {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        match renewed(app, token).await {
            Ok(true) => {}
            Ok(false) => return busy(),
            Err(trouble) => tracing::warn!(error = ?trouble, "the process could not show that it reconciles"),
        }
    }
}

async fn renewed(app: &App, token: Token) -> Result<bool, Trouble> {
    let tx = app.store.unfenced().begin_step().await.map_err(database)?;
    let held = store::duty::renew(&tx, token, LEASE).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    Ok(held)
}

/// Walks the views, holds back what the brake holds, and settles the rest.
async fn reconcile(app: &App, run: &Run, rules: &'static Rules) -> Result<Summary, Trouble> {
    let at = run.began_at;
    let world = walk::World::of(app, rules, at).await?;
    let walked = walk::walk(app, Arc::clone(&world)).await?;
    let releases = store::reconcile::releases(&app.store).await.map_err(database)?;
    let (braked, passed) = held_back(&releases, &walked.outcome.braked);
    let tally = settle::settle(app, &world, walked.items, &braked, at).await?;
    let tx = app.store.begin_step().await.map_err(database)?;
    store::reconcile::end_releases(&tx, &passed).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    Ok(Summary { looks: world.looks.clone(), totals: walked.outcome.totals, braked, tally })
}

/// What no operator let through, and the classes of which what was let through has passed.
fn held_back(releases: &[Release], braked: &[Braked]) -> (Vec<Braked>, Vec<CiClass>) {
    let is_through = |one: &Braked| releases.iter().any(|release| release.covers(one));
    let still = |release: &&Release| braked.iter().any(|one| one.class == release.class);
    let passed = releases.iter().filter(|release| !still(release)).map(|release| release.class).collect();
    (braked.iter().filter(|one| !is_through(one)).copied().collect(), passed)
}

/// Puts down what became of it, and lets others.
async fn finish(app: &App, token: Token, run: Run, done: Result<Summary, Trouble>) -> Result<Run, Trouble> {
    let now = app.clock.now();
    let (ended, failed) = match done {
        Ok(outcome) => {
            let state = if outcome.braked.is_empty() { RunState::Done } else { RunState::Braked };
            (Run { state, outcome: Some(outcome), ended_at: Some(now), ..run }, None)
        }
        Err(trouble) => {
            let why = Some(trouble.to_string());
            (Run { state: RunState::Failed, why, ended_at: Some(now), ..run }, Some(trouble))
        }
    };
    let written = put_down(app, token, &ended, now).await;
    match failed {
        Some(trouble) => Err(trouble),
        None => written.map(|()| ended),
    }
}

async fn put_down(app: &App, token: Token, run: &Run, now: DateTime<Utc>) -> Result<(), Trouble> {
    let tx = app.store.begin_step().await.map_err(database)?;
    store::reconcile::update(&tx, run).await.map_err(database)?;
    store::reconcile::forget(&tx, now - KEPT).await.map_err(database)?;
    store::duty::lay_down(&tx, token).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

fn must_operate(who: &Principal) -> Result<(), Trouble> {
    if who.has_everywhere(Role::Operator) {
        return Ok(());
    }
    Err(Trouble::forbidden("Only operators reconcile, and say what the brake lets through.", "Ask one of them."))
}

fn busy() -> Trouble {
    Trouble::conflict("Another process is reconciling.", "Look at what it came to in a moment.")
}

#[cfg(test)]
mod tests;
