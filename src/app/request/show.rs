//! Looking at requests: the list, and one with everything that happened to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::approval::{Approval, ApprovalState};
use domain::audit::Entry;
use domain::ids::{PersonId, ProjectId, RequestId};
use domain::mail::Mail;
use domain::person::{Person, Principal};
use domain::project::Project;
use domain::request::Request;
use domain::trouble::Trouble;
use store::request::{Filter, SortBy};

use crate::page::{Counted, List, Window};
use crate::quota::{QuotaAfter, quota_after};
use crate::{App, catalog, database};

/// A request in a list.
pub struct Listed {
    pub request: Request,
    pub requester: String,
    pub project: String,
    /// Whom it waits for.
    pub waits_for: Vec<String>,
}

/// A part of the requests within a person's sight, in four statements whatever their number.
pub async fn list(
    app: &App,
    who: &Principal,
    filter: &Filter,
    window: Window<SortBy, RequestId>,
) -> Result<List<Listed>, Trouble> {
    let (on, scope) = (&app.store, who.scope());
    let part = store::request::list(on, &scope, filter, window).await.map_err(database)?;
    let projects = store::project::list(on, &scope).await.map_err(database)?;
    let ids: Vec<RequestId> = part.rows.iter().map(|request| request.id).collect();
    let approvals = store::approval::of_requests(on, &ids).await.map_err(database)?;
    let mut ids: Vec<PersonId> = part.rows.iter().map(|request| request.requester).collect();
    ids.extend(approvals.iter().map(|approval| approval.approver));
    let people = store::person::find_many(on, &ids).await.map_err(database)?;
    let titles: BTreeMap<ProjectId, String> = projects.iter().map(|p| (p.id, p.title.clone())).collect();
    let name = |id: &PersonId| people.get(id).map(|person| person.name.clone()).unwrap_or_default();
    let listed = |request: Request| Listed {
        requester: name(&request.requester),
        project: titles.get(&request.project).cloned().unwrap_or_default(),
        waits_for: approvals
            .iter()
            .filter(|approval| approval.request == request.id && approval.state == ApprovalState::Open)
            .map(|approval| name(&approval.approver))
            .collect(),
        request,
    };
    Ok(List { part: part.map(listed), projects })
}

/// How many requests are within a person's sight and left by the filter, up to a thousand.
pub async fn count(app: &App, who: &Principal, filter: &Filter) -> Result<Counted, Trouble> {
    store::request::count(&app.store, &who.scope(), filter).await.map_err(database)
}

/// A request with everything that happened to it.
pub struct Page {
    pub request: Request,
    pub requester: Person,
    pub project: Project,
    /// Who was asked, in the order of asking.
    pub asked: Vec<Asking>,
    /// When the time of the open level is up.
    pub due_at: Option<DateTime<Utc>>,
    pub quota: Vec<QuotaAfter>,
    /// The parameters in words: title and value.
    pub chosen: Vec<(String, String)>,
    /// What is on record, oldest first.
    pub history: Vec<Entry>,
    pub mails: Vec<Mail>,
    /// Whether the person who looks may take it back or change it.
    pub is_own: bool,
}

/// Somebody who was asked.
pub struct Asking {
    pub approval: Approval,
    pub approver: Person,
    pub on_behalf_of: Option<Person>,
    /// What the mail server said of the mail that asks him.
    pub mail: Option<Mail>,
}

/// One request, if the person may see it. An approver sees what he was asked about.
pub async fn show(app: &App, who: &Principal, id: RequestId) -> Result<Page, Trouble> {
    let on = &app.store;
    let gone = || Trouble::not_found("request");
    let request = store::request::find_in(on, id, &who.scope()).await.map_err(database)?.ok_or_else(gone)?;
    let project = store::project::find(on, request.project).await.map_err(database)?.ok_or_else(gone)?;
    let approvals = store::approval::of_request(on, id).await.map_err(database)?;
    let mails = store::mail::of_request(on, id).await.map_err(database)?;
    let history = store::audit::of_subject(on, &format!("request {id}")).await.map_err(database)?;
    let due_at = store::approval_level::open_of(on, &[id]).await.map_err(database)?.first().map(|level| level.due_at);
    let (quota, chosen) = match &request.plan {
        Some(plan) => {
            (quota_after(on, request.project, plan, !request.state.is_over()).await?, catalog::chosen(app, plan).await?)
        }
        None => (Vec::new(), Vec::new()),
    };
    let mut ids = vec![request.requester];
    ids.extend(approvals.iter().flat_map(|approval| [Some(approval.approver), approval.on_behalf_of]).flatten());
    let people = store::person::find_many(on, &ids).await.map_err(database)?;
    let requester = people.get(&request.requester).cloned().ok_or_else(gone)?;
    let asked = approvals.into_iter().filter_map(|approval| asking(approval, &people, &mails)).collect();
    let is_own = request.requester == who.person;
    Ok(Page { request, requester, project, asked, due_at, quota, chosen, history, mails, is_own })
}

fn asking(approval: Approval, people: &BTreeMap<PersonId, Person>, mails: &[Mail]) -> Option<Asking> {
    let mail = mails.iter().rev().find(|mail| mail.approval == Some(approval.id) && mail.kind.starts_with("approval_"));
    Some(Asking {
        approver: people.get(&approval.approver)?.clone(),
        on_behalf_of: approval.on_behalf_of.and_then(|id| people.get(&id).cloned()),
        mail: mail.cloned(),
        approval,
    })
}
