//! How a state reads: the word for programs, the words for people, and what it means to the eye. Each noun's states say
//! it in one function of theirs, and every page, mail, file and answer takes it from there.

use serde::Serialize;

/// What a state means to somebody who looks: four meanings, and "not yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Nothing happened yet, or nothing will.
    #[default]
    Idle,
    /// Something works on it.
    Running,
    /// A person must act.
    Waiting,
    /// It ended well.
    Done,
    /// It ended badly, or stopped until somebody mends it.
    Failed,
}

/// How a state reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// The word that programs, addresses and files get.
    pub word: &'static str,
    /// What people read.
    pub label: &'static str,
    pub meaning: Meaning,
}

impl Reading {
    pub(crate) const fn new(word: &'static str, label: &'static str, meaning: Meaning) -> Self {
        Self { word, label, meaning }
    }
}
