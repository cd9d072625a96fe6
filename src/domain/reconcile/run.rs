//! One reconcile as it is put down: what was looked at, what it added up to, and what it changed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::totals::{Braked, Totals};
use crate::ci::CiClass;
use crate::ids::ReconcileId;
use crate::reading::{Meaning, Reading};

/// How a reconcile stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Done,
    /// Done, but for classes of which too much would vanish or change: an operator is asked first.
    Braked,
    Failed,
    /// Its process died; the next one began anew.
    Interrupted,
}

impl RunState {
    const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Braked, Self::Failed, Self::Interrupted];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Braked => "braked",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// How it reads.
    pub const fn reads(self) -> Reading {
        let (label, meaning) = match self {
            Self::Running => ("Running", Meaning::Running),
            Self::Done => ("Done", Meaning::Done),
            Self::Braked => ("Held back", Meaning::Waiting),
            Self::Failed => ("Failed", Meaning::Failed),
            Self::Interrupted => ("Interrupted", Meaning::Failed),
        };
        Reading::new(self.word(), label, meaning)
    }
}

/// What a source answered for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub class: CiClass,
    /// The site or the container engine.
    pub scope: String,
    /// What people call that.
    pub title: String,
    /// When everything there was last seen; nothing where it never was.
    pub looked_at: Option<DateTime<Utc>>,
    /// Why what is not seen there is not evaluated; nothing where it is absent.
    pub why: Option<String>,
}

/// What a reconcile changed among the findings that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Found, whether they were known or not.
    pub found: u64,
    pub opened: u64,
    /// Fixed before, and found again.
    pub opened_again: u64,
    /// Known, with other particulars.
    pub changed: u64,
    pub fixed: u64,
    /// Waived until now.
    pub waivers_over: u64,
    /// Held back by the brake.
    pub held: u64,
}

/// A reconcile as it is put down.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: ReconcileId,
    /// Who asked for it.
    pub asked_by: String,
    /// The process that carried it.
    pub process: String,
    pub began_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub state: RunState,
    /// SHA-256 of the rules by which it judged.
    pub rules: String,
    /// What it came to; nothing before its end.
    pub outcome: Option<Summary>,
    /// Why it failed.
    pub why: Option<String>,
}

/// What a reconcile came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub looks: Vec<Look>,
    pub totals: Totals,
    /// Classes that were held back.
    pub braked: Vec<Braked>,
    pub tally: Tally,
}

/// That an operator has seen what would vanish or change of a class, and lets it be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    pub class: CiClass,
    /// Up to so many; more is held back again.
    pub would_vanish: u64,
    pub would_change: u64,
    pub by: String,
    pub reason: String,
    pub at: DateTime<Utc>,
}

impl Release {
    /// Whether it lets this through.
    pub fn covers(&self, braked: &Braked) -> bool {
        self.class == braked.class
            && braked.would_vanish <= self.would_vanish
            && braked.would_change <= self.would_change
    }
}
