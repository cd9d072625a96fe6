//! Looking at requests: the list, and one with everything that happened to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::approval::{Approval, ApprovalState};
use domain::audit::Entry;
use domain::hold::Hold;
use domain::ids::{PersonId, ProjectId, RequestId};
use domain::mail::{Asks, Mail};
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
use crate::{App, catalog, database, hold, run};

/// A request in a list.
pub struct Listed {
    pub request: Request,
    pub requester: String,
    pub project: String,
    pub waits: Waits,
    /// What its run waits for, where it does not go on for that.
    pub hold: Option<Hold>,
}

impl Listed {
    /// How it reads; one whose run has begun and waits says for what.
    pub fn reads(&self) -> Reading {
        reads(&self.request, self.hold.as_ref())
    }
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
    let mut runs = under_way(app, &part.rows).await?;
    let listed = |request: Request| {
        let run = runs.remove(&request.id);
        let asked = approvals.iter().filter(|approval| approval.request == request.id);
        Listed {
            requester: name(&request.requester),
            project: titles.get(&request.project).cloned().unwrap_or_default(),
            waits: waits(&request, run.as_ref(), asked, name),
            hold: run.and_then(|it| it.hold),
            request,
        }
    };
    Ok(List { part: part.map(listed), projects })
}

/// How each of these reads whose run is under way: a few statements, and none where nothing is.
pub(crate) async fn readings(app: &App, requests: &[Request]) -> Result<BTreeMap<RequestId, Reading>, Trouble> {
    let runs = under_way(app, requests).await?;
    let of = |request: &Request| Some((request.id, reads(request, runs.get(&request.id)?.hold.as_ref())));
    Ok(requests.iter().filter_map(of).collect())
}

/// The runs that carry these out now, with what they wait for.
async fn under_way(app: &App, requests: &[Request]) -> Result<BTreeMap<RequestId, run::Listed>, Trouble> {
    let ids: Vec<RequestId> =
        requests.iter().filter(|request| request.is_under_way()).map(|request| request.id).collect();
    let runs = store::run::of_requests(&app.store, &ids).await.map_err(database)?;
    let mut holds = hold::of_runs(app, &runs.values().cloned().collect::<Vec<_>>()).await?;
    Ok(runs.into_iter().map(|(id, run)| (id, run::Listed { hold: holds.remove(&run.id), run })).collect())
}

fn reads(request: &Request, hold: Option<&Hold>) -> Reading {
    let reads = request.reads();
    hold.filter(|_| request.state == RequestState::Running).map_or(reads, |hold| hold.reads(reads))
}

/// How many requests are within a person's sight and left by the filter, up to a thousand.
pub async fn count(app: &App, who: &Principal, filter: &Filter) -> Result<Counted, Trouble> {
    store::request::count(&app.store, &who.scope(), filter).await.map_err(database)
}

/// Whom a request waits for: operators, those whom a step of its run asks, or those who have to approve it.
fn waits<'a>(
    request: &Request,
    run: Option<&run::Listed>,
    asked: impl Iterator<Item = &'a Approval>,
    name: impl Fn(&PersonId) -> String,
) -> Waits {
    match run {
        Some(it) if is_paused(request, &it.run) => for_operators(&it.run),
        Some(run::Listed { hold: Some(Hold::People { whose, since, .. }), .. }) => {
            Waits { for_whom: vec![whose.clone()], since: Some(*since) }
        }
        _ => for_approvers(asked, name),
    }
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
        reads(&self.request, self.hold.as_ref())
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
            let chosen = catalog::chosen(app, &request.site, plan).await?;
            (quota_after(on, request.project, plan, !request.state.is_over()).await?, chosen)
        }
        None => (Vec::new(), Vec::new()),
    };
    let mut ids = vec![request.requester];
    ids.extend(approvals.iter().flat_map(|approval| [Some(approval.approver), approval.on_behalf_of]).flatten());
    let people = store::person::find_many(on, &ids).await.map_err(database)?;
    let requester = people.get(&request.requester).cloned().ok_or_else(gone)?;
    let name = |id: &PersonId| people.get(id).map(|person| person.name.clone()).unwrap_or_default();
    let run = store::run::of_request(on, id).await.map_err(database)?;
    let run = match run {
        Some(run) => Some(run::Listed { hold: hold::of_run(app, run.id, run.state, &run.blueprint).await?, run }),
        None => None,
    };
    let waits = waits(&request, run.as_ref(), approvals.iter(), name);
    let hold = run.as_ref().and_then(|it| it.hold.clone());
    let pause = match run.filter(|it| is_paused(&request, &it.run)) {
        Some(it) => Some(pause(app, it.run, &mails).await?),
        None => None,
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
    let mail = mails
        .iter()
        .rev()
        .find(|mail| mail.asks == Some(Asks::Approval(approval.id)) && mail.kind.starts_with("approval_"));
    Some(Asking {
        approver: people.get(&approval.approver)?.clone(),
        on_behalf_of: approval.on_behalf_of.and_then(|id| people.get(&id).cloned()),
        mail: mail.cloned(),
        approval,
    })
}
