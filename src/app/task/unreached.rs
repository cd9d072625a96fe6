//! Mails about tasks that no mail server took: somebody who can speak with the receiver is asked to.

use chrono::{DateTime, Utc};
use domain::mail::{Asks, Mail};
use domain::moment::written;
use domain::person::Person;
use domain::run::Run;
use domain::task::{Task, TaskState};
use domain::trouble::Trouble;
use store::Tx;

use super::ask::{facts, names};
use crate::consequences::House;
use crate::letter::{Message, Way};
use crate::operations::operators_of;
use crate::{App, database, person};

/// How many are passed on at once; the rest comes with the next call.
const AT_ONCE: u64 = 50;

/// Passes on what nobody got, each mail in a transaction of its own, so that one that fails keeps no other. Says how
/// many it handled.
pub(super) async fn pass_all_on(app: &App) -> Result<usize, Trouble> {
    let mut handled = 0;
    for mail in store::mail::lost_and_not_passed_on(&app.store, AT_ONCE).await.map_err(database)? {
        match pass_on(app, &mail).await {
            Ok(()) => handled += 1,
            Err(trouble) => {
                tracing::error!(mail = %mail.id, error = ?trouble, "a lost mail is not passed on; it is tried again");
            }
        }
    }
    Ok(handled)
}

async fn pass_on(app: &App, mail: &Mail) -> Result<(), Trouble> {
    let Some(Asks::Task(id)) = mail.asks else { return Ok(()) };
    let (house, now) = (House::of(app), app.clock.now());
    let tx = app.store.begin().await.map_err(database)?;
    let task = store::task::find(&tx, id).await.map_err(database)?.filter(|task| task.state == TaskState::Open);
    let Some(task) = task else { return Ok(()) };
    let Some(run) = store::run::find(&tx, task.run).await.map_err(database)? else { return Ok(()) };
    let told = who_can_tell(&tx, mail, &task, &run).await?;
    for person in &told {
        house.post(&tx, message(&house, mail, &task, &run, person, now), now).await.map_err(database)?;
    }
    store::mail::mark_passed_on(&tx, mail.id, &names(&told)).await.map_err(database)?;
    tx.commit().await.map_err(database)
}

/// Who is asked to tell the receiver: the next one above him who may see the project, else the operators; none of them
/// somebody whose own mail was lost.
async fn who_can_tell(tx: &Tx, mail: &Mail, task: &Task, run: &Run) -> Result<Vec<Person>, Trouble> {
    let lost = store::mail::lost_of_tasks(tx, &[task.id]).await.map_err(database)?;
    let is_lost = |person: &Person| lost.iter().any(|mail| mail.to_email == person.email);
    if let Some((receiver, _)) = store::person::find_by_email(tx, &mail.to_email).await.map_err(database)?
        && let Some((manager, _)) = person::next_above(tx, &receiver, run.project, is_lost).await?
    {
        return Ok(vec![manager]);
    }
    let mut operators = operators_of(tx, &run.platform, run.project).await.map_err(database)?;
    operators.retain(|operator| !is_lost(operator));
    Ok(operators)
}

fn message<'m>(house: &House, mail: &Mail, task: &Task, run: &Run, to: &'m Person, now: DateTime<Utc>) -> Message<'m> {
    let due = if task.is_overdue(now) { "was due" } else { "is due" };
    Message {
        to,
        kind: "task_unreached",
        headline: format!("Tell {}: {}", mail.to_name, task.title),
        lines: vec![
            format!("{} is asked to do this and may not know: {}", mail.to_name, mail.lost()),
            format!("Please tell them. It stands in their list of tasks and {due} {}.", written(task.due_at)),
        ],
        facts: facts(run, task),
        ways: vec![Way { label: "Look at the task".to_owned(), url: format!("{}/tasks/{}", house.base_url, task.id) }],
        fine: vec!["The run goes on when somebody who is asked has done it.".to_owned()],
        request: task.request,
        asks: None,
        reason: format!("unreached {} {}", mail.id, to.id),
    }
}
