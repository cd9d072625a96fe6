//! `[retention]`: how long what is over is kept.

use chrono::TimeDelta;
use serde::Deserialize;

use super::mistake::Objection;

/// No setting is longer: a hundred years.
const LONGEST_DAYS: u32 = 36_500;

/// How long what is over is kept, in days; 0 keeps it for ever.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// What happened to a run, from the day on which the run ended.
    pub run_events_days: u32,
    /// Mails, from the day on which they were written.
    pub mails_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { run_events_days: 365, mails_days: 90 }
    }
}

impl Retention {
    /// How long what happened to a run is kept once it has ended; none: for ever.
    pub fn run_events(&self) -> Option<TimeDelta> {
        days(self.run_events_days)
    }

    /// How long a mail is kept; none: for ever.
    pub fn mails(&self) -> Option<TimeDelta> {
        days(self.mails_days)
    }

    pub(super) fn objections(&self) -> Vec<Objection> {
        let settings = [("retention.run_events_days", self.run_events_days), ("retention.mails_days", self.mails_days)];
        let too_long = settings.into_iter().filter(|(_, days)| *days > LONGEST_DAYS);
        too_long
            .map(|(name, days)| Objection::new(name, format!("is {days}: use {LONGEST_DAYS} at most, or 0 for ever")))
            .collect()
    }
}

fn days(days: u32) -> Option<TimeDelta> {
    (days > 0).then(|| TimeDelta::days(i64::from(days)))
}
