//! The outbox: a letter commits with its reason, and a sender takes it to the mail server afterwards.

use chrono::TimeDelta;
use domain::ids::MailId;
use domain::mail::{Delivery, Letter, Mail, MailState};
use domain::ports::mailer::{Mailer, MailerError};
use domain::trouble::Trouble;
use store::Tx;

use crate::{App, database};

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
    let now = app.clock.now();
    let tx = app.store.begin().await.map_err(database)?;
    let due = store::mail::claim(&tx, name, now, now + CLAIM, AT_ONCE).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    for mail in &due {
        let delivery = deliver(app, mailer, mail).await;
        let tx = app.store.begin().await.map_err(database)?;
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

/// Puts a refused mail back in the queue; an operator mended what was wrong.
pub async fn send_again(app: &App, id: MailId) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    if !store::mail::requeue(&tx, id, app.clock.now()).await.map_err(database)? {
        return Err(Trouble::conflict(
            "This mail was not refused, so it can't be sent again.",
            "Look at the list of mails for how it stands.",
        ));
    }
    tx.commit().await.map_err(database)
}
