//! `[datacenter]`: the simulated datacenter that comes with Gatehouse.

use std::path::PathBuf;

use serde::Deserialize;

/// The simulated datacenter: machines, names, configuration runs, balancers, container hosts and spaces.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Datacenter {
    /// The file it keeps its state in.
    pub file: PathBuf,
}

impl Default for Datacenter {
    fn default() -> Self {
        Self { file: "gatehouse-data/datacenter.json".into() }
    }
}
