//! Requests: an order for a blueprint, or for an action on a deployment, and how it stands.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::blueprint::plan::Plan;
use crate::ids::{DeploymentId, PersonId, ProjectId, RequestId, RunId};
use crate::reading::{Meaning, Reading};
use crate::run::RunKind;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestKind {
    /// A new deployment.
    Provision,
    /// A day-2 action on a deployment.
    Action,
    /// The end of a deployment.
    Retire,
}

impl RequestKind {
    pub const ALL: [Self; 3] = [Self::Provision, Self::Action, Self::Retire];

    /// The word that the database and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Action => "action",
            Self::Retire => "retire",
        }
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The kind of run that carries it out.
    pub const fn of_run(self) -> RunKind {
        match self {
            Self::Provision => RunKind::Provision,
            Self::Action => RunKind::Action,
            Self::Retire => RunKind::Retire,
        }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Somebody has to decide.
    AwaitingApproval,
    /// Nobody has to decide any more; its run has not begun.
    Approved,
    Rejected,
    /// The requester took it back before anything was built.
    Withdrawn,
    /// Nobody decided in time.
    Expired,
    /// Its run is under way.
    Running,
    /// Its run needs an operator; what was built is kept.
    Paused,
    /// What its run built is being taken back.
    TakingBack,
    Fulfilled,
    /// Its run ended without success.
    Failed,
    /// A person cancelled its run.
    Cancelled,
}

impl RequestState {
    pub const ALL: [Self; 11] = [
        Self::AwaitingApproval,
        Self::Approved,
        Self::Rejected,
        Self::Withdrawn,
        Self::Expired,
        Self::Running,
        Self::Paused,
        Self::TakingBack,
        Self::Fulfilled,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word that the database, addresses and the API use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::TakingBack => "taking_back",
            Self::Fulfilled => "fulfilled",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// How it reads for a request of this kind.
    pub const fn reads(self, kind: RequestKind) -> Reading {
        let (label, meaning) = match self {
            Self::AwaitingApproval => ("Awaiting approval", Meaning::Waiting),
            Self::Approved => ("Approved", Meaning::Done),
            Self::Rejected => ("Rejected", Meaning::Failed),
            Self::Withdrawn => ("Withdrawn", Meaning::Idle),
            Self::Expired => ("Expired", Meaning::Failed),
            Self::Running => (kind.of_run().label(), Meaning::Running),
            Self::Paused => ("Paused: needs an operator", Meaning::Failed),
            Self::TakingBack => ("Being taken back", Meaning::Running),
            Self::Fulfilled => ("Done", Meaning::Done),
            Self::Failed => ("Failed", Meaning::Failed),
            Self::Cancelled => ("Cancelled", Meaning::Idle),
        };
        Reading::new(self.word(), label, meaning)
    }

    /// The state that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether nothing more will happen to it.
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Withdrawn | Self::Expired | Self::Fulfilled | Self::Failed | Self::Cancelled
        )
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: RequestId,
    /// What people call it, as [`number`](fn@number) writes it; counted from 1.
    pub number: i32,
    pub project: ProjectId,
    /// The site where it is, or will be, built.
    pub site: String,
    pub requester: PersonId,
    pub kind: RequestKind,
    /// What it asks for: the blueprint's title, or the action's.
    pub title: String,
    pub blueprint: String,
    pub version: String,
    /// Which day-2 action, for [`RequestKind::Action`].
    pub action: Option<String>,
    /// The deployment it is about, or will leave.
    pub deployment: DeploymentId,
    pub parameters: Map<String, Value>,
    /// What was shown, is approved and is built. None for retiring, which takes back what stands.
    pub plan: Option<Plan>,
    /// Why it is wanted, in the requester's words.
    pub reason: String,
    /// Grows with each change by the requester; a question about an older one is void.
    pub revision: i32,
    pub state: RequestState,
    /// Why it ended as it did, in people's words.
    pub outcome: Option<String>,
    pub run: Option<RunId>,
    pub submitted_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// The request's number as people write it: `R-12`.
pub fn number(number: i32) -> String {
    format!("R-{number}")
}

/// The number that somebody wrote: `R-12`, `r12`, `12`.
pub fn number_in(text: &str) -> Option<i32> {
    let text = text.trim();
    let digits = text.strip_prefix(['R', 'r']).map_or(text, |rest| rest.strip_prefix('-').unwrap_or(rest));
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| is_number && *number > 0)
}

/// The request is in a state from which this can't happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request is {}, so it can't be {wanted}", state.word().replace('_', " "))]
pub struct InvalidTransition {
    pub state: RequestState,
    pub wanted: &'static str,
}

impl Request {
    /// It was approved, and its run has not ended.
    const UNDER_WAY: [RequestState; 4] =
        [RequestState::Approved, RequestState::Running, RequestState::Paused, RequestState::TakingBack];

    /// How it reads.
    pub const fn reads(&self) -> Reading {
        self.state.reads(self.kind)
    }

    /// Whether it was approved and its run has not ended.
    pub fn is_under_way(&self) -> bool {
        Self::UNDER_WAY.contains(&self.state)
    }

    /// Everybody who has to said yes.
    pub fn approved(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::AwaitingApproval], "approved")?;
        Ok(Self { state: RequestState::Approved, decided_at: Some(now), ..self })
    }

    /// Somebody who was asked said no; or, before its run began, says that the yes was not his.
    pub fn rejected(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::AwaitingApproval, RequestState::Approved], "rejected")?;
        Ok(Self { decided_at: Some(now), ..self.ended(RequestState::Rejected, Some(why), now) })
    }

    /// The requester takes it back.
    pub fn withdrawn(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::AwaitingApproval], "withdrawn")?;
        Ok(self.ended(RequestState::Withdrawn, None, now))
    }

    /// Nobody decided in time.
    pub fn expired(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::AwaitingApproval], "expired")?;
        Ok(self.ended(RequestState::Expired, Some(why), now))
    }

    /// The requester changed it, or where it is to be built: what was asked about the last revision is void.
    pub fn revised(self, plan: Plan, site: String, reason: String) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::AwaitingApproval], "changed")?;
        let (title, parameters) = (plan.order_title(), plan.parameters.clone());
        Ok(Self { revision: self.revision + 1, title, parameters, plan: Some(plan), site, reason, ..self })
    }

    /// Its run begins, or goes on after somebody mended it.
    pub fn running(self) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::Approved, RequestState::Running, RequestState::Paused], "carried out")?;
        Ok(Self { state: RequestState::Running, ..self })
    }

    /// Its run needs an operator.
    pub fn paused(self) -> Result<Self, InvalidTransition> {
        self.only_from(&Self::UNDER_WAY, "paused")?;
        Ok(Self { state: RequestState::Paused, ..self })
    }

    /// What its run built is being taken back; `why` stays its outcome, whatever else happens on the way.
    pub fn taking_back(self, why: String) -> Result<Self, InvalidTransition> {
        self.only_from(&Self::UNDER_WAY, "taken back")?;
        let outcome = self.outcome.or(Some(why));
        Ok(Self { state: RequestState::TakingBack, outcome, ..self })
    }

    /// What it asked for is there.
    pub fn fulfilled(self, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&[RequestState::Approved, RequestState::Running], "fulfilled")?;
        Ok(self.ended(RequestState::Fulfilled, None, now))
    }

    /// Its run ended without success.
    pub fn failed(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&Self::UNDER_WAY, "given up")?;
        let outcome = self.outcome.clone().or(Some(why));
        Ok(self.ended(RequestState::Failed, outcome, now))
    }

    /// A person cancelled its run; `why` says who, and the reason.
    pub fn cancelled(self, why: String, now: DateTime<Utc>) -> Result<Self, InvalidTransition> {
        self.only_from(&Self::UNDER_WAY, "cancelled")?;
        let outcome = self.outcome.clone().or(Some(why));
        Ok(self.ended(RequestState::Cancelled, outcome, now))
    }

    /// The price per month that is approved, in cents; zero for what has no plan.
    pub fn monthly_cents(&self) -> i64 {
        self.plan.as_ref().map_or(0, |plan| plan.monthly.cents)
    }

    fn ended(self, state: RequestState, outcome: Option<String>, now: DateTime<Utc>) -> Self {
        Self { state, outcome, ended_at: Some(now), ..self }
    }

    fn only_from(&self, states: &[RequestState], wanted: &'static str) -> Result<(), InvalidTransition> {
        if states.contains(&self.state) { Ok(()) } else { Err(InvalidTransition { state: self.state, wanted }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_people_write_it_and_no_other_way() {
        for text in ["R-12", "r-12", "R12", "r12", "12", " R-12 "] {
            assert_eq!(number_in(text), Some(12), "{text}");
        }
        for text in
            ["", "R", "R-", "RRR--12", "R--12", "rR12", "-12", "+12", "R+12", "R-+12", "0", "12a", "99999999999"]
        {
            assert_eq!(number_in(text), None, "{text}");
        }
    }

    fn request(state: RequestState) -> Request {
        let nil = uuid::Uuid::nil();
        Request {
            id: nil.into(),
            number: 12,
            project: nil.into(),
            site: "dc1".into(),
            requester: nil.into(),
            kind: RequestKind::Retire,
            title: "Scale Out Tomcat".into(),
            blueprint: "scale-out-tomcat".into(),
            version: "1.0.0".into(),
            action: None,
            deployment: nil.into(),
            parameters: Map::new(),
            plan: None,
            reason: String::new(),
            revision: 1,
            state,
            outcome: None,
            run: None,
            submitted_at: DateTime::UNIX_EPOCH,
            decided_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn what_is_over_never_moves_again() {
        let now = DateTime::UNIX_EPOCH;
        for state in RequestState::ALL.into_iter().filter(|state| state.is_over()) {
            assert!(request(state).approved(now).is_err(), "{state:?}");
            assert!(request(state).rejected("no".into(), now).is_err(), "{state:?}");
            assert!(request(state).withdrawn(now).is_err(), "{state:?}");
            assert!(request(state).expired("late".into(), now).is_err(), "{state:?}");
            assert!(request(state).running().is_err(), "{state:?}");
            assert!(request(state).fulfilled(now).is_err(), "{state:?}");
            assert!(request(state).failed("broken".into(), now).is_err(), "{state:?}");
            assert!(request(state).paused().is_err(), "{state:?}");
            assert!(request(state).cancelled("enough".into(), now).is_err(), "{state:?}");
        }
    }

    #[test]
    fn nothing_is_built_that_is_not_approved() {
        assert!(request(RequestState::AwaitingApproval).running().is_err());
        assert!(request(RequestState::Approved).running().is_ok());
    }

    #[test]
    fn why_it_was_cancelled_stays_whatever_the_taking_back_meets() {
        let taken = request(RequestState::Running).taking_back("Cancelled by Otto: too dear.".into());
        let stuck = taken.and_then(Request::paused).expect("the pool is still in use");
        let again = stuck.taking_back("The pool is gone now.".into()).expect("it goes on");
        let ended = again.cancelled("The pool is gone now.".into(), DateTime::UNIX_EPOCH).expect("it ends");
        assert_eq!(ended.outcome.as_deref(), Some("Cancelled by Otto: too dear."));
        assert_eq!(ended.reads().label, "Cancelled");
    }

    #[test]
    fn a_running_request_can_neither_be_withdrawn_nor_rejected() {
        let refused = request(RequestState::Running).withdrawn(DateTime::UNIX_EPOCH).expect_err("it runs");
        assert_eq!(refused.to_string(), "the request is running, so it can't be withdrawn");
        assert!(request(RequestState::Running).rejected("no".into(), DateTime::UNIX_EPOCH).is_err());
    }
}
