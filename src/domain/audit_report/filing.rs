//! Filed reports: kept as they were, with the evidence of every finding, each chained to the one before by its hash.

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::audit::BEGINNING;

/// A report that is about to be filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Who files it.
    pub by: String,
    pub as_of: DateTime<Utc>,
    /// The version of the rules by which it was judged.
    pub rules: String,
    /// How many CIs it lists.
    pub cis: i64,
    /// Over what it says: the hash that the report itself prints.
    pub sha256: String,
    /// Over all that is kept of it, line by line.
    pub contents: String,
}

/// A filed report, without what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filing {
    /// From 1, without a gap.
    pub number: i64,
    pub filed_at: DateTime<Utc>,
    pub by: String,
    pub as_of: DateTime<Utc>,
    pub rules: String,
    pub cis: i64,
    pub sha256: String,
    pub contents: String,
    /// The hash of the report filed before.
    pub previous: String,
    /// SHA-256 over everything above, in hexadecimal.
    pub hash: String,
}

/// Where the chain of filed reports is broken, and how.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("report {0} is missing from those that were filed")]
    Missing(i64),
    #[error("report {0} does not follow from the report filed before it")]
    Unchained(i64),
    #[error("what is on record of report {0} was changed after it was filed")]
    Changed(i64),
}

impl Filing {
    /// The report as it is filed now, after the last one.
    pub fn chained(draft: Draft, filed_at: DateTime<Utc>, last: Option<&Self>) -> Self {
        let mut filing = Self {
            number: last.map_or(1, |last| last.number + 1),
            filed_at: filed_at.trunc_subsecs(6),
            by: draft.by,
            as_of: draft.as_of.trunc_subsecs(6),
            rules: draft.rules,
            cis: draft.cis,
            sha256: draft.sha256,
            contents: draft.contents,
            previous: last.map_or_else(|| BEGINNING.to_owned(), |last| last.hash.clone()),
            hash: String::new(),
        };
        filing.hash = filing.digest();
        filing
    }

    /// Whether it is as it was filed, and comes right after `last`.
    pub fn follows(&self, last: Option<&Self>) -> Result<(), Broken> {
        let expected = last.map_or(1, |last| last.number + 1);
        if self.number != expected {
            return Err(Broken::Missing(expected));
        }
        if self.hash != self.digest() {
            return Err(Broken::Changed(self.number));
        }
        if self.previous != last.map_or(BEGINNING, |last| &last.hash) {
            return Err(Broken::Unchained(self.number));
        }
        Ok(())
    }

    /// As a JSON array, so that no two contents are written alike; time counts in microseconds, as databases keep it.
    fn digest(&self) -> String {
        let canonical = json!([
            self.number,
            self.filed_at.timestamp_micros(),
            self.by,
            self.as_of.timestamp_micros(),
            self.rules,
            self.cis,
            self.sha256,
            self.contents,
            self.previous,
        ]);
        hex::encode(Sha256::digest(canonical.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(cis: i64) -> Draft {
        let at = DateTime::UNIX_EPOCH;
        let hash = hex::encode(Sha256::digest(cis.to_string()));
        Draft { by: "Audrey".into(), as_of: at, rules: "3".into(), cis, sha256: hash.clone(), contents: hash }
    }

    #[test]
    fn a_filed_report_that_was_changed_removed_or_slipped_in_gives_itself_away() {
        let first = Filing::chained(draft(1), DateTime::UNIX_EPOCH, None);
        let second = Filing::chained(draft(2), DateTime::UNIX_EPOCH, Some(&first));
        let third = Filing::chained(draft(3), DateTime::UNIX_EPOCH, Some(&second));
        assert_eq!(first.follows(None), Ok(()));
        assert_eq!(second.follows(Some(&first)), Ok(()));
        assert_eq!(third.follows(Some(&second)), Ok(()));

        assert_eq!(third.follows(Some(&first)), Err(Broken::Missing(2)));
        let changed = Filing { cis: 7, ..second.clone() };
        assert_eq!(changed.follows(Some(&first)), Err(Broken::Changed(2)));
        let slipped_in = Filing::chained(draft(7), DateTime::UNIX_EPOCH, Some(&first));
        assert_eq!(third.follows(Some(&slipped_in)), Err(Broken::Unchained(3)));
    }
}
