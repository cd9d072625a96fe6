//! Taking a request back, and changing it while nobody has decided.

use domain::approval::ApprovalState;
use domain::audit::Actor;
use domain::blueprint::plan::Plan;
use domain::blueprint::{Blueprint, Period};
use domain::ids::RequestId;
use domain::person::Principal;
use domain::project::Project;
use domain::request::{InvalidTransition, Request, RequestKind, RequestState, number};
use domain::trouble::Trouble;
use serde_json::{Map, Value, json};
use store::Tx;

use super::order::refuse_stale_version;
use super::start::{end_before_run, save, wake};
use super::submit::{acceptable_reason, check_names, open, void_questions};
use crate::approval::{check_levels, note};
use crate::catalog::{self, Draft, OrderForm};
use crate::idempotency::Sent;
use crate::{App, database, quota, site};

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

/// What a request shall ask for instead.
#[derive(Clone, Debug)]
pub struct NewTerms {
    /// The revision that was looked at; another one is not changed.
    pub revision: i32,
    /// None keeps the site that was asked for.
    pub site: Option<String>,
    pub parameters: Map<String, Value>,
    /// None keeps the lease that was asked for.
    pub lease: Option<Period>,
    pub reason: String,
}

/// What the page starts from that changes a request.
pub struct ChangeForm {
    pub request: Request,
    pub form: OrderForm,
}

/// The form that changes a request, for who made it, while nobody has decided.
pub async fn change_form(app: &App, who: &Principal, id: RequestId) -> Result<ChangeForm, Trouble> {
    let request = to_change(app, who, id).await?;
    let form = catalog::form(app, who, &request.blueprint, Some(request.project)).await?;
    refuse_other_version(&request, &form.blueprint)?;
    Ok(ChangeForm { request, form })
}

/// What a request would come to with other parameters; its own reservation makes room for it.
pub async fn change_draft(
    app: &App,
    who: &Principal,
    request: &Request,
    parameters: &Map<String, Value>,
    lease: Option<Period>,
) -> Result<Draft, Trouble> {
    let mut draft = catalog::draft(app, who, request.project, &request.blueprint, parameters, lease).await?;
    for line in &mut draft.quota {
        let promised = request.plan.iter().flat_map(|plan| &plan.quota).filter(|own| own.kind == line.kind);
        let own: i64 = promised.map(|own| own.amount - own.before).sum();
        line.before -= own;
        line.after -= own;
    }
    Ok(draft)
}

/// Changes what is ordered. Every link that was sent is void, and everybody is asked again.
pub async fn change(
    app: &App,
    who: &Principal,
    id: RequestId,
    terms: NewTerms,
    sent: &Sent,
) -> Result<Request, Trouble> {
    match change_once(app, who, id, terms, sent).await {
        // The same change may have been made before, and be what is in the way: by now it may be decided and built.
        Err(_) if sent.is_done(app, who).await? => find_own(app, who, id).await,
        came_to => came_to,
    }
}

async fn change_once(
    app: &App,
    who: &Principal,
    id: RequestId,
    terms: NewTerms,
    sent: &Sent,
) -> Result<Request, Trouble> {
    let before = to_change(app, who, id).await?;
    let project = super::submit::project_to_order_in(app, who, before.project).await?;
    let plan = replan(app, who, &project, &before, &terms).await;
    let site = terms.site.as_deref().unwrap_or(&before.site);
    let plan = Trouble::both(plan, site::choose(app, &project, Some(site)));
    let ((plan, site), reason) = Trouble::both(plan, acceptable_reason(&terms.reason))?;
    let tx = app.store.begin().await.map_err(database)?;
    let request = own(&tx, who, id).await?;
    if !sent.is_new(app, &tx, who).await? {
        return Ok(request);
    }
    refuse_stale(&request, terms.revision)?;
    let read_as = (request.state, request.revision);
    let (old, old_site) = (request.parameters.clone(), request.site.clone());
    let revised = request.revised(plan, site.name, reason).map_err(refused)?;
    let requester = store::person::find(&tx, who.person).await.map_err(database)?;
    let requester = requester.ok_or_else(|| Trouble::not_found("person"))?;
    void_questions(&tx, &revised, ApprovalState::Revoked).await?;
    store::allocation::forget(&tx, id).await.map_err(database)?;
    if let Some(plan) = &revised.plan {
        check_names(app, &tx, &revised, plan).await?;
        check_levels(app, &tx, &plan.levels(), &requester, &project).await?;
        quota::reserve(app, &tx, &revised, plan).await?;
    }
    save(&tx, &revised, read_as).await?;
    let mut data = json!({ "before": old, "after": revised.parameters, "revision": revised.revision });
    if revised.site != old_site {
        data["site"] = json!({ "before": old_site, "after": revised.site });
    }
    note(app, &tx, Actor::person(who, sent.via), "request.changed", &revised, data).await?;
    let revised = open(app, &tx, revised, &requester, &project).await?;
    tx.commit().await.map_err(database)?;
    wake(app, &revised);
    Ok(revised)
}

/// The same order with other parameters, planned anew by the version it was ordered with.
async fn replan(
    app: &App,
    who: &Principal,
    project: &Project,
    before: &Request,
    terms: &NewTerms,
) -> Result<Plan, Trouble> {
    let lease = terms.lease.or(before.plan.as_ref().map(|plan| plan.lease));
    let plan = catalog::plan(app, who, project.id, &before.blueprint, &terms.parameters, lease).await?;
    refuse_stale_version(Some(&before.version), &plan)?;
    Ok(plan)
}

/// The request, if the person made it, and as long as it can be changed.
async fn to_change(app: &App, who: &Principal, id: RequestId) -> Result<Request, Trouble> {
    let request = find_own(app, who, id).await?;
    if request.kind != RequestKind::Provision {
        return Err(Trouble::conflict(
            "Only an order for something new can be changed.",
            "Take this request back and ask again.",
        ));
    }
    match request.state {
        RequestState::AwaitingApproval => Ok(request),
        state => Err(refused(InvalidTransition { state, wanted: "changed" })),
    }
}

fn refuse_stale(request: &Request, looked_at: i32) -> Result<(), Trouble> {
    if request.revision == looked_at {
        return Ok(());
    }
    Err(Trouble::conflict(
        format!(
            "{} was changed since this form was opened: it is at revision {}.",
            number(request.number),
            request.revision
        ),
        "What you typed is kept here. Compare it with the request's page, then send it again.",
    ))
}

/// A form can only show what is offered now.
fn refuse_other_version(request: &Request, offered: &Blueprint) -> Result<(), Trouble> {
    if request.version == offered.version.to_string() {
        return Ok(());
    }
    let (title, version) = (&offered.title, &request.version);
    Err(Trouble::conflict(
        format!("{title} {version} is not offered any more; it is {} now.", offered.version),
        "Take the request back, and order the new version.",
    ))
}

/// The request as it stands, if it is the person's own.
async fn find_own(app: &App, who: &Principal, id: RequestId) -> Result<Request, Trouble> {
    let found = store::request::find_in(&app.store, id, &who.scope()).await.map_err(database)?;
    only_of(who, found)
}

/// The same, kept from changing until the transaction ends.
async fn own(tx: &Tx, who: &Principal, id: RequestId) -> Result<Request, Trouble> {
    let request = store::request::lock(tx, id).await.map_err(database)?;
    only_of(who, request.filter(|request| who.scope().covers(request.project)))
}

fn only_of(who: &Principal, found: Option<Request>) -> Result<Request, Trouble> {
    let request = found.ok_or_else(|| Trouble::not_found("request"))?;
    if request.requester != who.person {
        return Err(Trouble::forbidden(
            "Only who made this request can change it or take it back.",
            "Ask the requester; his name is on the request's page.",
        ));
    }
    Ok(request)
}

fn refused(cause: InvalidTransition) -> Trouble {
    let state = cause.state.word().replace('_', " ");
    Trouble::conflict(
        format!("The request is {state}, so it can't be {} any more.", cause.wanted),
        "Its page shows what can be done now.",
    )
}
