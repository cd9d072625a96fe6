//! How things went lately, drawn: runs by day, where the time of orders goes, what projects cost.

use app::trend::{LeadTime, Trends};

use crate::drawing::{self, Column, Drawing, Part};
use crate::look::{self, Meaning};

/// The charts; each is none while there is nothing to draw.
pub(super) struct Charts {
    pub(super) runs: Drawing,
    pub(super) lead_times: Option<Drawing>,
    pub(super) costs: Option<Drawing>,
    /// All runs of the time, and those that failed.
    pub(super) well: u64,
    pub(super) failed: u64,
}

impl Charts {
    pub(super) fn of(trends: &Trends) -> Self {
        let (well, failed) = trends.days.iter().fold((0, 0), |sum, day| (sum.0 + day.well, sum.1 + day.failed));
        let column = |day: &app::trend::Day| Column {
            name: day.day.format("%-d %b").to_string(),
            well: day.well,
            failed: day.failed,
        };
        let days: Vec<Column> = trends.days.iter().map(column).collect();
        let label = format!("Runs by day in the last 30 days: {} in all, {failed} of them failed", well + failed);
        Self {
            runs: drawing::columns(&days, &label),
            lead_times: (!trends.lead_times.is_empty()).then(|| lead_times(&trends.lead_times)),
            costs: (!trends.costs.is_empty()).then(|| costs(trends)),
            well,
            failed,
        }
    }
}

fn lead_times(rows: &[LeadTime]) -> Drawing {
    let part = |name: &str, time: std::time::Duration, state| Part {
        name: format!("{name}: {}", look::took(time.as_secs())),
        amount: time.as_secs_f64(),
        state,
    };
    let row = |it: &LeadTime| {
        let parts =
            vec![part("Deciding", it.deciding, Meaning::Waiting), part("Building", it.building, Meaning::Running)];
        (it.title.clone(), parts, look::took((it.deciding + it.building).as_secs()))
    };
    drawing::parted_bars(&rows.iter().map(row).collect::<Vec<_>>(), "From the order until it is there")
}

fn costs(trends: &Trends) -> Drawing {
    let row = |(project, money): &(String, domain::money::Money)| (project.clone(), money.euros(), money.to_string());
    drawing::bars(&trends.costs.iter().map(row).collect::<Vec<_>>(), "What each project costs a month")
}
