//! What was made for a deployment, such as the password of its database: how its handover stands, and taking it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::secret::{self, HandedOver, Shown};
use chrono::{DateTime, Utc};
use domain::ids::{DeploymentId, SecretId};
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::{Caller, VIA};
use super::endpoint::Endpoint;

/// How a secret's handover stands; what it says is in no list.
#[derive(Serialize, ToSchema)]
pub struct SecretEntry {
    id: String,
    /// What people call it, "Database password".
    name: String,
    /// `open`, `taken` or `expired`.
    state: &'static str,
    /// Until when it may be taken.
    until: DateTime<Utc>,
    taken_by: Option<String>,
    taken_at: Option<DateTime<Utc>>,
}

/// A secret, in the one answer that has it.
#[derive(Serialize, ToSchema)]
pub struct TakenSecret {
    name: String,
    /// The secret itself. No other answer will have it.
    value: String,
    taken_at: DateTime<Utc>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post("/deployments/{id}/secrets/{secret}/take", take)
            .is("Deployments", "Take a secret that was made for a deployment: once, by one of its people, in its time")
            .needs(TokenScope::Order)
            .happens_once()
            .gives::<TakenSecret>()
            .may(&[410]),
    ]
}

async fn take(house: Data<App>, caller: Caller, place: Path<(DeploymentId, SecretId)>) -> Reply {
    let who = caller.may(TokenScope::Order)?;
    let (deployment, id) = place.into_inner();
    let HandedOver { name, text, taken_at, .. } = secret::take(&house, who, deployment, id, VIA).await?;
    Ok(HttpResponse::Ok().json(TakenSecret { name, value: text.expose().to_owned(), taken_at }))
}

impl From<Shown> for SecretEntry {
    fn from(shown: Shown) -> Self {
        Self {
            id: shown.handover.id.to_string(),
            state: shown.state.word(),
            until: shown.handover.until,
            taken_by: shown.taken_by,
            taken_at: shown.handover.taken.map(|taken| taken.at),
            name: shown.handover.name,
        }
    }
}
