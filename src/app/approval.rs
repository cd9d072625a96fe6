//! Approvals: asking those who may decide, deciding once, and what follows from it.

mod absence;
mod ask;
mod decide;
mod dispute;
mod duty;
mod question;

pub use absence::{Away, away, come_back, go_away};
pub(crate) use ask::{Subject, ask_level, check_levels};
pub use decide::{Decided, Decider, decide};
pub use dispute::{Disputed, dispute, disputed};
pub use duty::keep_time;
pub use question::{Inbox, Question, Standing, count_open, inbox, look, look_signed_in};

use domain::approval::Approval;
use domain::audit::Note;
use domain::request::{Request, number};
use domain::trouble::Trouble;
use serde_json::Value;
use store::Tx;

use crate::{App, audit, letter, mail};

/// Puts on record what happened to a request.
pub(crate) async fn note(
    app: &App,
    tx: &Tx,
    actor: domain::audit::Actor,
    action: &'static str,
    request: &Request,
    data: Value,
) -> Result<(), Trouble> {
    let note = Note { actor, action, subject: format!("request {}", request.id), project: Some(request.project), data };
    audit::note(app, tx, note).await
}

/// Posts a mail with the rest of the transaction.
pub(crate) async fn post(app: &App, tx: &Tx, message: letter::Message<'_>) -> Result<(), Trouble> {
    mail::post(app, tx, message.write(&app.base_url)?).await
}

/// The address of a request's page.
pub(crate) fn request_url(app: &App, request: &Request) -> String {
    format!("{}/requests/{}", app.base_url, request.id)
}

/// How a request is called in a headline: `R-12 Scale Out Tomcat`.
pub(crate) fn called(request: &Request) -> String {
    format!("{} {}", number(request.number), request.title)
}

/// Whether the question is about the request as it stands now.
fn is_current(approval: &Approval, request: &Request) -> bool {
    approval.revision == request.revision
}
