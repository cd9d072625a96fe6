//! A mail on its way: what it says, to whom, and how far it came.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{ApprovalId, MailId, RequestId, TaskId};

/// What is put in the outbox.
#[derive(Clone, Debug)]
pub struct Letter {
    pub to_name: String,
    pub to_email: String,
    /// Which template wrote it, `approval_asked`.
    pub kind: &'static str,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub request: Option<RequestId>,
    /// What it asks its receiver for; when no mail server takes it, that is passed on.
    pub asks: Option<Asks>,
    /// A letter whose reason was told before is not posted twice.
    pub reason: String,
}

/// What a mail asks its receiver for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asks {
    /// To decide.
    Approval(ApprovalId),
    /// To do what a step of a run waits for.
    Task(TaskId),
}

/// What a step tells people by mail. Who they are is looked up when it is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub to: Recipients,
    /// One line, the subject of the mail.
    pub subject: String,
    pub text: String,
}

/// Who gets a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipients {
    /// Who ordered what the run carries out.
    Requester,
    /// The members of a group who may see the project.
    Group(String),
    /// One person, by mail address.
    Person(String),
}

impl Recipients {
    /// Reads `requester`, `group:name` or `person:mail`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "requester" => Some(Self::Requester),
            Some(("group", name)) if !name.trim().is_empty() => Some(Self::Group(name.trim().to_owned())),
            Some(("person", mail)) if mail.contains('@') => Some(Self::Person(mail.trim().to_lowercase())),
            _ => None,
        }
    }
}

/// `ops-network`, `ada@example.org`, `the requester`.
impl fmt::Display for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requester => f.write_str("the requester"),
            Self::Group(name) | Self::Person(name) => f.write_str(name),
        }
    }
}

/// How far a mail came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// No mail server is configured: the mail can be read in the portal and goes nowhere.
    Kept,
    /// Waits for its turn, or for another try.
    Queued,
    /// A mail server took it.
    Sent,
    /// A mail server will not take it, or none did in time.
    Refused,
}

impl MailState {
    pub const ALL: [Self; 4] = [Self::Kept, Self::Queued, Self::Sent, Self::Refused];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A mail in the outbox.
#[derive(Clone, Debug)]
pub struct Mail {
    pub id: MailId,
    pub to_name: String,
    pub to_email: String,
    pub kind: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub request: Option<RequestId>,
    pub asks: Option<Asks>,
    pub state: MailState,
    /// How often sending was tried.
    pub attempts: u32,
    /// When it is tried next, while it is queued.
    pub next_at: Option<DateTime<Utc>>,
    /// What the mail server said last.
    pub answer: Option<String>,
    /// Who was asked to tell its receiver of the task that it was about, as no mail server took it: names, with commas
    /// between.
    pub passed_on: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

impl Mail {
    /// What became of a mail that no mail server took, as a sentence.
    pub fn lost(&self) -> String {
        let answer = self.answer.as_deref().unwrap_or_default();
        let answer = if answer.is_empty() { String::new() } else { format!(": {}", answer.trim_end_matches('.')) };
        format!("no mail server took the mail to {}{answer}.", self.to_email)
    }

    /// Who tells the receiver of a mail that no mail server took, as a sentence.
    pub fn who_tells(&self) -> String {
        match self.passed_on.as_deref() {
            None | Some("") => format!("Tell {} by hand.", self.to_name),
            Some(names) => format!("A mail asks {names} to tell them."),
        }
    }
}

/// What became of one try to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub state: MailState,
    pub answer: String,
    pub next_at: Option<DateTime<Utc>>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// Waits between tries: short at first, for a server that restarts; a mail is given up after a working day.
const PAUSES: [TimeDelta; 7] = [
    TimeDelta::minutes(1),
    TimeDelta::minutes(5),
    TimeDelta::minutes(15),
    TimeDelta::hours(1),
    TimeDelta::hours(2),
    TimeDelta::hours(2),
    TimeDelta::hours(4),
];

impl Delivery {
    /// The server took it.
    pub fn sent(answer: String, now: DateTime<Utc>) -> Self {
        Self { state: MailState::Sent, answer, next_at: None, sent_at: Some(now) }
    }

    /// The server will never take it.
    pub fn refused(answer: String) -> Self {
        Self { state: MailState::Refused, answer, next_at: None, sent_at: None }
    }

    /// It did not work this time, the `attempts`th; tried again until the tries are used up.
    pub fn failed(answer: String, attempts: u32, now: DateTime<Utc>) -> Self {
        let pause = usize::try_from(attempts.saturating_sub(1)).ok().and_then(|index| PAUSES.get(index));
        match pause {
            Some(pause) => Self { state: MailState::Queued, answer, next_at: Some(now + *pause), sent_at: None },
            None => Self::refused(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_for_a_working_day_and_then_given_up() {
        let now = DateTime::UNIX_EPOCH;
        let first = Delivery::failed("451 greylisted".into(), 1, now);
        assert_eq!((first.state, first.next_at), (MailState::Queued, Some(now + TimeDelta::minutes(1))));
        assert_eq!(Delivery::failed("451".into(), 7, now).next_at, Some(now + TimeDelta::hours(4)));
        assert_eq!(Delivery::failed("451".into(), 8, now), Delivery::refused("451".into()));
    }
}
