//! Tokens with which programs come in, in a person's name and with no more than his rights.

use chrono::{DateTime, TimeDelta, Utc};
use domain::audit::{Actor, Note};
use domain::ids::{PersonId, TokenId};
use domain::person::Principal;
use domain::token::{LONGEST_LIFE, Token, TokenScope};
use domain::trouble::{FieldError, Kind, Trouble};
use serde_json::json;
use store::DbErr;

use crate::{App, audit, database, fault, secret};

/// What a token's secret begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "gth_";
/// How exactly it is known when a token was used; each note is a write.
const USED_EVERY: TimeDelta = TimeDelta::minutes(5);

/// What a person asks of a new token.
pub struct NewToken {
    pub name: String,
    pub scopes: Vec<TokenScope>,
    pub days: u32,
}

/// Makes a token for the person himself; the answer is its secret, which is shown once and kept nowhere.
pub async fn create(app: &App, who: &Principal, actor: Actor, wanted: NewToken) -> Result<(Token, String), Trouble> {
    create_for(app, who.person, actor, wanted).await
}

/// Makes a token for the person with this email; whoever has a shell on the server may.
pub async fn create_from_command_line(app: &App, email: &str, wanted: NewToken) -> Result<(Token, String), Trouble> {
    create_for(app, person_of(app, email).await?, Actor::command_line(), wanted).await
}

async fn person_of(app: &App, email: &str) -> Result<PersonId, Trouble> {
    let email = email.trim().to_lowercase();
    let found = store::person::find_by_email(&app.store, &email).await.map_err(database)?;
    let (person, _) = found.ok_or_else(|| Trouble::field("email", format!("Nobody has an account as {email}.")))?;
    Ok(person.id)
}

async fn create_for(app: &App, person: PersonId, actor: Actor, wanted: NewToken) -> Result<(Token, String), Trouble> {
    let life = TimeDelta::days(wanted.days.into());
    check(&wanted, life)?;
    let now = app.clock.now();
    let token = Token {
        id: store::fresh_id(),
        person,
        name: wanted.name.trim().to_owned(),
        scopes: wanted.scopes,
        created_at: now,
        expires_at: now + life,
        revoked_at: None,
        used_at: None,
    };
    let shown_once = format!("{PREFIX}{}", secret::fresh());
    let tx = app.store.begin().await.map_err(database)?;
    store::token::insert(&tx, &token, secret::hash(&shown_once)).await.map_err(database)?;
    let words: Vec<_> = token.scopes.iter().map(|scope| scope.word()).collect();
    let data = json!({"name": token.name, "scopes": words, "expires_at": token.expires_at});
    audit::note(app, &tx, on_record(actor, "token.created", token.id, data)).await?;
    tx.commit().await.map_err(database)?;
    Ok((token, shown_once))
}

fn check(wanted: &NewToken, life: TimeDelta) -> Result<(), Trouble> {
    let mut wrong = Vec::new();
    let mut say = |field: &str, message: &str| {
        wrong.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    };
    let name = wanted.name.trim();
    if name.is_empty() {
        say("name", "Give the token a name that says which program uses it.");
    } else if name.chars().count() > 80 {
        say("name", "The name may have at most 80 characters.");
    }
    if wanted.scopes.is_empty() {
        say("scopes", "Choose at least one thing that the token may do.");
    }
    if life < TimeDelta::days(1) || life > LONGEST_LIFE {
        say("days", "A token lives between 1 and 365 days.");
    }
    if wrong.is_empty() { Ok(()) } else { Err(Trouble::invalid(wrong)) }
}

/// A person's own tokens, newest first.
pub async fn list(app: &App, who: &Principal) -> Result<Vec<Token>, Trouble> {
    store::token::of_person(&app.store, who.person).await.map_err(database)
}

/// The tokens of the person with this email, newest first; whoever has a shell on the server may look.
pub async fn list_from_command_line(app: &App, email: &str) -> Result<Vec<Token>, Trouble> {
    store::token::of_person(&app.store, person_of(app, email).await?).await.map_err(database)
}

/// Takes a token of the person's own out of use, at once and for ever.
pub async fn revoke(app: &App, who: &Principal, actor: Actor, id: TokenId) -> Result<(), Trouble> {
    revoke_of(app, who.person, actor, id).await
}

/// Takes a token of the person with this email out of use; whoever has a shell on the server may.
pub async fn revoke_from_command_line(app: &App, email: &str, id: TokenId) -> Result<(), Trouble> {
    let revoked = revoke_of(app, person_of(app, email).await?, Actor::command_line(), id).await;
    revoked.map_err(|trouble| match trouble.kind {
        Kind::NotFound => Trouble::field("token", format!("{email} has no token {id} that could be revoked.")),
        _ => trouble,
    })
}

async fn revoke_of(app: &App, person: PersonId, actor: Actor, id: TokenId) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    if !store::token::revoke(&tx, id, person, app.clock.now()).await.map_err(database)? {
        return Err(Trouble::not_found("token"));
    }
    audit::note(app, &tx, on_record(actor, "token.revoked", id, json!({}))).await?;
    tx.commit().await.map_err(database)
}

/// Whom a token's secret stands for now, and what it may be used for. Nobody when it is unknown, expired or revoked,
/// or when the person may not come in any more.
pub async fn resume(app: &App, shown: &str) -> Result<Option<(Principal, Token)>, Trouble> {
    if !shown.starts_with(PREFIX) {
        return Ok(None);
    }
    let now = app.clock.now();
    let found = store::token::find_by_hash(&app.store, &secret::hash(shown)).await.map_err(database)?;
    let Some(token) = found.filter(|token| token.is_valid(now)) else { return Ok(None) };
    let Some(principal) = store::person::principal(&app.store, token.person).await.map_err(database)? else {
        return Ok(None);
    };
    if token.used_at.is_none_or(|used| now - used > USED_EVERY) {
        fault::unless_full(note_use(app, token.id, now).await)?;
    }
    Ok(Some((principal, token)))
}

async fn note_use(app: &App, id: TokenId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let tx = app.store.begin().await?;
    store::token::touch(&tx, id, now).await?;
    tx.commit().await
}

fn on_record(actor: Actor, action: &'static str, token: TokenId, data: serde_json::Value) -> Note {
    Note { actor, action, subject: format!("token {token}"), project: None, data }
}
