//! How things went lately, for those who run the platform: runs by day, how long orders took, what projects cost.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta};
use domain::money::Money;
use domain::person::{Principal, Role, Scope};
use domain::run::RunState;
use domain::trouble::Trouble;
use store::trend::OrderTimes;

use crate::{App, database};

/// How far back it looks, today included.
const DAYS: u64 = 30;

/// The last thirty days.
#[derive(Clone, Debug)]
pub struct Trends {
    /// Each day, the oldest first.
    pub days: Vec<Day>,
    /// By blueprint, the longest first.
    pub lead_times: Vec<LeadTime>,
    /// What each project costs a month at present, the dearest first; those that cost nothing are left out.
    pub costs: Vec<(String, Money)>,
}

/// The runs that began on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    pub day: NaiveDate,
    /// Done, or still going on.
    pub well: u64,
    /// Paused, stuck, or ended without what was asked for.
    pub failed: u64,
}

/// Where the time of the orders of a blueprint went: medians of the last ones that were fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadTime {
    /// What the blueprint is called.
    pub title: String,
    /// From the order to the last decision.
    pub deciding: Duration,
    /// From then until it was there.
    pub building: Duration,
}

/// The last thirty days, for operators and administrators.
pub async fn lately(app: &App, who: &Principal) -> Result<Trends, Trouble> {
    if !who.has_everywhere(Role::Operator) && !who.has_everywhere(Role::Administrator) {
        return Err(Trouble::forbidden("Operations are for operators.", "Ask an administrator for the role."));
    }
    let today = app.clock.now().date_naive();
    let first = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
    let since = first.and_time(chrono::NaiveTime::MIN).and_utc();
    let runs = store::trend::runs_by_day(&app.store, since).await.map_err(database)?;
    let mut days: Vec<Day> =
        first.iter_days().take_while(|day| *day <= today).map(|day| Day { day, ..Day::default() }).collect();
    for counted in runs {
        let Some(day) = days.iter_mut().find(|day| day.day == counted.day) else { continue };
        let goes_on = !counted.state.has_ended() && !counted.state.needs_a_person();
        let is_well = goes_on || counted.state == RunState::Done;
        *(if is_well { &mut day.well } else { &mut day.failed }) += counted.runs;
    }
    let orders = store::trend::fulfilled_orders(&app.store, since).await.map_err(database)?;
    Ok(Trends { days, lead_times: lead_times(app, orders), costs: costs(app).await? })
}

fn lead_times(app: &App, orders: Vec<OrderTimes>) -> Vec<LeadTime> {
    let mut by_blueprint: BTreeMap<String, (Vec<TimeDelta>, Vec<TimeDelta>)> = BTreeMap::new();
    for order in orders {
        let (deciding, building) = by_blueprint.entry(order.blueprint).or_default();
        deciding.push(order.decided_at - order.submitted_at);
        building.push(order.ended_at - order.decided_at);
    }
    let lead_time = |(name, (deciding, building)): (String, _)| LeadTime {
        deciding: median(deciding),
        building: median(building),
        title: app.catalog.title(&name).unwrap_or(name),
    };
    let mut lead_times: Vec<LeadTime> = by_blueprint.into_iter().map(lead_time).collect();
    lead_times.sort_by_key(|it| std::cmp::Reverse(it.deciding + it.building));
    lead_times
}

fn median(mut times: Vec<TimeDelta>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).and_then(|time| time.to_std().ok()).unwrap_or_default()
}

async fn costs(app: &App) -> Result<Vec<(String, Money)>, Trouble> {
    let cents = store::allocation::monthly_cents_by_project(&app.store).await.map_err(database)?;
    let projects = store::project::list(&app.store, &Scope::Everything).await.map_err(database)?;
    let cost = |project: domain::project::Project| {
        let cents = cents.get(&project.id).copied().filter(|cents| *cents > 0)?;
        Some((project.title, Money::from_cents(cents)))
    };
    let mut costs: Vec<(String, Money)> = projects.into_iter().filter_map(cost).collect();
    costs.sort_by_key(|(_, money)| std::cmp::Reverse(money.cents));
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::TimeDelta;

    use super::median;

    #[test]
    fn one_order_that_waited_for_a_week_does_not_make_all_of_them_slow() {
        let times = [10, 12, 604_800].map(TimeDelta::seconds);
        assert_eq!(median(times.to_vec()), Duration::from_secs(12));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }
}
