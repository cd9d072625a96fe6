//! How runs stand, and what happened to them.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::run::{self, Details, Filter, Listed, RunSummary, SortBy};
use chrono::{DateTime, Utc};
use domain::ids::RunId;
use domain::person::Principal;
use domain::run::{RunEvent, RunState};
use domain::step::Step;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::Query;
use super::paging::Part;

/// Which runs are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Wanted {
    /// `queued`, `running`, `waiting`, `paused`, `compensating`, `cancelling`, `done`, `compensated`, `stuck`,
    /// `cancelled` or `refused`.
    state: Option<String>,
    /// The project's id.
    project: Option<String>,
    /// Part of the title.
    text: Option<String>,
}

/// A run in a list.
#[derive(Serialize, ToSchema)]
pub struct RunEntry {
    id: String,
    title: String,
    /// `provision`, `action` or `retire`.
    kind: String,
    /// The deployment's id.
    deployment: String,
    /// The id of the request it carries out.
    request: Option<String>,
    blueprint: String,
    state: String,
    /// Why it stands where it stands.
    why: Option<String>,
    /// What it waits for, where only that keeps it: its turn, a place at a provider, people.
    held_up: Option<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

/// One thing that happened to a run.
#[derive(Serialize, ToSchema)]
pub struct EventDetails {
    /// Counts from 1 within the run, without gaps.
    number: i64,
    at: DateTime<Utc>,
    /// The step it happened to; null for the run itself.
    step: Option<String>,
    /// `run`, `step`, `said` or `mended`.
    kind: String,
    /// What happened, as a sentence.
    line: String,
    /// For programs, such as an input before and after an edit.
    detail: Option<Value>,
}

/// One execution of a workflow.
#[derive(Serialize, ToSchema)]
pub struct RunDetails {
    id: String,
    title: String,
    /// `provision`, `action` or `retire`.
    kind: String,
    /// The deployment's id.
    deployment: String,
    /// The id of the request it carries out.
    request: Option<String>,
    /// The name of the site where it works.
    site: String,
    blueprint: String,
    version: String,
    /// `queued`, `running`, `waiting`, `paused`, `stuck`, `compensating`, `cancelling`, `done`, `compensated`,
    /// `cancelled` or `refused`.
    state: &'static str,
    /// The state in people's words.
    state_label: &'static str,
    /// Why it stands where it stands.
    why: Option<String>,
    /// What it waits for, where only that keeps it: a worker, its turn, a place at a provider, people.
    held_up: Option<String>,
    /// The operators who have to act, where one has to.
    waits_for: Vec<String>,
    /// Since when it needs an operator.
    paused_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    /// How long such runs usually take, in seconds; null before there was one.
    usual_seconds: Option<u64>,
    steps: Vec<StepDetails>,
}

/// One step of a run.
#[derive(Serialize, ToSchema)]
pub struct StepDetails {
    key: String,
    title: String,
    state: String,
    attempt: u32,
    /// What happened, where it failed or waits.
    why: Option<String>,
    /// What a person can do about it.
    advice: Option<String>,
    needs: Vec<String>,
    /// What its action was given last.
    input: Option<Value>,
    /// What it returned.
    output: Option<Value>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/runs", index)
            .is("Runs", "The runs that the caller may see, oldest first")
            .needs(TokenScope::Read)
            .lists::<RunEntry>()
            .asks::<Wanted>(),
        Endpoint::get("/runs/{id}", show)
            .is("Runs", "A run with its steps")
            .needs(TokenScope::Read)
            .gives::<RunDetails>(),
        Endpoint::get("/runs/{id}/events", events)
            .is("Runs", "What happened to a run, oldest first")
            .needs(TokenScope::Read)
            .lists::<EventDetails>(),
    ]
}

async fn index(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let part = Part::of(&mut query);
    let filter = Filter {
        states: query.optional::<RunState>("state").into_iter().collect(),
        project: query.optional("project"),
        text: query.optional("text").unwrap_or_default(),
        ..Filter::default()
    };
    let filter = query.finish(Some(filter))?;
    let found = run::list(&house, who, &filter, part.window(SortBy::Created)?).await?.part;
    Ok(part.answer(found, |it| it.run.id, RunEntry::from))
}

async fn show(house: Data<App>, caller: Caller, id: Path<RunId>) -> Reply {
    shown(&house, caller.may(TokenScope::Read)?, *id).await
}

/// The run as it stands.
pub async fn shown(house: &App, who: &Principal, id: RunId) -> Reply {
    Ok(HttpResponse::Ok().json(RunDetails::from(run::show(house, who, id, None).await?)))
}

async fn events(house: Data<App>, caller: Caller, id: Path<RunId>, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let part = Part::of(&mut query);
    let part = query.finish(Some(part))?;
    let found = run::events(&house, who, *id, part.after()?.unwrap_or(0), part.limit()).await?;
    Ok(part.answer(found, |event| event.number, EventDetails::from))
}

impl From<RunSummary> for RunEntry {
    fn from(run: RunSummary) -> Self {
        Self::from(Listed { run, hold: None })
    }
}

impl From<Listed> for RunEntry {
    fn from(Listed { run, hold }: Listed) -> Self {
        Self {
            held_up: hold.map(|hold| hold.told()),
            id: run.id.to_string(),
            title: run.title,
            kind: run.kind.word().to_owned(),
            deployment: run.deployment.to_string(),
            request: run.request.map(|request| request.to_string()),
            blueprint: run.blueprint,
            state: run.state.word().to_owned(),
            why: run.why,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

impl From<RunEvent> for EventDetails {
    fn from(event: RunEvent) -> Self {
        Self {
            number: event.number,
            at: event.at,
            step: event.step_key,
            kind: event.kind.word().to_owned(),
            line: event.line,
            detail: event.detail,
        }
    }
}

impl From<Details> for RunDetails {
    fn from(details: Details) -> Self {
        let run = details.run;
        let reads = run.reads(&details.steps);
        let reads = details.hold.as_ref().map_or(reads, |hold| hold.reads(reads));
        let step = |step: Step| {
            let planned = run.workflow.get(step.position).map(|step| &step.planned);
            StepDetails {
                title: planned.map(|planned| planned.title.clone()).unwrap_or_default(),
                needs: planned.map(|planned| planned.needs.clone()).unwrap_or_default(),
                key: step.key,
                state: step.state.word().to_owned(),
                attempt: step.attempt,
                why: step.why,
                advice: step.advice,
                input: step.input,
                output: step.output,
                started_at: step.started_at,
                ended_at: step.ended_at,
            }
        };
        Self {
            steps: details.steps.into_iter().map(step).collect(),
            id: run.id.to_string(),
            title: run.title.clone(),
            kind: run.kind.word().to_owned(),
            deployment: run.deployment.to_string(),
            request: run.request.map(|request| request.to_string()),
            site: run.site.clone(),
            blueprint: run.blueprint.clone(),
            version: run.version.clone(),
            state: reads.word,
            state_label: reads.label,
            held_up: details.hold.map(|hold| hold.told()),
            waits_for: details.operators,
            paused_at: run.paused_at,
            why: run.why.clone(),
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
            usual_seconds: details.usual.map(|usual| usual.as_secs()),
        }
    }
}
