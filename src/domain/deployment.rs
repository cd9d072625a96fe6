//! Deployments: what a fulfilled request leaves, from the first machine to the last CI retired.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{DeploymentId, PersonId, ProjectId, RequestId};
use crate::reading::{Meaning, Reading};
use crate::run::{RunKind, RunState};

/// Where a deployment stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// Approved; its first run builds it.
    Building,
    Live,
    /// A day-2 action works on it.
    Changing,
    /// A run takes it down.
    Retiring,
    /// Everything of it is gone.
    Retired,
    /// It was never finished, and what was built of it was taken back.
    Failed,
}

impl DeploymentState {
    pub const ALL: [Self; 6] =
        [Self::Building, Self::Live, Self::Changing, Self::Retiring, Self::Retired, Self::Failed];

    /// The word that the database, addresses and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Live => "live",
            Self::Changing => "changing",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Failed => "failed",
        }
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// How it reads while its newest run stands like this: what a run works on stands still when the run does.
    pub fn reads(self, run: Option<RunState>) -> Reading {
        let (label, meaning, kind) = match self {
            Self::Building => ("Building", Meaning::Running, Some(RunKind::Provision)),
            Self::Live => ("Live", Meaning::Done, None),
            Self::Changing => ("Changing", Meaning::Running, Some(RunKind::Action)),
            Self::Retiring => ("Retiring", Meaning::Running, Some(RunKind::Retire)),
            Self::Retired => ("Retired", Meaning::Idle, None),
            Self::Failed => ("Failed", Meaning::Failed, None),
        };
        let run = run.filter(|run| run.needs_a_person() || run.walks_back());
        let of_run = run.zip(kind).map(|(run, kind)| run.reads(kind));
        of_run.unwrap_or(Reading::new(self.word(), label, meaning))
    }

    /// Whether a run works on it.
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Building | Self::Changing | Self::Retiring)
    }

    /// Whether nothing is left of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Retired | Self::Failed)
    }
}

/// How long a deployment lives unless somebody prolongs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub until: DateTime<Utc>,
    /// How long it may live in all, counted from when it was ordered.
    pub longest_until: DateTime<Utc>,
    /// Days between the end of the lease and the removal.
    pub grace_days: i64,
    /// When its people were last told that it ends.
    pub warned_at: Option<DateTime<Utc>>,
}

impl Lease {
    /// How long before the end people are told.
    const NOTICE: TimeDelta = TimeDelta::days(14);

    /// What the lease asks for at `now`.
    pub fn due(&self, now: DateTime<Utc>) -> LeaseDue {
        match self.warned_at {
            Some(told) if told >= self.until && now >= self.removal(told) => LeaseDue::Remove,
            Some(told) if told >= self.until => LeaseDue::Nothing,
            _ if now >= self.until => LeaseDue::SayEnded,
            None if now >= self.until - Self::NOTICE => LeaseDue::Warn,
            _ => LeaseDue::Nothing,
        }
    }

    /// When the deployment is removed if its people are told at `told` and do nothing: they have the whole grace, also
    /// when they were told late.
    pub fn removal(&self, told: DateTime<Utc>) -> DateTime<Utc> {
        self.until.max(told) + TimeDelta::days(self.grace_days)
    }

    /// The lease prolonged by so many days from its end, or from now if it has ended; never beyond the longest.
    pub fn prolonged(self, days: i64, now: DateTime<Utc>) -> Result<Self, LeaseAtItsLongest> {
        let until = (self.until.max(now) + TimeDelta::days(days)).min(self.longest_until);
        if until <= self.until {
            return Err(LeaseAtItsLongest(self.longest_until));
        }
        Ok(Self { until, warned_at: None, ..self })
    }
}

/// What is to be done about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseDue {
    Nothing,
    /// It ends soon: tell its people.
    Warn,
    /// It has ended, and the grace begins: tell its people.
    SayEnded,
    /// The grace is over.
    Remove,
}

/// The lease can't be prolonged: it lasts to this day already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease lasts until {0} already, the longest it may")]
pub struct LeaseAtItsLongest(pub DateTime<Utc>);

/// A deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project: ProjectId,
    /// The site where it stands.
    pub site: String,
    /// The order that it came from.
    pub request: RequestId,
    pub owner: PersonId,
    /// What people call it: the name of its application.
    pub name: String,
    pub blueprint: String,
    pub version: String,
    /// The blueprint's title.
    pub title: String,
    /// Its parameters as they stand.
    pub params: Map<String, Value>,
    /// What the parameters become when the action that is under way succeeds.
    pub next_params: Option<Map<String, Value>>,
    /// The group that answers for the platform.
    pub platform: String,
    /// The team that answers for the application.
    pub application: String,
    pub state: DeploymentState,
    pub lease: Lease,
    pub created_at: DateTime<Utc>,
    /// When it was finished.
    pub built_at: Option<DateTime<Utc>>,
    /// When the last of it was gone.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The deployment is in a state from which this can't happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deployment `{name}` is {}, so it can't be {wanted}", state.word())]
pub struct InvalidTransition {
    pub name: String,
    pub state: DeploymentState,
    pub wanted: &'static str,
}

impl Deployment {
    /// A day-2 action begins; its parameters become these if it succeeds.
    pub fn changing(self, next_params: Map<String, Value>) -> Result<Self, InvalidTransition> {
        self.only_from(&[DeploymentState::Live], "changed")?;
        Ok(Self { state: DeploymentState::Changing, next_params: Some(next_params), ..self })
    }

    /// Its removal begins.
    pub fn retiring(self) -> Result<Self, InvalidTransition> {
        self.only_from(&[DeploymentState::Live], "retired")?;
        Ok(Self { state: DeploymentState::Retiring, ..self })
    }

    /// Its run succeeded: what was being built is live, what was being changed has its new parameters, what was being
    /// retired is gone, unless something of it was left standing.
    pub fn run_succeeded(self, left_standing: bool, now: DateTime<Utc>) -> Self {
        match self.state {
            DeploymentState::Building => Self { state: DeploymentState::Live, built_at: Some(now), ..self },
            DeploymentState::Changing => {
                let params = self.next_params.unwrap_or(self.params);
                Self { state: DeploymentState::Live, params, next_params: None, ..self }
            }
            DeploymentState::Retiring if left_standing => Self { state: DeploymentState::Live, ..self },
            DeploymentState::Retiring => Self { state: DeploymentState::Retired, ended_at: Some(now), ..self },
            DeploymentState::Live | DeploymentState::Retired | DeploymentState::Failed => self,
        }
    }

    /// Its run ended without success. What was never finished is over, unless something of it was left standing.
    pub fn run_gave_up(self, left_standing: bool, now: DateTime<Utc>) -> Self {
        match self.state {
            DeploymentState::Building if !left_standing => {
                Self { state: DeploymentState::Failed, ended_at: Some(now), ..self }
            }
            DeploymentState::Building | DeploymentState::Changing | DeploymentState::Retiring => {
                Self { state: DeploymentState::Live, next_params: None, ..self }
            }
            DeploymentState::Live | DeploymentState::Retired | DeploymentState::Failed => self,
        }
    }

    fn only_from(&self, states: &[DeploymentState], wanted: &'static str) -> Result<(), InvalidTransition> {
        if states.contains(&self.state) {
            return Ok(());
        }
        Err(InvalidTransition { name: self.name.clone(), state: self.state, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn lease() -> Lease {
        Lease { until: day(90), longest_until: day(120), grace_days: 7, warned_at: None }
    }

    #[test]
    fn people_are_told_once_before_the_end_and_once_at_the_end() {
        assert_eq!(lease().due(day(75)), LeaseDue::Nothing);
        assert_eq!(lease().due(day(76)), LeaseDue::Warn);
        let warned = Lease { warned_at: Some(day(76)), ..lease() };
        assert_eq!(warned.due(day(80)), LeaseDue::Nothing);
        assert_eq!(warned.due(day(90)), LeaseDue::SayEnded);
        let told = Lease { warned_at: Some(day(90)), ..lease() };
        assert_eq!(told.due(day(96)), LeaseDue::Nothing);
        assert_eq!(told.due(day(97)), LeaseDue::Remove);
    }

    #[test]
    fn nothing_is_removed_before_people_were_told_and_had_the_whole_grace() {
        assert_eq!(lease().due(day(200)), LeaseDue::SayEnded);
        let warned = Lease { warned_at: Some(day(76)), ..lease() };
        assert_eq!(warned.due(day(200)), LeaseDue::SayEnded);
        let told_late = Lease { warned_at: Some(day(200)), ..lease() };
        assert_eq!(told_late.due(day(206)), LeaseDue::Nothing);
        assert_eq!(told_late.due(day(207)), LeaseDue::Remove);
    }

    #[test]
    fn a_lease_is_prolonged_from_its_end_and_never_beyond_the_longest() {
        assert_eq!(lease().prolonged(10, day(50)).map(|lease| lease.until), Ok(day(100)));
        assert_eq!(lease().prolonged(10, day(95)).map(|lease| lease.until), Ok(day(105)));
        assert_eq!(lease().prolonged(90, day(50)).map(|lease| lease.until), Ok(day(120)));
        let longest = Lease { until: day(120), ..lease() };
        assert_eq!(longest.prolonged(1, day(50)), Err(LeaseAtItsLongest(day(120))));
    }

    #[test]
    fn a_removal_that_leaves_something_standing_does_not_retire_the_deployment() {
        let retiring = Deployment {
            id: uuid::Uuid::nil().into(),
            project: uuid::Uuid::nil().into(),
            site: "dc1".to_owned(),
            request: uuid::Uuid::nil().into(),
            owner: uuid::Uuid::nil().into(),
            name: "shop".to_owned(),
            blueprint: "tomcat".to_owned(),
            version: "1.0.0".to_owned(),
            title: "Tomcat".to_owned(),
            params: Map::new(),
            next_params: None,
            platform: "ops".to_owned(),
            application: "dev".to_owned(),
            state: DeploymentState::Retiring,
            lease: lease(),
            created_at: day(0),
            built_at: Some(day(0)),
            ended_at: None,
        };
        assert_eq!(retiring.clone().run_succeeded(true, day(1)).state, DeploymentState::Live);
        let retired = retiring.run_succeeded(false, day(1));
        assert_eq!((retired.state, retired.ended_at), (DeploymentState::Retired, Some(day(1))));
    }
}
