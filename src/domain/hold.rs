//! Why a run does not go on now, although nothing is wrong: only so much goes on side by side, or people are asked to do
//! something first.

use chrono::{DateTime, Utc};

use crate::reading::{Meaning, Reading};
use crate::site::provider_in_words;

/// What a run waits for. Numbers of those before it are left out where many runs are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A worker that takes it out of the queue.
    Worker {
        /// Runs that are taken before it, as things stand.
        before: Option<u64>,
    },
    /// Its turn: only so many runs of its blueprint are at work side by side.
    Turn {
        blueprint: String,
        /// Runs of it that are at work.
        at_work: u64,
        bound: u64,
        since: DateTime<Utc>,
        /// Runs that have waited for longer.
        longer: Option<u64>,
    },
    /// A place for a call of one of its steps.
    Place {
        /// The provider's key, or `worker` where it is the worker that has none free.
        provider: String,
        taken: u64,
        places: u64,
        since: DateTime<Utc>,
        /// Runs that have waited for longer.
        longer: Option<u64>,
    },
    /// People, who are asked to do something.
    People {
        /// What they are asked to do.
        title: String,
        whose: String,
        /// Since when they are asked.
        since: DateTime<Utc>,
        /// How much else people are asked to do for it.
        more: usize,
    },
}

impl Hold {
    /// Who is meant where the provider's key is this.
    const WORKER: &str = "worker";

    /// How a run reads that is held up like this, instead of what it would do.
    pub fn reads(&self, run: Reading) -> Reading {
        let (label, meaning) = match self {
            Self::Worker { .. } => return run,
            Self::Turn { .. } => ("Waits for its turn", Meaning::Idle),
            Self::Place { .. } => ("Waits for a place", Meaning::Idle),
            Self::People { .. } => ("Waits for people", Meaning::Waiting),
        };
        Reading { label, meaning, ..run }
    }

    /// Since when it waits, as far as that is told.
    pub const fn since(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Worker { .. } => None,
            Self::Turn { since, .. } | Self::Place { since, .. } | Self::People { since, .. } => Some(*since),
        }
    }

    /// What it waits for, as a sentence.
    pub fn told(&self) -> String {
        format!("Waits for {}.", self.what())
    }

    /// What it waits for: `its turn: 2 of 2 runs of linux-vm are at work`.
    pub fn what(&self) -> String {
        match self {
            Self::Worker { before: None } => "a worker".to_owned(),
            Self::Worker { before: Some(0) } => "a worker; it is the next".to_owned(),
            Self::Worker { before: Some(before) } => format!("a worker; {} before it", runs(*before, "goes", "go")),
            Self::Turn { blueprint, at_work, bound, longer, .. } => {
                format!("its turn: {at_work} of {bound} runs of {blueprint} are at work{}", waited(*longer))
            }
            Self::Place { provider, taken, places, longer, .. } if provider == Self::WORKER => {
                format!("its worker: {taken} of its {places} calls are under way{}", waited(*longer))
            }
            Self::Place { provider, taken, places, longer, .. } => {
                let name = provider_in_words(provider);
                format!("a place at the {name}: {taken} of {places} are taken{}", waited(*longer))
            }
            Self::People { title, whose, more: 0, .. } => format!("{whose}: {title}"),
            Self::People { title, whose, more, .. } => format!("{whose}: {title}, and for {more} more"),
        }
    }
}

fn waited(longer: Option<u64>) -> String {
    match longer {
        None => String::new(),
        Some(0) => "; no run has waited for longer".to_owned(),
        Some(number) => format!("; {} waited for longer", runs(number, "has", "have")),
    }
}

fn runs(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 run {one}") } else { format!("{number} runs {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_says_what_is_full_and_who_is_before() {
        let since = DateTime::UNIX_EPOCH;
        let place =
            |provider: &str, longer| Hold::Place { provider: provider.into(), taken: 8, places: 8, since, longer };
        for (hold, told) in [
            (Hold::Worker { before: Some(1) }, "Waits for a worker; 1 run goes before it."),
            (Hold::Worker { before: Some(0) }, "Waits for a worker; it is the next."),
            (
                place("container-host", Some(3)),
                "Waits for a place at the container host: 8 of 8 are taken; 3 runs have waited for longer.",
            ),
            (place("machines", None), "Waits for a place at the machines: 8 of 8 are taken."),
            (
                place("worker", Some(0)),
                "Waits for its worker: 8 of its 8 calls are under way; no run has waited for longer.",
            ),
            (
                Hold::People { title: "Rack it".into(), whose: "ops, ada@example.org".into(), since, more: 0 },
                "Waits for ops, ada@example.org: Rack it.",
            ),
            (
                Hold::People { title: "Rack it".into(), whose: "ops".into(), since, more: 2 },
                "Waits for ops: Rack it, and for 2 more.",
            ),
            (
                Hold::Turn { blueprint: "linux-vm".into(), at_work: 2, bound: 2, since, longer: Some(1) },
                "Waits for its turn: 2 of 2 runs of linux-vm are at work; 1 run has waited for longer.",
            ),
        ] {
            assert_eq!(hold.told(), told);
        }
    }
}
