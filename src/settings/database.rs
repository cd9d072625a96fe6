//! `[database]`: where everything is kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::mistake::Objection;

/// Where everything is kept: SQLite embedded, or PostgreSQL.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:<path>` (made when missing) or `postgres://user:password@host/name`.
    pub url: Secret,
    /// A file with the address on its first line, instead of `url`, so that its password stays out of the settings.
    pub url_file: Option<PathBuf>,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: Secret::from("sqlite:gatehouse-data/gatehouse.db"), url_file: None }
    }
}

impl Database {
    /// The address to open.
    pub fn url(&self) -> Result<Secret, std::io::Error> {
        match &self.url_file {
            Some(file) => Secret::from_file(file),
            None => Ok(self.url.clone()),
        }
    }

    /// The file of an embedded database.
    pub fn file(&self) -> Option<PathBuf> {
        self.url().ok()?.expose().strip_prefix("sqlite:").map(PathBuf::from)
    }

    pub(super) fn is_on_server(&self) -> bool {
        self.url().is_ok_and(|url| url.expose().starts_with("postgres"))
    }

    pub(super) fn objections(&self) -> Vec<Objection> {
        let mut found = Vec::new();
        if self.url.expose().trim() == "sqlite:" {
            found.push(Objection::new("database.url", "names no file: write `sqlite:` and its path behind"));
        }
        let written = Some(&self.url).filter(|url| **url != Self::default().url);
        found.extend(Secret::objections("database.url", written, self.url_file.as_ref()));
        found
    }
}
