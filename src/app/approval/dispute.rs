//! "This was not me": an approver stops what a decision in his name started.

use domain::approval::{Approval, ApprovalState, Client};
use domain::audit::Actor;
use domain::moment::written;
use domain::person::Person;
use domain::request::{Request, RequestState};
use domain::run::{Cancel, RunState};
use domain::trouble::{Kind, Trouble};
use engine::mend::By;
use serde_json::json;
use store::Tx;

use super::{called, note, post, request_url};
use crate::letter::{Message, Way};
use crate::{App, database, request, secret};

/// A decision that its approver may say was not his.
pub struct Disputed {
    pub approval: Approval,
    pub approver: Person,
    pub request: Request,
}

/// The decision behind a receipt's link. Looking changes nothing.
pub async fn disputed(app: &App, token: &str) -> Result<Disputed, Trouble> {
    let gone = || Trouble::new(Kind::NotFound, "This link leads nowhere.", "Copy it whole from the mail.");
    let found = store::approval::find_by_dispute(&app.store, &secret::hash(token)).await.map_err(database)?;
    let approval = found.ok_or_else(gone)?;
    let approver = store::person::find(&app.store, approval.approver).await.map_err(database)?.ok_or_else(gone)?;
    let request = store::request::find(&app.store, approval.request).await.map_err(database)?.ok_or_else(gone)?;
    Ok(Disputed { approval, approver, request })
}

/// Stops what the decision started: a request that is not built yet is rejected, a run that goes on is halted where it
/// is. Saying it twice changes nothing more.
pub async fn dispute(app: &App, token: &str, client: Client) -> Result<Disputed, Trouble> {
    let Disputed { approval, approver, .. } = disputed(app, token).await?;
    let now = app.clock.now();
    let tx = app.store.begin().await.map_err(database)?;
    let gone = || Trouble::not_found("request");
    let before = store::request::lock(&tx, approval.request).await.map_err(database)?.ok_or_else(gone)?;
    if !store::approval::dispute(&tx, approval.id, now).await.map_err(database)? {
        return Ok(Disputed { approval, approver, request: before });
    }
    let actor = Actor { person: Some(approver.id), name: approver.name.clone(), via: "link".to_owned() };
    let data = json!({ "approval": approval.id, "client": client.address, "agent": client.agent });
    note(app, &tx, actor, "request.decision_disputed", &before, data).await?;
    let request = halt(app, &tx, before, &approver).await?;
    tell(app, &tx, &request, &approver).await?;
    tx.commit().await.map_err(database)?;
    request::wake(app, &request);
    Ok(Disputed { approval: Approval { disputed_at: Some(now), ..approval }, approver, request })
}

async fn halt(app: &App, tx: &Tx, request: Request, approver: &Person) -> Result<Request, Trouble> {
    let why = format!("{} says that the decision in his or her name was not theirs.", approver.name);
    match (request.state, request.run) {
        (RequestState::AwaitingApproval, _) => {
            let read_as = (request.state, request.revision);
            let rejected = request.rejected(why, app.clock.now()).map_err(Trouble::bug)?;
            request::end_before_run(app, tx, &rejected, read_as, ApprovalState::Revoked).await?;
            Ok(rejected)
        }
        (RequestState::Approved | RequestState::Running | RequestState::Paused, Some(run)) => {
            let stands = store::run::find(tx, run).await.map_err(database)?.ok_or_else(|| Trouble::not_found("run"))?;
            if stands.state == RunState::Stuck {
                // It is taken back already, and nothing goes on before an operator has looked at it.
                return Ok(request);
            }
            let by = By { name: &approver.name, reason: &why };
            app.engine.cancel(tx, run, Cancel::Stop, &by).await?;
            Ok(request)
        }
        _ => Ok(request),
    }
}

async fn tell(app: &App, tx: &Tx, request: &Request, approver: &Person) -> Result<(), Trouble> {
    let requester = store::person::find(tx, request.requester).await.map_err(database)?;
    let Some(requester) = requester else { return Ok(()) };
    let message = Message {
        to: &requester,
        kind: "decision_disputed",
        headline: format!("{} is halted", called(request)),
        lines: vec![
            format!("{} says since {} that the decision was not theirs.", approver.name, written(app.clock.now())),
            "What was built stays as it is until an operator has looked at it.".to_owned(),
        ],
        facts: Vec::new(),
        ways: vec![Way { label: "See the request".to_owned(), url: request_url(app, request) }],
        fine: Vec::new(),
        request: Some(request.id),
        asks: None,
        reason: format!("disputed {} {}", request.id, request.revision),
    };
    post(app, tx, message).await
}
