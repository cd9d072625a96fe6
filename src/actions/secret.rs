//! Secrets: made and sealed for a deployment. A step holds no more than the reference; what it stands for goes to the
//! deployment's people, once, and to its machines.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::blueprint::Period;
use domain::moment::written;
use domain::ports::secrets::{SecretOrder, Secrets};
use domain::resource::Intent;
use domain::secret::SecretReference;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::typed::{Verb, done, live, one_intent, told, undone};

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
        let within = Period::parse(&input.hand_over_within).ok_or_else(|| no_period(&input.hand_over_within))?;
        let order = SecretOrder {
            key: work.key.clone(),
            run: work.run,
            deployment: work.deployment,
            project: work.project,
            name: input.title,
            until: work.now + TimeDelta::seconds(within.seconds.into()),
        };
        let kept = self.secrets.generate(&order).await.map_err(told)?;
        let until = written(kept.until);
        work.say(format!("{} is sealed. Until {until} it can be taken once, on the deployment's page.", kept.name));
        let attributes = json!({ "until": kept.until });
        let output = GenerateOutput { reference: SecretReference(kept.id).to_string(), name: kept.name };
        done(&output, live(work, &kept.id.to_string(), attributes), Vec::new())
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.secrets.forget(&work.key).await.map_err(told)?;
        Ok(undone(work, &[]))
    }
}

fn no_period(text: &str) -> ActionError {
    ActionError::permanent(
        format!("`{text}` is no length of time."),
        "Write it as `7d` or `12h` in the blueprint, then retry.",
    )
}
