//! What follows from a failure: another try, and when, or a person.

use chrono::TimeDelta;
use domain::blueprint::Retry;

use crate::{ActionError, Failure};

/// Up to this share of a wait is added or taken away, so that steps that failed together do not come back together.
const SPREAD: f64 = 0.2;

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    TryAgain {
        after: TimeDelta,
    },
    /// A person has to look at it.
    GiveUp,
}

/// Decides about a failure after so many transient ones in a row; `chance` is from 0 up to 1.
pub(crate) fn decide(error: &ActionError, failures: u32, policy: &Retry, chance: f64) -> Verdict {
    let tries = failures + 1;
    if !matches!(error.failure, Failure::Transient | Failure::Away) || tries >= policy.attempts {
        return Verdict::GiveUp;
    }
    let doubled = f64::from(policy.wait.seconds) * 2_f64.powi(i32::try_from(failures.min(30)).unwrap_or(30));
    let seconds = doubled.min(f64::from(policy.at_most.seconds)) * (1.0 + SPREAD * (2.0 * chance - 1.0));
    #[expect(clippy::cast_possible_truncation, reason = "a wait is bounded by `at_most`, which is a u32 of seconds")]
    let after = TimeDelta::milliseconds((seconds * 1000.0) as i64);
    Verdict::TryAgain { after }
}

#[cfg(test)]
mod tests {
    use domain::blueprint::Period;

    use super::*;

    const POLICY: Retry = Retry { attempts: 5, wait: Period { seconds: 2 }, at_most: Period { seconds: 10 } };

    fn waits(chance: f64) -> Vec<i64> {
        let error = ActionError::transient("The datacenter did not answer.", "");
        (0..4)
            .map(|failures| match decide(&error, failures, &POLICY, chance) {
                Verdict::TryAgain { after } => after.num_milliseconds(),
                Verdict::GiveUp => -1,
            })
            .collect()
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(waits(0.5), [2_000, 4_000, 8_000, 10_000]);
    }

    #[test]
    fn chance_moves_a_wait_by_a_fifth_at_most() {
        assert_eq!(waits(0.0), [1_600, 3_200, 6_400, 8_000]);
        assert_eq!(waits(1.0), [2_400, 4_800, 9_600, 12_000]);
    }

    #[test]
    fn the_last_try_and_what_is_permanent_go_to_a_person() {
        let transient = ActionError::transient("", "");
        assert_eq!(decide(&transient, 4, &POLICY, 0.5), Verdict::GiveUp);
        assert_eq!(decide(&ActionError::permanent("", ""), 0, &POLICY, 0.5), Verdict::GiveUp);
        assert_eq!(decide(&ActionError::bug(""), 0, &POLICY, 0.5), Verdict::GiveUp);
    }
}
