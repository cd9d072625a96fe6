//! Being away: who stands in, for how long.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use domain::approval::Absence;
use domain::audit::{Actor, Note};
use domain::person::{Person, Principal};
use domain::trouble::Trouble;
use serde_json::json;

use crate::{App, YEARS, audit, database};

/// An absence with the name of who stands in.
pub struct Away {
    pub absence: Absence,
    pub delegate: Person,
}

/// The longest absence that can be set at once.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// What the person said of his absence, if it is not over.
pub async fn away(app: &App, who: &Principal) -> Result<Option<Away>, Trouble> {
    let now = app.clock.now();
    let Some(absence) = store::absence::of_person(&app.store, who.person, now).await.map_err(database)? else {
        return Ok(None);
    };
    let delegate = store::person::find(&app.store, absence.delegate).await.map_err(database)?;
    Ok(delegate.map(|delegate| Away { absence, delegate }))
}

/// Says that the person is away; questions that are asked meanwhile go to who stands in.
pub async fn go_away(
    app: &App,
    who: &Principal,
    delegate_email: &str,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    via: &str,
) -> Result<(), Trouble> {
    let email = delegate_email.trim().to_lowercase();
    let found = store::person::find_by_email(&app.store, &email).await.map_err(database)?;
    let delegate = found.map(|(person, _)| person).filter(|person| person.active);
    let delegate = delegate.ok_or_else(|| Trouble::field("delegate", "Nobody with this email can stand in."))?;
    if delegate.id == who.person {
        return Err(Trouble::field("delegate", "Somebody else has to stand in for you."));
    }
    for (field, at) in [("from", begins_at), ("until", ends_at)] {
        if !YEARS.contains(&at.year()) {
            let message = format!("Give a day in the years {} to {}.", YEARS.start(), YEARS.end());
            return Err(Trouble::field(field, message));
        }
    }
    if ends_at <= begins_at || ends_at <= app.clock.now() {
        return Err(Trouble::field("until", "The absence has to end after it begins, and not in the past."));
    }
    if ends_at - begins_at > LONGEST {
        return Err(Trouble::field("until", "An absence is set for a year at most."));
    }
    let absence = Absence { person: who.person, delegate: delegate.id, begins_at, ends_at };
    let tx = app.store.begin().await.map_err(database)?;
    store::absence::replace(&tx, &absence).await.map_err(database)?;
    let data = json!({ "delegate": delegate.email, "from": begins_at, "until": ends_at });
    audit::note(app, &tx, about(who, via, "person.away", data)).await?;
    tx.commit().await.map_err(database)
}

/// Says that the person is back.
pub async fn come_back(app: &App, who: &Principal, via: &str) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    store::absence::clear(&tx, who.person).await.map_err(database)?;
    audit::note(app, &tx, about(who, via, "person.back", json!({}))).await?;
    tx.commit().await.map_err(database)
}

fn about(who: &Principal, via: &str, action: &'static str, data: serde_json::Value) -> Note {
    let subject = format!("person {}", who.person);
    Note { actor: Actor::person(who, via), action, subject, project: None, data }
}
