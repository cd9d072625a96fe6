//! What is carried to the company's CMDBs: CIs as they stand, in an order in which nothing comes before what it needs,
//! again after a pause when it did not work.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ci::{Ci, CiClass, Relation};
use crate::ids::CiId;

/// A CI with what is known of it, as it stands now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    pub ci: Ci,
    pub attributes: BTreeMap<String, Value>,
    /// What it stands to others, in the order of their keys.
    pub relations: Vec<Related>,
}

/// The other end of a relation from a CI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Related {
    pub relation: Relation,
    pub key: String,
    pub class: CiClass,
    pub name: String,
}

impl CiClass {
    /// The place of the class in what is carried: what others stand on comes before them.
    pub const fn rank(self) -> i32 {
        match self {
            Self::Cluster | Self::Image | Self::BusinessApplication => 0,
            Self::Server => 1,
            Self::VirtualMachine => 2,
            Self::ContainerEngine | Self::LoadBalancerService | Self::Database => 3,
            Self::ContainerSpace | Self::ApplicationServer | Self::PoolMember => 4,
            Self::Workload => 5,
            Self::ApplicationService => 6,
        }
    }
}

/// The fingerprint of a payload: what was acknowledged with it need not be sent again.
pub fn fingerprint(payload: &Value) -> String {
    hex::encode(Sha256::digest(payload.to_string()))
}

/// The shortest and the longest pause before something is tried again.
const PAUSES: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::minutes(15));

/// How long to wait after the `failures`th failure in a row: twice as long each time, to a quarter of an hour, and less
/// by up to a half, by `chance` in thousandths, so that not all come back at once.
pub fn pause(failures: u32, chance: u16) -> TimeDelta {
    let (shortest, longest) = PAUSES;
    let whole = (shortest * (1 << failures.saturating_sub(1).min(12))).min(longest);
    whole - whole * i32::from(chance.min(1000)) / 2000
}

/// What a delivery came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// They hold the CI as it was sent, or nothing is to be sent.
    Acknowledged {
        /// Of what they hold; nothing where CIs of the class are not carried.
        fingerprint: Option<String>,
        native_id: Option<String>,
    },
    /// It is tried again then.
    Again { at: DateTime<Utc>, code: String, why: String },
    /// Only a person can help.
    Dead { code: String, why: String },
}

/// A CI that waits to be carried by a connector.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    pub ci: CiId,
    /// The CI's revision that is wanted over there.
    pub wanted: i64,
    /// The oldest change that they have not acknowledged.
    pub since: DateTime<Utc>,
    /// How often it failed in a row.
    pub attempts: u32,
    /// Of what they acknowledged last.
    pub fingerprint: Option<String>,
    pub native_id: Option<String>,
}

/// How long changes take until they are acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Half of them took no longer.
    pub p50: TimeDelta,
    /// Of twenty, nineteen took no longer.
    pub p95: TimeDelta,
}

impl Lag {
    /// Of some changes, in milliseconds; nothing where there are none.
    pub fn of(mut took: Vec<i64>) -> Option<Self> {
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { p50: TimeDelta::milliseconds(at(50)?), p95: TimeDelta::milliseconds(at(95)?) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pauses_grow_to_a_quarter_of_an_hour_and_never_meet() {
        assert_eq!(pause(1, 0), TimeDelta::seconds(5));
        assert_eq!(pause(1, 1000), TimeDelta::milliseconds(2_500));
        assert_eq!(pause(3, 0), TimeDelta::seconds(20));
        assert_eq!(pause(u32::MAX, 0), TimeDelta::minutes(15));
        assert_ne!(pause(9, 300), pause(9, 400));
    }

    #[test]
    fn what_others_stand_on_is_carried_before_them() {
        let stands = [Relation::RunsOn, Relation::HostedOn];
        for (from, to) in CiClass::ALL.iter().flat_map(|from| CiClass::ALL.iter().map(move |to| (*from, *to))) {
            if from != to && stands.iter().any(|relation| from.may(*relation, to)) {
                assert!(from.rank() > to.rank(), "{} stands on {}", from.word(), to.word());
            }
        }
    }

    #[test]
    fn the_lag_is_told_by_its_middle_and_its_end() {
        assert_eq!(Lag::of(Vec::new()), None);
        let took: Vec<i64> = (1..=100).rev().collect();
        let expected = Lag { p50: TimeDelta::milliseconds(50), p95: TimeDelta::milliseconds(95) };
        assert_eq!(Lag::of(took), Some(expected));
        let one = TimeDelta::milliseconds(7);
        assert_eq!(Lag::of(vec![7]), Some(Lag { p50: one, p95: one }));
    }

    #[test]
    fn a_fingerprint_tells_payloads_apart_and_nothing_else() {
        assert_eq!(fingerprint(&json!({ "a": 1, "b": 2 })), fingerprint(&json!({ "a": 1, "b": 2 })));
        assert_ne!(fingerprint(&json!({ "a": 1 })), fingerprint(&json!({ "a": "1" })));
    }
}
