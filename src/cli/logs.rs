//! Log lines on standard error, for people or for a collector.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::settings::Logging;

/// What is logged beside a short answer.
const BRIEF: &str = "warn";

/// Starts the log: in full as the settings say, or else only what is wrong. Each line of a run bears the ids of its run
/// and step.
pub fn start(logging: &Logging, in_full: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&logging.filter)
        .map_err(|cause| format!("logging.filter is `{}`, which can't be read: {cause}", logging.filter))?;
    let filter = if in_full { filter } else { EnvFilter::new(BRIEF) };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
    if logging.json {
        log.json().flatten_event(true).init();
    } else {
        log.init();
    }
    Ok(())
}
