//! ServiceNow: CIs are written through its Identification and Reconciliation Engine, which knows them again by our key,
//! and read back by tables. `docs/cmdb.md` says what becomes of which class.
//!
//! Nothing is inserted twice: a relation's other end that is not in the call is named by its id over there, and the
//! relation waits where it has none yet. Calls go one after another, as the vendor asks for where many CIs come under one.

mod classes;
mod client;
mod held;
mod ire;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use classes::{TYPES, Wanted, referred};
use client::Instance;
use domain::ci::CiClass;
use domain::connector::Record;
use domain::ports::clock::Clock;
use domain::ports::cmdb_connector::{CmdbConnector, Delivered, HeldPage, Limits, Outcome, Parcel, Setback};
use domain::ports::provider_error::ProviderError;
use domain::ports::survey::{Line, Survey};
use ire::{Answered, Call, Item, Sender};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::outbound::OutboundError;

/// CIs of a call, the ends of relations among them: what the vendor advises.
const ITEMS: usize = 500;
/// How much is sent at once.
const LIMITS: Limits = Limits { items: ITEMS, bytes: 4 << 20 };
/// Each CI is judged for itself, and nothing is put aside to be completed.
const OPTIONS: &str = "partial_payloads:false,partial_commits:true,deduplicate_payloads:true,generate_summary:true";

/// Where the instance is, and how CIs stand there. Its debug form does not show secrets.
#[derive(Clone)]
pub struct ServiceNowSettings {
    /// `https://example.service-now.com`.
    pub url: String,
    pub sign_in: SignIn,
    /// The choice of the field `discovery_source` that says that it is from us.
    pub source: String,
    /// What tells several of us apart.
    pub feed: String,
    /// Their classes, where they are to be others; empty: CIs of the class are not carried.
    pub classes: BTreeMap<CiClass, String>,
    pub lifecycle: LifecycleFields,
    /// The fields that name who answers for the platform.
    pub platform: Vec<String>,
    /// The fields that name who answers for the application.
    pub application: Vec<String>,
    /// A group that they don't know is left out, instead of the CI being a dead letter.
    pub leaves_out_unknown: bool,
    /// Certificates (PEM) that the server's must come from, instead of the public ones.
    pub ca: Option<Vec<u8>>,
}

/// How we sign in.
#[derive(Clone)]
pub enum SignIn {
    /// OAuth with client credentials.
    Client { id: String, secret: String },
    /// A user with a password.
    User { name: String, password: String },
}

/// The fields that say where a CI stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleFields {
    /// `install_status` and `operational_status`.
    #[default]
    Status,
    /// `life_cycle_stage` and `life_cycle_stage_status`.
    Stage,
}

impl fmt::Debug for ServiceNowSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceNowSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The company's ServiceNow.
pub struct ServiceNow {
    instance: Instance,
    settings: ServiceNowSettings,
    /// The ids of groups, users and stages by the field that refers to them and their name.
    referred: Mutex<HashMap<(String, String), String>>,
    /// One call at a time.
    turn: Mutex<()>,
    clock: Arc<dyn Clock>,
}

impl ServiceNow {
    /// Nothing is opened before the first call.
    pub fn new(settings: ServiceNowSettings, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self {
            instance: Instance::new(&settings, Arc::clone(&clock))?,
            settings,
            referred: Mutex::default(),
            turn: Mutex::default(),
            clock,
        })
    }

    /// Sends a batch in as many calls as it takes, to the engine or to what only says what it would do.
    async fn send(&self, door: &str, batch: &[Parcel]) -> Delivered {
        let _turn = self.turn.lock().await;
        let mut delivered = Delivered::default();
        for part in parts(batch) {
            if let Err(setback) = self.call(door, part, &mut delivered.outcomes).await {
                return Delivered { broken: Some(setback), ..delivered };
            }
        }
        delivered
    }

    async fn call(&self, door: &str, part: &[Parcel], judged: &mut Vec<(String, Outcome)>) -> Result<(), Setback> {
        let call = self.prepared(part, judged).await?;
        if call.items.is_empty() {
            return Ok(());
        }
        let from = Sender { source: &self.settings.source, feed: &self.settings.feed, now: self.clock.now() };
        let (payload, owners) = call.payload(&from);
        let query = [("sysparm_data_source", self.settings.source.as_str()), ("options", OPTIONS)];
        let path = format!("api/now/identifyreconcile/{door}");
        let answered: Answered = self.instance.post(&path, &query, &payload).await?;
        judged.extend(call.judge(answered, &owners));
        Ok(())
    }

    /// The call with all that has to be looked up for it; what refers to nothing is judged at once.
    async fn prepared(&self, part: &[Parcel], judged: &mut Vec<(String, Outcome)>) -> Result<Call, Setback> {
        let mut items = Vec::new();
        let read: Vec<(String, Wanted)> =
            part.iter().filter_map(|it| Some((it.key.clone(), read(&it.payload)?))).collect();
        let named = read.iter().flat_map(|(_, wanted)| wanted.references.clone()).collect();
        let ids = self.referred(&named).await?;
        for (key, wanted) in read {
            let found = |it: &(&String, &String)| ids.contains_key(&(it.0.clone(), it.1.clone()));
            let unknown = wanted.references.iter().find(|it| !found(it));
            if let Some((field, name)) = unknown.filter(|_| !self.settings.leaves_out_unknown) {
                judged.push((key, Outcome::Failed(unreferred(field, name))));
                continue;
            }
            let id = |it: (&String, &String)| Some((it.0.clone(), ids.get(&(it.0.clone(), it.1.clone()))?.clone()));
            let references = wanted.references.iter().filter_map(id).collect();
            items.push(Item { key, wanted, references, waits_for: BTreeSet::new() });
        }
        let here: BTreeSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let ends = items.iter().flat_map(|item| &item.wanted.relations).map(|link| link.other());
        let outside: BTreeSet<String> = ends.filter(|end| !here.contains(end)).map(str::to_owned).collect();
        let ends = self.known(&outside.iter().cloned().collect::<Vec<String>>()).await?;
        for item in &mut items {
            let others = item.wanted.relations.iter().map(|link| link.other());
            let lost = others.filter(|end| outside.contains(*end) && !ends.contains_key(*end));
            item.waits_for = lost.map(str::to_owned).collect();
        }
        Ok(Call { items, ends })
    }
}

/// What a parcel of ours wants.
fn read(payload: &Value) -> Option<Wanted> {
    serde_json::from_value(payload.clone()).ok()
}

/// Parts that come, with the ends of their relations, to no more than a call may have.
fn parts(batch: &[Parcel]) -> Vec<&[Parcel]> {
    let mut keys: BTreeSet<String> = batch.iter().map(|parcel| parcel.key.clone()).collect();
    let wanted = batch.iter().filter_map(|parcel| read(&parcel.payload));
    keys.extend(wanted.flat_map(|wanted| wanted.relations).map(|link| link.other().to_owned()));
    if keys.len() <= ITEMS || batch.len() < 2 {
        return vec![batch];
    }
    let (earlier, later) = batch.split_at(batch.len() / 2);
    parts(earlier).into_iter().chain(parts(later)).collect()
}

/// A field is to refer to what is not there.
fn unreferred(field: &str, name: &str) -> Setback {
    let (table, _) = referred(field);
    let what = format!("ServiceNow knows no {name} in {table}, which {field} is to name.");
    let next = "Add it over there, or have unknown groups left out, then have it sent again.";
    Setback::new("unknown_reference", ProviderError::refused(what, next))
}

#[async_trait]
impl CmdbConnector for ServiceNow {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn render(&self, record: &Record) -> Option<Value> {
        self.settings.wanted(record).and_then(|wanted| serde_json::to_value(wanted).ok())
    }

    async fn deliver(&self, batch: &[Parcel]) -> Delivered {
        self.send("enhanced", batch).await
    }

    async fn preview(&self, batch: &[Parcel]) -> Option<Delivered> {
        Some(self.send("queryEnhanced", batch).await)
    }

    fn lists(&self) -> bool {
        true
    }

    async fn list(&self, from: Option<&str>) -> Result<HeldPage, Setback> {
        self.page(from).await
    }
}

#[async_trait]
impl Survey for ServiceNow {
    async fn survey(&self, _: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let source = &self.settings.source;
        let choice = format!("name=cmdb_ci^element=discovery_source^value={source}");
        let (choices, _) =
            self.instance.rows("sys_choice", &choice, &["value"], 1).await.map_err(|setback| setback.error)?;
        let what = format!("data source {source}");
        let mut lines = vec![match choices.is_empty() {
            true => Line::missing(what, "Add it to the choices of the field discovery_source of cmdb_ci."),
            false => Line::there(what, "CIs may come from it"),
        }];
        let types = TYPES.map(str::to_owned);
        let found = self.instance.rows_in("cmdb_rel_type", ("name", &types), "", &["name"]).await;
        let found = found.map_err(|setback| setback.error)?;
        for kind in TYPES {
            let what = format!("relation type {kind}");
            lines.push(match found.iter().any(|row| client::text(row, "name") == kind) {
                true => Line::there(what, "relations may be of it"),
                false => Line::missing(what, "Restore it in cmdb_rel_type."),
            });
        }
        self.page(None).await.map_err(|setback| setback.error)?;
        lines.push(Line::there("reading back", "what it holds of us can be listed"));
        Ok(lines)
    }
}
