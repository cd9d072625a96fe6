//! Names: a host name with its address, held before the machine that will bear it is built.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ports::names::Names;
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::typed::{Verb, done, live, one_intent, told, undone};

const PROVIDER: &str = "names";

/// `naming.reserve`
pub(crate) struct Reserve {
    pub names: Arc<dyn Names>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReserveInput {
    /// The name, in which `{n}` stands for the first free number.
    pattern: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ReserveOutput {
    /// The short host name.
    name: String,
    /// The name with its domain.
    fqdn: String,
    /// The IPv4 address that the name stands for.
    address: String,
}

#[async_trait]
impl Verb for Reserve {
    type Input = ReserveInput;
    type Output = ReserveOutput;

    const NAME: &'static str = "naming.reserve";
    const TITLE: &'static str = "Reserve name";
    const UNDO_TITLE: &'static str = "Release name";
    const SUMMARY: &'static str = "Holds a free host name and an address for a machine.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, work: &Work, input: &ReserveInput) -> Vec<Intent> {
        one_intent(work, "name", PROVIDER, &input.pattern)
    }

    async fn run(&self, work: &Work, input: ReserveInput) -> Result<Outcome, ActionError> {
        let held = match self.names.find(&work.key).await.map_err(told)? {
            Some(held) => held,
            None => {
                let wanted = self.wanted(work, &input.pattern).await;
                self.names.reserve(&work.key, &wanted).await.map_err(told)?
            }
        };
        work.say(format!("Reserved {} with address {}.", held.fqdn, held.address));
        let attributes = json!({ "name": held.name, "fqdn": held.fqdn, "address": held.address });
        let output = ReserveOutput { name: held.name, fqdn: held.fqdn, address: held.address };
        done(&output, live(work, &held.id, attributes), Vec::new())
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        if let Some(held) = self.names.find(&work.key).await.map_err(told)? {
            work.say(format!("Releasing {} and its address {}.", held.fqdn, held.address));
            self.names.release(&held.id, &work.key).await.map_err(told)?;
        }
        Ok(undone(work, &[]))
    }
}

impl Reserve {
    /// The name with the step's own number, as the plan promised it; the pattern itself when that name is taken.
    async fn wanted(&self, work: &Work, pattern: &str) -> String {
        let Some(number) = number(&work.step_key) else { return pattern.to_owned() };
        let promised = pattern.replace("{n}", number);
        if self.names.preview(&promised, 1).await.is_ok() { promised } else { pattern.to_owned() }
    }
}

/// The number in a step's key: `2` of `name[2]`.
fn number(step_key: &str) -> Option<&str> {
    step_key.split_once('[')?.1.strip_suffix(']')
}
