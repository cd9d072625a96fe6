//! What an outside system says when it does not do what it was asked, sorted by what the engine may do about it.

use std::fmt;

/// What kind of "no" it was. The engine retries the transient, and pauses the run on all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderErrorKind {
    /// It may well work in a moment: no answer, overload, a restart. The work may have been done all the same.
    Transient,
    /// It will not work however often it is asked again with the same input.
    Permanent,
    /// The system understood and declined: no capacity, name taken, not allowed.
    Refused,
    /// The object is not there.
    NotFound,
    /// The object is there and carries another key (or none): it is not ours to touch.
    NotOurs,
}

/// The answer of an outside system that failed, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    pub kind: ProviderErrorKind,
    /// What happened, to what, and why: a whole sentence.
    pub what: String,
    /// What a person can do about it: a whole sentence.
    pub next: String,
}

impl ProviderError {
    /// A failure that may pass.
    pub fn transient(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Transient, what, next)
    }

    /// A failure that stays until somebody changes the input or the system.
    pub fn permanent(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Permanent, what, next)
    }

    /// A refusal with its reason.
    pub fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::Refused, what, next)
    }

    /// `what` is missing.
    pub fn not_found(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::NotFound, what, next)
    }

    /// `what` exists and belongs to somebody else.
    pub fn not_ours(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(ProviderErrorKind::NotOurs, what, next)
    }

    fn new(kind: ProviderErrorKind, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind, what: what.into(), next: next.into() }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.next)
    }
}

impl std::error::Error for ProviderError {}
