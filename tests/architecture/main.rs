//! The rules of the house (DESIGN 4), kept by reading its files. Each test prints the offending lines as `file:line`.
//!
//! What can't be mended at once stands in `exceptions.txt` with its measure, and that list may only shrink.

mod exceptions;
mod lexer;
mod migrations;
mod names;
mod public;
mod rooms;
mod sizes;
mod templates;
mod tree;
mod words;

/// One place that breaks a rule.
struct Offence {
    /// `file:line`, or a file alone.
    place: String,
    /// What is wrong there and what to do about it.
    what: String,
}

impl Offence {
    fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { place: format!("{file}:{line}"), what: what.into() }
    }

    fn of(file: &str, what: impl Into<String>) -> Self {
        Self { place: file.to_owned(), what: what.into() }
    }
}

/// Fails with every offence on a line of its own.
fn expect_none(offences: &[Offence]) {
    let lines: Vec<String> = offences.iter().map(|offence| format!("  {}: {}", offence.place, offence.what)).collect();
    assert!(offences.is_empty(), "{} places break this rule of the house:\n{}", offences.len(), lines.join("\n"));
}
