//! Approvals: one approver's open question at one level of a request, and what the answers of a level come to.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::blueprint::Quorum;
use crate::ids::{ApprovalId, PersonId, RequestId};

/// Where one approver's question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Open,
    Approved,
    Rejected,
    /// Others decided before.
    Moot,
    /// The request was changed or withdrawn.
    Revoked,
    /// Time ran out.
    Expired,
}

impl ApprovalState {
    pub const ALL: [Self; 6] = [Self::Open, Self::Approved, Self::Rejected, Self::Moot, Self::Revoked, Self::Expired];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Moot => "moot",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What an approver may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Approve,
    Reject,
}

impl Answer {
    /// The answer that a form's or a program's word means.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "approve" => Some(Self::Approve),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }

    /// What becomes of the question.
    pub const fn state(self) -> ApprovalState {
        match self {
            Self::Approve => ApprovalState::Approved,
            Self::Reject => ApprovalState::Rejected,
        }
    }
}

/// Which door a decision came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The link of a mail; whoever holds it decides as the approver it was sent to.
    Link,
    /// Signed in, on a page.
    SignedIn,
    /// A program with the approver's token.
    Api,
}

impl Via {
    /// The word that the database and the audit log use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::SignedIn => "signed_in",
            Self::Api => "api",
        }
    }

    /// The door that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Link, Self::SignedIn, Self::Api].into_iter().find(|via| via.word() == word)
    }
}

/// One approver's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub id: ApprovalId,
    pub request: RequestId,
    /// Which revision of the request it is about.
    pub revision: i32,
    pub level: i32,
    pub approver: PersonId,
    /// On a delegate's question, whose voice it is.
    pub on_behalf_of: Option<PersonId>,
    /// Why this person is asked: `group application-owners`.
    pub asked_as: String,
    pub state: ApprovalState,
    pub opened_at: DateTime<Utc>,
    /// When the approver is reminded next.
    pub remind_at: Option<DateTime<Utc>>,
    pub decision: Option<Decision>,
    /// When the approver said that the decision was not his.
    pub disputed_at: Option<DateTime<Utc>>,
}

impl Approval {
    /// Whose voice it counts as: a delegate speaks with that of who is absent.
    pub fn voice(&self) -> PersonId {
        self.on_behalf_of.unwrap_or(self.approver)
    }
}

/// What an approver decided, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub at: DateTime<Utc>,
    pub reason: String,
    pub via: Via,
    pub client: Client,
}

/// From where a decision came, as far as the connection tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    pub address: String,
    pub agent: String,
}

/// What the answers at a level come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Open,
    Approved,
    Rejected,
}

/// What the answers at one level come to: a single no is a no; a yes takes the quorum, counted by voices and by the
/// people who spoke, so that nobody is two of the two who had to agree.
pub fn verdict(quorum: Quorum, approvals: &[Approval]) -> Verdict {
    let mut said_yes: BTreeSet<PersonId> = BTreeSet::new();
    let mut voices: BTreeMap<PersonId, bool> = BTreeMap::new();
    for approval in approvals {
        let yes = approval.state == ApprovalState::Approved;
        match approval.state {
            ApprovalState::Rejected => return Verdict::Rejected,
            ApprovalState::Approved | ApprovalState::Open | ApprovalState::Moot => {
                *voices.entry(approval.voice()).or_default() |= yes;
            }
            ApprovalState::Revoked | ApprovalState::Expired => {}
        }
        if yes {
            said_yes.insert(approval.approver);
        }
    }
    let reached = match quorum {
        Quorum::AtLeast(needed) => said_yes.len() >= usize::try_from(needed).unwrap_or(usize::MAX),
        Quorum::All => !voices.is_empty() && voices.values().all(|yes| *yes),
    };
    if reached { Verdict::Approved } else { Verdict::Open }
}

/// Somebody stands in for somebody else for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    pub person: PersonId,
    pub delegate: PersonId,
    pub begins_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: u128) -> PersonId {
        uuid::Uuid::from_u128(n).into()
    }

    fn asked(approver: u128, for_whom: Option<u128>, state: ApprovalState) -> Approval {
        Approval {
            id: uuid::Uuid::nil().into(),
            request: uuid::Uuid::nil().into(),
            revision: 1,
            level: 1,
            approver: person(approver),
            on_behalf_of: for_whom.map(person),
            asked_as: "group application-owners".into(),
            state,
            opened_at: DateTime::UNIX_EPOCH,
            remind_at: None,
            decision: None,
            disputed_at: None,
        }
    }

    #[test]
    fn one_of_several_is_enough_when_one_is_asked_for() {
        let open = [asked(1, None, ApprovalState::Open), asked(2, None, ApprovalState::Open)];
        assert_eq!(verdict(Quorum::AtLeast(1), &open), Verdict::Open);
        let one = [asked(1, None, ApprovalState::Open), asked(2, None, ApprovalState::Approved)];
        assert_eq!(verdict(Quorum::AtLeast(1), &one), Verdict::Approved);
        assert_eq!(verdict(Quorum::AtLeast(2), &one), Verdict::Open);
        assert_eq!(verdict(Quorum::All, &one), Verdict::Open);
    }

    #[test]
    fn a_single_no_is_a_no_whatever_the_others_said() {
        let answers = [asked(1, None, ApprovalState::Approved), asked(2, None, ApprovalState::Rejected)];
        for quorum in [Quorum::AtLeast(1), Quorum::AtLeast(2), Quorum::All] {
            assert_eq!(verdict(quorum, &answers), Verdict::Rejected);
        }
    }

    #[test]
    fn nobody_is_two_of_the_two_who_have_to_agree() {
        let twice = [asked(1, None, ApprovalState::Approved), asked(1, Some(2), ApprovalState::Approved)];
        assert_eq!(verdict(Quorum::AtLeast(2), &twice), Verdict::Open);
    }

    #[test]
    fn a_delegate_answers_for_who_is_absent() {
        let answers = [asked(1, None, ApprovalState::Approved), asked(3, Some(2), ApprovalState::Approved)];
        assert_eq!(verdict(Quorum::All, &answers), Verdict::Approved);
    }

    #[test]
    fn a_level_without_anybody_is_never_approved() {
        assert_eq!(verdict(Quorum::All, &[]), Verdict::Open);
        assert_eq!(verdict(Quorum::AtLeast(1), &[]), Verdict::Open);
    }
}
