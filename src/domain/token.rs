//! Bearer tokens for programs: what a token may do, for how long, in whose name.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{PersonId, TokenId};

/// What a token may be used for; never more than the person may do himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenScope {
    /// See what the person sees.
    Read,
    /// Order, change and retire.
    Order,
    /// Decide approvals, and answer tasks.
    Decide,
    /// Mend runs.
    Operate,
}

impl TokenScope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Order, Self::Decide, Self::Operate];

    /// The word that the API, the command line and the database use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Order => "order",
            Self::Decide => "decide",
            Self::Operate => "operate",
        }
    }

    /// What it means, for the person who chooses it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Read => "See the catalog, requests, deployments and the CMDB",
            Self::Order => "Order, change and retire",
            Self::Decide => "Decide approvals and answer tasks",
            Self::Operate => "Mend runs",
        }
    }

    /// The scope that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// The longest that a token may live.
pub const LONGEST_LIFE: TimeDelta = TimeDelta::days(365);

/// A token as its owner sees it; the secret itself is shown once and kept nowhere.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: TokenId,
    pub person: PersonId,
    pub name: String,
    pub scopes: Vec<TokenScope>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, give or take some minutes.
    pub used_at: Option<DateTime<Utc>>,
}

impl Token {
    /// Whether it opens anything now.
    pub fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// How it stands, in a word.
    pub fn state(&self, now: DateTime<Utc>) -> &'static str {
        match (self.revoked_at, self.is_valid(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "active",
            (None, false) => "expired",
        }
    }
}
