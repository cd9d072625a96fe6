//! One run: a line that says it all, the graph, the chosen step with its log and its buttons.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use app::App;
use app::run::Details;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::hold::Hold;
use domain::reading::{Meaning, Reading};
use domain::run::{EventKind, RunEvent, RunKind, RunState};
use domain::step::{Step, StepState};
use domain::trouble::FieldError;
use serde::Deserialize;

use super::run_id;
use crate::drawing::{Drawing, Edge, Node, run_graph};
use crate::look;
use crate::pages::plan;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// Which step the reader chose.
#[derive(Deserialize)]
pub(super) struct Chosen {
    step: Option<String>,
}

/// What was typed into a form that was refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::pages) struct Typed {
    /// What is to be done: `retry`, `edit`, `skip`, `resume`, `compensate`, `cancel`, `stop`.
    pub(in crate::pages) act: String,
    pub(in crate::pages) step: String,
    pub(in crate::pages) input: String,
    pub(in crate::pages) output: String,
    pub(in crate::pages) reason: String,
}

/// The chosen step, as the page shows it.
pub(super) struct StepView {
    key: String,
    title: String,
    action: String,
    state: StepState,
    reads: Reading,
    /// Whether it waits for what people were asked, so that trying it again would ask them anew.
    is_asked: bool,
    /// Whether it takes back what an earlier run made.
    takes_back: bool,
    why: Option<String>,
    advice: Option<String>,
    attempt: u32,
    wake_at: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    /// Seconds, while it runs or after.
    took: Option<i64>,
    input: String,
    output: String,
}

/// What the page and its live part show.
pub(super) struct View {
    csrf: String,
    reads: Reading,
    line: String,
    /// Steps that are done or skipped.
    done: usize,
    /// How far it is, 0 to 100.
    percent: u32,
    graph: Drawing,
    step: Option<StepView>,
    typed: Typed,
    errors: Vec<FieldError>,
    it: Details,
}

#[derive(Template)]
#[template(path = "runs/show.html")]
struct Show {
    shell: Shell,
    /// Whether the page goes on by itself.
    live: bool,
    events: String,
    part: String,
    view: View,
}

#[derive(Template)]
#[template(path = "runs/part.html")]
struct Part {
    view: View,
}

/// The page.
pub(super) async fn show(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    chosen: Query<Chosen>,
) -> Result<HttpResponse, Problem> {
    let it = app::run::show(&app, &visitor.principal, run_id(&id)?, chosen.step.as_deref()).await?;
    Ok(answer(StatusCode::OK, &visitor, it, Typed::default(), Vec::new()))
}

/// What of the page is asked for again while the run goes on.
pub(super) async fn part(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    chosen: Query<Chosen>,
) -> Result<HttpResponse, Problem> {
    let it = app::run::show(&app, &visitor.principal, run_id(&id)?, chosen.step.as_deref()).await?;
    let view = View::of(&visitor, it, Typed::default(), Vec::new());
    Ok(page(StatusCode::OK, &Part { view }))
}

/// The whole page, with what was typed where a form was refused.
pub(super) fn answer(
    status: StatusCode,
    visitor: &Visitor,
    it: Details,
    typed: Typed,
    errors: Vec<FieldError>,
) -> HttpResponse {
    let address = format!("/runs/{}", it.run.id);
    let step = it.chosen.map(|at| format!("?step={}", escaped(&it.steps[at].key))).unwrap_or_default();
    let show = Show {
        shell: visitor.shell(it.run.title.as_str(), Section::Deployments),
        live: !it.run.state.has_ended(),
        events: format!("{address}/events?after={}", it.run.next_event - 1),
        part: format!("{address}/part{step}"),
        view: View::of(visitor, it, typed, errors),
    };
    page(status, &show)
}

impl View {
    fn of(visitor: &Visitor, it: Details, typed: Typed, errors: Vec<FieldError>) -> Self {
        let behind = it.steps.iter().filter(|step| step.state.lets_others_go_on()).count();
        Self {
            csrf: visitor.csrf.clone(),
            reads: reads(&it),
            line: line(&it, behind),
            done: behind,
            percent: look::percent(behind, it.steps.len()),
            graph: graph(&it),
            step: it.chosen.map(|at| StepView::of(&it, at)),
            typed,
            errors,
            it,
        }
    }

    /// Whether an operator may try this step again, or go on without it.
    fn can_be_mended(&self, step: &StepView) -> bool {
        let goes_on = matches!(self.it.run.state, RunState::Running | RunState::Waiting | RunState::Paused);
        goes_on && matches!(step.state, StepState::Failed | StepState::Retrying | StepState::Waiting)
    }

    /// The sentence at a field of a refused form, or nothing.
    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }

    /// Whether this form was the one that was refused, and stays open.
    fn is_typed(&self, act: &str) -> bool {
        self.typed.act == act
    }

    /// What a form shows: what was typed, or what the step had.
    fn typed_or<'a>(&'a self, act: &str, typed: &'a str, had: &'a str) -> &'a str {
        if self.is_typed(act) { typed } else { had }
    }
}

impl StepView {
    fn of(it: &Details, at: usize) -> Self {
        let (step, planned) = (&it.steps[at], &it.run.workflow[at]);
        let json = |value: &Option<serde_json::Value>| {
            value.as_ref().and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
        };
        Self {
            key: step.key.clone(),
            title: planned.planned.title.clone(),
            action: planned.action.clone(),
            state: step.state,
            reads: reads_of_step(it, step),
            is_asked: step.state != StepState::Failed && has_task(it, step),
            takes_back: planned.takes_back.is_some(),
            why: step.why.clone(),
            advice: step.advice.clone(),
            attempt: step.attempt,
            wake_at: step.wake_at,
            started_at: step.started_at,
            took: took(step, it.now),
            input: json(&step.input),
            output: json(&step.output),
        }
    }
}

/// What a form says of a JSON object: what it is, and the names in it.
fn names(what: &str, names: &[String]) -> String {
    if names.is_empty() { format!("{what}.") } else { format!("{what}: {}.", names.join(", ")) }
}

/// How the run reads; one that waits says for what.
fn reads(it: &Details) -> Reading {
    let reading = it.run.reads(&it.steps);
    it.hold.as_ref().map_or(reading, |hold| hold.reads(reading))
}

/// How a step reads; one that asks people says so.
fn reads_of_step(it: &Details, step: &Step) -> Reading {
    let reading = step.state.reads();
    match has_task(it, step) {
        true => Reading { label: "With people", meaning: Meaning::Waiting, ..reading },
        false => reading,
    }
}

/// Whether people are asked to do something for it.
fn has_task(it: &Details, step: &Step) -> bool {
    it.tasks.iter().any(|task| task.step_key == step.key)
}

fn took(step: &Step, now: DateTime<Utc>) -> Option<i64> {
    Some((step.ended_at.unwrap_or(now) - step.started_at?).num_seconds())
}

/// The line on top, which goes on after the badge: "Building since 2 min 10 s, usually 4 min; 7 of 11 steps done."
fn line(it: &Details, behind: usize) -> String {
    let run = &it.run;
    let steps = format!("{behind} of {} steps done", it.steps.len());
    let since = |from: DateTime<Utc>, to: DateTime<Utc>| look::took((to - from).num_seconds());
    let usual = it.usual.map_or_else(
        || ", usual time not known yet".to_owned(),
        |usual| format!(", usually {}", look::took(usual.as_secs())),
    );
    let (started, ended) = (run.started_at.unwrap_or(run.created_at), run.ended_at.unwrap_or(it.now));
    let lasted = since(started, ended);
    // What people are asked stands below, with who they are.
    if let Some(hold) = it.hold.as_ref().filter(|hold| !matches!(hold, Hold::People { .. })) {
        return match run.state {
            RunState::Queued => format!("since {}. {}", since(run.created_at, it.now), hold.told()),
            _ => format!("{} {steps}.", hold.told()),
        };
    }
    match run.state {
        RunState::Queued => format!("Waits for a worker since {}.", since(run.created_at, it.now)),
        RunState::Running | RunState::Waiting => format!("since {lasted}{usual}; {steps}."),
        RunState::Paused => {
            format!("{steps}; it stands still since {}.", since(run.paused_at.unwrap_or(started), it.now))
        }
        RunState::Compensating => format!("It began {lasted} ago; calls that are under way are waited for."),
        RunState::Cancelling => "Calls that are under way are waited for.".to_owned(),
        RunState::Done => format!("in {lasted}; {steps}."),
        RunState::Compensated => format!("after {lasted}. {}", run.kind.taken_back()),
        RunState::Stuck => "Something could not be taken back.".to_owned(),
        RunState::Cancelled => format!("after {lasted}; {steps}."),
        RunState::Refused => "Nothing was built.".to_owned(),
    }
}

fn graph(it: &Details) -> Drawing {
    let nodes: Vec<Node> = it
        .run
        .workflow
        .iter()
        .zip(&it.steps)
        .enumerate()
        .map(|(at, (workflow, step))| {
            let planned = &workflow.planned;
            let note = took(step, it.now).map(look::clocked).unwrap_or_default();
            let reads = reads_of_step(it, step);
            let node = Node::new(&planned.key, titled(&planned.title, &planned.key, &planned.id))
                .icon(plan::icon(&planned.work))
                .state(reads.meaning, reads.label)
                .note(note)
                .href(format!("/runs/{}?step={}#step", it.run.id, escaped(&planned.key)))
                .chosen(it.chosen == Some(at));
            if planned.key == planned.id { node } else { node.group(&planned.id) }
        })
        .collect();
    let arrows = it
        .run
        .workflow
        .iter()
        .flat_map(|workflow| workflow.planned.needs.iter().map(|need| Edge::new(need, &workflow.planned.key)));
    run_graph(&nodes, &arrows.collect::<Vec<_>>(), &format!("The steps of {}", it.run.title))
}

/// What the step with this key is called on the page.
fn step_title(it: &Details, key: &str) -> String {
    let planned = it.run.workflow.iter().map(|step| &step.planned).find(|planned| planned.key == key);
    planned.map_or_else(|| key.to_owned(), |planned| titled(&planned.title, &planned.key, &planned.id))
}

/// The title of a step, with its number where there are several of it.
fn titled(title: &str, key: &str, id: &str) -> String {
    let number = key.strip_prefix(id).unwrap_or_default().trim_matches(['[', ']']);
    if number.is_empty() || title.ends_with(number) { title.to_owned() } else { format!("{title} {number}") }
}

/// A step's key as it stands in an address.
fn escaped(key: &str) -> String {
    key.replace('[', "%5B").replace(']', "%5D")
}

/// How a line of the log is coloured.
fn tone(event: &RunEvent) -> &'static str {
    let bad = ["Failed", "Paused", "Stuck", "Could not", "Refused"];
    if bad.iter().any(|word| event.line.starts_with(word)) {
        "is-failed"
    } else if event.kind == EventKind::Mended || event.line.contains("Tried again in") {
        "is-waiting"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, titled};

    #[test]
    fn the_steps_of_a_fan_out_bear_their_numbers() {
        assert_eq!(titled("Create machine", "node[2]", "node"), "Create machine 2");
        assert_eq!(titled("Create pool", "pool", "pool"), "Create pool");
        assert_eq!(escaped("node[2]"), "node%5B2%5D");
    }
}
