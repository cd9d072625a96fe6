//! The survey: what an outside system says of itself to somebody who only looks. It is how an operator learns, before
//! the first order, that a template, a right, a network or a zone is missing.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::provider_error::ProviderError;
use crate::moment;

/// A certificate that ends sooner counts as missing: there is just time to replace it.
const LEAD: TimeDelta = TimeDelta::days(30);

/// Whether what orders need is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    There,
    Missing,
}

/// One thing that orders need, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The thing, with its name: `template debian-12`.
    pub what: String,
    pub standing: Standing,
    /// What was found; of what is missing, why, and what to do about it. Never a secret.
    pub told: String,
}

impl Line {
    /// It is there; `told` says what it is like.
    pub fn there(what: impl Into<String>, told: impl Into<String>) -> Self {
        Self { what: what.into(), standing: Standing::There, told: told.into() }
    }

    /// It is missing; `told` says why, and what to do.
    pub fn missing(what: impl Into<String>, told: impl Into<String>) -> Self {
        Self { what: what.into(), standing: Standing::Missing, told: told.into() }
    }

    /// It is there until then, as a certificate is; counted as missing when that is less than 30 days away.
    pub fn lasting(what: impl Into<String>, until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let end = moment::written(until);
        match until - now {
            left if left <= TimeDelta::zero() => Self::missing(what, format!("It ended on {end}: replace it.")),
            left if left < LEAD => {
                Self::missing(what, format!("It ends in {} days, on {end}: replace it.", left.num_days()))
            }
            _ => Self::there(what, format!("lasts until {end}")),
        }
    }
}

/// A system that can be looked at before anything is ordered of it.
#[async_trait]
pub trait Survey: Send + Sync {
    /// Signs in, reads and changes nothing: a line for each thing that orders need, there or missing, `now` being the
    /// time by which certificates are judged. An error when the system can't be reached, or lets nobody in.
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(left: TimeDelta) -> Line {
        let now = DateTime::UNIX_EPOCH;
        Line::lasting("certificate of the server", now + left, now)
    }

    #[test]
    fn a_certificate_that_ends_soon_counts_as_missing() {
        assert_eq!(lasting(TimeDelta::days(400)).standing, Standing::There);
        let soon = lasting(TimeDelta::days(9));
        assert_eq!(soon.standing, Standing::Missing);
        assert_eq!(soon.told, "It ends in 9 days, on 10 Jan 1970, 00:00 UTC: replace it.");
        let over = lasting(TimeDelta::days(-1));
        assert_eq!(over.told, "It ended on 31 Dec 1969, 00:00 UTC: replace it.");
    }
}
