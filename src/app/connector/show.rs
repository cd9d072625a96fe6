//! How connectors fare, for operators; what would be sent; and dead letters that are carried again.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::audit::{Actor, Note};
use domain::ci::CiClass;
use domain::connector::{Lag, Record, Settled};
use domain::ids::CiId;
use domain::person::{Principal, Role};
use domain::ports::cmdb_connector::{Delivered, Outcome, Parcel};
use domain::trouble::Trouble;
use serde_json::{Value, json};
use store::connector::{Dead, Outstanding, Standing};

use super::carry::{self, Packed};
use super::{Connector, find, must_operate};
use crate::{App, audit, database};

/// Dead letters that are shown.
const SHOWN: u64 = 50;
/// CIs that a dry run shows.
const PLANNED: usize = 100;

/// How a connector fares.
#[derive(Clone, Debug)]
pub struct Fares {
    pub name: String,
    pub kind: &'static str,
    pub standing: Standing,
    pub outstanding: Outstanding,
    /// How long the latest changes took; nothing where there were none.
    pub lag: Option<Lag>,
    pub dead: Vec<DeadLetter>,
    /// Whether what they hold can be read back and compared.
    pub lists: bool,
}

impl Fares {
    /// `answers`, `away` or `quiet`.
    pub fn state(&self) -> &'static str {
        match (self.standing.failing_since, self.standing.answered_at) {
            (Some(_), _) => "away",
            (None, Some(_)) => "answers",
            (None, None) => "quiet",
        }
    }
}

/// A CI that nobody over there takes.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub ci: CiId,
    pub name: String,
    pub code: String,
    pub why: String,
    pub since: DateTime<Utc>,
}

fn must_look(who: &Principal) -> Result<(), Trouble> {
    if who.has_everywhere(Role::Operator) || who.has_everywhere(Role::Administrator) {
        return Ok(());
    }
    Err(Trouble::forbidden("Operations are for operators.", "Ask an administrator for the role."))
}

/// How the connectors fare, for those who may know.
pub async fn index(app: &App, who: &Principal) -> Result<Vec<Fares>, Trouble> {
    must_look(who)?;
    fares(app).await
}

/// How the connectors fare. The caller has asked who may know.
pub async fn fares(app: &App) -> Result<Vec<Fares>, Trouble> {
    if app.connectors.is_empty() {
        return Ok(Vec::new());
    }
    let mut standing = store::connector::standing(&app.store).await.map_err(database)?;
    let mut outstanding = store::connector::outstanding(&app.store).await.map_err(database)?;
    let mut dead: BTreeMap<String, Vec<DeadLetter>> = BTreeMap::new();
    for letter in store::connector::dead(&app.store, SHOWN).await.map_err(database)? {
        dead.entry(letter.connector.clone()).or_default().push(told(letter));
    }
    let mut all = Vec::with_capacity(app.connectors.len());
    for connector in app.connectors.iter() {
        let name = connector.name.as_str();
        all.push(Fares {
            standing: standing.remove(name).unwrap_or_default(),
            outstanding: outstanding.remove(name).unwrap_or_default(),
            lag: Lag::of(store::connector::lags(&app.store, name).await.map_err(database)?),
            dead: dead.remove(name).unwrap_or_default(),
            name: name.to_owned(),
            kind: connector.kind,
            lists: connector.system.lists(),
        });
    }
    Ok(all)
}

fn told(letter: Dead) -> DeadLetter {
    DeadLetter {
        ci: letter.ci(),
        name: letter.name,
        code: letter.error_code,
        why: letter.error,
        since: letter.dead_since,
    }
}

/// Has a dead letter carried again, or all of a connector's; an operator mended what was wrong.
pub async fn carry_again(
    app: &App,
    who: &Principal,
    via: &'static str,
    name: &str,
    ci: Option<CiId>,
) -> Result<u64, Trouble> {
    must_operate(who)?;
    find(app, name)?;
    let tx = app.store.begin().await.map_err(database)?;
    let again = store::connector::retry(&tx, name, ci, app.clock.now()).await.map_err(database)?;
    if again == 0 {
        return Err(Trouble::conflict(
            "Nothing of this is a dead letter of the connector, so it can't be sent again.",
            "Look at the operations page for how it stands.",
        ));
    }
    let actor = Actor::person(who, via);
    let subject = format!("connector {name}");
    let data = json!({ "ci": ci, "letters": again });
    audit::note(app, &tx, Note { actor, action: "connector.sent_again", subject, project: None, data }).await?;
    tx.commit().await.map_err(database)?;
    Ok(again)
}

/// What a connector would be sent for one CI.
#[derive(Clone, Debug)]
pub struct Planned {
    pub ci: CiId,
    pub name: String,
    pub class: CiClass,
    /// What would be sent; nothing where its class is not carried, or they hold it so already.
    pub payload: Option<Value>,
    /// What they say would become of it; nothing where they can't be asked that.
    pub verdict: Option<String>,
}

/// What a connector would be sent next: a dry run, which tells nobody anything.
pub async fn plan(app: &App, who: &Principal, name: &str) -> Result<Vec<Planned>, Trouble> {
    must_look(who)?;
    let connector = find(app, name)?;
    let due = store::connector::due(&app.store, name, app.clock.now(), PLANNED).await.map_err(database)?;
    let ids: Vec<CiId> = due.iter().map(|due| due.ci).collect();
    let records = store::connector::records(&app.store, &ids).await.map_err(database)?;
    let packed = due.iter().filter_map(|due| Some((due, records.get(&due.ci)?)));
    let packed: Vec<(&Record, Packed)> =
        packed.map(|(due, record)| (record, carry::packed(connector, due, Some(record)))).collect();
    let parcel = |(_, packed): &(&Record, Packed)| match packed {
        Packed::Parcel(parcel) => Some(parcel.clone()),
        Packed::Settled(_) => None,
    };
    let mut verdicts = verdicts(connector, &packed.iter().filter_map(parcel).collect::<Vec<Parcel>>()).await;
    let planned = |(record, packed): (&Record, Packed)| {
        let (payload, verdict) = match packed {
            Packed::Parcel(parcel) => (Some(parcel.payload), verdicts.remove(&parcel.key)),
            Packed::Settled(Settled::Dead { why, .. }) => (None, Some(why)),
            Packed::Settled(_) => (None, None),
        };
        Planned { ci: record.ci.id, name: record.ci.name.clone(), class: record.ci.class, payload, verdict }
    };
    Ok(packed.into_iter().map(planned).collect())
}

/// What they say would become of these CIs, by key.
async fn verdicts(connector: &Connector, parcels: &[Parcel]) -> HashMap<String, String> {
    if parcels.is_empty() {
        return HashMap::new();
    }
    let Some(Delivered { outcomes, broken }) = connector.system.preview(parcels).await else { return HashMap::new() };
    let all = parcels.iter().filter_map(|parcel| Some((parcel.key.clone(), broken.as_ref()?.error.to_string())));
    let mut verdicts: HashMap<String, String> = all.collect();
    verdicts.extend(outcomes.into_iter().map(|(key, outcome)| {
        let told = match outcome {
            Outcome::Written { .. } => "It would be written.".to_owned(),
            Outcome::Unchanged { .. } => "It stands so already: nothing would change.".to_owned(),
            Outcome::Failed(setback) => setback.error.to_string(),
        };
        (key, told)
    }));
    verdicts
}
