//! A file of the catalog as it was read: published for good, or refused with its reasons.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::BlueprintId;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EditionState {
    /// May be ordered; never changes again.
    Published,
    /// Not offered; `problems` says why. Forgotten when the files are read the next time.
    Refused,
}

impl EditionState {
    /// The word that the database and the pages use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Published, Self::Refused].into_iter().find(|state| state.word() == word)
    }
}

/// One version of a blueprint, or a file that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    pub id: BlueprintId,
    pub file: String,
    /// The blueprint's name; the file's where the text names none.
    pub name: String,
    /// Empty where a refused file names none.
    pub version: String,
    /// Of the text, in hexadecimal.
    pub sha256: String,
    pub source: String,
    pub state: EditionState,
    /// Why it was refused, a sentence each with its place in the file.
    pub problems: Vec<String>,
    pub read_at: DateTime<Utc>,
}
