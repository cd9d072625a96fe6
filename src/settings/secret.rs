//! A secret. There is one way for all of them: it is written in the settings, or in a file of its own that only the
//! service may read and that the setting `<name>_file` names, or it comes as a variable or as one of systemd's
//! credentials that is called like the setting (see [`super::read`](fn@super::read)).

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::mistake::Objection;

/// A value that no log and no error message shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Reads the file's first line.
    pub fn from_file(path: &Path) -> Result<Self, io::Error> {
        let text = fs::read_to_string(path)?;
        Ok(Self(text.lines().next().unwrap_or_default().to_owned()))
    }

    /// The secret, wherever it is kept; none where it is kept nowhere.
    pub fn kept(written: Option<&Self>, file: Option<&PathBuf>) -> Result<Option<Self>, io::Error> {
        match file {
            Some(file) => Self::from_file(file).map(Some),
            None => Ok(written.cloned()),
        }
    }

    /// What is wrong with where a secret is kept: in two places, in a file that can't be read, or nothing is kept there.
    pub(super) fn objections(setting: &str, written: Option<&Self>, file: Option<&PathBuf>) -> Vec<Objection> {
        let mut found = Vec::new();
        if written.is_some_and(Self::is_empty) {
            found.push(Objection::new(setting.to_owned(), "is empty: write the secret, or leave it out"));
        }
        let Some(file) = file else { return found };
        if written.is_some() {
            found
                .push(Objection::new(setting.to_owned(), format!("and {setting}_file are both set: keep one of them")));
        }
        let wrong = match Self::from_file(file) {
            Err(cause) => Some(format!("`{}` can't be read: {cause}", file.display())),
            Ok(secret) if secret.is_empty() => Some(format!("`{}` says nothing on its first line", file.display())),
            Ok(_) => None,
        };
        found.extend(wrong.map(|why| Objection::new(format!("{setting}_file"), why)));
        found
    }

    fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
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
