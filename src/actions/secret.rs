//! Secrets: made and sealed for a deployment. A step holds no more than the reference; what it stands for goes to the
//! deployment's people, once, and to its machines.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::blueprint::Period;
use domain::moment::written;
use domain::ports::secrets::{SecretOrder, Secrets};
use domain::resource::Intent;
use domain::secret::{Handover, SecretReference};
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::typed::{Verb, done, live, nothing_to_undo, one_intent, told, undone};

const PROVIDER: &str = "secrets";

/// `secret.generate`
pub(crate) struct Generate {
    pub secrets: Arc<dyn Secrets>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GenerateInput {
    /// What people call it, `Database password`.
    #[schemars(length(min = 1, max = 80))]
    title: String,
    /// How long the deployment's people may take it: `7d`, `12h`.
    #[serde(default = "usual")]
    #[schemars(regex(pattern = r"^[1-9]\d{0,2}[hd]$"))]
    hand_over_within: String,
}

fn usual() -> String {
    "7d".to_owned()
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct GenerateOutput {
    /// Stands for the secret in the facts of `puppet.apply`: `secret:…`.
    reference: String,
    /// What people call it.
    name: String,
    /// Its idempotency key, for `secret.renew`.
    key: String,
}

#[async_trait]
impl Verb for Generate {
    type Input = GenerateInput;
    type Output = GenerateOutput;

    const NAME: &'static str = "secret.generate";
    const TITLE: &'static str = "Make secret";
    const UNDO_TITLE: &'static str = "Delete secret";
    const SUMMARY: &'static str = "Makes a password that is kept sealed, and shown to the deployment's people once.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);
    const IS_OF_SITE: bool = false;

    fn intend(&self, work: &Work, input: &GenerateInput) -> Vec<Intent> {
        one_intent(work, "secret", PROVIDER, &input.title)
    }

    async fn run(&self, work: &Work, input: GenerateInput) -> Result<Outcome, ActionError> {
        let kept = make(&self.secrets, work, work.key.clone(), None, input.title, &input.hand_over_within).await?;
        let attributes = json!({ "until": kept.until });
        let reference = SecretReference(kept.id).to_string();
        let output = GenerateOutput { reference, name: kept.name, key: work.key.clone() };
        done(&output, live(work, &kept.id.to_string(), attributes), Vec::new())
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.secrets.forget(&work.key).await.map_err(told)?;
        Ok(undone(work, &[]))
    }
}

/// `secret.renew`
pub(crate) struct Renew {
    pub secrets: Arc<dyn Secrets>,
}

/// A secret as `secret.generate` returned it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SecretKept {
    key: String,
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RenewInput {
    /// What `secret.generate` returned.
    secret: SecretKept,
    /// How long the deployment's people may take the new one: `7d`, `12h`.
    #[serde(default = "usual")]
    #[schemars(regex(pattern = r"^[1-9]\d{0,2}[hd]$"))]
    hand_over_within: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RenewOutput {
    /// Stands for the new secret in the facts of `puppet.change`: `secret:…`.
    reference: String,
    /// What people call it.
    name: String,
}

#[async_trait]
impl Verb for Renew {
    type Input = RenewInput;
    type Output = RenewOutput;

    const NAME: &'static str = "secret.renew";
    const TITLE: &'static str = "Make new secret";
    const UNDO_TITLE: &'static str = "Delete new secret";
    const SUMMARY: &'static str = "Makes another password in the place of one; taken back, that one stands again.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);
    const IS_OF_SITE: bool = false;

    /// The secret stands in the ledger already: it goes with whatever took its place.
    fn intend(&self, _work: &Work, _input: &RenewInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: RenewInput) -> Result<Outcome, ActionError> {
        let SecretKept { key, name } = input.secret;
        let kept = make(&self.secrets, work, own_key(work), Some(key), name, &input.hand_over_within).await?;
        let output = RenewOutput { reference: SecretReference(kept.id).to_string(), name: kept.name };
        done(&output, Vec::new(), Vec::new())
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.secrets.forget(&own_key(work)).await.map_err(told)?;
        Ok(nothing_to_undo())
    }
}

/// Each run that renews a secret makes one of its own.
fn own_key(work: &Work) -> String {
    format!("{}/{}", work.key, work.run)
}

async fn make(
    secrets: &Arc<dyn Secrets>,
    work: &Work,
    key: String,
    renews: Option<String>,
    name: String,
    within: &str,
) -> Result<Handover, ActionError> {
    let period = Period::parse(within).ok_or_else(|| no_period(within))?;
    let order = SecretOrder {
        key,
        renews,
        run: work.run,
        deployment: work.deployment,
        project: work.project,
        name,
        until: work.now + TimeDelta::seconds(period.seconds.into()),
    };
    let kept = secrets.generate(&order).await.map_err(told)?;
    let until = written(kept.until);
    work.say(format!("{} is sealed. Until {until} it can be taken once, on the deployment's page.", kept.name));
    Ok(kept)
}

fn no_period(text: &str) -> ActionError {
    ActionError::permanent(
        format!("`{text}` is no length of time."),
        "Write it as `7d` or `12h` in the blueprint, then retry.",
    )
}
