//! A secret: written in the settings, or in a file of its own that only the service may read.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A value that no log and no error message shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Reads the file's first line.
    pub fn from_file(path: &Path) -> Result<Self, std::io::Error> {
        let text = fs::read_to_string(path)?;
        Ok(Self(text.lines().next().unwrap_or_default().to_owned()))
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
