//! Waiting, for a moment or for an address to answer. What waits costs a row: no worker is held meanwhile.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::blueprint::Period;
use domain::moment;
use domain::ports::probe::{Probe, ProbeAnswer};
use domain::ports::provider_error::ProviderErrorKind;
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::typed::{Verb, done, nothing_to_undo, told};

/// `wait.until`
pub(crate) struct Until;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UntilInput {
    /// A moment, `2026-12-01T06:00:00Z`; or how long from when the step begins: `90s`, `5m`, `12h`, `2d`.
    #[schemars(regex(pattern = r"^(\d{1,5}[smhd]|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2}))$"))]
    until: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct UntilOutput {
    /// The moment, `2026-12-01T06:00:00Z`.
    until: String,
}

#[async_trait]
impl Verb for Until {
    type Input = UntilInput;
    type Output = UntilOutput;

    const NAME: &'static str = "wait.until";
    const TITLE: &'static str = "Wait";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Waits until a moment has come, or a time has passed.";
    const PROVIDER: Option<&'static str> = None;

    fn intend(&self, _work: &Work, _input: &UntilInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: UntilInput) -> Result<Outcome, ActionError> {
        let until = deadline(work, &input.until)?;
        if work.now >= until {
            let until = until.format("%Y-%m-%dT%H:%M:%SZ").to_string();
            return done(&UntilOutput { until }, Vec::new(), Vec::new());
        }
        let why = format!("until {}", moment::written(until));
        Ok(Outcome::Wait { until, remember: self::until(until), why })
    }

    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}

/// `wait.poll`
pub(crate) struct Poll {
    pub probe: Arc<dyn Probe>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollInput {
    /// The address to fetch.
    url: String,
    /// The status that is waited for; 200 where nothing is said.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    expect: u16,
    /// How long between two looks: `5s`, `1m`; `10s` where nothing is said.
    #[serde(default = "ten_seconds")]
    #[schemars(regex(pattern = r"^[1-9]\d{0,4}[smh]$"))]
    every: String,
    /// How long to wait at most: `90s`, `5m`, `12h`, `2d`.
    #[schemars(regex(pattern = r"^[1-9]\d{0,4}[smhd]$"))]
    within: String,
}

fn ok() -> u16 {
    200
}

fn ten_seconds() -> String {
    "10s".to_owned()
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct PollOutput {
    status: u16,
    /// How long the answer took.
    millis: u64,
}

#[async_trait]
impl Verb for Poll {
    type Input = PollInput;
    type Output = PollOutput;

    const NAME: &'static str = "wait.poll";
    const TITLE: &'static str = "Wait for service";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Fetches an address again and again until it answers with a status.";
    const PROVIDER: Option<&'static str> = Some("probe");

    fn intend(&self, _work: &Work, _input: &PollInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: PollInput) -> Result<Outcome, ActionError> {
        let every = length(&input.every)?;
        let deadline = deadline(work, &input.within)?;
        let last = match self.probe.get(&input.url).await {
            Ok(ProbeAnswer { status, millis }) if status == input.expect => {
                work.say(format!("{} answered {status} in {millis} ms.", input.url));
                return done(&PollOutput { status, millis }, Vec::new(), Vec::new());
            }
            Ok(ProbeAnswer { status, .. }) => format!("the last answer was {status}"),
            Err(silence) if silence.kind == ProviderErrorKind::NotFound => "nothing answers there".to_owned(),
            Err(error) => return Err(told(error)),
        };
        if work.now >= deadline {
            return Err(too_late(&input, &last));
        }
        let why = format!("{} has not answered {} yet; {last}", input.url, input.expect);
        Ok(Outcome::Wait { until: deadline.min(work.now + every), remember: until(deadline), why })
    }

    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}

fn too_late(input: &PollInput, last: &str) -> ActionError {
    let PollInput { url, expect, within, .. } = input;
    let within = Period::parse(within).unwrap_or_default();
    ActionError::permanent(
        format!("{url} has not answered {expect} within {within}; {last}."),
        "Look at the service behind the address. Try again when it answers, give it longer, or skip with a reason.",
    )
}

/// Until when the step waits: as its first call found and had remembered, else as the text says from now on.
pub(crate) fn deadline(work: &Work, text: &str) -> Result<DateTime<Utc>, ActionError> {
    match remembered(work) {
        Some(until) => Ok(until),
        None => end_of(work, text),
    }
}

/// What a step has remembered so that it waits until then, however often it is called.
pub(crate) fn until(deadline: DateTime<Utc>) -> Value {
    json!({ "until": deadline })
}

fn remembered(work: &Work) -> Option<DateTime<Utc>> {
    serde_json::from_value(work.remembered.as_ref()?.get("until")?.clone()).ok()
}

/// The moment that a text names, or at which a length of time from now on is over.
fn end_of(work: &Work, text: &str) -> Result<DateTime<Utc>, ActionError> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(moment) => Ok(moment.with_timezone(&Utc)),
        Err(_) => Ok(work.now + length(text)?),
    }
}

fn length(text: &str) -> Result<TimeDelta, ActionError> {
    let period = Period::parse(text).ok_or_else(|| {
        ActionError::permanent(
            format!("`{text}` is no moment and no length of time."),
            "Write `2026-12-01T06:00:00Z`, or `90s`, `5m`, `12h` or `2d`, then try again.",
        )
    })?;
    Ok(TimeDelta::seconds(period.seconds.into()))
}
