//! Comparing what a company's CMDB holds with what it acknowledged: what somebody changed or lost over there, by hand or
//! by restoring a backup, is found and carried again.
//!
//! A comparison goes on part by part and survives a restart. Only one that saw everything says that something is missing.

use chrono::{DateTime, TimeDelta, Utc};
use domain::audit::{Actor, Note};
use domain::connector::fingerprint;
use domain::ids::CiId;
use domain::person::Principal;
use domain::ports::cmdb_connector::HeldPage;
use domain::trouble::Trouble;
use serde_json::json;
use store::connector::Standing;

use super::{Connector, carry, find, must_operate};
use crate::{App, audit, database};

/// How often it is compared by itself.
const EVERY: TimeDelta = TimeDelta::days(1);
/// CIs that are missing and made wanted in one transaction.
const AT_ONCE: u64 = 500;

/// Has a connector compared, from its beginning.
pub async fn compare(app: &App, who: &Principal, via: &'static str, name: &str) -> Result<(), Trouble> {
    must_operate(who)?;
    let connector = find(app, name)?;
    if !connector.system.lists() {
        return Err(Trouble::conflict(
            "What this CMDB holds can't be read back.",
            "Name the address that lists it in the connector's settings.",
        ));
    }
    let tx = app.store.begin().await.map_err(database)?;
    store::connector::register(&tx, name).await.map_err(database)?;
    let now = app.clock.now();
    store::connector::compare_from(&tx, name, Some(now), None, 0).await.map_err(database)?;
    let actor = Actor::person(who, via);
    let subject = format!("connector {name}");
    audit::note(app, &tx, Note { actor, action: "connector.compared", subject, project: None, data: json!({}) })
        .await?;
    tx.commit().await.map_err(database)
}

/// Goes on with the comparison that is under way, or begins the one that is due; answers whether it saw everything.
pub async fn keep_comparing(app: &App, connector: &Connector) -> Result<bool, Trouble> {
    if !connector.system.lists() {
        return Ok(false);
    }
    let known = store::connector::standing(&app.store).await.map_err(database)?;
    let Some(standing) = known.get(&connector.name) else { return Ok(false) };
    let now = app.clock.now();
    let last = standing.compared_at.or(standing.loaded_at);
    let is_due = standing.comparing_since.is_some() || last.is_some_and(|last| now - last >= EVERY);
    if !is_due || standing.rest_until.is_some_and(|until| until > now) {
        return Ok(false);
    }
    let began = standing.comparing_since.unwrap_or(now);
    let mut standing = Standing { comparing_since: Some(began), ..standing.clone() };
    loop {
        match connector.system.list(standing.compared_to.as_deref()).await {
            Ok(page) => {
                let next = page.next.clone();
                standing.differing += one_part(app, connector, page, began, standing.differing).await?;
                if next.is_none() {
                    return close(app, connector, began, standing.differing).await.map(|()| true);
                }
                standing.compared_to = next;
            }
            Err(setback) => {
                let tx = app.store.begin().await.map_err(database)?;
                carry::failed(app, &tx, connector, &setback).await?;
                tx.commit().await.map_err(database)?;
                return Ok(false);
            }
        }
    }
}

/// Has carried again what differs in this part; answers how many CIs.
async fn one_part(
    app: &App,
    connector: &Connector,
    page: HeldPage,
    began: DateTime<Utc>,
    before: i64,
) -> Result<i64, Trouble> {
    let (name, now) = (connector.name.as_str(), app.clock.now());
    let keys: Vec<String> = page.held.iter().map(|held| held.key.clone()).collect();
    let tx = app.store.begin().await.map_err(database)?;
    let known = store::connector::mark_compared(&tx, name, &keys, began).await.map_err(database)?;
    let differs = |held: &domain::ports::cmdb_connector::Held| {
        let ours = known.get(&held.key).filter(|ours| !ours.is_under_way)?;
        (ours.fingerprint.as_ref() != Some(&fingerprint(&held.payload))).then_some(ours.ci)
    };
    let differing: Vec<CiId> = page.held.iter().filter_map(differs).collect();
    store::connector::want_again(&tx, name, &differing, now).await.map_err(database)?;
    let found = i64::try_from(differing.len()).unwrap_or_default();
    let next = page.next.as_deref();
    store::connector::compare_from(&tx, name, Some(began), next, before + found).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    Ok(found)
}

/// Has made anew what they have lost, and notes what the comparison found.
async fn close(app: &App, connector: &Connector, began: DateTime<Utc>, differing: i64) -> Result<(), Trouble> {
    let name = connector.name.as_str();
    let mut missing = 0;
    loop {
        let tx = app.store.begin().await.map_err(database)?;
        let now = app.clock.now();
        let lost = store::connector::next_missing(&tx, name, began, AT_ONCE).await.map_err(database)?;
        store::connector::forget_missing(&tx, name, &lost, now).await.map_err(database)?;
        missing += i64::try_from(lost.len()).unwrap_or_default();
        if lost.is_empty() {
            store::connector::compared(&tx, name, (differing, missing), now).await.map_err(database)?;
        }
        tx.commit().await.map_err(database)?;
        if lost.is_empty() {
            break;
        }
    }
    if differing + missing > 0 {
        tracing::warn!(
            connector = name,
            differing,
            missing,
            "a CMDB holds other than it acknowledged: it is sent again"
        );
    }
    Ok(())
}
