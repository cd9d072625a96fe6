//! Allocations: what a project's orders take of its quota and what they cost. Usage and cost are sums over these rows;
//! nothing is counted up or down.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{DeploymentId, ProjectId, RequestId};

/// The key under which a request's price is allocated, in euro cents per month.
pub const CENTS_PER_MONTH: &str = "cents_per_month";

/// Hours of the month that prices are given for: 30 days.
const MONTH_SECONDS: i128 = 30 * 24 * 3600;

/// Where an allocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllocationState {
    /// Ordered, not yet built: counts against the quota, costs nothing.
    Reserved,
    Live,
    Released,
}

/// What one request takes of one key. A request that shrinks a deployment takes a negative amount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    pub project: ProjectId,
    pub request: RequestId,
    pub deployment: DeploymentId,
    /// `machines`, `cpu`, `memory_gb`, … or [`CENTS_PER_MONTH`].
    pub key: String,
    pub amount: i64,
    pub state: AllocationState,
    pub reserved_at: DateTime<Utc>,
    pub live_at: Option<DateTime<Utc>>,
    pub released_at: Option<DateTime<Utc>>,
}

impl Allocation {
    /// What a price has come to until `now`, in cents.
    fn cents_until(&self, now: DateTime<Utc>) -> i64 {
        let Some(from) = self.live_at else { return 0 };
        let seconds = (self.released_at.unwrap_or(now) - from).num_seconds().max(0);
        let cents = i128::from(self.amount) * i128::from(seconds) / MONTH_SECONDS;
        i64::try_from(cents).unwrap_or(i64::MAX)
    }
}

/// What these allocations cost per month at present, in cents.
pub fn monthly_cents<'a>(allocations: impl IntoIterator<Item = &'a Allocation>) -> i64 {
    let live = |row: &&Allocation| row.key == CENTS_PER_MONTH && row.state == AllocationState::Live;
    allocations.into_iter().filter(live).map(|row| row.amount).sum()
}

/// What these allocations will cost per month once what they are reserved for is there, in cents.
pub fn agreed_cents<'a>(allocations: impl IntoIterator<Item = &'a Allocation>) -> i64 {
    let counts = |row: &&Allocation| row.key == CENTS_PER_MONTH && row.state != AllocationState::Released;
    allocations.into_iter().filter(counts).map(|row| row.amount).sum()
}

/// What these allocations have cost until `now`, in cents.
pub fn cents_so_far<'a>(allocations: impl IntoIterator<Item = &'a Allocation>, now: DateTime<Utc>) -> i64 {
    let prices = allocations.into_iter().filter(|row| row.key == CENTS_PER_MONTH);
    prices.map(|row| row.cents_until(now)).sum()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    fn price(cents: i64, live_day: i64, released_day: Option<i64>) -> Allocation {
        let day = |day: i64| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(day);
        Allocation {
            project: Uuid::nil().into(),
            request: Uuid::nil().into(),
            deployment: Uuid::nil().into(),
            key: CENTS_PER_MONTH.to_owned(),
            amount: cents,
            state: if released_day.is_some() { AllocationState::Released } else { AllocationState::Live },
            reserved_at: day(0),
            live_at: Some(day(live_day)),
            released_at: released_day.map(day),
        }
    }

    #[test]
    fn cost_follows_what_was_live_and_how_long() {
        let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(60);
        let rows = [price(10_000, 0, None), price(-4_000, 30, None)];
        assert_eq!(monthly_cents(&rows), 6_000);
        assert_eq!(cents_so_far(&rows, now), 20_000 - 4_000);
        assert_eq!(cents_so_far(&[price(3_000, 0, Some(15))], now), 1_500);
    }

    #[test]
    fn what_is_only_reserved_costs_nothing() {
        let reserved = Allocation { state: AllocationState::Reserved, live_at: None, ..price(10_000, 0, None) };
        assert_eq!(monthly_cents([&reserved]), 0);
        assert_eq!(agreed_cents([&reserved]), 10_000);
        assert_eq!(cents_so_far([&reserved], DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(60)), 0);
    }
}
