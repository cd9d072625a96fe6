//! A wrong setting, named so that it can be found and mended.

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
        let at = error.span().map_or(0, |span| span.start);
        let before = &text[..at.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::new(format!("{path}:{line}:{column}"), with_nearest(error.message()))
    }

    /// A mistake in the value of a variable.
    pub fn in_variable(name: &str, error: &toml::de::Error) -> Self {
        Self::new(name, with_nearest(error.message()))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Mistake {}

/// Adds the nearest valid name to "unknown field `prot`, expected one of `address`, `port`".
fn with_nearest(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((unknown, valid)) = names.split_first().filter(|_| message.starts_with("unknown ")) else {
        return message.trim_end().to_owned();
    };
    match domain::blueprint::nearest(unknown, valid.iter().copied()) {
        Some(name) => format!("unknown setting `{unknown}`; did you mean `{name}`?"),
        None => format!("unknown setting `{unknown}`; there are {}", valid.join(", ")),
    }
}
