//! How values read on a page: what a state's word means to the eye, moments, lengths of time, shares.
//! The macros of `templates/components/` call these. Templates pass values, references and references to references
//! alike, so numbers and words are taken as whatever displays.

use std::fmt::Display;

use chrono::{DateTime, Utc};

pub use domain::reading::Meaning;

/// The class that gives a piece the colour of what it means.
pub const fn tint(meaning: &Meaning) -> &'static str {
    match meaning {
        Meaning::Idle => "is-idle",
        Meaning::Running => "is-running",
        Meaning::Waiting => "is-waiting",
        Meaning::Done => "is-done",
        Meaning::Failed => "is-failed",
    }
}

/// The icon whose shape says the same as the colour.
pub const fn shape(meaning: &Meaning) -> &'static str {
    match meaning {
        Meaning::Idle => "state-idle",
        Meaning::Running => "state-running",
        Meaning::Waiting => "state-waiting",
        Meaning::Done => "state-done",
        Meaning::Failed => "state-failed",
    }
}

/// What the word of a small state means: of a mail, a question, a token, a worker, a CI. Requests, runs, steps and
/// deployments say themselves how they read.
pub fn meaning(word: &str) -> Meaning {
    match plain(word).as_str() {
        "running" | "started" | "building" | "changing" | "retiring" | "taking back" => Meaning::Running,
        "waiting" | "awaiting approval" | "open" | "submitted" | "warning" | "stale" | "blind" => Meaning::Waiting,
        "done" | "approved" | "fulfilled" | "active" | "live" | "ok" | "sent" | "operational" | "published"
        | "complete" | "ready" | "answers" => Meaning::Done,
        "failed" | "paused" | "rejected" | "refused" | "error" | "lost" | "away" => Meaning::Failed,
        _ => Meaning::Idle,
    }
}

fn plain(word: &str) -> String {
    word.replace(['_', '-'], " ").to_lowercase()
}

/// The class of a state's word.
pub fn class(state: impl Display) -> &'static str {
    tint(&meaning(&state.to_string()))
}

/// The icon of a state's word.
pub fn icon(state: impl Display) -> &'static str {
    shape(&meaning(&state.to_string()))
}

/// A state's word as people write it: `waiting_for_approval` is "Waiting for approval".
pub fn words(state: impl Display) -> String {
    let plain = plain(&state.to_string());
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The form that machines read in a page.
pub fn iso(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The exact moment, for hovering.
pub fn exact(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment where no "now" is at hand: `22 Nov 2026, 23:15 UTC`.
pub fn moment(time: &DateTime<Utc>) -> String {
    domain::moment::written(*time)
}

/// A moment seen from `now`: "just now", "5 min ago", "in 3 days", or its date when it is far.
pub fn ago(time: &DateTime<Utc>, now: &DateTime<Utc>) -> String {
    let seconds = (*now - *time).num_seconds();
    let span = match seconds.unsigned_abs() {
        0..45 => return if seconds >= 0 { "just now".to_owned() } else { "in a moment".to_owned() },
        s @ 45..3_600 => counted((s + 30) / 60, "min", "min"),
        s @ 3_600..86_400 => counted((s + 1_800) / 3_600, "hour", "hours"),
        s @ 86_400..3_888_000 => counted((s + 43_200) / 86_400, "day", "days"),
        _ => return domain::moment::day(*time),
    };
    if seconds >= 0 { format!("{span} ago") } else { format!("in {span}") }
}

/// What is left until a moment, with what has begun counted whole: "90 days left" a minute after 90 days were agreed.
pub fn left(until: &DateTime<Utc>, now: &DateTime<Utc>) -> String {
    let seconds = u64::try_from((*until - *now).num_seconds()).unwrap_or_default();
    match seconds {
        0..3_600 => "less than an hour left".to_owned(),
        3_600..86_400 => format!("{} left", counted(seconds.div_ceil(3_600), "hour", "hours")),
        _ => format!("{} left", counted(seconds.div_ceil(86_400), "day", "days")),
    }
}

fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// A length of time in seconds, in its two largest units: "42 s", "2 min 10 s", "1 h 5 min", "3 days 4 h".
pub fn took(seconds: impl Display) -> String {
    let total = number(seconds).max(0.0).round() as u64;
    let two = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {part}"),
    };
    match total {
        0..60 => format!("{total} s"),
        60..3_600 => two(total / 60, "min", total % 60, "s"),
        3_600..86_400 => two(total / 3_600, "h", total % 3_600 / 60, "min"),
        86_400..172_800 => two(1, "day", total % 86_400 / 3_600, "h"),
        _ => two(total / 86_400, "days", total % 86_400 / 3_600, "h"),
    }
}

/// A name by which to sort as people count: `shop-2` comes before `shop-10`.
pub fn counting(name: &str) -> String {
    let mut key = String::with_capacity(name.len() + 8);
    let mut digits = String::new();
    for letter in name.chars().chain(std::iter::once('\0')) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        if !digits.is_empty() {
            key.push_str(&format!("{:0>10}", std::mem::take(&mut digits)));
        }
        key.push(letter);
    }
    key
}

/// A length of time in seconds where there is little room: "42 s", "2:10", "1:05:00".
pub fn clocked(seconds: i64) -> String {
    let total = seconds.max(0);
    let (hours, minutes, seconds) = (total / 3_600, total / 60 % 60, total % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// One or two letters for a person's round badge.
pub fn initials(name: impl Display) -> String {
    let name = name.to_string();
    let mut words = name.split(|c: char| c.is_whitespace() || c == '-').filter_map(|word| word.chars().next());
    let first = words.next();
    first.into_iter().chain(words.next_back()).flat_map(char::to_uppercase).collect()
}

/// Whether two values read the same.
pub fn same(one: impl Display, other: impl Display) -> bool {
    one.to_string() == other.to_string()
}

/// Whether `after` is more than the limit.
pub fn over(after: impl Display, limit: impl Display) -> bool {
    number(after) > number(limit)
}

/// How much of the limit is used, 0 to 100, rounded.
pub fn percent(part: impl Display, limit: impl Display) -> u32 {
    let limit = number(limit);
    if limit <= 0.0 { 100 } else { (number(part) / limit * 100.0).clamp(0.0, 100.0).round() as u32 }
}

fn number(value: impl Display) -> f64 {
    value.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment in RFC 3339")
    }

    #[test]
    fn moments_read_as_people_say_them() {
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(ago(&at("2026-11-22T11:59:50Z"), &now), "just now");
        assert_eq!(ago(&at("2026-11-22T11:55:10Z"), &now), "5 min ago");
        assert_eq!(ago(&at("2026-11-22T11:00:00Z"), &now), "1 hour ago");
        assert_eq!(ago(&at("2026-11-25T12:00:00Z"), &now), "in 3 days");
        assert_eq!(ago(&at("2026-01-02T12:00:00Z"), &now), "2 Jan 2026");
    }

    #[test]
    fn a_day_that_has_begun_is_left() {
        let now = at("2026-11-23T12:00:00Z");
        let of = |until: &str| left(&at(until), &now);
        assert_eq!(of("2027-02-21T11:59:30Z"), "90 days left");
        assert_eq!(of("2026-11-24T12:00:00Z"), "1 day left");
        assert_eq!(of("2026-11-23T16:30:00Z"), "5 hours left");
        assert_eq!([of("2026-11-23T12:10:00Z"), of("2026-11-22T12:00:00Z")], ["less than an hour left"; 2]);
    }

    #[test]
    fn lengths_of_time_are_rounded_to_two_units() {
        assert_eq!(took(0.4), "0 s");
        assert_eq!(took(130), "2 min 10 s");
        assert_eq!(took(3_600), "1 h");
        assert_eq!(took(90_000), "1 day 1 h");
        assert_eq!(took(273_600), "3 days 4 h");
    }

    #[test]
    fn names_are_sorted_as_people_count() {
        let mut names = ["shop-10", "shop-2", "shop", "shop-2.example.org"];
        names.sort_by_cached_key(|name| counting(name));
        assert_eq!(names, ["shop", "shop-2", "shop-2.example.org", "shop-10"]);
    }

    #[test]
    fn in_a_graph_a_length_of_time_is_short() {
        assert_eq!([5, 130, 3_900].map(clocked), ["5 s", "2:10", "1:05:00"]);
    }

    #[test]
    fn a_states_word_is_read_whatever_its_spelling() {
        assert_eq!(meaning("Open"), Meaning::Waiting);
        assert_eq!(meaning("SENT"), Meaning::Done);
        assert_eq!(meaning("retired"), Meaning::Idle);
        assert_eq!(words("waiting_for_approval"), "Waiting for approval");
    }

    #[test]
    fn a_full_quota_never_draws_past_its_bar() {
        assert_eq!(percent(3, 8), 38);
        assert_eq!(percent(12, 8), 100);
        assert_eq!(percent(1, 0), 100);
        assert!(over(12, 8) && !over(8, 8));
    }

    #[test]
    fn initials_take_the_first_and_the_last_word() {
        assert_eq!(initials("Rita Requester"), "RR");
        assert_eq!(initials("ops-middleware"), "OM");
        assert_eq!(initials("Ada"), "A");
    }
}
