//! The CMDB: what a deployment is as a whole, and the proof that its CIs have arrived.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ci::{CiChange, CiClass, Relation};
use domain::ports::cmdb::Cmdb;
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::typed::{Verb, ci_key, done, live, nothing_to_undo, one_intent, soon, told, undone};

const PROVIDER: &str = "cmdb";
const REGISTERED_CI: &str = "ci";

/// `cmdb.register`
pub(crate) struct Register;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterInput {
    /// The CI's class, `application_service`.
    class: String,
    name: String,
    #[serde(default)]
    attributes: Map<String, Value>,
    /// How it stands to CIs that other steps registered.
    #[serde(default)]
    relations: Vec<RelationInput>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelationInput {
    /// `depends_on`, `runs_on`, `contains`, …
    relation: String,
    /// Key of the other CI: `ci` of the step that registered it.
    to: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RegisterOutput {
    /// Key of the CI.
    ci: String,
}

#[async_trait]
impl Verb for Register {
    type Input = RegisterInput;
    type Output = RegisterOutput;

    const NAME: &'static str = "cmdb.register";
    const TITLE: &'static str = "Register in the CMDB";
    const UNDO_TITLE: &'static str = "Retire from the CMDB";
    const SUMMARY: &'static str = "Registers what the deployment is as a whole, such as its application service.";
    const PROVIDER: Option<&'static str> = None;

    fn intend(&self, work: &Work, input: &RegisterInput) -> Vec<Intent> {
        one_intent(work, "registration", PROVIDER, &input.name)
    }

    async fn run(&self, work: &Work, input: RegisterInput) -> Result<Outcome, ActionError> {
        let class: CiClass = word(&input.class, "CI class")?;
        let key = ci_key(work, REGISTERED_CI);
        let mut cis = Vec::new();
        let attributes = json!({ "class": input.class });
        work.say(format!("Registering {} in the CMDB.", input.name));
        cis.push(CiChange::Declare { key: key.clone(), class, name: input.name, attributes: input.attributes });
        for RelationInput { relation, to } in input.relations {
            let relation: Relation = word(&relation, "relation")?;
            cis.push(CiChange::Relate { from: key.clone(), relation, to });
        }
        done(&RegisterOutput { ci: key.clone() }, live(work, &key, attributes), cis)
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        Ok(undone(work, &[REGISTERED_CI]))
    }
}

/// What a word of the CMDB's vocabulary means.
fn word<T: serde::de::DeserializeOwned>(word: &str, what: &str) -> Result<T, ActionError> {
    serde_json::from_value(Value::from(word)).map_err(|_| {
        ActionError::permanent(format!("There is no {what} `{word}`."), "Correct the blueprint's `cmdb` part.")
    })
}

/// `cmdb.confirm`
pub(crate) struct Confirm {
    pub cmdbs: Vec<Arc<dyn Cmdb>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmInput {
    /// How long to wait at most: `90s`, `5m`, `1h`.
    #[schemars(regex(pattern = r"^\d{1,5}[smh]$"))]
    within: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ConfirmOutput {
    /// CIs of the deployment that the CMDB holds.
    cis: u64,
}

#[async_trait]
impl Verb for Confirm {
    type Input = ConfirmInput;
    type Output = ConfirmOutput;

    const NAME: &'static str = "cmdb.confirm";
    const TITLE: &'static str = "Confirm in the CMDB";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Waits until every CMDB has acknowledged the deployment's CIs.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);
    const IS_OF_SITE: bool = false;

    fn intend(&self, _work: &Work, _input: &ConfirmInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: ConfirmInput) -> Result<Outcome, ActionError> {
        let deadline = deadline(work, &input.within)?;
        let mut cis = 0;
        for cmdb in &self.cmdbs {
            let registered = cmdb.registered(work.deployment).await.map_err(told)?;
            if registered.outstanding > 0 {
                return patience(work, cmdb.name(), registered.outstanding, deadline);
            }
            work.say(format!("{} holds {} CIs of this deployment.", cmdb.name(), registered.cis));
            cis = cis.max(registered.cis);
        }
        done(&ConfirmOutput { cis }, Vec::new(), Vec::new())
    }

    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}

/// Until when this step waits: counted from its first call, which it remembers.
fn deadline(work: &Work, within: &str) -> Result<DateTime<Utc>, ActionError> {
    let remembered = work.remembered.as_ref().and_then(|before| before.get("until")).cloned();
    if let Some(until) = remembered.and_then(|until| serde_json::from_value(until).ok()) {
        return Ok(until);
    }
    Ok(work.now + span(within)?)
}

fn span(text: &str) -> Result<TimeDelta, ActionError> {
    let amount = |unit: char| text.strip_suffix(unit).and_then(|number| number.parse::<u16>().ok()).map(i64::from);
    let seconds = amount('s').map(TimeDelta::seconds);
    let longer = || amount('m').map(TimeDelta::minutes).or_else(|| amount('h').map(TimeDelta::hours));
    seconds.or_else(longer).ok_or_else(|| {
        ActionError::permanent(
            format!("`{text}` is no length of time."),
            "Write it as `90s`, `5m` or `1h`, then retry.",
        )
    })
}

fn patience(work: &Work, cmdb: &str, outstanding: u64, deadline: DateTime<Utc>) -> Result<Outcome, ActionError> {
    if work.now < deadline {
        let why = format!("{cmdb} has not acknowledged {outstanding} changes yet");
        return Ok(Outcome::Wait { until: soon(work), remember: json!({ "until": deadline }), why });
    }
    Err(ActionError::permanent(
        format!("{cmdb} did not acknowledge {outstanding} changes in time."),
        "Look at the CMDB's outbox; nothing is lost. Retry when it has caught up, or skip with a reason.",
    ))
}
