//! Load balancer pools: one address in front of several machines, and their membership changed in place.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass, Relation};
use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, Pool, PoolMember, PoolOrder};
use domain::resource::{Intent, LedgerChange};
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::typed::{Verb, ci_key, done, live, nothing_to_undo, object, one_intent, soon, told, undone};

const PROVIDER: &str = "balancer";
const POOL_CI: &str = "pool";

/// A machine that becomes a member: what `machine.create` returns.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
pub(crate) struct Member {
    name: String,
    /// IPv4 address.
    address: String,
    /// Key of the server's CI.
    ci: String,
}

/// `balancer.pool`
pub(crate) struct CreatePool {
    pub balancer: Arc<dyn Balancer>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreatePoolInput {
    name: String,
    /// The machines behind the pool: the list that a fanned-out `machine.create` returns.
    #[schemars(length(min = 1))]
    members: Vec<Member>,
    /// The port on the members, which is also the port of the pool.
    port: u16,
    /// The health check, `GET /`.
    check: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CreatePoolOutput {
    /// The pool's id on the balancer.
    id: String,
    name: String,
    /// The address under which the pool answers.
    address: String,
    port: u16,
    /// What a browser opens.
    url: String,
    members: Vec<Member>,
    /// Idempotency key of the pool, for `balancer.members`.
    key: String,
    /// Key of the load balancer service's CI.
    ci: String,
}

#[async_trait]
impl Verb for CreatePool {
    type Input = CreatePoolInput;
    type Output = CreatePoolOutput;

    const NAME: &'static str = "balancer.pool";
    const TITLE: &'static str = "Create pool";
    const SUMMARY: &'static str = "Puts one address in front of several machines.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, work: &Work, input: &CreatePoolInput) -> Vec<Intent> {
        one_intent(work, "pool", PROVIDER, &input.name)
    }

    async fn run(&self, work: &Work, input: CreatePoolInput) -> Result<Outcome, ActionError> {
        let pool = match self.balancer.find(&work.key).await.map_err(told)? {
            Some(pool) => pool,
            None => self.make(work, &input).await?,
        };
        let output = CreatePoolOutput {
            id: pool.id.clone(),
            name: pool.name.clone(),
            address: pool.address.clone(),
            port: pool.port,
            url: url(&pool),
            members: input.members,
            key: work.key.clone(),
            ci: ci_key(work, POOL_CI),
        };
        let attributes = recorded(&pool, &output.members);
        let cis = described(&pool, &work.key, &output.ci, &output.members);
        done(&output, live(work, &pool.id, attributes), cis)
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        if let Some(pool) = self.balancer.find(&work.key).await.map_err(told)? {
            work.say(format!("Removing pool {} and its address {}.", pool.name, pool.address));
            self.balancer.delete(&pool.id, &work.key).await.map_err(told)?;
        }
        let mut outcome = undone(work, &[POOL_CI]);
        if let Outcome::Done(record) = &mut outcome {
            let members = work.ledger.iter().flat_map(|row| recorded_members(&row.attributes));
            record.cis.extend(members.map(|name| CiChange::Retire { key: member_ci(&work.key, &name) }));
        }
        Ok(outcome)
    }
}

impl CreatePool {
    async fn make(&self, work: &Work, input: &CreatePoolInput) -> Result<Pool, ActionError> {
        let order = PoolOrder {
            name: input.name.clone(),
            port: input.port,
            check: input.check.clone(),
            members: orders(&input.members),
        };
        let pool = self.balancer.create(&work.key, &order).await.map_err(told)?;
        let names: Vec<&str> = input.members.iter().map(|member| member.name.as_str()).collect();
        work.say(format!("Pool {} answers at {} for {}.", pool.name, url(&pool), names.join(", ")));
        Ok(pool)
    }
}

/// `balancer.members`
pub(crate) struct SetMembers {
    pub balancer: Arc<dyn Balancer>,
}

/// A pool as `balancer.pool` returned it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct PoolReference {
    id: String,
    key: String,
    ci: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetMembersInput {
    /// What `balancer.pool` returned.
    pool: PoolReference,
    /// All machines that shall be behind the pool from now on.
    #[schemars(length(min = 1))]
    members: Vec<Member>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SetMembersOutput {
    /// The pool's id on the balancer.
    id: String,
    url: String,
    members: Vec<Member>,
    ci: String,
}

#[async_trait]
impl Verb for SetMembers {
    type Input = SetMembersInput;
    type Output = SetMembersOutput;

    const NAME: &'static str = "balancer.members";
    const TITLE: &'static str = "Set pool members";
    const SUMMARY: &'static str = "Makes these machines the members of a pool; those that leave drain first.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, _work: &Work, _input: &SetMembersInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: SetMembersInput) -> Result<Outcome, ActionError> {
        let before = self.balancer.describe(&input.pool.id).await.map_err(told)?;
        let left = left_by_now(work, &before, &input.members);
        let pool = if serves_only(&before, &input.members) { before } else { self.change(work, &input).await? };
        if pool.members.iter().any(is_draining) {
            let why = format!("{} end their last connections", left.join(", "));
            return Ok(Outcome::Wait { until: soon(work), remember: json!({ "left": left }), why });
        }
        let attributes = recorded(&pool, &input.members);
        let ledger = vec![LedgerChange::Live { key: input.pool.key.clone(), native_id: pool.id.clone(), attributes }];
        let retired = left.iter().map(|name| CiChange::Retire { key: member_ci(&input.pool.key, name) });
        let mut cis: Vec<CiChange> = retired.collect();
        cis.extend(membership(&input.pool.key, &input.pool.ci, &input.members));
        let url = url(&pool);
        done(&SetMembersOutput { id: pool.id, url, members: input.members, ci: input.pool.ci }, ledger, cis)
    }

    /// Nothing is put back: who was a member before is no longer known to be fit to serve.
    async fn undo(&self, _work: &Work) -> Result<Outcome, ActionError> {
        Ok(nothing_to_undo())
    }
}

impl SetMembers {
    async fn change(&self, work: &Work, input: &SetMembersInput) -> Result<Pool, ActionError> {
        let wanted = orders(&input.members);
        let pool = self.balancer.set_members(&input.pool.id, &input.pool.key, &wanted).await.map_err(told)?;
        let names: Vec<&str> = input.members.iter().map(|member| member.name.as_str()).collect();
        work.say(format!("Pool {} now sends to {}.", pool.name, names.join(", ")));
        Ok(pool)
    }
}

fn orders(members: &[Member]) -> Vec<MemberOrder> {
    members.iter().map(|member| MemberOrder { name: member.name.clone(), address: member.address.clone() }).collect()
}

fn url(pool: &Pool) -> String {
    format!("http://{}:{}/", pool.address, pool.port)
}

fn is_draining(member: &PoolMember) -> bool {
    member.health == MemberHealth::Draining
}

/// Whether exactly these machines get new connections.
fn serves_only(pool: &Pool, wanted: &[Member]) -> bool {
    let serving: BTreeSet<&str> =
        pool.members.iter().filter(|member| !is_draining(member)).map(|member| member.name.as_str()).collect();
    serving == wanted.iter().map(|member| member.name.as_str()).collect()
}

/// Names of the members that leave or have left since this step first looked.
fn left_by_now(work: &Work, pool: &Pool, wanted: &[Member]) -> Vec<String> {
    let remembered = work.remembered.as_ref().and_then(|before| before.get("left")).and_then(Value::as_array);
    let mut left: BTreeSet<String> =
        remembered.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let stays = |name: &str| wanted.iter().any(|member| member.name == name);
    left.extend(pool.members.iter().map(|member| member.name.clone()).filter(|name| !stays(name)));
    left.into_iter().collect()
}

/// What the ledger keeps of a pool.
fn recorded(pool: &Pool, members: &[Member]) -> Value {
    json!({
        "address": pool.address, "port": pool.port, "url": url(pool), "check": pool.check, "members": members,
    })
}

/// Names of the members that the ledger knows.
fn recorded_members(attributes: &Value) -> Vec<String> {
    let members = attributes.get("members").and_then(Value::as_array);
    members.into_iter().flatten().filter_map(|member| member["name"].as_str()).map(str::to_owned).collect()
}

fn member_ci(pool_key: &str, member: &str) -> String {
    format!("{pool_key}/member/{member}")
}

/// The load balancer service with its members.
fn described(pool: &Pool, pool_key: &str, pool_ci: &str, members: &[Member]) -> Vec<CiChange> {
    let attributes = json!({ "url": url(pool), "address": pool.address, "port": pool.port, "check": pool.check });
    let service = CiChange::Declare {
        key: pool_ci.to_owned(),
        class: CiClass::LoadBalancerService,
        name: pool.name.clone(),
        attributes: object(attributes),
    };
    std::iter::once(service).chain(membership(pool_key, pool_ci, members)).collect()
}

/// Each member belongs to the service and stands or falls with its server.
fn membership(pool_key: &str, pool_ci: &str, members: &[Member]) -> Vec<CiChange> {
    let one = |member: &Member| {
        let key = member_ci(pool_key, &member.name);
        let attributes = object(json!({ "address": member.address }));
        [
            CiChange::Declare { key: key.clone(), class: CiClass::PoolMember, name: member.name.clone(), attributes },
            CiChange::Relate { from: key.clone(), relation: Relation::MemberOf, to: pool_ci.to_owned() },
            CiChange::Relate { from: key, relation: Relation::DependsOn, to: member.ci.clone() },
        ]
    };
    members.iter().flat_map(one).collect()
}
