//! A wrong setting, named so that it can be found and mended.

use std::borrow::Cow;
use std::fmt;

/// A wrong setting: where it is and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `gatehouse.toml:12:3`, or the variable's name.
    place: String,
    what: String,
}

impl Mistake {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// A mistake that the TOML reader found in this text of this file.
    pub fn in_text(path: &str, text: &str, error: &toml::de::Error) -> Self {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        Self::new(format!("{path}:{line}:{column}"), in_words(error.message()))
    }

    /// A mistake in the value of a variable.
    pub fn in_variable(name: &str, error: &toml::de::Error) -> Self {
        Self::new(name, in_words(error.message()))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Mistake {}

/// Settings that fit each for itself and can't work: which one, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Objection {
    /// `server.threads`, the one to change.
    pub setting: Cow<'static, str>,
    why: String,
}

impl Objection {
    /// `why` goes on where the name of the setting ends: "is 0: …".
    pub fn new(setting: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self { setting: setting.into(), why: why.into() }
    }

    /// The same at its place.
    pub fn at(&self, place: impl Into<String>) -> Mistake {
        Mistake::new(place, format!("{} {}", self.setting, self.why))
    }
}

/// Line and column of a byte of a text; both count from 1.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// Kinds of numbers as Rust calls them, and as people do.
const KINDS: [(&str, &str); 4] = [
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number"),
    ("u64", "a whole number"),
    ("usize", "a whole number"),
];

/// What the reader of TOML says, in an administrator's words.
fn in_words(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if let Some((unknown, valid)) = names.split_first().filter(|_| message.starts_with("unknown ")) {
        let is = if message.starts_with("unknown variant") { "can't be" } else { "unknown setting" };
        return match domain::blueprint::nearest(unknown, valid.iter().copied()) {
            Some(name) => format!("{is} `{unknown}`; did you mean `{name}`?"),
            None => format!("{is} `{unknown}`; there are {}", valid.join(", ")),
        };
    }
    let message = message.trim_end();
    if message.starts_with("invalid boolean") || message.starts_with("string values must be quoted") {
        return "this is no value: text stands in quotes; numbers, true and false stand without".to_owned();
    }
    if message == "invalid IP address syntax" {
        return "this is no address to listen on: write one in numbers, such as 127.0.0.1 or 0.0.0.0".to_owned();
    }
    let number = KINDS.iter().find_map(|(kind, words)| {
        Some(format!("{}expected {words}", message.strip_suffix(&format!("expected {kind}"))?))
    });
    number.unwrap_or_else(|| message.to_owned())
}
