//! Signing in and out, and who a browser's cookie stands for.

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::PersonId;
use domain::person::Principal;
use domain::trouble::{Kind, Trouble};
use store::DbErr;
use store::session::Failures;

use crate::{App, database, fault, secret};

/// A session ends this long after it began, however busy it was.
pub const LIFETIME: TimeDelta = TimeDelta::hours(24);
/// A session ends when it was not used for this long.
const IDLE: TimeDelta = TimeDelta::hours(8);
/// How exactly it is known when a session was used; each note is a write.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(5);

/// How long a failed try to sign in counts.
const TRIES_COUNT_FOR: TimeDelta = TimeDelta::minutes(15);
/// Failed tries for one account from one client, after which it has to wait.
const TRIES_PER_ACCOUNT_AND_CLIENT: usize = 5;
/// Failed tries from one client, whatever the account.
const TRIES_PER_CLIENT: usize = 30;
/// Failed tries for one account from anywhere; high, so that a stranger can't easily lock somebody out.
const TRIES_PER_ACCOUNT: usize = 100;

/// Whom a cookie stands for.
pub struct Session {
    pub principal: Principal,
    /// What each form of this session must carry.
    pub csrf: String,
}

/// Checks an email and a password and opens a session; the answer is the cookie's secret, which is kept nowhere else.
///
/// Each sign-in makes a new secret, so that one planted before is worth nothing.
pub async fn sign_in(app: &App, email: &str, password: &str, client: &str) -> Result<String, Trouble> {
    let email = email.trim().to_lowercase();
    let try_id = note_try(app, &email, client).await?;
    let (person, hash) = match store::person::find_by_email(&app.store, &email).await.map_err(database)? {
        Some((person, hash)) if person.active => (Some(person), hash),
        _ => (None, None),
    };
    let fits = password.len() <= secret::PASSWORD_MAX && secret::password_fits(password, hash).await?;
    let Some(person) = person.filter(|_| fits) else {
        return Err(Trouble::new(
            Kind::Invalid,
            "This email and password do not fit together.",
            "Check both. If you forgot the password, an administrator can set a new one.",
        ));
    };
    let tx = app.store.begin().await.map_err(database)?;
    store::session::mark_succeeded(&tx, try_id).await.map_err(database)?;
    let token = open(app, &tx, person.id).await?;
    tx.commit().await.map_err(database)?;
    Ok(token)
}

async fn open(app: &App, tx: &store::Tx, person: PersonId) -> Result<String, Trouble> {
    let token = secret::fresh();
    let now = app.clock.now();
    store::session::insert(tx, secret::hash(&token), person, now, now + LIFETIME).await.map_err(database)?;
    Ok(token)
}

/// Counts the try before the password is looked at, so that tries side by side find each other.
async fn note_try(app: &App, email: &str, client: &str) -> Result<uuid::Uuid, Trouble> {
    let now = app.clock.now();
    let account = secret::hash(email);
    let tx = app.store.begin().await.map_err(database)?;
    let failures = store::session::failures(&tx, &account, client, now - TRIES_COUNT_FOR).await.map_err(database)?;
    if too_many(failures) {
        return Err(Trouble::new(
            Kind::TooMany,
            "Signing in failed too often.",
            "Wait 15 minutes and try again, or ask an administrator to set a new password.",
        ));
    }
    let try_id = store::session::insert_try(&tx, account, client, now).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    Ok(try_id)
}

fn too_many(failures: Failures) -> bool {
    failures.account_and_client >= TRIES_PER_ACCOUNT_AND_CLIENT
        || failures.client >= TRIES_PER_CLIENT
        || failures.account >= TRIES_PER_ACCOUNT
}

/// Whom the cookie's secret stands for now; nobody when the session ended or the person may not come in any more.
pub async fn resume(app: &App, token: &str) -> Result<Option<Session>, Trouble> {
    let now = app.clock.now();
    let hash = secret::hash(token);
    let Some(session) = store::session::find(&app.store, &hash, now, now - IDLE).await.map_err(database)? else {
        return Ok(None);
    };
    let Some(principal) = store::person::principal(&app.store, session.person).await.map_err(database)? else {
        return Ok(None);
    };
    if now - session.seen_at > SEEN_EVERY {
        fault::unless_full(note_use(app, &hash, now).await)?;
    }
    Ok(Some(Session { principal, csrf: secret::derive("csrf", token) }))
}

async fn note_use(app: &App, hash: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    let tx = app.store.begin().await?;
    store::session::touch(&tx, hash, now).await?;
    tx.commit().await
}

/// Ends the session of this secret; the cookie is worthless from now on, wherever it is.
pub async fn sign_out(app: &App, token: &str) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    store::session::delete(&tx, &secret::hash(token)).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

/// Forgets sessions that are over and tries that count no more.
pub async fn sweep(app: &App) -> Result<(), Trouble> {
    let now = app.clock.now();
    let tx = app.store.begin().await.map_err(database)?;
    store::session::sweep(&tx, now, now - TRIES_COUNT_FOR).await.map_err(database)?;
    tx.commit().await.map_err(database)
}
