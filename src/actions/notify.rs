//! Telling people by mail how a run goes. The mail commits with the step, so that it goes out once.

use async_trait::async_trait;
use domain::mail::{Notice, Recipients};
use domain::resource::Intent;
use engine::{ActionError, Outcome, Record, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::typed::{Verb, nothing_to_undo};

/// `notify.send`
pub(crate) struct Send;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendInput {
    /// `requester`, `person:mail`, or `group:name` for the members of a group; as far as they may see the project.
    to: String,
    /// The subject of the mail, on one line.
    #[schemars(length(min = 1, max = 200))]
    subject: String,
    /// What the mail says; each line is a paragraph. A way to the deployment follows.
    #[schemars(length(min = 1, max = 4000))]
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SendOutput {
    /// Who was told, as the blueprint says it.
    to: String,
}

#[async_trait]
impl Verb for Send {
    type Input = SendInput;
    type Output = SendOutput;

    const NAME: &'static str = "notify.send";
    const TITLE: &'static str = "Tell people";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Sends a mail to who ordered, or to a group.";
    const PROVIDER: Option<&'static str> = None;

    fn intend(&self, _work: &Work, _input: &SendInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, _work: &Work, input: SendInput) -> Result<Outcome, ActionError> {
        let Some(to) = Recipients::parse(&input.to) else {
            return Err(ActionError::permanent(
                format!("`{}` is nobody that can be told.", input.to),
                "Write `requester`, `group:` with the name of a group, or `person:` with a mail address, then retry.",
            ));
        };
        let notices = vec![Notice { to, subject: input.subject, text: input.text }];
        Ok(Outcome::Done(Record { output: json!(SendOutput { to: input.to }), notices, ..Record::default() }))
    }

    /// What was said is not unsaid.
    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}
