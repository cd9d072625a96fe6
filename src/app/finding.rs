//! Findings for people: looking at them, and bearing one until a day.

use chrono::{DateTime, Utc};
use domain::audit::{Actor, Note};
use domain::finding::life::{Kept, NotWaived, Waiver};
use domain::ids::FindingId;
use domain::person::{Principal, Role, Scope};
use domain::trouble::Trouble;
use serde_json::json;
pub use store::finding::{FindingQuery, FindingSort};

use crate::page::{Counted, Part, Window};
use crate::{App, audit, database};

/// A part of the findings that the person may see and the query finds.
pub async fn list(
    app: &App,
    who: &Principal,
    query: &FindingQuery,
    window: Window<FindingSort, FindingId>,
) -> Result<Part<Kept>, Trouble> {
    store::finding::list(&app.store, &who.scope(), query, window).await.map_err(database)
}

/// How many of them there are, as far as they are counted.
pub async fn count(app: &App, who: &Principal, query: &FindingQuery) -> Result<Counted, Trouble> {
    store::finding::count(&app.store, &who.scope(), query).await.map_err(database)
}

/// One finding. Those about other projects are not found.
pub async fn show(app: &App, who: &Principal, id: FindingId) -> Result<Kept, Trouble> {
    let found = store::finding::find(&app.store, &who.scope(), id).await.map_err(database)?;
    found.ok_or_else(|| Trouble::not_found("finding"))
}

/// Bears a finding until a day, a year at most; then it is open again.
pub async fn waive(
    app: &App,
    who: &Principal,
    via: &str,
    id: FindingId,
    (until, reason): (DateTime<Utc>, &str),
) -> Result<Kept, Trouble> {
    if !who.has_everywhere(Role::Operator) {
        return Err(Trouble::forbidden("Only operators waive findings.", "Ask one of them."));
    }
    let tx = app.store.begin().await.map_err(database)?;
    let known = store::finding::find(&tx, &Scope::Everything, id).await.map_err(database)?;
    let known = known.ok_or_else(|| Trouble::not_found("finding"))?;
    let actor = Actor::person(who, via);
    let waiver = Waiver { until, by: actor.name.clone(), reason: reason.trim().to_owned() };
    let waived = known.waived(waiver, app.clock.now()).map_err(refused)?;
    store::finding::save(&tx, std::slice::from_ref(&waived)).await.map_err(database)?;
    let found = &waived.found;
    let note = Note {
        actor,
        action: "finding.waived",
        subject: format!("finding {id}"),
        project: found.subject.project,
        data: json!({ "kind": found.matter.kind().id(), "key": found.subject.key, "what": found.matter.told(),
                      "until": until, "reason": reason.trim() }),
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    Ok(waived)
}

fn refused(why: NotWaived) -> Trouble {
    match why {
        NotWaived::Past | NotWaived::TooLong => Trouble::field("until", why.to_string()),
        NotWaived::NoReason => Trouble::field("reason", why.to_string()),
        NotWaived::Held | NotWaived::Fixed => Trouble::conflict(why.to_string(), "Look at the finding again."),
    }
}
