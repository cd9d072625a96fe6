//! Carrying what changed: batches in the order in which CIs stand on one another, each CI judged for itself.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use domain::connector::{Due, Record, Settled, fingerprint, pause};
use domain::ports::cmdb_connector::{Delivered, Limits, Outcome, Parcel, Setback};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::trouble::Trouble;

use super::Connector;
use crate::{App, database};

/// CIs that are handed out, loaded or looked at in one go.
const AT_ONCE: usize = 500;
/// Batches that a connector gets before its duty comes around again.
const BATCHES: usize = 20;

/// Hands out to every connector what changed; answers how many CIs.
pub async fn hand_out(app: &App) -> Result<usize, Trouble> {
    let names: Vec<&str> = app.connectors.iter().map(|connector| connector.name.as_str()).collect();
    let mut all = 0;
    loop {
        let tx = app.store.begin().await.map_err(database)?;
        let now = app.clock.now();
        let handed = store::connector::hand_out(&tx, &names, now, AT_ONCE as u64).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        all += handed;
        if handed < AT_ONCE {
            return Ok(all);
        }
    }
}

/// Carries what waits at a connector, until nothing does, it fails, or it had its share; answers how many CIs it settled.
pub async fn carry(app: &App, connector: &Connector) -> Result<usize, Trouble> {
    load(app, connector).await?;
    let mut settled = 0;
    for _ in 0..BATCHES {
        if rests(app, connector).await? {
            break;
        }
        let now = app.clock.now();
        let most = connector.system.limits().items.min(AT_ONCE);
        let due = store::connector::due(&app.store, &connector.name, now, most).await.map_err(database)?;
        if due.is_empty() {
            break;
        }
        settled += due.len();
        one_batch(app, connector, due).await?;
    }
    Ok(settled)
}

/// Makes a part of the CIs wanted that a new connector was never told of.
async fn load(app: &App, connector: &Connector) -> Result<(), Trouble> {
    let known = store::connector::standing(&app.store).await.map_err(database)?;
    if known.get(&connector.name).is_some_and(|standing| standing.loaded_at.is_some()) {
        return Ok(());
    }
    let tx = app.store.begin().await.map_err(database)?;
    store::connector::register(&tx, &connector.name).await.map_err(database)?;
    let now = app.clock.now();
    let loaded = store::connector::load(&tx, &connector.name, now, AT_ONCE as u64).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    tracing::info!(connector = connector.name, cis = loaded.cis, all = loaded.is_all, "CIs are loaded");
    Ok(())
}

async fn rests(app: &App, connector: &Connector) -> Result<bool, Trouble> {
    let known = store::connector::standing(&app.store).await.map_err(database)?;
    let until = known.get(&connector.name).and_then(|standing| standing.rest_until);
    Ok(until.is_some_and(|until| until > app.clock.now()))
}

/// What a batch came to so far.
#[derive(Default)]
struct Done {
    settled: Vec<(Due, Settled)>,
    /// Writes that changed nothing over there.
    noops: usize,
    /// Whether anything was said over there.
    is_answered: bool,
    broken: Option<Setback>,
}

async fn one_batch(app: &App, connector: &Connector, due: Vec<Due>) -> Result<(), Trouble> {
    let sent = app.clock.now();
    let ids: Vec<_> = due.iter().map(|due| due.ci).collect();
    let records = store::connector::records(&app.store, &ids).await.map_err(database)?;
    let mut done = Done::default();
    let mut parcels = Vec::new();
    for due in due {
        match packed(connector, &due, records.get(&due.ci)) {
            Packed::Parcel(parcel) => parcels.push((due, parcel)),
            Packed::Settled(settled) => done.settled.push((due, settled)),
        }
    }
    for batch in batches(parcels, connector.system.limits()) {
        // Whoever lost the duties meanwhile tells nobody anything any more.
        app.store.begin().await.map_err(database)?.roll_back().await.map_err(database)?;
        deliver(app, connector, batch, &mut done).await;
        if done.broken.is_some() {
            break;
        }
    }
    note(app, connector, done, sent).await
}

/// A CI of a batch.
pub(super) enum Packed {
    Parcel(Parcel),
    /// Nothing is sent.
    Settled(Settled),
}

/// The CI as it is sent, unless they hold it so already or it can't be sent.
pub(super) fn packed(connector: &Connector, due: &Due, record: Option<&Record>) -> Packed {
    let nothing = || Settled::Acknowledged { fingerprint: None, native_id: None };
    let Some((record, payload)) = record.and_then(|it| Some((it, connector.system.render(it)?))) else {
        return Packed::Settled(nothing());
    };
    let (print, size) = (fingerprint(&payload), payload.to_string().len());
    if due.fingerprint.as_ref() == Some(&print) {
        return Packed::Settled(Settled::Acknowledged { fingerprint: Some(print), native_id: None });
    }
    let most = connector.system.limits().bytes;
    if size > most {
        let why = format!(
            "{} is {size} bytes long, and {} takes {most} at most. Shorten its largest attribute, then retry.",
            record.ci.name, connector.name
        );
        return Packed::Settled(Settled::Dead { code: "too_large".to_owned(), why });
    }
    Packed::Parcel(Parcel {
        key: record.ci.key.clone(),
        class: record.ci.class,
        lifecycle: record.ci.lifecycle,
        revision: due.wanted,
        native_id: due.native_id.clone(),
        payload,
    })
}

type Sent = Vec<(Due, Parcel)>;

/// Parts that are no longer than they take at once.
fn batches(parcels: Sent, limits: Limits) -> Vec<Sent> {
    let mut parts: Vec<Sent> = Vec::new();
    let mut bytes = 0;
    for parcel in parcels {
        let size = parcel.1.payload.to_string().len();
        let is_full = parts.last().is_none_or(|part| part.len() >= limits.items || bytes + size > limits.bytes);
        if is_full {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(part) = parts.last_mut() {
            part.push(parcel);
        }
    }
    parts
}

/// Sends a batch. One that is refused as a whole is sent in halves, until what they don't take is alone.
async fn deliver(app: &App, connector: &Connector, batch: Sent, done: &mut Done) {
    let mut left = vec![batch];
    while let Some(batch) = left.pop() {
        let parcels: Vec<Parcel> = batch.iter().map(|(_, parcel)| parcel.clone()).collect();
        let Delivered { outcomes, broken } = connector.system.deliver(&parcels).await;
        done.is_answered |= !outcomes.is_empty();
        let mut by_key: HashMap<String, Outcome> = outcomes.into_iter().collect();
        let mut unjudged = Vec::new();
        for (due, parcel) in batch {
            match by_key.remove(&parcel.key) {
                Some(outcome) => judged(app, due, &parcel, outcome, done),
                None => unjudged.push((due, parcel)),
            }
        }
        if !by_key.is_empty() {
            let (connector, keys) = (&connector.name, by_key.len());
            tracing::warn!(connector, keys, "a CMDB answered about CIs that it was not sent");
        }
        match broken {
            Some(setback) if setback.error.kind == ProviderErrorKind::Permanent => {
                refused(app, unjudged, setback, &mut left, done);
            }
            Some(setback) => {
                done.broken = Some(setback);
                return;
            }
            None => unjudged.into_iter().for_each(|(due, parcel)| unanswered(app, due, &parcel, done)),
        }
    }
}

/// They refuse something in this batch without saying what.
fn refused(app: &App, mut batch: Sent, setback: Setback, left: &mut Vec<Sent>, done: &mut Done) {
    let later = batch.split_off(batch.len() / 2);
    match (batch.is_empty(), later.len()) {
        (true, 1) => {
            for (due, parcel) in later {
                judged(app, due, &parcel, Outcome::Failed(setback.clone()), done);
            }
        }
        _ => left.extend([later, batch].into_iter().filter(|part| !part.is_empty())),
    }
}

fn unanswered(app: &App, due: Due, parcel: &Parcel, done: &mut Done) {
    let error = ProviderError::transient("The answer says nothing of this CI.", "It is sent again in a moment.");
    judged(app, due, parcel, Outcome::Failed(Setback::new("unanswered", error)), done);
}

fn judged(app: &App, due: Due, parcel: &Parcel, outcome: Outcome, done: &mut Done) {
    let holds = |native_id| Settled::Acknowledged { fingerprint: Some(fingerprint(&parcel.payload)), native_id };
    let settled = match outcome {
        Outcome::Written { native_id } => holds(native_id),
        Outcome::Unchanged { native_id } => {
            done.noops += 1;
            holds(native_id)
        }
        Outcome::Failed(setback) if setback.is_final() => {
            Settled::Dead { code: setback.code.clone(), why: setback.error.to_string() }
        }
        Outcome::Failed(setback) => {
            let at = back_at(app.clock.now(), due.attempts + 1, &setback);
            Settled::Again { at, code: setback.code.clone(), why: setback.error.to_string() }
        }
    };
    done.settled.push((due, settled));
}

/// When to ask again after so many failures in a row; never before they want to be asked.
fn back_at(now: DateTime<Utc>, failures: u32, setback: &Setback) -> DateTime<Utc> {
    now + pause(failures, rand::random_range(0..=1000)).max(setback.retry_after.unwrap_or_default())
}

/// Writes what a batch came to, in one transaction.
async fn note(app: &App, connector: &Connector, done: Done, sent: DateTime<Utc>) -> Result<(), Trouble> {
    let (name, now) = (connector.name.as_str(), app.clock.now());
    let tx = app.store.begin().await.map_err(database)?;
    for (due, settled) in &done.settled {
        if let Settled::Dead { code, why } = settled {
            tracing::warn!(connector = name, ci = %due.ci, code, "a CMDB does not take a CI: {why}");
        }
        store::connector::settle(&tx, name, due, settled, sent, now).await.map_err(database)?;
    }
    if done.is_answered {
        store::connector::answered(&tx, name, done.noops, now).await.map_err(database)?;
    }
    if let Some(setback) = &done.broken {
        failed(app, &tx, connector, setback).await?;
    }
    tx.commit().await.map_err(database)
}

/// Lets a connector rest that does not answer, or lets nobody in.
pub(super) async fn failed(app: &App, tx: &store::Tx, connector: &Connector, setback: &Setback) -> Result<(), Trouble> {
    let (name, now) = (connector.name.as_str(), app.clock.now());
    let known = store::connector::standing(tx).await.map_err(database)?;
    let before = known.get(name).map_or(0, |standing| standing.failures);
    let until = back_at(now, u32::try_from(before).unwrap_or_default() + 1, setback);
    let why = setback.error.to_string();
    tracing::warn!(connector = name, code = setback.code, %until, "a CMDB can't be reached: {why}");
    store::connector::failed(tx, name, (&setback.code, &why), until, now).await.map_err(database)
}
