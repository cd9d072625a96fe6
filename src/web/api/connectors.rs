//! The company's CMDBs that ours is carried to: how each fares, what it is sent next, and what operators do about it.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::connector::{self, DeadLetter, Fares, Planned};
use chrono::{DateTime, Utc};
use domain::ids::CiId;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Reply;
use super::caller::{Caller, VIA};
use super::endpoint::Endpoint;

/// One of the company's CMDBs, and how carrying ours to it goes.
#[derive(Serialize, ToSchema)]
pub struct ConnectorDetails {
    name: String,
    kind: &'static str,
    /// `answers`, `away` or `quiet`.
    state: &'static str,
    /// What it came to last, while it is away.
    why: Option<String>,
    /// CIs that it has not acknowledged, dead letters among them.
    waiting: u64,
    /// CIs that it does not take until somebody helps.
    dead: u64,
    /// The oldest of those, 50 at most over all connectors.
    dead_letters: Vec<DeadLetterDetails>,
    /// The oldest change that it has not acknowledged.
    oldest: Option<DateTime<Utc>>,
    /// How long half of the latest changes took, and nineteen of twenty, in seconds.
    lag_p50: Option<i64>,
    lag_p95: Option<i64>,
    /// CIs that failed at their last try, by the word for why.
    errors: BTreeMap<String, u64>,
    /// Writes that changed nothing over there.
    noops: i64,
    /// Whether what it holds can be read back and compared.
    compares: bool,
    /// The last comparison with what it holds, and what that found.
    compared_at: Option<DateTime<Utc>>,
    differed: i64,
    missing: i64,
}

/// A CI that a connector does not take until somebody helps.
#[derive(Serialize, ToSchema)]
pub struct DeadLetterDetails {
    ci: String,
    name: String,
    /// The word by which errors are counted.
    code: String,
    why: String,
    since: DateTime<Utc>,
}

/// Every connector.
#[derive(Serialize, ToSchema)]
pub struct Connectors {
    items: Vec<ConnectorDetails>,
}

/// What a connector is sent next, 100 CIs at most.
#[derive(Serialize, ToSchema)]
pub struct DryRun {
    items: Vec<PlannedDetails>,
}

/// What a connector would be sent for a CI.
#[derive(Serialize, ToSchema)]
pub struct PlannedDetails {
    ci: String,
    name: String,
    class: &'static str,
    /// Null where nothing is sent: it holds the CI so already, or CIs of the class are not carried.
    payload: Option<Value>,
    /// What the CMDB says would become of it, where it can be asked that; or why the CI can't be sent.
    verdict: Option<String>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let tag = "Operations";
    vec![
        Endpoint::get("/connectors", index)
            .is(tag, "The company's CMDBs, and how carrying ours to them goes")
            .needs(TokenScope::Read)
            .gives::<Connectors>(),
        Endpoint::get("/connectors/{name}/plan", plan)
            .is(tag, "What a connector would be sent next: a dry run, which changes nothing anywhere")
            .needs(TokenScope::Read)
            .gives::<DryRun>(),
        Endpoint::post("/connectors/{name}/compare", compare)
            .is(tag, "Have what a CMDB holds compared now")
            .needs(TokenScope::Operate)
            .happens_once()
            .gives::<ConnectorDetails>()
            .may(&[409]),
        Endpoint::post("/connectors/{name}/again", all_again)
            .is(tag, "Have all dead letters of a connector sent again")
            .needs(TokenScope::Operate)
            .happens_once()
            .gives::<ConnectorDetails>()
            .may(&[409]),
        Endpoint::post("/connectors/{name}/again/{id}", again)
            .is(tag, "Have the dead letter of one CI sent again")
            .needs(TokenScope::Operate)
            .happens_once()
            .gives::<ConnectorDetails>()
            .may(&[409]),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let all = connector::index(&house, caller.may(TokenScope::Read)?).await?;
    Ok(HttpResponse::Ok().json(Connectors { items: all.into_iter().map(ConnectorDetails::from).collect() }))
}

async fn plan(house: Data<App>, caller: Caller, name: Path<String>) -> Reply {
    let planned = connector::plan(&house, caller.may(TokenScope::Read)?, &name).await?;
    Ok(HttpResponse::Ok().json(DryRun { items: planned.into_iter().map(PlannedDetails::from).collect() }))
}

async fn compare(house: Data<App>, caller: Caller, name: Path<String>) -> Reply {
    let who = caller.may(TokenScope::Operate)?;
    connector::compare(&house, who, VIA, &name).await?;
    shown(&house, &name).await
}

async fn all_again(house: Data<App>, caller: Caller, name: Path<String>) -> Reply {
    let who = caller.may(TokenScope::Operate)?;
    connector::carry_again(&house, who, VIA, &name, None).await?;
    shown(&house, &name).await
}

async fn again(house: Data<App>, caller: Caller, letter: Path<(String, CiId)>) -> Reply {
    let who = caller.may(TokenScope::Operate)?;
    let (name, ci) = letter.into_inner();
    connector::carry_again(&house, who, VIA, &name, Some(ci)).await?;
    shown(&house, &name).await
}

/// How the connector fares now that something was done about it.
async fn shown(house: &App, name: &str) -> Reply {
    let fares = connector::fares(house).await?.into_iter().find(|fares| fares.name == name);
    Ok(HttpResponse::Ok().json(fares.map(ConnectorDetails::from)))
}

impl From<Fares> for ConnectorDetails {
    fn from(fares: Fares) -> Self {
        Self {
            state: fares.state(),
            name: fares.name,
            kind: fares.kind,
            why: fares.standing.error,
            waiting: fares.outstanding.cis,
            dead: fares.outstanding.dead,
            dead_letters: fares.dead.into_iter().map(DeadLetterDetails::from).collect(),
            oldest: fares.outstanding.oldest,
            lag_p50: fares.lag.map(|lag| lag.p50.num_seconds()),
            lag_p95: fares.lag.map(|lag| lag.p95.num_seconds()),
            errors: fares.outstanding.errors,
            noops: fares.standing.noops,
            compares: fares.lists,
            compared_at: fares.standing.compared_at,
            differed: fares.standing.found_differing,
            missing: fares.standing.found_missing,
        }
    }
}

impl From<DeadLetter> for DeadLetterDetails {
    fn from(letter: DeadLetter) -> Self {
        Self { ci: letter.ci.to_string(), name: letter.name, code: letter.code, why: letter.why, since: letter.since }
    }
}

impl From<Planned> for PlannedDetails {
    fn from(planned: Planned) -> Self {
        Self {
            ci: planned.ci.to_string(),
            name: planned.name,
            class: planned.class.word(),
            payload: planned.payload,
            verdict: planned.verdict,
        }
    }
}
