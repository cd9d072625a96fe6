//! Moments as people read them: the same on pages, in mails and in findings, always in UTC and saying so.

use chrono::{DateTime, Utc};

/// To the minute: `22 Nov 2026, 23:15 UTC`.
pub fn written(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M UTC").to_string()
}

/// The day alone: `22 Nov 2026`.
pub fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_says_its_year_and_its_clock() {
        let at = "2026-11-02T07:05:09Z".parse().expect("a moment in RFC 3339");
        assert_eq!((written(at), day(at)), ("2 Nov 2026, 07:05 UTC".to_owned(), "2 Nov 2026".to_owned()));
    }
}
