//! People in a workflow: a step that asks somebody to do something and to say what came of it. The task is data that
//! commits with the step; who answers ends the step, and nobody is held meanwhile.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::blueprint::schema::Parameters;
use domain::mail::Recipients;
use domain::moment::written;
use domain::resource::Intent;
use domain::task::Wanted;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::typed::{Verb, nothing_to_undo};
use crate::wait::{deadline, until};

/// A task that is overdue is looked at this often.
const LOOK_AGAIN: TimeDelta = TimeDelta::days(1);

/// `human.task`
pub(crate) struct Task;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskInput {
    /// What is to be done, on one line: the subject of the mail.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// How it is done, and what to look at; each line is a paragraph.
    #[serde(default)]
    #[schemars(length(max = 4000))]
    instructions: String,
    /// Who may do it: `group:name`, `person:mail` or `requester`, several with commas between; as far as they may see
    /// the project. One of them does it.
    #[schemars(regex(pattern = r"^((requester|group:[^,]+|person:[^,]+@[^,]+)(, *|$))+$"))]
    assignees: String,
    /// What is filled in, like the `parameters` of an order; where nothing is said, only that it is done.
    #[serde(default)]
    #[schemars(extend("x-form" = true))]
    form: Map<String, Value>,
    /// How long they have: `4h`, `2d`; `2d` where nothing is said. Then the operators are told; the task stays open.
    #[serde(default = "two_days")]
    #[schemars(regex(pattern = r"^[1-9]\d{0,4}[smhd]$"))]
    within: String,
}

fn two_days() -> String {
    "2d".to_owned()
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct TaskOutput {
    /// What was filled in, by the names of the form.
    #[schemars(extend("x-answers-to" = "form"))]
    answer: Map<String, Value>,
    /// Who did it, name and mail.
    by: String,
    /// When, `2026-12-01T06:00:00Z`.
    at: String,
}

#[async_trait]
impl Verb for Task {
    type Input = TaskInput;
    type Output = TaskOutput;

    const NAME: &'static str = "human.task";
    const TITLE: &'static str = "Ask people";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str =
        "Asks people to do something, and waits until one of them has filled in what came of it.";
    const PROVIDER: Option<&'static str> = None;

    fn intend(&self, _work: &Work, _input: &TaskInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: TaskInput) -> Result<Outcome, ActionError> {
        let due_at = deadline(work, &input.within)?;
        let wanted = wanted(input, due_at)?;
        let is_overdue = work.now >= due_at;
        let since = if is_overdue { "overdue since" } else { "due" };
        let why = format!("{}: asked of {}, {since} {}", wanted.title, names(&wanted.assignees), written(due_at));
        let again = if is_overdue { work.now + LOOK_AGAIN } else { due_at };
        Ok(Outcome::Ask { wanted: Box::new(wanted), until: again, remember: until(due_at), why })
    }

    /// What somebody did is not undone by asking; a task that is open is closed when its run is taken back.
    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}

fn wanted(input: TaskInput, due_at: DateTime<Utc>) -> Result<Wanted, ActionError> {
    let form = Value::Object(input.form);
    if let Err(why) = Parameters::of_form(&form) {
        let next = "Correct the form in the input, then try again.";
        return Err(ActionError::permanent(format!("The form can't be asked: {why}."), next));
    }
    let named = input.assignees.split(',').map(str::trim).filter(|who| !who.is_empty());
    let assignees = named.map(assignee).collect::<Result<_, _>>()?;
    Ok(Wanted { title: input.title, instructions: input.instructions, assignees, form, due_at })
}

fn assignee(who: &str) -> Result<Recipients, ActionError> {
    Recipients::parse(who).ok_or_else(|| {
        ActionError::permanent(
            format!("`{who}` is nobody that can be asked."),
            "Write `requester`, `group:` with the name of a group, or `person:` with a mail address, then try again.",
        )
    })
}

fn names(assignees: &[Recipients]) -> String {
    assignees.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
