//! Amounts of money in EUR, counted in cents so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An amount in euro cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money {
    pub cents: i64,
}

impl Money {
    pub const fn from_cents(cents: i64) -> Self {
        Self { cents }
    }

    /// Prices stay below this, so that sums and centuries of them can be counted.
    pub(crate) const PRICE_LIMIT: Self = Self { cents: 100_000_000_000 };

    /// A monthly price in euros, rounded to the cent; nothing for what is no price: negative, not finite, or absurdly
    /// high.
    pub(crate) fn price(euros: f64) -> Option<Self> {
        Self::from_euros(euros).filter(|price| (0..Self::PRICE_LIMIT.cents).contains(&price.cents))
    }

    /// An amount in euros, rounded to the cent; nothing for what is no amount (not finite, or absurdly large).
    pub(crate) fn from_euros(euros: f64) -> Option<Self> {
        let cents = (euros * 100.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (cents.is_finite() && cents.abs() < 1e15).then_some(Self { cents: cents as i64 })
    }

    #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^52 cents")]
    pub fn euros(self) -> f64 {
        self.cents as f64 / 100.0
    }

    /// What a monthly price comes to in so many days, a month counted as 30 of them.
    pub(crate) fn over_days(self, days: u32) -> Self {
        Self { cents: (self.cents * i64::from(days) + 15) / 30 }
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { cents: self.cents + other.cents }
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { cents: self.cents - other.cents }
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// `1,205.00 €`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let euros = (self.cents.abs() / 100).to_string();
        let sign = if self.cents < 0 { "-" } else { "" };
        let mut grouped = String::new();
        for (place, digit) in euros.chars().enumerate() {
            if place > 0 && (euros.len() - place).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        write!(f, "{sign}{grouped}.{:02} €", self.cents.abs() % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::Money;

    #[test]
    fn an_amount_reads_with_its_currency_and_grouped_thousands() {
        assert_eq!(Money::from_cents(120_500).to_string(), "1,205.00 €");
        assert_eq!(Money::from_cents(-5).to_string(), "-0.05 €");
        assert_eq!(Money::from_cents(123_456_789).to_string(), "1,234,567.89 €");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        assert_eq!(Money::from_euros(f64::NAN), None);
        assert_eq!(Money::from_euros(1e20), None);
        assert_eq!(Money::from_euros(0.125), Some(Money::from_cents(13)));
    }

    #[test]
    fn a_price_is_neither_negative_nor_absurd_and_a_century_of_it_can_be_counted() {
        assert_eq!(Money::price(-0.01), None);
        assert_eq!(Money::price(1_000_000_000.0), None);
        let dear = Money::price(999_999_999.99).unwrap();
        assert_eq!(dear.over_days(36_500).to_string(), "1,216,666,666,654.50 €");
    }

    #[test]
    fn ninety_days_are_three_months() {
        assert_eq!(Money::from_cents(1_000).over_days(90), Money::from_cents(3_000));
    }
}
