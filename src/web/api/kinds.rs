//! The kinds of values that programs send, and how a person is told what a field has to be.

use chrono::{DateTime, NaiveDate, Utc};
use domain::approval::Answer;
use domain::ci::CiClass;
use domain::deployment::DeploymentState;
use domain::finding::FindingKind;
use domain::finding::life::State;
use domain::ids::{DeploymentId, ProjectId};
use domain::request::RequestState;
use domain::run::{Cancel, RunState};
use serde_json::{Map, Value};

use crate::pages::ci::instant;

/// A value that a field may have.
pub trait Wanted: Sized {
    /// What it has to be, after "this has to be".
    const IS: &'static str;

    /// The value, when it is one.
    fn read(value: Value) -> Option<Self>;
}

impl Wanted for Value {
    const IS: &'static str = "a value";

    fn read(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl Wanted for Map<String, Value> {
    const IS: &'static str = "an object";

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }
}

impl Wanted for String {
    const IS: &'static str = "a text";

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

/// An instant; a day means its end.
pub struct Instant(pub DateTime<Utc>);

/// The word of a state of a finding.
pub struct FindingState(pub &'static str);

macro_rules! numbers {
    ($($number:ty: $is:literal),+) => {$(
        impl Wanted for $number {
            const IS: &'static str = $is;

            fn read(value: Value) -> Option<Self> {
                serde_json::from_value(value).ok()
            }
        }
    )+};
}

macro_rules! words {
    ($($kind:ty: $is:literal, $read:expr),+ $(,)?) => {$(
        impl Wanted for $kind {
            const IS: &'static str = $is;

            fn read(value: Value) -> Option<Self> {
                value.as_str().and_then($read)
            }
        }
    )+};
}

numbers!(u32: "a whole number, 0 or more", u64: "a whole number, 0 or more", i32: "a whole number", i64: "a whole number");
words! {
    Answer: "`approve` or `reject`", Answer::from_word,
    CiClass: "a class of the CMDB, such as `virtual_machine`", CiClass::from_word,
    Cancel: "`take_back` or `stop`", Cancel::from_word,
    DeploymentId: "a deployment's id", |text| text.parse().ok(),
    ProjectId: "a project's id", |text| text.parse().ok(),
    DeploymentState: "a state of a deployment, such as `live`", DeploymentState::from_word,
    FindingKind: "a kind of finding, such as `ghost`", FindingKind::from_word,
    FindingState: "`open`, `held`, `waived` or `fixed`", |text| State::known(text).map(FindingState),
    RequestState: "a state of a request, such as `awaiting_approval`", RequestState::from_word,
    RunState: "a state of a run, such as `paused`", RunState::from_word,
    NaiveDate: "a day, 2026-12-24", |text| text.parse().ok(),
    Instant: "a day, 2026-11-22, or an instant, 2026-11-22T14:03:00Z", |text| instant(text).ok().flatten().map(Instant),
}
