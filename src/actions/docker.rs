//! Docker engines: asks the engine on a machine who it is, so that its containers can be watched from then on.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass};
use domain::ports::container_host::ContainerHost;
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::typed::{Verb, done, nothing_to_undo, object, told};

/// `docker.engine`
pub(crate) struct Engine {
    pub hosts: Arc<dyn ContainerHost>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineInput {
    /// The machine's FQDN.
    fqdn: String,
    /// Key of the container engine's CI: `ci` of `puppet.apply` with the role `docker`.
    engine: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct EngineOutput {
    /// Where the engine is reached, `tcp://…:2376`.
    endpoint: String,
    version: String,
    api_version: String,
    /// Key of the container engine's CI.
    ci: String,
}

#[async_trait]
impl Verb for Engine {
    type Input = EngineInput;
    type Output = EngineOutput;

    const NAME: &'static str = "docker.engine";
    const TITLE: &'static str = "Meet container engine";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Asks the container engine on a machine for its version and endpoint.";
    const PROVIDER: Option<&'static str> = Some("container-host");

    fn intend(&self, _work: &Work, _input: &EngineInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: EngineInput) -> Result<Outcome, ActionError> {
        let engine = self.hosts.engine(&input.fqdn).await.map_err(told)?;
        work.say(format!("Engine {} answers at {}.", engine.version, engine.endpoint));
        let attributes = object(json!({
            "version": engine.version, "address": engine.endpoint, "fqdn": input.fqdn, "engine_id": engine.id,
        }));
        let declared = CiChange::Declare {
            key: input.engine.clone(),
            class: CiClass::ContainerEngine,
            name: format!("Docker Engine on {}", input.fqdn),
            attributes,
        };
        let output = EngineOutput {
            endpoint: engine.endpoint,
            version: engine.version,
            api_version: engine.api_version,
            ci: input.engine,
        };
        done(&output, Vec::new(), vec![declared])
    }

    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}
