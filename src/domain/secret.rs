//! Secrets that Gatehouse makes for a deployment, such as the password of a database: kept sealed, handed over once.

use std::fmt;

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use crate::ids::{DeploymentId, PersonId, SecretId};

/// Letters and digits, without those that are taken for one another.
const ALPHABET: &[u8; 56] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// So many of 56 letters are 139 bits that nobody can guess.
const LENGTH: usize = 24;
/// What the text of a reference begins with.
const SCHEME: &str = "secret:";

/// A secret in the clear: no log and no error shows it, and nothing of it is left in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// A new password, from bytes that nobody can foresee.
    pub fn generate(mut random: impl FnMut() -> u8) -> Self {
        // A byte beyond the last whole alphabet would make some letters likelier than others.
        let fair = u8::MAX - (u8::MAX % ALPHABET.len() as u8);
        let mut letter = || loop {
            let byte = random();
            if byte < fair {
                return char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]);
            }
        };
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        (0..LENGTH).for_each(|_| text.push(letter()));
        Self(text)
    }

    /// The secret itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What stands for a secret wherever its value must not: in outputs, facts, the ledger and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretReference(pub SecretId);

impl SecretReference {
    /// Reads `secret:<id>`; nothing for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix(SCHEME)?.parse().ok().map(Self)
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

/// By what a key that seals secrets is told from others; says nothing about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub i64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A secret as it is kept: without the key that has this id it is noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub key: KeyId,
    pub bytes: Vec<u8>,
}

/// That somebody took a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub by: PersonId,
    pub at: DateTime<Utc>,
}

/// How a secret reaches the people of its deployment: shown once, to one of them, within its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    pub id: SecretId,
    pub deployment: DeploymentId,
    /// What people call it, "Database password".
    pub name: String,
    /// Until when it may be taken.
    pub until: DateTime<Utc>,
    pub taken: Option<Taken>,
    /// Whether another has taken its place since.
    pub replaced: bool,
}

/// How a handover stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandoverState {
    /// It may be taken.
    Open,
    Taken(Taken),
    /// Nobody took it in time, and nobody can any more.
    Expired,
    /// Another has taken its place, and it opens nothing any more.
    Replaced,
}

impl HandoverState {
    /// The word that the API uses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken(_) => "taken",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }
}

impl Handover {
    /// How it stands at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> HandoverState {
        match self.taken {
            _ if self.replaced => HandoverState::Replaced,
            Some(taken) => HandoverState::Taken(taken),
            None if now < self.until => HandoverState::Open,
            None => HandoverState::Expired,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    /// Bytes that come round and round.
    fn counting() -> impl FnMut() -> u8 {
        let mut next = 0_u8;
        move || {
            next = next.wrapping_add(7);
            next
        }
    }

    #[test]
    fn a_password_is_long_and_has_no_letter_that_is_taken_for_another() {
        let mut random = counting();
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            let made = SecretText::generate(&mut random);
            assert_eq!(made.expose().len(), LENGTH);
            seen.extend(made.expose().chars());
        }
        assert_eq!(seen.len(), ALPHABET.len(), "every letter comes up");
        assert!("0O1lIo".chars().all(|letter| !seen.contains(&letter)), "{seen:?}");
        assert!((ALPHABET.len() as f64).log2() * LENGTH as f64 > 128.0);
    }

    #[test]
    fn every_letter_is_as_likely_as_the_others() {
        let bytes = (0..=u8::MAX).filter(|byte| *byte < 224);
        let mut counts = [0; 56];
        bytes.for_each(|byte| counts[usize::from(byte) % 56] += 1);
        assert_eq!(counts, [4; 56]);
        let mut first = [255, 224, 0].into_iter().chain(std::iter::repeat(1));
        let made = SecretText::generate(|| first.next().unwrap_or_default());
        assert!(made.expose().starts_with("ab"), "bytes beyond the last whole alphabet are left out: {made:?}");
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", SecretText::from("plain".to_owned())), "***");
    }

    #[test]
    fn a_reference_reads_as_it_is_written_and_nothing_else_does() {
        let reference = SecretReference(Uuid::nil().into());
        assert_eq!(SecretReference::parse(&reference.to_string()), Some(reference));
        for other in ["", "secret:", "secret:me", "00000000-0000-0000-0000-000000000000", " secret:1"] {
            assert_eq!(SecretReference::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_handover_is_open_until_it_is_taken_or_its_time_is_over() {
        let until = DateTime::UNIX_EPOCH + TimeDelta::days(7);
        let id = Uuid::nil();
        let open =
            Handover { id: id.into(), deployment: id.into(), name: "It".into(), until, taken: None, replaced: false };
        assert_eq!(open.state(until - TimeDelta::seconds(1)), HandoverState::Open);
        assert_eq!(open.state(until), HandoverState::Expired);
        let taken = Taken { by: id.into(), at: until - TimeDelta::days(1) };
        let replaced = Handover { replaced: true, ..open.clone() };
        assert_eq!(replaced.state(until - TimeDelta::days(1)), HandoverState::Replaced);
        let gone = Handover { taken: Some(taken), ..open };
        assert_eq!(gone.state(until + TimeDelta::days(1)), HandoverState::Taken(taken));
    }
}
