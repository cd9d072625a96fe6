//! A finding's life: found, perhaps held back by the brake or waived until a day, no longer found, found again.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Finding, FindingKind};
use crate::ci::{CiClass, Source};
use crate::ids::{CiId, DeploymentId, FindingId, ProjectId, RunId};
use crate::reading::{Meaning, Reading};
use crate::reconcile::difference::What;

/// The longest for which a finding may be waived.
const LONGEST_WAIVER: TimeDelta = TimeDelta::days(365);

/// What is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matter {
    /// The views differ.
    Differs(What),
    /// A CI shows it by itself.
    Shows(Finding),
}

impl Matter {
    pub const fn kind(&self) -> FindingKind {
        match self {
            Self::Differs(what) => what.kind(),
            Self::Shows(finding) => finding.kind,
        }
    }

    /// What of the thing, where several things of it may be found.
    pub fn part(&self) -> String {
        match self {
            Self::Differs(what) => what.part(),
            Self::Shows(_) => String::new(),
        }
    }

    /// The particulars, as a sentence.
    pub fn told(&self) -> String {
        match self {
            Self::Differs(what) => what.told(),
            Self::Shows(finding) => finding.detail.clone(),
        }
    }

    /// Whether it is known only where a source looks.
    pub const fn needs_sources(&self) -> bool {
        match self {
            Self::Differs(what) => what.needs_sources(),
            Self::Shows(finding) => matches!(finding.kind, FindingKind::SwitchedOff | FindingKind::ChangedByHand),
        }
    }

    /// What would mend it in the CMDB, as a sentence.
    pub fn mended(&self) -> Option<String> {
        match self {
            Self::Differs(what) => what.mended(),
            Self::Shows(_) => None,
        }
    }

    /// What would mend it in the CMDB; nothing where a person has to do something first.
    pub fn fix(&self, key: &str) -> Option<Value> {
        let Self::Differs(what) = self else { return None };
        Some(match what {
            What::Attribute { name, recorded, told, .. } => {
                json!({ "change": "set", "key": key, "attribute": name, "from": recorded, "to": told })
            }
            What::Class { told } => json!({ "change": "set_class", "key": key, "to": told }),
            What::Ghost | What::NotDelivered => json!({ "change": "retire", "key": key }),
            What::RelationMissing { relation, to } => {
                json!({ "change": "relate", "from": key, "relation": relation, "to": to })
            }
            What::RelationExtra { relation, to } => {
                json!({ "change": "unrelate", "from": key, "relation": relation, "to": to })
            }
            _ => return None,
        })
    }
}

/// What a finding is about, and who has to do with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The key of the CI; of the thing, where it has none.
    pub key: String,
    pub class: CiClass,
    /// The part of the world that a source answers for; empty where none does.
    pub scope: String,
    pub name: String,
    pub ci: Option<CiId>,
    pub project: Option<ProjectId>,
    pub deployment: Option<DeploymentId>,
    /// The group that answers for the platform.
    pub platform: Option<String>,
    /// The team that answers for the application.
    pub application: Option<String>,
}

/// Where it comes from, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// Who told what is on record, and when.
    pub source: Option<Source>,
    pub recorded_at: Option<DateTime<Utc>>,
    /// The run and the step that did; of what was ordered, those that made it.
    pub run: Option<RunId>,
    pub step: Option<String>,
    /// Since when it is as it was seen.
    pub seen_from: Option<DateTime<Utc>>,
    /// Who did it, by the log of the system that holds it.
    pub done_by: Option<String>,
}

/// A finding as a reconcile tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub subject: Subject,
    pub matter: Matter,
    pub cause: Cause,
    /// What its deployment costs a month, where money goes to what is not there or not wanted.
    pub cents: Option<i64>,
}

/// How a finding stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The brake holds it back until an operator has seen how much there is of it.
    Held,
    Open,
    Waived(Waiver),
    Fixed {
        at: DateTime<Utc>,
        /// When it was found last.
        last_seen_at: DateTime<Utc>,
    },
}

/// That somebody bears a finding until a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiver {
    pub until: DateTime<Utc>,
    pub by: String,
    pub reason: String,
}

impl State {
    /// The words of all states.
    const WORDS: [&str; 4] = ["held", "open", "waived", "fixed"];

    /// The word that the database and the API use.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Held => Self::WORDS[0],
            Self::Open => Self::WORDS[1],
            Self::Waived(_) => Self::WORDS[2],
            Self::Fixed { .. } => Self::WORDS[3],
        }
    }

    /// The word as it is known, if it is a state's.
    pub fn known(word: &str) -> Option<&'static str> {
        Self::WORDS.into_iter().find(|known| *known == word)
    }

    /// How it reads.
    pub const fn reads(&self) -> Reading {
        let (label, meaning) = match self {
            Self::Held => ("Held back", Meaning::Waiting),
            Self::Open => ("Open", Meaning::Failed),
            Self::Waived(_) => ("Waived", Meaning::Idle),
            Self::Fixed { .. } => ("Fixed", Meaning::Done),
        };
        Reading::new(self.word(), label, meaning)
    }
}

/// A finding as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub id: FindingId,
    pub found: Found,
    pub state: State,
    /// When it was found for the very first time.
    pub first_seen_at: DateTime<Utc>,
    /// Since when it is found without a break: its age counts from here.
    pub found_at: DateTime<Utc>,
    /// How often it came up.
    pub times: i32,
}

/// What a reconcile makes of a finding that is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// All is as it was: nothing is written.
    Nothing,
    OpenAgain(Kept),
    Change(Kept),
    WaiverOver(Kept),
    Fix(Kept),
    /// It was only held back: nobody has to know of it.
    Forget(FindingId),
}

impl Kept {
    /// A finding that nobody knew; `held` says that the brake holds it back.
    pub fn new(id: FindingId, found: Found, held: bool, at: DateTime<Utc>) -> Self {
        let state = if held { State::Held } else { State::Open };
        Self { id, found, state, first_seen_at: at, found_at: at, times: 1 }
    }

    /// It is found again, at `at`; `held` says that the brake holds back what is new of its class.
    pub fn found_again(self, found: Found, held: bool, at: DateTime<Utc>) -> Step {
        match &self.state {
            State::Fixed { .. } if held => Step::Nothing,
            State::Fixed { .. } => {
                Step::OpenAgain(Self { found, state: State::Open, found_at: at, times: self.times + 1, ..self })
            }
            State::Waived(waiver) if waiver.until <= at => Step::WaiverOver(Self { found, state: State::Open, ..self }),
            State::Held if !held => Step::Change(Self { found, state: State::Open, ..self }),
            _ if self.found == found => Step::Nothing,
            _ => Step::Change(Self { found, ..self }),
        }
    }

    /// It is not found any more, although it was looked for; `last` is when it was found last.
    pub fn not_found(self, last: DateTime<Utc>, at: DateTime<Utc>) -> Step {
        match self.state {
            State::Fixed { .. } => Step::Nothing,
            State::Held => Step::Forget(self.id),
            State::Open | State::Waived(_) => {
                Step::Fix(Self { state: State::Fixed { at, last_seen_at: last.max(self.found_at) }, ..self })
            }
        }
    }

    /// Somebody bears it until a day.
    pub fn waived(self, waiver: Waiver, at: DateTime<Utc>) -> Result<Self, NotWaived> {
        match self.state {
            State::Held => return Err(NotWaived::Held),
            State::Fixed { .. } => return Err(NotWaived::Fixed),
            State::Open | State::Waived(_) => {}
        }
        if waiver.until <= at {
            return Err(NotWaived::Past);
        }
        if waiver.until > at + LONGEST_WAIVER {
            return Err(NotWaived::TooLong);
        }
        if waiver.reason.trim().is_empty() {
            return Err(NotWaived::NoReason);
        }
        Ok(Self { state: State::Waived(waiver), ..self })
    }
}

/// Why a finding can't be waived like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWaived {
    #[error("The brake holds it back: release its class first.")]
    Held,
    #[error("It is fixed: there is nothing to bear.")]
    Fixed,
    #[error("That day is over: choose one to come.")]
    Past,
    #[error("A finding is waived for a year at most; after that somebody looks again.")]
    TooLong,
    #[error("Say why it is borne: auditors read it.")]
    NoReason,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant")
    }

    fn ghost() -> Found {
        let subject = Subject {
            key: "a".into(),
            class: CiClass::VirtualMachine,
            scope: "berlin".into(),
            name: "shop-1".into(),
            ci: None,
            project: None,
            deployment: None,
            platform: None,
            application: None,
        };
        Found { subject, matter: Matter::Differs(What::Ghost), cause: Cause::default(), cents: None }
    }

    fn kept(held: bool) -> Kept {
        Kept::new(uuid::Uuid::nil().into(), ghost(), held, noon())
    }

    #[test]
    fn what_is_fixed_and_found_again_is_as_old_as_its_last_time_and_keeps_its_first() {
        let later = |hours| noon() + TimeDelta::hours(hours);
        assert_eq!(kept(false).found_again(ghost(), false, later(1)), Step::Nothing);
        let Step::Fix(fixed) = kept(false).not_found(later(1), later(2)) else { panic!("it is fixed") };
        assert_eq!(fixed.state, State::Fixed { at: later(2), last_seen_at: later(1) });
        assert_eq!(fixed.clone().not_found(later(1), later(3)), Step::Nothing);
        let Step::OpenAgain(again) = fixed.found_again(ghost(), false, later(5)) else { panic!("it is open again") };
        assert_eq!((again.first_seen_at, again.found_at, again.times), (noon(), later(5), 2));
    }

    #[test]
    fn a_waiver_bears_a_finding_until_its_day_and_a_year_at_most() {
        let waiver = |days, reason: &str| {
            let until = noon() + TimeDelta::days(days);
            Waiver { until, by: "Olga".into(), reason: reason.into() }
        };
        assert_eq!(kept(false).waived(waiver(366, "moved"), noon()), Err(NotWaived::TooLong));
        assert_eq!(kept(false).waived(waiver(0, "moved"), noon()), Err(NotWaived::Past));
        assert_eq!(kept(false).waived(waiver(30, " "), noon()), Err(NotWaived::NoReason));
        assert_eq!(kept(true).waived(waiver(30, "moved"), noon()), Err(NotWaived::Held));
        let waived = kept(false).waived(waiver(30, "moved"), noon()).expect("it is waived");
        assert_eq!(waived.clone().found_again(ghost(), false, noon() + TimeDelta::days(29)), Step::Nothing);
        let over = waived.found_again(ghost(), false, noon() + TimeDelta::days(30));
        assert!(matches!(over, Step::WaiverOver(Kept { state: State::Open, .. })), "{over:?}");
    }

    #[test]
    fn what_the_brake_holds_back_is_open_when_it_is_released_and_forgotten_when_it_is_gone() {
        assert_eq!(kept(true).found_again(ghost(), true, noon()), Step::Nothing);
        let released = kept(true).found_again(ghost(), false, noon());
        assert!(matches!(released, Step::Change(Kept { state: State::Open, .. })), "{released:?}");
        assert_eq!(kept(true).not_found(noon(), noon()), Step::Forget(kept(true).id));
    }
}
