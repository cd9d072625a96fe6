//! Tasks: what a step of a run asks people to do, who may do it, and what they answered.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::approval::{Client, Via};
use crate::blueprint::schema::Parameters;
use crate::ids::{DeploymentId, PersonId, ProjectId, RequestId, RunId, TaskId};
use crate::mail::Recipients;
use crate::person::Principal;
use crate::reading::{Meaning, Reading};

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    Open,
    Answered,
    /// Nobody has to do it any more: its run was cancelled or taken back, or an operator skipped the step.
    Closed,
}

impl TaskState {
    pub const ALL: [Self; 3] = [Self::Open, Self::Answered, Self::Closed];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Closed => "closed",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What a step asks for, as its action returns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What is to be done, on one line.
    pub title: String,
    /// How; each line is a paragraph.
    pub instructions: String,
    pub assignees: Vec<Recipients>,
    /// What is to be filled in: parameters by name, as a blueprint declares them.
    pub form: Value,
    pub due_at: DateTime<Utc>,
}

/// Who may do a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignee {
    /// The members of a group who may see the project.
    Group(String),
    /// One person, by mail address.
    Person(String),
}

impl Assignee {
    /// `group:ops-network` or `person:ada@example.org`, as the database keeps it.
    pub fn word(&self) -> String {
        match self {
            Self::Group(name) => format!("group:{name}"),
            Self::Person(mail) => format!("person:{mail}"),
        }
    }

    /// Whom a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        match word.split_once(':')? {
            ("group", name) => Some(Self::Group(name.to_owned())),
            ("person", mail) => Some(Self::Person(mail.to_owned())),
            _ => None,
        }
    }

    /// Everything that somebody may be assigned as.
    pub fn of(who: &Principal) -> Vec<Self> {
        let groups = who.groups.iter().cloned().map(Self::Group);
        groups.chain([Self::Person(who.email.clone())]).collect()
    }
}

/// `ops-network`, `ada@example.org`.
impl fmt::Display for Assignee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) | Self::Person(name) => f.write_str(name),
        }
    }
}

/// What a step of a run asks people to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: TaskId,
    pub run: RunId,
    /// The key of the step that waits for it.
    pub step_key: String,
    pub deployment: DeploymentId,
    pub project: ProjectId,
    pub request: Option<RequestId>,
    pub title: String,
    pub instructions: String,
    pub assignees: Vec<Assignee>,
    pub form: Value,
    pub state: TaskState,
    pub opened_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    /// When those who are asked are reminded, if they still are to be.
    pub remind_at: Option<DateTime<Utc>>,
    /// Whether the operators were told that its time was up.
    pub escalated: bool,
    pub answer: Option<Answer>,
    /// When it was done, or not needed any more.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why nobody has to do it any more.
    pub why: Option<String>,
}

/// What somebody filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub by: PersonId,
    pub at: DateTime<Utc>,
    pub values: Map<String, Value>,
    pub via: Via,
    pub client: Client,
}

impl Answer {
    /// What the step then leaves: `answer` by the names of the form, `by` whom and `at` what time.
    pub fn output(&self, by: &str) -> Value {
        json!({ "answer": self.values, "by": by, "at": self.at.format("%Y-%m-%dT%H:%M:%SZ").to_string() })
    }
}

impl Task {
    /// Whether somebody may do it: he is asked, and may see the project.
    pub fn is_for(&self, who: &Principal) -> bool {
        let known_as = Assignee::of(who);
        who.scope().covers(self.project) && self.assignees.iter().any(|assignee| known_as.contains(assignee))
    }

    /// Who may do it: `ops-network, ada@example.org`, or `nobody`.
    pub fn whose(&self) -> String {
        if self.assignees.is_empty() {
            return "nobody".to_owned();
        }
        self.assignees.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// What is to be filled in. The error says why it is no form.
    pub fn questions(&self) -> Result<Parameters, String> {
        Parameters::of_form(&self.form)
    }

    /// Whether its time is up and it still is to be done.
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.state == TaskState::Open && self.due_at <= now
    }

    /// Whether it asks for just this.
    pub fn asks_for(&self, wanted: &Wanted) -> bool {
        (&self.title, &self.instructions, &self.form) == (&wanted.title, &wanted.instructions, &wanted.form)
            && self.due_at == wanted.due_at
    }

    /// How it reads.
    pub fn reads(&self, now: DateTime<Utc>) -> Reading {
        let (label, meaning) = match self.state {
            TaskState::Open if self.is_overdue(now) => ("Overdue", Meaning::Waiting),
            TaskState::Open => ("To do", Meaning::Waiting),
            TaskState::Answered => ("Done", Meaning::Done),
            TaskState::Closed => ("Not needed any more", Meaning::Idle),
        };
        Reading::new(self.state.word(), label, meaning)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::person::Role;

    fn nobody<T: From<uuid::Uuid>>() -> T {
        uuid::Uuid::nil().into()
    }

    fn task() -> Task {
        Task {
            id: nobody(),
            run: nobody(),
            step_key: "plug".into(),
            deployment: nobody(),
            project: nobody(),
            request: None,
            title: "Plug the cable".into(),
            instructions: String::new(),
            assignees: vec![Assignee::Group("ops-network".into()), Assignee::Person("ada@example.org".into())],
            form: json!({}),
            state: TaskState::Open,
            opened_at: DateTime::UNIX_EPOCH,
            due_at: DateTime::UNIX_EPOCH,
            remind_at: None,
            escalated: false,
            answer: None,
            ended_at: None,
            why: None,
        }
    }

    fn somebody(email: &str, group: &str) -> Principal {
        Principal {
            person: nobody(),
            name: email.into(),
            email: email.into(),
            groups: BTreeSet::from([group.to_owned()]),
            everywhere: BTreeSet::new(),
            by_project: BTreeMap::from([(nobody(), BTreeSet::from([Role::Requester]))]),
        }
    }

    #[test]
    fn a_task_is_for_a_member_of_its_group_and_for_who_is_named_as_far_as_they_see_the_project() {
        let task = task();
        assert!(task.is_for(&somebody("otto@example.org", "ops-network")));
        assert!(task.is_for(&somebody("ada@example.org", "owners")));
        assert!(!task.is_for(&somebody("rita@example.org", "owners")));
        let blind = Principal { by_project: BTreeMap::new(), ..somebody("ada@example.org", "ops-network") };
        assert!(!task.is_for(&blind), "nobody does what he may not look at");
    }

    #[test]
    fn a_task_says_who_may_do_it_and_that_nobody_may() {
        assert_eq!(task().whose(), "ops-network, ada@example.org");
        assert_eq!(Task { assignees: Vec::new(), ..task() }.whose(), "nobody");
    }

    #[test]
    fn a_task_waits_for_a_person_also_when_its_time_is_up() {
        let reads = task().reads(DateTime::UNIX_EPOCH);
        assert_eq!((reads.label, reads.meaning), ("Overdue", Meaning::Waiting));
    }

    #[test]
    fn whoever_is_asked_is_kept_by_a_word() {
        for assignee in task().assignees {
            assert_eq!(Assignee::from_word(&assignee.word()), Some(assignee));
        }
        assert_eq!(Assignee::from_word("somebody"), None);
    }
}
