//! What steps of runs tell people: to whom, and in which mail.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::ids::PersonId;
use domain::mail::{MailState, Recipients};
use domain::person::{Person, Role};
use domain::run::Run;
use engine::Told;
use store::{DbErr, Tx};

use crate::consequences::House;
use crate::letter::{Message, Way};

/// Posts what a step tells people, in the transaction of the step; says who gets it.
pub(crate) async fn post(house: &House, tx: &Tx, told: Told<'_>, now: DateTime<Utc>) -> Result<String, DbErr> {
    let people = recipients(tx, told.run, &told.notice.to).await?;
    let state = if house.mailer.is_some() { MailState::Queued } else { MailState::Kept };
    for person in &people {
        match message(house, person, told).write(&house.base_url) {
            Ok(letter) => store::mail::post(tx, letter, state, now).await?,
            // A mail that can't be written must not undo what was built.
            Err(cause) => tracing::error!(run = %told.run.id, error = %cause, "a mail could not be written"),
        }
    }
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    Ok(match &names[..] {
        [] => "Nobody is told: there is no such person who may see the project.".to_owned(),
        names => format!("A mail goes to {}.", names.join(", ")),
    })
}

fn message<'m>(house: &House, to: &'m Person, told: Told<'_>) -> Message<'m> {
    Message {
        to,
        kind: "notice",
        headline: told.notice.subject.clone(),
        lines: told.notice.text.lines().map(str::to_owned).collect(),
        facts: Vec::new(),
        ways: vec![Way {
            label: "See the deployment".to_owned(),
            url: format!("{}/deployments/{}", house.base_url, told.run.deployment),
        }],
        fine: Vec::new(),
        request: told.run.request,
        asks: None,
        reason: format!("notice {} {} to {}", told.run.id, told.step, to.id),
    }
}

/// Who is meant, as far as they are there and may see the project: a group spans organisations.
pub(crate) async fn recipients(tx: &Tx, run: &Run, to: &Recipients) -> Result<Vec<Person>, DbErr> {
    let named = match to {
        Recipients::Requester => requester(tx, run).await?.into_iter().collect(),
        Recipients::Group(name) => store::person::members(tx, name).await?,
        Recipients::Person(mail) => {
            store::person::find_by_email(tx, mail).await?.map(|(person, _)| person).into_iter().collect()
        }
    };
    let Some(project) = store::project::find(tx, run.project).await? else { return Ok(Vec::new()) };
    let mut may_see: BTreeSet<PersonId> = BTreeSet::new();
    for role in Role::ALL {
        may_see.extend(store::person::holders(tx, role, &project).await?);
    }
    Ok(named.into_iter().filter(|person| person.active && may_see.contains(&person.id)).collect())
}

/// Who ordered what the run carries out.
pub(crate) async fn requester(tx: &Tx, run: &Run) -> Result<Option<Person>, DbErr> {
    let Some(id) = run.request else { return Ok(None) };
    match store::request::find(tx, id).await? {
        Some(request) => store::person::find(tx, request.requester).await,
        None => Ok(None),
    }
}
