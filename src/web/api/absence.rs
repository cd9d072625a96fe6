//! Being away: who decides meanwhile.

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;
use app::approval::{Away, away, come_back, go_away};
use chrono::{DateTime, NaiveDate, Utc};
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::{Caller, VIA};
use super::endpoint::Endpoint;
use super::fields::Body;
use crate::pages::absence::whole_days;

/// Whether the caller is away, and who stands in.
#[derive(Serialize, ToSchema)]
pub struct AbsenceDetails {
    /// Null when nothing is said of an absence.
    absence: Option<Absence>,
}

/// An absence.
#[derive(Serialize, ToSchema)]
pub struct Absence {
    /// The email of who stands in.
    delegate: String,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

/// An absence that is to be.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewAbsence {
    /// The email of who stands in.
    delegate: String,
    /// The first day, `2026-12-24`.
    from: NaiveDate,
    /// The last day.
    until: NaiveDate,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/absence", show)
            .is("Approvals", "Whether the caller is away, and who stands in")
            .needs(TokenScope::Read)
            .gives::<AbsenceDetails>(),
        Endpoint::put("/absence", set)
            .is("Approvals", "Be away; questions go to who stands in")
            .needs(TokenScope::Decide)
            .takes::<NewAbsence>()
            .gives::<AbsenceDetails>(),
        Endpoint::delete("/absence", end).is("Approvals", "Be back").needs(TokenScope::Decide),
    ]
}

async fn show(house: Data<App>, caller: Caller) -> Reply {
    shown(&house, &caller, TokenScope::Read).await
}

async fn shown(house: &App, caller: &Caller, scope: TokenScope) -> Reply {
    let absence = away(house, caller.may(scope)?).await?.map(Absence::from);
    Ok(HttpResponse::Ok().json(AbsenceDetails { absence }))
}

async fn set(house: Data<App>, caller: Caller, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Decide)?;
    let delegate = body.required::<String>("delegate");
    let days = body.required("from").zip(body.required("until"));
    let (delegate, (first, last)) = body.finish(delegate.zip(days))?;
    let (from, until) = whole_days(first, last);
    go_away(&house, who, &delegate, from, until, VIA).await?;
    shown(&house, &caller, TokenScope::Decide).await
}

async fn end(house: Data<App>, caller: Caller) -> Reply {
    come_back(&house, caller.may(TokenScope::Decide)?, VIA).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<Away> for Absence {
    fn from(away: Away) -> Self {
        let Away { absence, delegate } = away;
        Self { delegate: delegate.email, begins_at: absence.begins_at, ends_at: absence.ends_at }
    }
}
