//! The outbox: a letter commits with its reason, and a sender takes it to the mail server afterwards.

use chrono::TimeDelta;
use domain::audit::{Actor, Note};
use domain::ids::MailId;
use domain::mail::{Delivery, Letter, Mail, MailState};
use domain::person::{Principal, Role};
use domain::ports::mailer::{Mailer, MailerError};
use domain::trouble::Trouble;
use serde_json::json;
use store::Tx;

use crate::{App, audit, database};

/// How long a sender may hold mails; a sender that died frees them then.
const CLAIM: TimeDelta = TimeDelta::minutes(5);
/// How many mails a sender takes at once; they go one after the other and must all fit in [`CLAIM`].
const AT_ONCE: u64 = 10;

/// Posts a letter inside the transaction that gives its reason.
///
/// Without a mail server the letter is kept, to be read in the portal.
pub async fn post(app: &App, tx: &Tx, letter: Letter) -> Result<(), Trouble> {
    let state = if app.mailer.is_some() { MailState::Queued } else { MailState::Kept };
    store::mail::post(tx, letter, state, app.clock.now()).await.map_err(database)
}

/// Sends the mails whose turn it is, as the sender `name`; says how many it handled, so that a caller with a full
/// hand comes again at once.
///
/// Nothing is lost to a crash. Between the server's answer and our note of it a crash can hand a mail over twice;
/// both copies then carry the same message id.
pub async fn send_due(app: &App, name: &str) -> Result<usize, Trouble> {
    let Some(mailer) = app.mailer.as_deref() else { return Ok(0) };
    // Looked at first, so that an empty outbox costs one statement.
    if store::mail::oldest_queued(&app.store).await.map_err(database)?.is_none() {
        return Ok(0);
    }
    let now = app.clock.now();
    let tx = app.store.begin().await.map_err(database)?;
    let due = store::mail::claim(&tx, name, now, now + CLAIM, AT_ONCE).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    // What was claimed is this sender's, whoever does the duties by now: it is noted in any case.
    let store = app.store.unfenced();
    for mail in &due {
        // Whoever comes back after a long silence may find its claim over, and another sender at work.
        if !store::mail::is_claimed(&store, mail.id, name, app.clock.now()).await.map_err(database)? {
            break;
        }
        let delivery = deliver(app, mailer, mail).await;
        let tx = store.begin().await.map_err(database)?;
        store::mail::settle(&tx, mail.id, name, delivery).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
    }
    Ok(due.len())
}

async fn deliver(app: &App, mailer: &dyn Mailer, mail: &Mail) -> Delivery {
    let answer = mailer.send(mail).await;
    let now = app.clock.now();
    match answer {
        Ok(answer) => Delivery::sent(answer, now),
        Err(MailerError::Refused(why)) => {
            tracing::warn!(mail.id = %mail.id, mail.kind, %why, "the mail server refused a mail");
            Delivery::refused(why)
        }
        Err(MailerError::Unavailable(why)) => {
            tracing::warn!(mail.id = %mail.id, mail.kind, %why, "a mail could not be sent and is tried again");
            Delivery::failed(why, mail.attempts + 1, now)
        }
    }
}

/// How many mails a page of the outbox shows.
const PAGE: u64 = 50;

/// The newest mails, older than `before` when paging on.
pub async fn list(app: &App, who: &Principal, before: Option<MailId>) -> Result<Vec<Mail>, Trouble> {
    may_see(app, who)?;
    store::mail::list(&app.store, before, PAGE).await.map_err(database)
}

/// One mail with what it says. Mails carry links that decide in the receiver's name, so that outside the demo nobody
/// reads another one's: operators see how a mail fared, not its text.
pub async fn show(app: &App, who: &Principal, id: MailId) -> Result<Mail, Trouble> {
    may_see(app, who)?;
    let found = store::mail::find(&app.store, id).await.map_err(database)?;
    let mut mail = found.ok_or_else(|| Trouble::not_found("mail"))?;
    if !app.demo {
        mail.text.clear();
        mail.html.clear();
    }
    Ok(mail)
}

fn may_see(app: &App, who: &Principal) -> Result<(), Trouble> {
    if app.demo || operates(who) {
        return Ok(());
    }
    Err(Trouble::forbidden("Only operators see the mail outbox.", "Your own mails are in your mailbox."))
}

fn operates(who: &Principal) -> bool {
    who.has_everywhere(Role::Operator) || who.has_everywhere(Role::Administrator)
}

/// Puts a refused mail back in the queue; an operator mended what was wrong.
pub async fn send_again(app: &App, who: &Principal, id: MailId) -> Result<(), Trouble> {
    if !operates(who) {
        return Err(Trouble::forbidden("Only operators send a mail again.", "Ask one of them."));
    }
    let tx = app.store.begin().await.map_err(database)?;
    if !store::mail::requeue(&tx, id, app.clock.now()).await.map_err(database)? {
        return Err(Trouble::conflict(
            "This mail was not refused, so it can't be sent again.",
            "Look at the list of mails for how it stands.",
        ));
    }
    let actor = Actor::person(who, "portal");
    let subject = format!("mail {id}");
    audit::note(app, &tx, Note { actor, action: "mail.sent_again", subject, project: None, data: json!({}) }).await?;
    tx.commit().await.map_err(database)
}
