//! Asking: who may decide at a level, standing in for whom, and the mail with each one's own link.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use domain::approval::{Approval, ApprovalState};
use domain::blueprint::plan::{Level, Plan};
use domain::blueprint::{Approvers, Quorum};
use domain::ids::{ApprovalId, PersonId};
use domain::mail::Asks;
use domain::moment::written;
use domain::person::{Person, Role};
use domain::project::Project;
use domain::request::Request;
use domain::trouble::Trouble;
use store::approval_level::OpenLevel;
use store::{Reads, Tx};

use super::decide::level_of;
use super::{called, post};
use crate::letter::{Fact, Message, Way, Weighed, facts, facts_to_decide};
use crate::link::{self, Fresh, next_reminder};
use crate::quota::quota_after;
use crate::{App, catalog, database, secret};

/// How many people a chain of stand-ins may go through.
const LONGEST_CHAIN: usize = 5;

/// Somebody who is asked.
pub(super) struct Asked {
    pub approver: Person,
    /// Whose voice he speaks with, when it is not his own.
    pub on_behalf_of: Option<Person>,
    /// Why he is asked: `group application-owners`.
    pub asked_as: String,
    /// What the mail says of why he is asked.
    pub because: String,
}

/// What begins the reason of who is asked as one of a group.
const AS_GROUP: &str = "group ";

/// The group as one of which an approver is asked in his own right.
pub(super) fn asked_group(approval: &Approval) -> Option<&str> {
    if approval.on_behalf_of.is_some() { None } else { approval.asked_as.strip_prefix(AS_GROUP) }
}

/// What asking needs to know of a request.
pub(crate) struct Subject<'s> {
    pub request: &'s Request,
    pub requester: &'s Person,
    pub project: &'s Project,
}

/// Makes sure that each level has enough people who may decide, so that nothing waits for nobody.
pub(crate) async fn check_levels(
    app: &App,
    on: &impl Reads,
    levels: &[Level],
    requester: &Person,
    project: &Project,
) -> Result<(), Trouble> {
    for level in levels {
        let asked = deciders(on, level, requester, project, app.clock.now()).await?;
        let needed = match level.quorum {
            Quorum::All => 1,
            Quorum::AtLeast(needed) => usize::try_from(needed).unwrap_or(usize::MAX),
        };
        if asked.len() < needed {
            let names: Vec<String> = level.approvers.iter().map(ToString::to_string).collect();
            return Err(Trouble::conflict(
                format!(
                    "This takes {needed} approval(s) at level {} by {}, but only {} other than you can decide it.",
                    level.level,
                    names.join(", "),
                    asked.len()
                ),
                "Ask an administrator to add approvers who may see the project; nobody decides on a request of his own.",
            ));
        }
    }
    Ok(())
}

/// Opens a level: asks everybody who may decide there, each with a mail and a link of his own.
pub(crate) async fn ask_level(app: &App, tx: &Tx, subject: &Subject<'_>, level: &Level) -> Result<(), Trouble> {
    let now = app.clock.now();
    let due_at = now + TimeDelta::seconds(i64::from(level.within.seconds));
    let number = i32::try_from(level.level).map_err(Trouble::bug)?;
    let (request, revision) = (subject.request.id, subject.request.revision);
    let open = OpenLevel { request, revision, level: number, due_at, escalations: 0 };
    store::approval_level::insert(tx, &open).await.map_err(database)?;
    for asked in deciders(tx, level, subject.requester, subject.project, now).await? {
        ask(app, tx, subject, &open, asked).await?;
    }
    Ok(())
}

/// Asks one person: the question, its link, the mail.
pub(super) async fn ask(
    app: &App,
    tx: &Tx,
    subject: &Subject<'_>,
    level: &OpenLevel,
    asked: Asked,
) -> Result<(), Trouble> {
    let now = app.clock.now();
    let approval = Approval {
        id: store::fresh_id(),
        request: level.request,
        revision: level.revision,
        level: level.level,
        approver: asked.approver.id,
        on_behalf_of: asked.on_behalf_of.as_ref().map(|person| person.id),
        asked_as: asked.asked_as.clone(),
        state: ApprovalState::Open,
        opened_at: now,
        remind_at: next_reminder(now, level.due_at),
        decision: None,
        disputed_at: None,
    };
    store::approval::insert(tx, &approval).await.map_err(database)?;
    let url = new_link(app, tx, approval.id, level.due_at).await?;
    let lines = vec![introduction(subject, &asked)];
    let matter = matter(app, tx, subject, level.level).await?;
    let message = question_mail(matter, &approval, &asked.approver, lines, url, level.due_at);
    post(app, tx, message).await
}

/// A new link to a question; only its hash is kept.
pub(super) async fn new_link(
    app: &App,
    tx: &Tx,
    approval: ApprovalId,
    due_at: DateTime<Utc>,
) -> Result<String, Trouble> {
    let Fresh { url, hash, expires_at } = link::fresh(&format!("{}/decide", app.base_url), due_at);
    store::approval::add_link(tx, approval, hash, expires_at).await.map_err(database)?;
    Ok(url)
}

fn introduction(subject: &Subject<'_>, asked: &Asked) -> String {
    format!("{} asks for your decision. {}", subject.requester.name, asked.because)
}

/// What is asked, in the words of a mail.
pub(super) struct Matter {
    headline: String,
    facts: Vec<Fact>,
}

/// What is asked at a level of a request.
pub(super) async fn matter(app: &App, tx: &Tx, subject: &Subject<'_>, level: i32) -> Result<Matter, Trouble> {
    let Subject { request, requester, project } = subject;
    let Some(plan) = &request.plan else {
        let headline = format!("Approve {} for {}?", called(request), project.title);
        return Ok(Matter { headline, facts: facts(request, requester, project) });
    };
    let blueprint = catalog::pinned(app, &request.blueprint, &request.version).await?;
    let weighed = Weighed {
        why: level_of(request, level).map(|level| level.why).unwrap_or_default(),
        chosen: catalog::chosen(app, &request.site, plan).await?,
        quota: quota_after(tx, request.project, plan, !request.state.is_over()).await?,
    };
    Ok(Matter {
        headline: format!("Approve {} for {}?", in_full(request, plan, &blueprint.title), project.title),
        facts: facts_to_decide(request, requester, project, plan, weighed),
    })
}

/// `R-12 Scale Out Tomcat shop-test (test)`, `R-13 Grow of shop-test (Scale Out Tomcat, test)`.
fn in_full(request: &Request, plan: &Plan, blueprint: &str) -> String {
    let environment = plan.parameters_after.get("environment").and_then(|environment| environment.as_str());
    let more: Vec<&str> = plan.action.iter().map(|_| blueprint).chain(environment).collect();
    if more.is_empty() { called(request) } else { format!("{} ({})", called(request), more.join(", ")) }
}

/// The mail that carries a question; a reminder begins with other lines.
pub(super) fn question_mail<'m>(
    matter: Matter,
    approval: &Approval,
    to: &'m Person,
    lines: Vec<String>,
    url: String,
    due_at: DateTime<Utc>,
) -> Message<'m> {
    Message {
        to,
        kind: "approval_asked",
        headline: matter.headline,
        lines,
        facts: matter.facts,
        ways: vec![Way { label: "Look and decide".to_owned(), url: url.clone() }],
        fine: vec![
            format!("Please decide until {}. Opening the link decides nothing.", written(due_at)),
            "The link is for you alone: who holds it decides in your name.".to_owned(),
        ],
        request: Some(approval.request),
        asks: Some(Asks::Approval(approval.id)),
        reason: format!("question {} {}", approval.id, secret::hash(&url)),
    }
}

/// Who may decide at a level: never the requester, nobody twice, and a stand-in for whoever is away.
pub(super) async fn deciders(
    on: &impl Reads,
    level: &Level,
    requester: &Person,
    project: &Project,
    now: DateTime<Utc>,
) -> Result<Vec<Asked>, Trouble> {
    let mut named = Vec::new();
    for approvers in &level.approvers {
        named.extend(people_of(on, approvers, requester, project).await?);
    }
    named.retain(|(person, _)| person.active && person.id != requester.id);
    let ids: Vec<PersonId> = named.iter().map(|(person, _)| person.id).collect();
    let mut seen: BTreeSet<PersonId> = BTreeSet::new();
    let mut asked: Vec<Asked> = Vec::new();
    let stand_ins = stand_ins(on, &ids, requester.id, project, now).await?;
    // Who is there is asked in his own right; nobody is asked again as a stand-in.
    let (away, there): (Vec<_>, Vec<_>) = named.into_iter().partition(|(person, _)| stand_ins.contains_key(&person.id));
    for (approver, asked_as) in there {
        if seen.insert(approver.id) {
            let because = format!("You are asked for this reason: {asked_as}.");
            asked.push(Asked { approver, on_behalf_of: None, asked_as, because });
        }
    }
    for (person, asked_as) in away {
        if let Some(stand_in) = stand_ins.get(&person.id)
            && seen.insert(stand_in.id)
        {
            let because = format!("You stand in for {}, who is away.", person.name);
            asked.push(Asked { approver: stand_in.clone(), on_behalf_of: Some(person), asked_as, because });
        }
    }
    Ok(asked)
}

async fn people_of(
    on: &impl Reads,
    approvers: &Approvers,
    requester: &Person,
    project: &Project,
) -> Result<Vec<(Person, String)>, Trouble> {
    match approvers {
        Approvers::Group(group) => {
            // A group spans organisations; who decides must be an approver in this project.
            let may = store::person::holders(on, Role::Approver, project).await.map_err(database)?;
            let members = store::person::members(on, group).await.map_err(database)?;
            let asked_as = format!("{AS_GROUP}{group}");
            Ok(members.into_iter().filter(|p| may.contains(&p.id)).map(|p| (p, asked_as.clone())).collect())
        }
        Approvers::Person(email) => {
            let found = store::person::find_by_email(on, &email.to_lowercase()).await.map_err(database)?;
            let named = who_sees(on, found.map(|(person, _)| person), project).await?;
            Ok(named.into_iter().map(|person| (person, "named by the policy".to_owned())).collect())
        }
        Approvers::Manager => {
            let Some(manager) = requester.manager else { return Ok(Vec::new()) };
            let found = store::person::find(on, manager).await.map_err(database)?;
            let manager = who_sees(on, found, project).await?;
            Ok(manager.into_iter().map(|person| (person, format!("manager of {}", requester.name))).collect())
        }
    }
}

/// The person, if he may come in and see the project: nobody decides what he may not look at.
async fn who_sees(on: &impl Reads, person: Option<Person>, project: &Project) -> Result<Option<Person>, Trouble> {
    let Some(person) = person else { return Ok(None) };
    let principal = store::person::principal(on, person.id).await.map_err(database)?;
    Ok(principal.filter(|principal| principal.scope().covers(project.id)).map(|_| person))
}

/// Who stands in for those of these people who are away. Somebody whose stand-in can't decide is asked himself.
async fn stand_ins(
    on: &impl Reads,
    people: &[PersonId],
    requester: PersonId,
    project: &Project,
    now: DateTime<Utc>,
) -> Result<BTreeMap<PersonId, Person>, Trouble> {
    let mut found = BTreeMap::new();
    let mut chains: BTreeMap<PersonId, PersonId> = people.iter().map(|id| (*id, *id)).collect();
    for _ in 0..LONGEST_CHAIN {
        let ends: Vec<PersonId> = chains.values().copied().collect();
        let away = store::absence::away(on, &ends, now).await.map_err(database)?;
        if away.is_empty() {
            break;
        }
        for end in chains.values_mut() {
            if let Some(absence) = away.get(end) {
                *end = absence.delegate;
            }
        }
    }
    for (person, end) in chains.into_iter().filter(|(person, end)| person != end && *end != requester) {
        let principal = store::person::principal(on, end).await.map_err(database)?;
        let may_see = principal.is_some_and(|principal| principal.scope().covers(project.id));
        if may_see && let Some(stand_in) = store::person::find(on, end).await.map_err(database)? {
            found.insert(person, stand_in);
        }
    }
    Ok(found)
}
