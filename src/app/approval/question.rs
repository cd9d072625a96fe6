//! Looking at a question: what is asked, what it would change, and what became of it. Looking decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::approval::{Approval, ApprovalState};
use domain::blueprint::Confirm;
use domain::ids::{ApprovalId, PersonId, RequestId};
use domain::moment::written;
use domain::person::{Person, Principal};
use domain::project::Project;
use domain::request::{Request, RequestState};
use domain::trouble::{Kind, Trouble};
use store::Reads;

use super::decide::level_of;
use super::is_current;
use crate::link::{leads_nowhere, was_usable_until};
use crate::quota::{QuotaAfter, quota_after};
use crate::{App, catalog, database, secret};

/// A question, as its approver sees it.
pub struct Question {
    pub approval: Approval,
    pub request: Request,
    pub requester: Person,
    pub approver: Person,
    pub on_behalf_of: Option<Person>,
    pub project: Project,
    /// What the project's quota comes to with this.
    pub quota: Vec<QuotaAfter>,
    /// The parameters in words: title and value.
    pub chosen: Vec<(String, String)>,
    /// Why somebody has to decide.
    pub why: Vec<String>,
    pub standing: Standing,
}

/// What can be done with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be decided; `signed_in` says that a link alone is not enough.
    Open { signed_in: bool },
    /// It can be decided, but not by this link any more.
    Late { what: String },
    /// It can't be decided any more; says who decided when, or why not.
    Closed { what: String },
}

/// The question behind a link. Nothing changes by looking, however often.
pub async fn look(app: &App, token: &str) -> Result<Question, Trouble> {
    let (approval, expires_at) = find_by_token(app, token).await?;
    let question = question(app, approval).await?;
    let is_late = matches!(question.standing, Standing::Open { .. }) && expires_at <= app.clock.now();
    if is_late {
        let what = was_usable_until(expires_at);
        return Ok(Question { standing: Standing::Late { what }, ..question });
    }
    Ok(question)
}

/// A question to the person who is signed in.
pub async fn look_signed_in(app: &App, who: &Principal, id: ApprovalId) -> Result<Question, Trouble> {
    let approval = store::approval::find(&app.store, id).await.map_err(database)?;
    let approval = approval.filter(|approval| approval.approver == who.person);
    question(app, approval.ok_or_else(|| Trouble::not_found("question for you"))?).await
}

/// The questions of a person: those that wait for him, and the newest of those that do not.
pub struct Inbox {
    pub open: Vec<(Approval, Request)>,
    pub closed: Vec<(Approval, Request)>,
    pub people: BTreeMap<PersonId, Person>,
    pub projects: Vec<Project>,
}

/// How many questions wait for a person.
pub async fn count_open(app: &App, who: &Principal) -> Result<u64, Trouble> {
    store::approval::count_open_for(&app.store, who.person).await.map_err(database)
}

/// How many closed questions the list shows.
const CLOSED_SHOWN: u64 = 30;

/// The list of a person's questions.
pub async fn inbox(app: &App, who: &Principal) -> Result<Inbox, Trouble> {
    let on = &app.store;
    let open = store::approval::open_for(on, who.person).await.map_err(database)?;
    let closed = store::approval::closed_for(on, who.person, CLOSED_SHOWN).await.map_err(database)?;
    let ids: BTreeSet<RequestId> = open.iter().chain(&closed).map(|approval| approval.request).collect();
    let ids: Vec<RequestId> = ids.into_iter().collect();
    let requests = store::request::find_many(on, &ids).await.map_err(database)?;
    let requesters: Vec<PersonId> = requests.values().map(|request| request.requester).collect();
    let people = store::person::find_many(on, &requesters).await.map_err(database)?;
    let projects = store::project::list(on, &who.scope()).await.map_err(database)?;
    let pair = |approval: Approval| requests.get(&approval.request).cloned().map(|request| (approval, request));
    Ok(Inbox {
        open: open.into_iter().filter_map(pair).collect(),
        closed: closed.into_iter().filter_map(pair).collect(),
        people,
        projects,
    })
}

pub(super) async fn find_by_token(app: &App, token: &str) -> Result<(Approval, DateTime<Utc>), Trouble> {
    let found = store::approval::find_by_link(&app.store, &secret::hash(token)).await.map_err(database)?;
    found.ok_or_else(|| leads_nowhere("approvals"))
}

async fn question(app: &App, approval: Approval) -> Result<Question, Trouble> {
    let on = &app.store;
    let gone = || Trouble::not_found("question");
    let request = store::request::find(on, approval.request).await.map_err(database)?.ok_or_else(gone)?;
    let project = store::project::find(on, request.project).await.map_err(database)?.ok_or_else(gone)?;
    let mut ids = vec![request.requester, approval.approver];
    ids.extend(approval.on_behalf_of);
    let people = store::person::find_many(on, &ids).await.map_err(database)?;
    let person = |id: PersonId| people.get(&id).cloned().ok_or_else(gone);
    let (quota, chosen) = match &request.plan {
        Some(plan) => {
            let chosen = catalog::chosen(app, &request.site, plan).await?;
            (quota_after(on, request.project, plan, !request.state.is_over()).await?, chosen)
        }
        None => (Vec::new(), Vec::new()),
    };
    let level = level_of(&request, approval.level);
    let is_open = approval.state == ApprovalState::Open
        && is_current(&approval, &request)
        && request.state == RequestState::AwaitingApproval;
    let standing = if is_open {
        Standing::Open { signed_in: level.as_ref().is_some_and(|level| level.confirm == Confirm::SignIn) }
    } else {
        Standing::Closed { what: closed(app, on, &approval, &request).await?.what }
    };
    Ok(Question {
        requester: person(request.requester)?,
        approver: person(approval.approver)?,
        on_behalf_of: approval.on_behalf_of.map(person).transpose()?,
        why: level.map(|level| level.why).unwrap_or_default(),
        approval,
        request,
        project,
        quota,
        chosen,
        standing,
    })
}

/// Why a question can't be decided any more: who decided and when, or what happened instead.
pub(super) async fn closed(
    app: &App,
    on: &impl Reads,
    approval: &Approval,
    request: &Request,
) -> Result<Trouble, Trouble> {
    let asked = store::approval::of_request(on, request.id).await.map_err(database)?;
    let ids: Vec<PersonId> = asked.iter().map(|approval| approval.approver).collect();
    let people = store::person::find_many(on, &ids).await.map_err(database)?;
    let what = what_happened(approval, request, &asked, &people);
    let next = format!("The request's page is {}/requests/{}.", app.base_url, request.id);
    Ok(Trouble::new(Kind::Gone, what, next))
}

fn what_happened(
    approval: &Approval,
    request: &Request,
    asked: &[Approval],
    people: &BTreeMap<PersonId, Person>,
) -> String {
    if !is_current(approval, request) {
        return "The request was changed since, and this question with it; there is a newer mail.".to_owned();
    }
    if request.state == RequestState::Withdrawn {
        return "The requester took this request back.".to_owned();
    }
    let own = asked.iter().find(|other| other.id == approval.id);
    let others = asked.iter().filter(|other| other.level == approval.level && is_current(other, request));
    let mut decided = own.into_iter().chain(others).filter_map(|other| Some((other, other.decision.as_ref()?)));
    if let Some((other, decision)) = decided.next() {
        let name = people.get(&other.approver).map_or("Somebody", |person| person.name.as_str());
        let verb = if other.state == ApprovalState::Rejected { "rejected" } else { "approved" };
        return format!("{name} {verb} this on {}.", written(decision.at));
    }
    match approval.state {
        ApprovalState::Expired => "Nobody decided in time, so this request expired.".to_owned(),
        ApprovalState::Revoked => "Somebody else is asked instead.".to_owned(),
        _ => "This request was ended without this decision.".to_owned(),
    }
}
