//! A mistake in a blueprint, said so that its author can mend it: where, what was found, what was expected.

use std::fmt;

/// A place in a file; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// The place so many characters further on the same line.
    pub(super) fn right(self, characters: usize) -> Self {
        Self { column: self.column + characters, ..self }
    }
}

/// One mistake in a blueprint.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mistake {
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
    /// The nearest valid name, or the names that are known there.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n    {hint}"),
            None => Ok(()),
        }
    }
}

/// Gathers the mistakes of one file, so that its author sees all of them at once.
pub(crate) struct Mistakes<'f> {
    file: &'f str,
    found: Vec<Mistake>,
}

impl<'f> Mistakes<'f> {
    pub(crate) fn of(file: &'f str) -> Self {
        Self { file, found: Vec::new() }
    }

    /// How many were found so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn add(&mut self, at: Position, message: impl Into<String>) {
        self.add_with_hint(at, message, None);
    }

    pub(crate) fn add_with_hint(&mut self, at: Position, message: impl Into<String>, hint: Option<String>) {
        self.found.push(Mistake {
            file: self.file.to_owned(),
            line: at.line,
            column: at.column,
            message: message.into(),
            hint,
        });
    }

    /// What was read, if nothing was found; else everything found, in the order of the file, each once.
    pub(crate) fn settle<T>(mut self, read: Option<T>) -> Result<T, Vec<Mistake>> {
        self.found.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        self.found.dedup();
        read.filter(|_| self.found.is_empty()).ok_or(self.found)
    }
}

/// So many names are listed: every key of the largest table.
const LISTED: usize = 16;

/// "did you mean `nodes`?", or the names that are known when none is near.
pub(crate) fn hint<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    did_you_mean(nearest(found, known.iter().copied())).or_else(|| match known.len() {
        0 => None,
        1..=LISTED => Some(format!("known here: {}", known.join(", "))),
        more => Some(format!("known here: {} and {} more", known[..LISTED].join(", "), more - LISTED)),
    })
}

/// The hint that names the nearest name.
pub(super) fn did_you_mean(nearest: Option<&str>) -> Option<String> {
    nearest.map(|name| format!("did you mean `{name}`?"))
}

/// The known name that `found` was most likely meant to be.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let mut longer = known.iter().filter(|name| found.len() > 2 && name.starts_with(found));
    if let (Some(name), None) = (longer.next(), longer.next()) {
        return Some(name);
    }
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(found, name), name))
        .filter(|(distance, name)| *distance <= 1.max(found.len().max(name.len()) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
