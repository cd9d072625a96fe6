//! Container spaces: a project's share of the container hosts, with its quota.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass};
use domain::ports::spaces::{Space, SpaceOrder, SpaceQuota, Spaces};
use domain::resource::{Intent, LedgerChange};
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::typed::{Verb, ci_key, done, live, nothing_to_undo, object, one_intent, told, undone};

const PROVIDER: &str = "spaces";
const SPACE_CI: &str = "space";

/// What a space may use at most.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Quota {
    /// Processors.
    #[schemars(range(min = 1, max = 1024))]
    cpu: u32,
    #[schemars(range(min = 1, max = 16384))]
    memory_gb: u32,
    #[schemars(range(min = 1, max = 10000))]
    containers: u32,
    #[schemars(range(min = 1, max = 1048576))]
    storage_gb: u32,
}

impl From<&Quota> for SpaceQuota {
    fn from(quota: &Quota) -> Self {
        Self { cpu: quota.cpu, memory_gb: quota.memory_gb, containers: quota.containers, storage_gb: quota.storage_gb }
    }
}

/// `space.create`
pub(crate) struct Create {
    pub spaces: Arc<dyn Spaces>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateInput {
    organisation: String,
    project: String,
    /// The space's name within its project.
    name: String,
    quota: Quota,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SpaceOutput {
    /// The space's id on its platform.
    id: String,
    name: String,
    /// Where its developers reach it.
    endpoint: String,
    /// Idempotency key of the space, for `space.quota`.
    key: String,
    /// Key of the space's CI.
    ci: String,
}

#[async_trait]
impl Verb for Create {
    type Input = CreateInput;
    type Output = SpaceOutput;

    const NAME: &'static str = "space.create";
    const TITLE: &'static str = "Create space";
    const UNDO_TITLE: &'static str = "Close space";
    const SUMMARY: &'static str = "Opens a container space with a quota for a project.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, work: &Work, input: &CreateInput) -> Vec<Intent> {
        one_intent(work, "space", PROVIDER, &input.name)
    }

    async fn run(&self, work: &Work, input: CreateInput) -> Result<Outcome, ActionError> {
        let order = SpaceOrder {
            quota: SpaceQuota::from(&input.quota),
            organisation: input.organisation,
            project: input.project,
            name: input.name,
        };
        let space = match self.spaces.find(&work.key).await.map_err(told)? {
            Some(space) => space,
            None => self.spaces.create(&work.key, &order).await.map_err(told)?,
        };
        work.say(format!("Space {} is reached at {}.", space.name, space.endpoint));
        let ci = ci_key(work, SPACE_CI);
        let ledger = live(work, &space.id, recorded(&space));
        let declared = described(&space, &ci);
        done(&output(space, work.key.clone(), ci), ledger, vec![declared])
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        if let Some(space) = self.spaces.find(&work.key).await.map_err(told)? {
            work.say(format!("Closing space {}.", space.name));
            self.spaces.delete(&space.id, &work.key).await.map_err(told)?;
        }
        Ok(undone(work, &[SPACE_CI]))
    }
}

/// `space.quota`
pub(crate) struct SetQuota {
    pub spaces: Arc<dyn Spaces>,
}

/// A space as `space.create` returned it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct SpaceReference {
    id: String,
    key: String,
    ci: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetQuotaInput {
    /// What `space.create` returned.
    space: SpaceReference,
    quota: Quota,
}

#[async_trait]
impl Verb for SetQuota {
    type Input = SetQuotaInput;
    type Output = SpaceOutput;

    const NAME: &'static str = "space.quota";
    const TITLE: &'static str = "Set space quota";
    const UNDO_TITLE: &'static str = "Leave as it is";
    const SUMMARY: &'static str = "Changes what a container space may use.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, _work: &Work, _input: &SetQuotaInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: SetQuotaInput) -> Result<Outcome, ActionError> {
        let quota = SpaceQuota::from(&input.quota);
        let SpaceReference { id, key, ci } = input.space;
        let space = self.spaces.set_quota(&id, &key, quota).await.map_err(told)?;
        work.say(format!("Space {} may use {} CPU and {} GB of memory.", space.name, quota.cpu, quota.memory_gb));
        let ledger = vec![LedgerChange::Live { key: key.clone(), native_id: id, attributes: recorded(&space) }];
        let declared = described(&space, &ci);
        done(&output(space, key, ci), ledger, vec![declared])
    }

    /// A quota that was changed is not taken back by itself: what runs may need it by now.
    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}

fn output(space: Space, key: String, ci: String) -> SpaceOutput {
    SpaceOutput { id: space.id, name: space.name, endpoint: space.endpoint, key, ci }
}

fn recorded(space: &Space) -> Value {
    json!({ "endpoint": space.endpoint, "host_pool": space.host_pool, "quota": space.quota })
}

fn described(space: &Space, ci: &str) -> CiChange {
    let SpaceQuota { cpu, memory_gb, containers, storage_gb } = space.quota;
    let attributes: Map<String, Value> = object(json!({
        "cpu": cpu, "memory_gb": memory_gb, "containers": containers, "storage_gb": storage_gb,
        "endpoint": space.endpoint, "host_pool": space.host_pool,
    }));
    let name = format!("{} / {} / {}", space.organisation, space.project, space.name);
    CiChange::Declare { key: ci.to_owned(), class: CiClass::ContainerSpace, name, attributes }
}
