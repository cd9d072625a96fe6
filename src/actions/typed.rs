//! Actions with typed input and output, behind the engine's untyped face.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::action::Signature;
use domain::ci::CiChange;
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::resource::{Intent, LedgerChange, Tie};
use engine::{Action, ActionError, Outcome, Record, Work};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// An action as this room writes it.
#[async_trait]
pub(crate) trait Verb: Send + Sync {
    type Input: DeserializeOwned + JsonSchema + Send + Sync;
    type Output: Serialize + JsonSchema;

    const NAME: &'static str;
    /// What a person reads on the run's page.
    const TITLE: &'static str;
    /// What a person reads where it is taken back.
    const UNDO_TITLE: &'static str;
    /// One sentence for authors of blueprints.
    const SUMMARY: &'static str;
    /// The outside system it calls.
    const PROVIDER: Option<&'static str>;
    /// Whether each site has a system of its own.
    const IS_OF_SITE: bool = true;

    /// The objects that `run` will make. None for an action that only looks.
    fn intend(&self, work: &Work, input: &Self::Input) -> Vec<Intent>;

    /// What objects lean on once `run` is done, where that is more than the steps before it made.
    fn ties(&self, _work: &Work, _input: &Self::Input) -> Vec<Tie> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: Self::Input) -> Result<Outcome, ActionError>;

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError>;

    fn signature() -> Signature {
        Signature {
            name: Self::NAME,
            title: Self::TITLE,
            undo_title: Self::UNDO_TITLE,
            summary: Self::SUMMARY,
            input: schemars::schema_for!(Self::Input).to_value(),
            output: schemars::schema_for!(Self::Output).to_value(),
            provider: Self::PROVIDER,
            is_of_site: Self::IS_OF_SITE,
        }
    }
}

/// A [`Verb`] as the engine sees it.
pub(crate) struct Typed<V>(pub V);

impl<V: Verb> Typed<V> {
    fn input(work: &Work) -> Result<V::Input, ActionError> {
        serde_json::from_value(work.input.clone()).map_err(|error| {
            ActionError::permanent(
                format!("The input of {} does not fit: {error}.", V::NAME),
                "Correct the input and retry the step.",
            )
        })
    }
}

#[async_trait]
impl<V: Verb> Action for Typed<V> {
    fn signature(&self) -> Signature {
        V::signature()
    }

    fn intend(&self, work: &Work) -> Result<Vec<Intent>, ActionError> {
        Ok(self.0.intend(work, &Self::input(work)?))
    }

    fn ties(&self, work: &Work) -> Result<Vec<Tie>, ActionError> {
        Ok(self.0.ties(work, &Self::input(work)?))
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.0.run(work, Self::input(work)?).await
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        self.0.undo(work).await
    }
}

/// What an outside system said, as the engine understands it. Only the transient is worth another try.
pub(crate) fn told(error: ProviderError) -> ActionError {
    match error.kind {
        ProviderErrorKind::Transient => ActionError::away(error.what, error.next),
        _ => ActionError::permanent(error.what, error.next),
    }
}

/// A finished step.
pub(crate) fn done(
    output: &impl Serialize,
    ledger: Vec<LedgerChange>,
    cis: Vec<CiChange>,
) -> Result<Outcome, ActionError> {
    let output = serde_json::to_value(output).map_err(|error| ActionError::bug(error.to_string()))?;
    Ok(Outcome::Done(Record { output, ledger, cis, notices: Vec::new() }))
}

/// When to look again at something whose end can't be foreseen.
pub(crate) fn soon(work: &Work) -> DateTime<Utc> {
    work.now + LOOK_AGAIN
}

/// An undo after which the object with the step's key is gone, with these CIs of it.
pub(crate) fn undone(work: &Work, ci_parts: &[&str]) -> Outcome {
    let keys = work.ledger.iter().map(|row| row.key.clone());
    let ledger = keys.map(|key| LedgerChange::Gone { key }).collect();
    let cis = ci_parts.iter().map(|part| CiChange::Retire { key: ci_key(work, part) }).collect();
    Outcome::Done(Record { ledger, cis, ..Record::default() })
}

/// An undo of a step that left nothing.
pub(crate) fn nothing_to_undo() -> Outcome {
    Outcome::Done(Record::default())
}

/// The one ledger row of a step that makes one object.
pub(crate) fn one_intent(work: &Work, kind: &str, provider: &str, name: &str) -> Vec<Intent> {
    vec![Intent { key: work.key.clone(), kind: kind.into(), provider: provider.into(), name: name.into() }]
}

/// The step's object exists.
pub(crate) fn live(work: &Work, native_id: &str, attributes: Value) -> Vec<LedgerChange> {
    vec![LedgerChange::Live { key: work.key.clone(), native_id: native_id.to_owned(), attributes }]
}

/// The key of a CI that describes a part of the step's object.
pub(crate) fn ci_key(work: &Work, part: &str) -> String {
    format!("{}/{part}", work.key)
}

/// The key of the object that this CI describes a part of.
pub(crate) fn object_key(ci: &str) -> &str {
    ci.rsplit_once('/').map_or(ci, |(object, _)| object)
}

/// The members of a JSON object; nothing for any other value.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What a step that waits remembers: the object it saw last.
pub(crate) fn seen(id: &str) -> Value {
    json!({ "id": id })
}
