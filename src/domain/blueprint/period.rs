//! Lengths of time as blueprints write them: `90d`, `12h`, `5m`, `30s`.

use std::fmt;

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Period {
    pub seconds: u32,
}

const UNITS: [(char, u32, &str); 4] =
    [('d', 86_400, "day"), ('h', 3_600, "hour"), ('m', 60, "minute"), ('s', 1, "second")];

impl Period {
    pub const fn of_days(days: u32) -> Self {
        Self { seconds: days * 86_400 }
    }

    /// Reads `90d`, `12h`, `5m` or `30s`.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let (_, length, _) = UNITS.iter().find(|(letter, ..)| *letter == unit)?;
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*length).map(|seconds| Self { seconds })
    }

    /// Whole days, rounded up: what a lease is counted in.
    pub const fn days(self) -> u32 {
        self.seconds.div_ceil(86_400)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, word) = UNITS
            .iter()
            .find(|(_, length, _)| self.seconds >= *length && self.seconds.is_multiple_of(*length))
            .map_or((1, "second"), |(_, length, word)| (*length, *word));
        let number = self.seconds / length;
        write!(f, "{number} {word}{}", if number == 1 { "" } else { "s" })
    }
}
