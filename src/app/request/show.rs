//! Looking at requests: the list, and one with everything that happened to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::approval::{Approval, ApprovalState};
use domain::audit::Entry;
use domain::hold::Hold;
use domain::ids::{PersonId, ProjectId, RequestId};
use domain::mail::Mail;
use domain::person::{Person, Principal};
use domain::project::Project;
use domain::reading::Reading;
use domain::request::{Request, RequestState};
use domain::trouble::Trouble;
use store::request::{Filter, SortBy};
use store::run::RunSummary;

use crate::operations::operators_of;
use crate::page::{Counted, List, Window};
use crate::quota::{QuotaAfter, quota_after};
use crate::{App, catalog, database, hold};

/// A request in a list.
pub struct Listed {
    pub request: Request,
    pub requester: String,
    pub project: String,
    pub waits: Waits,
}

/// Whom a request waits for, and since when; nobody while it goes on by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    pub for_whom: Vec<String>,
    pub since: Option<DateTime<Utc>>,
}

/// A part of the requests within a person's sight, in a few statements whatever their number.
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
    let paused: Vec<RequestId> =
        part.rows.iter().filter(|request| request.state == RequestState::Paused).map(|request| request.id).collect();
    let runs = store::run::of_requests(on, &paused).await.map_err(database)?;
    let listed = |request: Request| Listed {
        requester: name(&request.requester),
        project: titles.get(&request.project).cloned().unwrap_or_default(),
        waits: match runs.get(&request.id) {
            Some(run) => for_operators(run),
            None => for_approvers(approvals.iter().filter(|approval| approval.request == request.id), name),
        },
        request,
    };
    Ok(List { part: part.map(listed), projects })
}

/// How many requests are within a person's sight and left by the filter, up to a thousand.
pub async fn count(app: &App, who: &Principal, filter: &Filter) -> Result<Counted, Trouble> {
    store::request::count(&app.store, &who.scope(), filter).await.map_err(database)
}

/// A run that is paused waits for the operators of its platform.
fn for_operators(run: &RunSummary) -> Waits {
    Waits { for_whom: vec![format!("Ops ({})", run.platform)], since: run.paused_at }
}

/// A question waits for who was asked, since the first of them was.
fn for_approvers<'a>(asked: impl Iterator<Item = &'a Approval>, name: impl Fn(&PersonId) -> String) -> Waits {
    let open: Vec<&Approval> = asked.filter(|approval| approval.state == ApprovalState::Open).collect();
    Waits {
        since: open.iter().map(|approval| approval.opened_at).min(),
        for_whom: open.iter().map(|approval| name(&approval.approver)).collect(),
    }
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
    pub waits: Waits,
    /// What its run says where an operator has to act.
    pub pause: Option<Pause>,
    /// What its run waits for, where it does not go on for that.
    pub hold: Option<Hold>,
}

impl Page {
    /// How it reads; one whose run has begun and waits says for what.
    pub fn reads(&self) -> Reading {
        let (reads, begun) = (self.request.reads(), self.request.state == RequestState::Running);
        self.hold.as_ref().filter(|_| begun).map_or(reads, |hold| hold.reads(reads))
    }
}

/// A run that stands still until an operator has acted.
pub struct Pause {
    /// What happened, in people's words.
    pub why: String,
    /// The names of who may act.
    pub operators: Vec<String>,
    /// Whether a mail has told them.
    pub told: bool,
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
    let name = |id: &PersonId| people.get(id).map(|person| person.name.clone()).unwrap_or_default();
    let run = store::run::of_request(on, id).await.map_err(database)?;
    let hold = match &run {
        Some(run) => hold::of_run(app, run.id, run.state, &run.blueprint).await?,
        None => None,
    };
    let (waits, pause) = match run.filter(|run| is_paused(&request, run)) {
        Some(run) => (for_operators(&run), Some(pause(app, run, &mails).await?)),
        None => (for_approvers(approvals.iter(), name), None),
    };
    let asked = approvals.into_iter().filter_map(|approval| asking(approval, &people, &mails)).collect();
    let is_own = request.requester == who.person;
    Ok(Page { request, requester, project, asked, due_at, quota, chosen, history, mails, is_own, waits, pause, hold })
}

fn is_paused(request: &Request, run: &RunSummary) -> bool {
    request.state == RequestState::Paused && run.state.needs_a_person()
}

async fn pause(app: &App, run: RunSummary, mails: &[Mail]) -> Result<Pause, Trouble> {
    let operators = operators_of(&app.store, &run.platform, run.project).await.map_err(database)?;
    let told = mails.iter().any(|mail| mail.kind == "run_paused" && Some(mail.created_at) >= run.paused_at);
    let operators = operators.into_iter().map(|operator| operator.name).collect();
    Ok(Pause { why: run.why.unwrap_or_default(), operators, told })
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
