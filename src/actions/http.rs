//! Looking at a service over HTTP, as its users will.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ports::probe::{Probe, ProbeAnswer};
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::typed::{Verb, done, nothing_to_undo, told};

/// `http.check`
pub(crate) struct Check {
    pub probe: Arc<dyn Probe>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckInput {
    /// The address to fetch.
    url: String,
    /// The status that proves the service.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    expect: u16,
}

fn ok() -> u16 {
    200
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CheckOutput {
    status: u16,
    /// How long the answer took.
    millis: u64,
}

#[async_trait]
impl Verb for Check {
    type Input = CheckInput;
    type Output = CheckOutput;

    const NAME: &'static str = "http.check";
    const TITLE: &'static str = "Check service";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Fetches an address and expects a status.";
    const PROVIDER: Option<&'static str> = Some("probe");

    fn intend(&self, _work: &Work, _input: &CheckInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: CheckInput) -> Result<Outcome, ActionError> {
        let ProbeAnswer { status, millis } = self.probe.get(&input.url).await.map_err(told)?;
        work.say(format!("{} answered {status} in {millis} ms.", input.url));
        if status == input.expect {
            return done(&CheckOutput { status, millis }, Vec::new(), Vec::new());
        }
        let what = format!("{} answered {status}, expected was {}.", input.url, input.expect);
        // A server error may pass while the service warms up; any other answer is its last word.
        if status >= 500 {
            return Err(ActionError::transient(
                what,
                "Look at the members behind the address; it is asked again soon.",
            ));
        }
        Err(ActionError::permanent(what, "Correct the address or the expected status and retry."))
    }

    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}
