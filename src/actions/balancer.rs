//! Load balancer pools: one address in front of several machines, and their membership changed in place.

mod rotation;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use domain::ci::{CiChange, CiClass, Relation};
use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, Pool, PoolMember, PoolOrder};
use domain::resource::{Intent, LedgerChange, Tie};
use engine::{ActionError, Outcome, Record, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::typed::{Verb, ci_key, done, live, nothing_to_undo, object, object_key, one_intent, soon, told, undone};

pub(crate) use rotation::{Drain, Serve};

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
    const UNDO_TITLE: &'static str = "Remove pool";
    const SUMMARY: &'static str = "Puts one address in front of several machines.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, work: &Work, input: &CreatePoolInput) -> Vec<Intent> {
        one_intent(work, "pool", PROVIDER, &input.name)
    }

    fn ties(&self, work: &Work, input: &CreatePoolInput) -> Vec<Tie> {
        vec![sending_to(&work.key, &input.members)]
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
    /// Names of the members that were not behind the pool before.
    joined: Vec<String>,
    ci: String,
}

/// Names of the members that a step moves; remembered before the first move, so that a crash forgets none.
#[derive(Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Moves {
    joined: BTreeSet<String>,
    left: BTreeSet<String>,
}

#[async_trait]
impl Verb for SetMembers {
    type Input = SetMembersInput;
    type Output = SetMembersOutput;

    const NAME: &'static str = "balancer.members";
    const TITLE: &'static str = "Set pool members";
    const UNDO_TITLE: &'static str = "Take out of pool";
    const SUMMARY: &'static str = "Makes these machines the members of a pool; those that leave drain first.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, _work: &Work, _input: &SetMembersInput) -> Vec<Intent> {
        Vec::new()
    }

    fn ties(&self, _work: &Work, input: &SetMembersInput) -> Vec<Tie> {
        vec![sending_to(&input.pool.key, &input.members)]
    }

    async fn run(&self, work: &Work, input: SetMembersInput) -> Result<Outcome, ActionError> {
        let before = self.balancer.describe(&input.pool.id).await.map_err(told)?;
        let known = Moves::remembered(work);
        let moves = known.so_far(&before, &input.members);
        let changes = !serves_only(&before, &input.members);
        if changes && moves != known {
            return Ok(Outcome::Wait { until: work.now, remember: json!(moves), why: moves.announced() });
        }
        let pool = if changes { self.change(work, &input).await? } else { before };
        if pool.members.iter().any(is_draining) {
            return Ok(drains(work, &moves, &moves.left));
        }
        let attributes = recorded(&pool, &input.members);
        let ledger = vec![LedgerChange::Live { key: input.pool.key.clone(), native_id: pool.id.clone(), attributes }];
        let mut cis = retired(&input.pool.key, &moves.left);
        cis.extend(membership(&input.pool.key, &input.pool.ci, &input.members));
        let (url, joined) = (url(&pool), moves.joined.into_iter().collect());
        done(&SetMembersOutput { id: pool.id, url, members: input.members, joined, ci: input.pool.ci }, ledger, cis)
    }

    /// Those that joined leave again. Those that left are not put back: nobody knows whether they are fit to serve.
    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        // A step whose input does not fit was never carried out.
        let Ok(input) = serde_json::from_value::<SetMembersInput>(work.input.clone()) else {
            return Ok(nothing_to_undo());
        };
        let joined = Moves::made(work).joined;
        let found = self.balancer.find(&input.pool.key).await.map_err(told)?;
        let Some(before) = found.filter(|_| !joined.is_empty()) else { return Ok(nothing_to_undo()) };
        let serves = |member: &&PoolMember| !is_draining(member);
        let pool = if before.members.iter().filter(serves).any(|member| joined.contains(&member.name)) {
            self.without(work, &before, &joined).await?
        } else {
            before
        };
        if pool.members.iter().any(|member| joined.contains(&member.name)) {
            return Ok(drains(work, &Moves { joined: joined.clone(), ..Moves::default() }, &joined));
        }
        let stays = |member: &Member| pool.members.iter().any(|present| present.name == member.name);
        let members: Vec<Member> = input.members.into_iter().filter(stays).collect();
        let attributes = recorded(&pool, &members);
        let key = input.pool.key;
        let cis = retired(&key, &joined);
        let ledger = vec![LedgerChange::Live { key, native_id: pool.id, attributes }];
        Ok(Outcome::Done(Record { ledger, cis, ..Record::default() }))
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

    /// The pool with the members that it has, but for these.
    async fn without(&self, work: &Work, pool: &Pool, leaving: &BTreeSet<String>) -> Result<Pool, ActionError> {
        let stays = |member: &&PoolMember| !is_draining(member) && !leaving.contains(&member.name);
        let order = |member: &PoolMember| MemberOrder { name: member.name.clone(), address: member.address.clone() };
        let staying: Vec<MemberOrder> = pool.members.iter().filter(stays).map(order).collect();
        let pool = self.balancer.set_members(&pool.id, &pool.key, &staying).await.map_err(told)?;
        work.say(format!("Pool {} no longer sends to {}.", pool.name, listed(leaving)));
        Ok(pool)
    }
}

impl Moves {
    /// What this step remembers of its moves, in this try or an earlier one.
    fn remembered(work: &Work) -> Self {
        work.remembered.as_ref().or(work.remembered_before.as_ref()).map(Self::read).unwrap_or_default()
    }

    /// The moves of a step that may have been done, or have stopped on its way.
    fn made(work: &Work) -> Self {
        let mut made = Self::remembered(work);
        made.joined.extend(work.output.as_ref().map(Self::read).unwrap_or_default().joined);
        made
    }

    fn read(told: &Value) -> Self {
        serde_json::from_value(told.clone()).unwrap_or_default()
    }

    /// With what is still to move, so that the pool serves only these. Who left in an earlier try and comes again has
    /// not joined: he was there before the step.
    fn so_far(&self, pool: &Pool, wanted: &[Member]) -> Self {
        let stays = |name: &str| wanted.iter().any(|member| member.name == name);
        let serves = |name: &str| pool.members.iter().any(|member| member.name == name && !is_draining(member));
        let leaving = pool.members.iter().map(|member| &member.name).filter(|name| !stays(name));
        let returns = |name: &&String| self.left.contains(*name) && !self.joined.contains(*name);
        let joining = wanted.iter().map(|member| &member.name).filter(|name| !serves(name) && !returns(name));
        Self {
            joined: self.joined.iter().chain(joining).cloned().collect(),
            left: self.left.iter().chain(leaving).cloned().collect(),
        }
    }

    /// What is about to happen, for people.
    fn announced(&self) -> String {
        let parts = [("to join", &self.joined), ("to leave", &self.left)];
        let told = parts.iter().filter(|(_, names)| !names.is_empty());
        told.map(|(what, names)| format!("{what}: {}", listed(names))).collect::<Vec<_>>().join("; ")
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// Looks again soon whether those that leave are gone.
fn drains(work: &Work, moves: &Moves, leaving: &BTreeSet<String>) -> Outcome {
    let why = format!("{} end their last connections", listed(leaving));
    Outcome::Wait { until: soon(work), remember: json!(moves), why }
}

/// The memberships that ended.
fn retired(pool_key: &str, names: &BTreeSet<String>) -> Vec<CiChange> {
    names.iter().map(|name| CiChange::Retire { key: member_ci(pool_key, name) }).collect()
}

/// A pool leans on the machines behind it.
fn sending_to(pool_key: &str, members: &[Member]) -> Tie {
    let to = members.iter().map(|member| object_key(&member.ci).to_owned()).collect();
    Tie { key: pool_key.to_owned(), to }
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
