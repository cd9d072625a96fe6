//! An outage: an outside system that does not answer, as a process that calls it found out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::moment;
use crate::site::provider_in_words;

/// A provider that is away: nobody calls it until the next try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// The provider's key: `container-host`, or `container-host@dc1` where there are several sites.
    pub provider: String,
    /// When the first of the calls was not answered.
    pub since: DateTime<Utc>,
    /// When the next call is let through, to see whether it is back.
    pub next_try: DateTime<Utc>,
    /// What the last call came to, in a sentence.
    pub why: String,
}

impl Outage {
    /// Why a step waits; the same sentence for as long as the outage lasts.
    pub fn told(&self) -> String {
        let since = moment::written(self.since);
        let name = provider_in_words(&self.provider);
        format!("No answer from the {name} since {since}; it goes on by itself as soon as there is one.")
    }

    /// The same outage as two processes see it: since the earlier moment, tried again at the sooner one.
    #[must_use]
    pub fn seen_with(self, other: &Self) -> Self {
        Self { since: self.since.min(other.since), next_try: self.next_try.min(other.next_try), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outage(since: &str, next_try: &str) -> Outage {
        let at = |text: &str| text.parse().expect("a moment in RFC 3339");
        let (provider, why) = ("container-host".to_owned(), "It is silent.".to_owned());
        Outage { provider, since: at(since), next_try: at(next_try), why }
    }

    #[test]
    fn an_outage_says_who_is_away_since_when() {
        let told = outage("2026-11-23T07:10:09Z", "2026-11-23T07:11:00Z").told();
        let expected = "No answer from the container host since 23 Nov 2026, 07:10 UTC; \
                        it goes on by itself as soon as there is one.";
        assert_eq!(told, expected);
    }

    #[test]
    fn two_processes_see_one_outage() {
        let one = outage("2026-11-23T07:10:09Z", "2026-11-23T07:12:00Z");
        let seen = one.seen_with(&outage("2026-11-23T07:10:30Z", "2026-11-23T07:11:00Z"));
        assert_eq!(seen, outage("2026-11-23T07:10:09Z", "2026-11-23T07:11:00Z"));
    }
}
