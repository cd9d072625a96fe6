//! What time does to open questions: reminders, escalation, the end; and mails that never arrived.

use chrono::TimeDelta;
use domain::approval::{Approval, ApprovalState};
use domain::audit::Actor;
use domain::blueprint::OnTimeout;
use domain::blueprint::plan::Level;
use domain::moment::written;
use domain::person::Person;
use domain::project::Project;
use domain::request::Request;
use domain::trouble::Trouble;
use serde_json::json;
use store::Tx;
use store::approval_level::OpenLevel;

use super::ask::{Asked, Subject, ask, matter, new_link, question_mail};
use super::decide::level_of;
use super::{called, note, post, request_url};
use crate::letter::{Message, Way};
use crate::link::next_reminder;
use crate::{App, database, person, request};

/// How many are handled at once; the rest comes with the next call.
const AT_ONCE: u64 = 50;
/// How often a level goes on to somebody higher up before its time is really up.
const ESCALATIONS: i32 = 2;

/// Does what time asks for; each question in a transaction of its own. Says how many it handled.
pub async fn keep_time(app: &App) -> Result<usize, Trouble> {
    let now = app.clock.now();
    let remind = store::approval::to_remind(&app.store, now, AT_ONCE).await.map_err(database)?;
    let overdue = store::approval_level::overdue(&app.store, now, AT_ONCE).await.map_err(database)?;
    let unreached = store::approval::unreached(&app.store, AT_ONCE).await.map_err(database)?;
    let handled = remind.len() + overdue.len() + unreached.len();
    for level in overdue {
        time_is_up(app, &level).await?;
    }
    for approval in remind {
        remind_approver(app, &approval).await?;
    }
    for approval in unreached {
        pass_on(app, &approval).await?;
    }
    Ok(handled)
}

/// A request with its people, read inside a transaction.
struct Case {
    request: Request,
    requester: Person,
    project: Project,
}

impl Case {
    async fn read(tx: &Tx, id: domain::ids::RequestId) -> Result<Option<Self>, Trouble> {
        let Some(request) = store::request::lock(tx, id).await.map_err(database)? else { return Ok(None) };
        let requester = store::person::find(tx, request.requester).await.map_err(database)?;
        let project = store::project::find(tx, request.project).await.map_err(database)?;
        Ok(requester.zip(project).map(|(requester, project)| Self { request, requester, project }))
    }

    fn subject(&self) -> Subject<'_> {
        Subject { request: &self.request, requester: &self.requester, project: &self.project }
    }
}

async fn remind_approver(app: &App, approval: &Approval) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    let Some(case) = Case::read(&tx, approval.request).await? else { return Ok(()) };
    let fresh = store::approval::find(&tx, approval.id).await.map_err(database)?;
    let level = store::approval_level::open_of(&tx, &[approval.request]).await.map_err(database)?.into_iter().next();
    let approver = store::person::find(&tx, approval.approver).await.map_err(database)?;
    let (Some(approval), Some(level), Some(approver)) = (fresh, level, approver) else { return Ok(()) };
    if approval.state != ApprovalState::Open {
        return Ok(());
    }
    let next = next_reminder(app.clock.now(), level.due_at);
    store::approval::set_reminder(&tx, approval.id, next).await.map_err(database)?;
    let url = new_link(app, &tx, approval.id, level.due_at).await?;
    let lines = vec![
        "This still waits for your decision.".to_owned(),
        format!("{} asked for it on {}.", case.requester.name, written(approval.opened_at)),
    ];
    let matter = matter(app, &tx, &case.subject(), level.level).await?;
    let message = question_mail(matter, &approval, &approver, lines, url, level.due_at);
    post(app, &tx, Message { kind: "approval_reminder", ..message }).await?;
    tx.commit().await.map_err(database)
}

async fn time_is_up(app: &App, overdue: &OpenLevel) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    let Some(case) = Case::read(&tx, overdue.request).await? else { return Ok(()) };
    let open = store::approval_level::open_of(&tx, &[overdue.request]).await.map_err(database)?;
    // Somebody may have decided, or another duty may have been faster.
    let Some(open) = open.into_iter().find(|open| open == overdue) else { return Ok(()) };
    let Some(level) = level_of(&case.request, open.level) else { return Ok(()) };
    let escalates = level.on_timeout == OnTimeout::Escalate && open.escalations < ESCALATIONS;
    let more_time = OpenLevel {
        due_at: app.clock.now() + TimeDelta::seconds(i64::from(level.within.seconds)),
        escalations: open.escalations + 1,
        ..open
    };
    if !escalates {
        expire(app, &tx, case, &level, ".").await?;
    } else if ask_higher(app, &tx, &case, &more_time, None).await? == 0 {
        expire(app, &tx, case, &level, ", and nobody above them is left to ask.").await?;
    } else {
        store::approval_level::escalate(&tx, &more_time).await.map_err(database)?;
    }
    tx.commit().await.map_err(database)
}

/// Asks whoever is next above those who did not answer; of one of them, or of all. Says how many it asked.
async fn ask_higher(
    app: &App,
    tx: &Tx,
    case: &Case,
    level: &OpenLevel,
    only: Option<&Approval>,
) -> Result<usize, Trouble> {
    let asked = store::approval::of_request(tx, level.request).await.map_err(database)?;
    let at_level = |approval: &&Approval| approval.revision == level.revision && approval.level == level.level;
    let mut known: Vec<_> = asked.iter().filter(at_level).map(|approval| approval.approver).collect();
    let mut count = 0;
    let silent = asked.iter().filter(at_level).filter(|approval| approval.state == ApprovalState::Open);
    for approval in silent.filter(|approval| only.is_none_or(|only| only.id == approval.id)) {
        let Some(silent) = store::person::find(tx, approval.approver).await.map_err(database)? else { continue };
        let is_out = |person: &Person| person.id == case.requester.id || known.contains(&person.id);
        let above = person::next_above(tx, &silent, case.project.id, is_out).await?;
        let Some((approver, asked_as)) = above else { continue };
        known.push(approver.id);
        let data = json!({ "level": level.level, "from": silent.email, "to": approver.id });
        let because = format!("You are asked as the {asked_as}, from whom no answer came.");
        // He speaks with the voice that is missing, so that a level that takes all can be decided.
        let on_behalf_of = store::person::find(tx, approval.voice()).await.map_err(database)?;
        ask(app, tx, &case.subject(), level, Asked { approver, on_behalf_of, asked_as, because }).await?;
        note(app, tx, Actor::clock(), "request.escalated", &case.request, data).await?;
        count += 1;
    }
    Ok(count)
}

/// A question that the mail server would not take goes on to the approver's manager; the question itself stays open
/// in the portal.
async fn pass_on(app: &App, approval: &Approval) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    let Some(case) = Case::read(&tx, approval.request).await? else { return Ok(()) };
    let open = store::approval_level::open_of(&tx, &[approval.request]).await.map_err(database)?;
    store::approval::mark_passed_on(&tx, approval.id).await.map_err(database)?;
    if let Some(level) = open.into_iter().find(|open| open.level == approval.level) {
        ask_higher(app, &tx, &case, &level, Some(approval)).await?;
    }
    tx.commit().await.map_err(database)
}

async fn expire(app: &App, tx: &Tx, case: Case, level: &Level, ending: &str) -> Result<(), Trouble> {
    let names: Vec<String> = level.approvers.iter().map(ToString::to_string).collect();
    let why = format!("Nobody of {} decided in time{ending}", names.join(", "));
    let read_as = (case.request.state, case.request.revision);
    let expired = case.request.expired(why.clone(), app.clock.now()).map_err(Trouble::bug)?;
    request::end_before_run(app, tx, &expired, read_as, ApprovalState::Expired).await?;
    note(app, tx, Actor::clock(), "request.expired", &expired, json!({ "level": level.level })).await?;
    let message = Message {
        to: &case.requester,
        kind: "request_expired",
        headline: format!("{} expired", called(&expired)),
        lines: vec![why, "Copy the request to ask again, or speak with the approvers first.".to_owned()],
        facts: Vec::new(),
        ways: vec![Way { label: "See the request".to_owned(), url: request_url(app, &expired) }],
        fine: Vec::new(),
        request: Some(expired.id),
        asks: None,
        reason: format!("expired {} {}", expired.id, expired.revision),
    };
    post(app, tx, message).await
}
