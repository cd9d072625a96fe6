//! The caller's own tokens. A token gives itself up and makes no other: what leaks does not prolong its own life.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::token;
use chrono::{DateTime, Utc};
use domain::audit::Actor;
use domain::ids::TokenId;
use domain::token::{Token, TokenScope};
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::{Caller, VIA};
use super::endpoint::Endpoint;

/// A token; its secret was shown once and is kept nowhere.
#[derive(Serialize, ToSchema)]
pub struct TokenDetails {
    id: String,
    name: String,
    /// `read`, `order`, `decide`, `operate`.
    scopes: Vec<String>,
    /// `active`, `expired` or `revoked`.
    state: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Give or take some minutes.
    used_at: Option<DateTime<Utc>>,
    /// Whether it is the one that asks.
    is_this: bool,
}

/// The caller's own tokens, newest first.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    items: Vec<TokenDetails>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/tokens", index)
            .is("Tokens", "The caller's own tokens, newest first")
            .needs(TokenScope::Read)
            .gives::<Tokens>(),
        Endpoint::delete("/tokens/{id}", revoke)
            .is("Tokens", "Take the token that asks out of use, for ever; others on the account's page")
            .needs_any_token(),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let tokens = token::list(&house, caller.may(TokenScope::Read)?).await?;
    let (now, own) = (house.clock.now(), caller.token());
    let details = |token: Token| TokenDetails {
        id: token.id.to_string(),
        scopes: token.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        state: token.state(now).to_owned(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        used_at: token.used_at,
        is_this: token.id == own,
        name: token.name,
    };
    Ok(HttpResponse::Ok().json(Tokens { items: tokens.into_iter().map(details).collect() }))
}

async fn revoke(house: Data<App>, caller: Caller, id: Path<TokenId>) -> Reply {
    let who = caller.gives_itself_up(*id)?;
    token::revoke(&house, who, Actor::person(who, VIA), *id).await?;
    Ok(HttpResponse::NoContent().finish())
}
