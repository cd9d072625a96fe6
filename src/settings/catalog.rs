//! `[catalog]`: where blueprints come from.

use std::path::PathBuf;

use serde::Deserialize;

/// Where blueprints come from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// The folder of blueprint files, read at start. Empty: the five that come with Gatehouse.
    pub folder: Option<PathBuf>,
}
