//! `[logging]`: what the process says on its standard error.

use serde::Deserialize;

/// What the process says on its standard error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// Which levels of which rooms: `info`, or `info,engine=debug`.
    pub filter: String,
    /// One JSON object a line, for a log collector, instead of lines for people.
    pub json: bool,
}

impl Default for Logging {
    fn default() -> Self {
        Self { filter: "info,actix_server=warn,sea_orm_migration=warn".into(), json: false }
    }
}
