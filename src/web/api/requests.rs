//! Ordering, and looking at what was ordered.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use app::App;
use app::request::{self, Filter, Listed, NewTerms, Order, SortBy, Waits, What};
use chrono::{DateTime, Utc};
use domain::hold::Hold;
use domain::ids::{ProjectId, RequestId};
use domain::person::Principal;
use domain::request::{Request, RequestState, number};
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, VIA};
use super::catalog::{Ordered, reason};
use super::endpoint::Endpoint;
use super::fields::{Body, Query, in_order};
use super::paging::Part;
use super::{BASE, Reply};

/// A request: an order for a blueprint, or for an action on a deployment.
#[derive(Serialize, ToSchema)]
pub struct RequestDetails {
    id: String,
    /// What people call it, `R-12`.
    number: String,
    /// `provision`, `action` or `retire`.
    kind: String,
    title: String,
    blueprint: String,
    version: String,
    action: Option<String>,
    project: String,
    /// Where it is, or will be, built.
    site: String,
    deployment: String,
    #[schema(value_type = Object)]
    parameters: Value,
    reason: String,
    /// Grows with each change by the requester.
    revision: i32,
    /// `awaiting_approval`, `approved`, `rejected`, `withdrawn`, `expired`, `running`, `paused`, `taking_back`,
    /// `fulfilled`, `failed` or `cancelled`.
    state: &'static str,
    /// The state in people's words.
    state_label: &'static str,
    /// What its run waits for, where only that keeps it: its turn, a place at a provider, people.
    held_up: Option<String>,
    /// Why it is paused, as the run says it.
    paused_because: Option<String>,
    /// Why it ended as it did.
    outcome: Option<String>,
    /// Its run, once there is one.
    run: Option<String>,
    /// Euros a month once it is done.
    monthly: Option<f64>,
    submitted_at: DateTime<Utc>,
    decided_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// Whom it waits for.
    waits_for: Vec<String>,
    /// Since when it waits for them.
    waits_since: Option<DateTime<Utc>>,
}

/// Which requests are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Wanted {
    /// `awaiting_approval`, `approved`, `rejected`, `withdrawn`, `expired`, `running`, `paused`, `taking_back`,
    /// `fulfilled`, `failed` or `cancelled`.
    state: Option<String>,
    /// The project's id.
    project: Option<String>,
    /// Part of the title, the blueprint's name or the reason; or a number, `R-12`.
    text: Option<String>,
}

/// What an order is to be instead.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct Revision {
    /// All of them, by the blueprint's schema; what is absent takes its default.
    #[schema(value_type = Object)]
    parameters: Value,
    /// The revision that was looked at; another one is not changed.
    revision: i32,
    /// None keeps the site that was asked for.
    site: Option<String>,
    /// None keeps the lease that was asked for.
    lease_days: Option<u32>,
    reason: Option<String>,
}

/// An empty object.
#[derive(ToSchema)]
pub struct Nothing {}

/// What is ordered.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewRequest {
    /// The project's id.
    project: String,
    /// The blueprint's name.
    blueprint: String,
    /// Where it is to be built, by the site's name; absent, the project's first site.
    site: Option<String>,
    /// Refused unless this version is what the catalog offers.
    version: Option<String>,
    /// By the blueprint's schema; what is absent takes its default.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    lease_days: Option<u32>,
    /// Why it is wanted, for the approvers.
    reason: Option<String>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/requests", index)
            .is("Requests", "The requests that the caller may see, oldest first")
            .needs(TokenScope::Read)
            .lists::<RequestDetails>()
            .asks::<Wanted>(),
        Endpoint::post("/requests", submit)
            .is("Requests", "Order a blueprint")
            .needs(TokenScope::Order)
            .takes::<NewRequest>()
            .orders::<RequestDetails>()
            .may(&[404]),
        Endpoint::get("/requests/{id}", show)
            .is("Requests", "A request")
            .needs(TokenScope::Read)
            .gives::<RequestDetails>(),
        Endpoint::post("/requests/{id}/change", change)
            .is("Requests", "Change an order that nobody has decided; everybody is asked anew")
            .needs(TokenScope::Order)
            .takes::<Revision>()
            .gives::<RequestDetails>()
            .may(&[409]),
        Endpoint::post("/requests/{id}/withdraw", withdraw)
            .is("Requests", "Take a request back")
            .needs(TokenScope::Order)
            .takes::<Nothing>()
            .gives::<RequestDetails>()
            .may(&[409]),
    ]
}

async fn index(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let part = Part::of(&mut query);
    let filter = Filter {
        states: query.optional::<RequestState>("state").into_iter().collect(),
        project: query.optional("project"),
        text: query.optional("text").unwrap_or_default(),
        ..Filter::default()
    };
    let filter = query.finish(Some(filter))?;
    let found = request::list(&house, who, &filter, part.window(SortBy::Number)?).await?.part;
    Ok(part.answer(found, |listed| listed.request.id, RequestDetails::from))
}

async fn show(house: Data<App>, caller: Caller, id: Path<RequestId>) -> Reply {
    let page = request::show(&house, caller.may(TokenScope::Read)?, *id).await?;
    let (state_label, held_up) = (page.reads().label, page.hold.as_ref().map(Hold::told));
    let paused_because = page.pause.map(|pause| pause.why);
    let details = RequestDetails::of(page.request, page.waits);
    Ok(HttpResponse::Ok().json(RequestDetails { state_label, held_up, paused_because, ..details }))
}

async fn submit(house: Data<App>, caller: Caller, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Order)?;
    let place = (body.required::<ProjectId>("project"), body.required::<String>("blueprint"));
    let (version, reason, key) = (body.optional("version"), reason(&mut body), body.key());
    let ordered = Ordered::of(&mut body);
    ordered.add_mistakes(&house, who, place.1.as_deref(), &mut body).await?;
    let (project, blueprint) = body.finish(place.0.zip(place.1))?;
    let Ordered { site, parameters, lease } = ordered;
    let what = What::Provision { project, site, blueprint, version, parameters, lease };
    file(&house, who, Order { what, reason, via: VIA, key }).await
}

/// Files an order, and says where the new request is.
pub async fn file(house: &App, who: &Principal, order: Order) -> Reply {
    let filed = request::submit(house, who, order).await.map_err(in_order)?;
    let place = (header::LOCATION, format!("{BASE}/requests/{}", filed.id));
    Ok(HttpResponse::Created().insert_header(place).json(RequestDetails::of(filed, Waits::default())))
}

async fn change(house: Data<App>, caller: Caller, id: Path<RequestId>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Order)?;
    let (revision, reason, sent) = (body.required("revision"), reason(&mut body), body.sent());
    let ordered = Ordered::anew(&mut body);
    if let Some(ordered) = ordered.as_ref().filter(|_| body.is_wrong()) {
        let before = request::show(&house, who, *id).await?.request;
        ordered.add_mistakes(&house, who, Some(&before.blueprint), &mut body).await?;
    }
    let (revision, Ordered { site, parameters, lease }) = body.finish(revision.zip(ordered))?;
    let terms = NewTerms { revision, site, parameters, lease, reason };
    let changed = request::change(&house, who, *id, terms, &sent).await.map_err(in_order)?;
    Ok(HttpResponse::Ok().json(RequestDetails::of(changed, Waits::default())))
}

async fn withdraw(house: Data<App>, caller: Caller, id: Path<RequestId>, Body(mut body): Body) -> Reply {
    let sent = body.sent();
    body.finish(Some(()))?;
    let withdrawn = request::withdraw(&house, caller.may(TokenScope::Order)?, *id, &sent).await?;
    Ok(HttpResponse::Ok().json(RequestDetails::of(withdrawn, Waits::default())))
}

impl From<Listed> for RequestDetails {
    fn from(listed: Listed) -> Self {
        let (state_label, held_up) = (listed.reads().label, listed.hold.as_ref().map(Hold::told));
        Self { state_label, held_up, ..Self::of(listed.request, listed.waits) }
    }
}

impl RequestDetails {
    pub fn of(request: Request, waits: Waits) -> Self {
        let reads = request.reads();
        Self {
            id: request.id.to_string(),
            number: number(request.number),
            kind: request.kind.word().to_owned(),
            title: request.title,
            blueprint: request.blueprint,
            version: request.version,
            action: request.action,
            project: request.project.to_string(),
            site: request.site,
            deployment: request.deployment.to_string(),
            parameters: Value::Object(request.parameters),
            reason: request.reason,
            revision: request.revision,
            state: reads.word,
            state_label: reads.label,
            held_up: None,
            paused_because: None,
            outcome: request.outcome,
            run: request.run.map(|run| run.to_string()),
            monthly: request.plan.map(|plan| plan.monthly.euros()),
            submitted_at: request.submitted_at,
            decided_at: request.decided_at,
            ended_at: request.ended_at,
            waits_for: waits.for_whom,
            waits_since: waits.since,
        }
    }
}
