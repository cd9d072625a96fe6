//! Taking a request back, and changing it while nobody has decided.

use domain::approval::ApprovalState;
use domain::audit::Actor;
use domain::ids::RequestId;
use domain::person::Principal;
use domain::request::{Request, RequestKind};
use domain::trouble::Trouble;
use serde_json::{Map, Value, json};
use store::Tx;

use super::order::replan;
use super::start::{end_before_run, save, wake};
use super::submit::{acceptable_reason, check_names, open, void_questions};
use crate::approval::{check_levels, note};
use crate::idempotency::Sent;
use crate::{App, database, quota};

/// Takes a request back; its open questions are void at once.
pub async fn withdraw(app: &App, who: &Principal, id: RequestId, sent: &Sent) -> Result<Request, Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    let request = own(&tx, who, id).await?;
    if !sent.is_new(app, &tx, who).await? {
        return Ok(request);
    }
    let read_as = (request.state, request.revision);
    let withdrawn = request.withdrawn(app.clock.now()).map_err(refused)?;
    end_before_run(app, &tx, &withdrawn, read_as, ApprovalState::Revoked).await?;
    note(app, &tx, Actor::person(who, sent.via), "request.withdrawn", &withdrawn, json!({})).await?;
    tx.commit().await.map_err(database)?;
    Ok(withdrawn)
}

/// Changes what is ordered. Every link that was sent is void, and everybody is asked again.
pub async fn change(
    app: &App,
    who: &Principal,
    id: RequestId,
    parameters: &Map<String, Value>,
    reason: &str,
    sent: &Sent,
) -> Result<Request, Trouble> {
    let reason = acceptable_reason(reason)?;
    let before = store::request::find_in(&app.store, id, &who.scope()).await.map_err(database)?;
    let before = before.ok_or_else(|| Trouble::not_found("request"))?;
    if before.kind != RequestKind::Provision {
        return Err(Trouble::conflict(
            "Only an order for something new can be changed.",
            "Take this request back and ask again.",
        ));
    }
    let project = super::submit::project_to_order_in(app, who, before.project).await?;
    let plan = replan(app, who, &project, &before, parameters).await?;
    let tx = app.store.begin().await.map_err(database)?;
    let request = own(&tx, who, id).await?;
    if !sent.is_new(app, &tx, who).await? {
        return Ok(request);
    }
    let read_as = (request.state, request.revision);
    let old = request.parameters.clone();
    let revised = request.revised(plan, reason).map_err(refused)?;
    let requester = store::person::find(&tx, who.person).await.map_err(database)?;
    let requester = requester.ok_or_else(|| Trouble::not_found("person"))?;
    void_questions(&tx, &revised, ApprovalState::Revoked).await?;
    store::allocation::forget(&tx, id).await.map_err(database)?;
    if let Some(plan) = &revised.plan {
        check_names(&tx, &revised, plan).await?;
        check_levels(app, &tx, &plan.levels(), &requester, &project).await?;
        quota::reserve(app, &tx, &revised, plan).await?;
    }
    save(&tx, &revised, read_as).await?;
    let data = json!({ "before": old, "after": revised.parameters, "revision": revised.revision });
    note(app, &tx, Actor::person(who, sent.via), "request.changed", &revised, data).await?;
    let revised = open(app, &tx, revised, &requester, &project).await?;
    tx.commit().await.map_err(database)?;
    wake(app, &revised);
    Ok(revised)
}

/// The request, if it is the person's own.
async fn own(tx: &Tx, who: &Principal, id: RequestId) -> Result<Request, Trouble> {
    let request = store::request::lock(tx, id).await.map_err(database)?;
    let request = request.filter(|request| who.scope().covers(request.project));
    let request = request.ok_or_else(|| Trouble::not_found("request"))?;
    if request.requester != who.person {
        return Err(Trouble::forbidden(
            "Only who made this request can change it or take it back.",
            "Ask the requester; his name is on the request's page.",
        ));
    }
    Ok(request)
}

fn refused(cause: domain::request::InvalidTransition) -> Trouble {
    let state = cause.state.word().replace('_', " ");
    Trouble::conflict(
        format!("The request is {state}, so it can't be {} any more.", cause.wanted),
        "Its page shows what can be done now.",
    )
}
