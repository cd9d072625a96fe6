//! What runs in containers: following every engine, and keeping the CMDB and the journal true to its answers.
//!
//! Only a complete answer closes anything. A container that restarts changes the journal and no CI.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::ci::{Cause, CiChange, CiClass, Relation, Source};
use domain::ids::CiId;
use domain::ports::container_host::{Container, ContainerHost, ContainerListing};
use domain::trouble::Trouble;
use domain::workload::{GRACE, Workload, group};
use store::Tx;
use store::ci::ApplyError;
use store::workload::{Answer, Engine};

use crate::{App, database};

mod follow;

pub use follow::{Hosts, follow};

/// What asking an engine came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Observed {
    /// When it was asked, by its own clock; nothing when it did not name all its containers.
    told_at: Option<DateTime<Utc>>,
    /// Entries that the CMDB's history gained.
    changes: usize,
}

/// Asks a container engine what it runs, and records the answer.
async fn observe(app: &App, hosts: &dyn ContainerHost, engine: &Engine) -> Result<Observed, Trouble> {
    let answer = match hosts.containers(&engine.fqdn).await {
        Ok(listing) if listing.complete => {
            let changes = record(app, engine, &listing).await?;
            return Ok(Observed { told_at: Some(listing.asked_at), changes });
        }
        Ok(listing) => Answer::Incomplete { containers: listing.containers.len() },
        Err(error) => Answer::Failed(error.to_string()),
    };
    note(app, engine, answer).await?;
    Ok(Observed::default())
}

async fn note(app: &App, engine: &Engine, answer: Answer) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    store::workload::note(&tx, engine.ci, &answer, app.clock.now()).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

/// Writes a complete answer in one transaction; answers how many entries the CMDB's history gained.
async fn record(app: &App, engine: &Engine, listing: &ContainerListing) -> Result<usize, Trouble> {
    let now = app.clock.now();
    let workloads = group(&listing.containers);
    let changes: Vec<CiChange> = workloads.iter().flat_map(|workload| declared(engine, workload)).collect();
    let tx = app.store.begin().await.map_err(database)?;
    let mut written = write(&tx, engine, &changes, now).await?;
    let keys = workloads.iter().map(|workload| key(engine, workload)).collect();
    let ids = store::workload::ids(&tx, keys).await.map_err(database)?;
    store::workload::journal(&tx, engine.ci, &running(engine, &workloads, &ids), now).await.map_err(database)?;
    let gone = store::workload::gone_since(&tx, engine.ci, now - GRACE).await.map_err(database)?;
    let retired: Vec<CiChange> = gone.into_iter().map(|key| CiChange::Retire { key }).collect();
    written += write(&tx, engine, &retired, now).await?;
    let answer = Answer::Complete { containers: listing.containers.len() };
    store::workload::note(&tx, engine.ci, &answer, now).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    Ok(written)
}

async fn write(tx: &Tx, engine: &Engine, changes: &[CiChange], now: DateTime<Utc>) -> Result<usize, Trouble> {
    let cause = Cause {
        source: Source::ContainerReport,
        project: engine.project,
        deployment: engine.deployment,
        run: None,
        step: None,
        platform: engine.platform.clone(),
        application: engine.application.clone(),
        at: now,
    };
    store::ci::apply(tx, changes, &cause).await.map_err(|cause| match cause {
        ApplyError::Database(cause) => database(cause),
        ApplyError::UnknownCi(cause) => Trouble::bug(cause),
    })
}

/// The workload as a CI that runs on the engine.
fn declared(engine: &Engine, workload: &Workload<'_>) -> [CiChange; 2] {
    let key = key(engine, workload);
    [
        CiChange::Declare {
            key: key.clone(),
            class: CiClass::Workload,
            name: workload.name.clone(),
            attributes: workload.attributes(),
        },
        CiChange::Relate { from: key, relation: Relation::RunsOn, to: engine.key.clone() },
    ]
}

fn key(engine: &Engine, workload: &Workload<'_>) -> String {
    format!("workload/{}/{}", engine.ci, workload.group)
}

/// Each container with the CI of its workload.
fn running<'c>(engine: &Engine, workloads: &[Workload<'c>], ids: &HashMap<String, CiId>) -> Vec<(CiId, &'c Container)> {
    let of = |workload: &Workload<'c>| {
        let id = ids.get(&key(engine, workload)).copied();
        workload.containers.iter().filter_map(move |container| Some((id?, *container))).collect::<Vec<_>>()
    };
    workloads.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests;
