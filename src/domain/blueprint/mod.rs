//! Blueprints: an offering in one YAML file, read, checked and planned without touching anything.
//!
//! The way of a file: [`source`] reads the text into a tree in which everything knows its place, [`format`](mod@format) holds it
//! against the keys that exist, [`read`] turns it into the types below, [`check`] compares it with the actions that
//! exist, and [`plan`](Blueprint::plan) says what an order would do. Each tells what it finds and goes on with the
//! rest: what could not be read is passed over, so that an author sees every mistake at once and each only once. Parameters are JSON Schema ([`schema`]), conditions and
//! prices are CEL ([`expression`]).

mod check;
mod edition;
pub mod expression;
mod format;
pub(crate) mod mistake;
mod period;
pub mod plan;
mod read;
pub mod schema;
mod shape;
pub(crate) mod source;
pub mod template;
#[cfg(test)]
mod tests;
mod unfit;

pub use edition::{Edition, EditionState};
pub use format::{file_reference, file_schema};
pub use mistake::{Mistake, nearest};
pub use period::Period;

use crate::action::Signature;
use crate::ci::{CiClass, Relation};
use expression::Expression;
use mistake::{Mistakes, Position};
use schema::Parameters;
use serde_json::{Map, Value};
use source::{Node, Place};
use template::Template;

/// A value with its place in the file.
#[derive(Clone, Debug, Default)]
pub struct Located<T> {
    pub value: T,
    /// The beginning of nothing, where the value could not be read.
    place: Place,
}

impl<T: Default> Located<T> {
    /// Stands in for what could not be read: its mistake has been told, and the check passes over it.
    fn unread() -> Self {
        Self::default()
    }
}

impl<T> Located<T> {
    fn is_unread(&self) -> bool {
        self.place == Place::default()
    }

    fn at(&self) -> Position {
        self.place.start()
    }
}

/// What a project's quota counts, with the words for people.
pub const QUOTA_KINDS: [(&str, &str); 5] = [
    ("machines", "Machines"),
    ("cpu", "Processors"),
    ("memory_gb", "Memory in GB"),
    ("disk_gb", "Disk in GB"),
    ("containers", "Containers"),
];

/// An offering: what may be ordered, what it costs, who approves it, and how it is built.
#[derive(Clone, Debug)]
pub struct Blueprint {
    pub name: String,
    pub version: semver::Version,
    pub title: String,
    /// One sentence for the catalog.
    pub summary: String,
    /// Groups the catalog: `application-platform`.
    pub category: String,
    pub responsible: Responsible,
    /// What `$ref: "#/sizes"` offers.
    pub sizes: Vec<Size>,
    pub lease: Lease,
    pub order: Workflow,
    /// Euros per month.
    pub price: Located<Expression>,
    /// What it takes of the project's quota, by the kinds of [`QUOTA_KINDS`].
    pub quota: Vec<(String, Located<Expression>)>,
    /// What may be done with a deployment later.
    pub actions: Vec<DayTwo>,
    pub application: Option<Application>,
}

/// What an order and a day-2 action have in common: the form, who approves, the graph of steps.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub parameters: Parameters,
    pub approval: Vec<Policy>,
    pub steps: Vec<StepDeclaration>,
}

/// Something that may be done with a deployment: its own form, approval and steps.
#[derive(Clone, Debug)]
pub struct DayTwo {
    /// Its name in addresses and on the command line, `scale`.
    pub action: Located<String>,
    pub title: String,
    pub summary: String,
    pub workflow: Workflow,
    /// What the deployment's parameters become.
    pub sets: Vec<(Located<String>, Located<Expression>)>,
}

/// Who answers for what: Ops for the platform, Dev for the application.
#[derive(Clone, Debug)]
pub struct Responsible {
    pub platform: Located<Template>,
    pub application: Located<Template>,
}

/// How large a machine may be, and what it costs in a month.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Size {
    pub name: String,
    pub title: String,
    pub cpu: u32,
    pub memory_gb: u32,
    pub disk_gb: u32,
    /// Euros.
    pub monthly: f64,
}

/// How long a deployment lives unless it is prolonged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub default: Period,
    pub max: Period,
    /// Between the end of the lease and the removal.
    pub grace: Period,
}

/// One rule of who has to approve, and when.
#[derive(Clone, Debug)]
pub struct Policy {
    pub level: u32,
    /// Always, when there is none.
    pub when: Option<Located<Expression>>,
    pub approvers: Vec<Located<Approvers>>,
    pub quorum: Quorum,
    pub within: Period,
    pub on_timeout: OnTimeout,
    pub confirm: Confirm,
    /// The author's reason, shown to the requester.
    pub because: Option<String>,
    /// Of its level.
    place: Place,
}

/// Who may decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approvers {
    /// Every member of a group.
    Group(String),
    /// One person, by mail address.
    Person(String),
    /// The requester's manager.
    Manager,
}

impl Approvers {
    /// Reads `group:name`, `person:mail@example.org` or `manager`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "manager" => Some(Self::Manager),
            Some(("group", name)) if !name.trim().is_empty() => Some(Self::Group(name.trim().to_owned())),
            Some(("person", mail)) if mail.contains('@') => Some(Self::Person(mail.trim().to_owned())),
            _ => None,
        }
    }
}

/// `application-owners`, `ada@example.org`, `the requester's manager`.
impl std::fmt::Display for Approvers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Group(name) | Self::Person(name) => f.write_str(name),
            Self::Manager => f.write_str("the requester's manager"),
        }
    }
}

/// How many of a level's approvers have to say yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quorum {
    All,
    AtLeast(u32),
}

/// What a decision takes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// The link of a mail is enough.
    Link,
    /// The approver has to sign in: for what is dear or touches much.
    SignIn,
}

/// What happens when nobody decides in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    Escalate,
    Reject,
}

/// One node of a workflow, as declared.
#[derive(Clone, Debug)]
pub struct StepDeclaration {
    pub id: Located<String>,
    pub work: Work,
    pub needs: Vec<Located<String>>,
    pub when: Option<Located<Expression>>,
    pub for_each: Option<Located<Expression>>,
    /// The step that has to be done for one instance before the next one begins.
    pub in_turn: Option<Located<String>>,
    /// The action's input, with templates in it.
    with: Node,
    pub title: Option<Located<Template>>,
    pub retry: Option<Retry>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Calls an action by name.
    Do(Located<String>),
    /// Undoes a step of the deployment, by its id.
    Undo(Located<String>),
}

/// How often a step tries again after a transient error, and how long it waits between: doubled each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Retry {
    pub attempts: u32,
    pub wait: Period,
    pub at_most: Period,
}

/// The application service that the CMDB gets for a deployment.
#[derive(Clone, Debug)]
pub struct Application {
    pub class: CiClass,
    pub name: Located<Template>,
    /// The steps after which it is registered, beside those it stands in relation to.
    pub needs: Vec<Located<String>>,
    /// What it stands in relation to: the CIs of a step.
    pub relations: Vec<(Relation, Located<String>)>,
    /// Of the section.
    place: Place,
}

impl Blueprint {
    /// Reads a file's text that has been checked before.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::of(file);
        let blueprint = Self::read(text, &mut mistakes);
        mistakes.settle(blueprint)
    }

    /// Reads a file's text and compares it with the actions that exist. Every mistake is told, of form and of meaning,
    /// in the order of the file.
    pub fn parse_checked(file: &str, text: &str, actions: &[Signature]) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Mistakes::of(file);
        let blueprint = Self::read(text, &mut mistakes);
        if let Some(blueprint) = &blueprint {
            check::check(blueprint, actions, &mut mistakes);
        }
        mistakes.settle(blueprint)
    }

    /// What of the text could be read. The rest is left as unread and told.
    fn read(text: &str, mistakes: &mut Mistakes<'_>) -> Option<Self> {
        let node = source::read(text, mistakes)?;
        let fitted = format::fit(&node, &format::BLUEPRINT, mistakes);
        (!fitted.is_unread()).then(|| read::blueprint(&fitted, mistakes))
    }

    /// The parameters of an order, or of one of its day-2 actions, as people read them: title and value.
    pub fn in_words(&self, action: Option<&str>, values: &Map<String, Value>) -> Vec<(String, String)> {
        match action {
            None => self.order.parameters.in_words(values),
            Some(name) => {
                self.day_two(name).map(|day_two| day_two.workflow.parameters.in_words(values)).unwrap_or_default()
            }
        }
    }

    /// The day-2 action of this name.
    pub fn day_two(&self, action: &str) -> Option<&DayTwo> {
        self.actions.iter().find(|day_two| day_two.action.value == action)
    }
}
