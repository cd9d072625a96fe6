//! Machines that step aside for a while: out of the pool once their last connections have ended, and back when they are
//! fit to serve. They stay members to the ledger and the CMDB.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, Pool, PoolMember};
use domain::resource::Intent;
use engine::{ActionError, Outcome, Work};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Member, PROVIDER, PoolReference, is_draining};
use crate::typed::{Verb, done, nothing_to_undo, soon, told};

/// How long a machine that is back may take until it passes its health check.
const FIT_WITHIN: TimeDelta = TimeDelta::minutes(3);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationInput {
    /// What `balancer.pool` returned.
    pool: PoolReference,
    /// The machine: what `machine.create` returned.
    member: Member,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RotationOutput {
    member: Member,
    /// Whether it stood otherwise before.
    moved: bool,
}

/// `balancer.drain`
pub(crate) struct Drain {
    pub balancer: Arc<dyn Balancer>,
}

#[async_trait]
impl Verb for Drain {
    type Input = RotationInput;
    type Output = RotationOutput;

    const NAME: &'static str = "balancer.drain";
    const TITLE: &'static str = "Take out of rotation";
    const UNDO_TITLE: &'static str = "Put back into rotation";
    const SUMMARY: &'static str = "Lets a member of a pool end its last connections and serve no more for a while.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, _work: &Work, _input: &RotationInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: RotationInput) -> Result<Outcome, ActionError> {
        Turn { balancer: &*self.balancer, work, input: &input }.run(Place::Aside).await
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        undo(&*self.balancer, work, Place::Serving).await
    }
}

/// `balancer.serve`
pub(crate) struct Serve {
    pub balancer: Arc<dyn Balancer>,
}

#[async_trait]
impl Verb for Serve {
    type Input = RotationInput;
    type Output = RotationOutput;

    const NAME: &'static str = "balancer.serve";
    const TITLE: &'static str = "Put back into rotation";
    const UNDO_TITLE: &'static str = "Take out of rotation";
    const SUMMARY: &'static str = "Puts a member of a pool back, and waits until it passes its health check.";
    const PROVIDER: Option<&'static str> = Some(PROVIDER);

    fn intend(&self, _work: &Work, _input: &RotationInput) -> Vec<Intent> {
        Vec::new()
    }

    async fn run(&self, work: &Work, input: RotationInput) -> Result<Outcome, ActionError> {
        Turn { balancer: &*self.balancer, work, input: &input }.run(Place::Serving).await
    }

    async fn undo(&self, work: &Work) -> Result<Outcome, ActionError> {
        undo(&*self.balancer, work, Place::Aside).await
    }
}

/// Where a machine shall be.
#[derive(Clone, Copy)]
enum Place {
    Serving,
    Aside,
}

/// What a step remembers before it moves a machine, so that no crash forgets that it did.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
struct Memory {
    moved: bool,
    /// Until when the machine may take to be fit to serve.
    until: Option<DateTime<Utc>>,
}

impl Memory {
    fn of(work: &Work) -> Self {
        let read = |told: &serde_json::Value| serde_json::from_value::<Self>(told.clone()).unwrap_or_default();
        let all = [&work.output, &work.remembered, &work.remembered_before].map(|told| told.as_ref().map(read));
        Self {
            moved: all.iter().flatten().any(|told| told.moved),
            until: work.remembered.as_ref().and_then(|told| read(told).until),
        }
    }
}

/// Puts the machine where it was before the step, if the step moved it.
async fn undo(balancer: &dyn Balancer, work: &Work, place: Place) -> Result<Outcome, ActionError> {
    // A step whose input does not fit was never carried out.
    let Ok(input) = serde_json::from_value::<RotationInput>(work.input.clone()) else {
        return Ok(nothing_to_undo());
    };
    let stands = balancer.find(&input.pool.key).await.map_err(told)?;
    let Some(pool) = stands.filter(|_| Memory::of(work).moved) else { return Ok(nothing_to_undo()) };
    let waits = Turn { balancer, work, input: &input }.to(place, &pool).await?;
    Ok(waits.unwrap_or_else(nothing_to_undo))
}

/// One machine's turn.
struct Turn<'t> {
    balancer: &'t dyn Balancer,
    work: &'t Work,
    input: &'t RotationInput,
}

impl Turn<'_> {
    async fn run(&self, place: Place) -> Result<Outcome, ActionError> {
        let pool = self.balancer.describe(&self.input.pool.id).await.map_err(told)?;
        let memory = Memory::of(self.work);
        if !memory.moved && !self.is_at(place, &pool) {
            let why = match place {
                Place::Aside => format!("to step aside: {}", self.name()),
                Place::Serving => format!("to serve again: {}", self.name()),
            };
            let remember = json!(Memory { moved: true, until: None });
            return Ok(Outcome::Wait { until: self.work.now, remember, why });
        }
        match self.to(place, &pool).await? {
            Some(waits) => Ok(waits),
            None => {
                let output = RotationOutput { member: self.input.member.clone(), moved: memory.moved };
                done(&output, Vec::new(), Vec::new())
            }
        }
    }

    /// Moves the machine; what there is to wait for until it is there.
    async fn to(&self, place: Place, pool: &Pool) -> Result<Option<Outcome>, ActionError> {
        match place {
            Place::Aside => self.aside(pool).await,
            Place::Serving => self.serving(pool).await,
        }
    }

    async fn aside(&self, pool: &Pool) -> Result<Option<Outcome>, ActionError> {
        let mut pool = pool.clone();
        if self.is_at(Place::Serving, &pool) {
            if !pool.members.iter().any(|it| it.health == MemberHealth::Up && it.name != self.name()) {
                return self.until_fit(&format!("another machine than {} answers", self.name())).map(Some);
            }
            pool = self.with(&pool, None).await?;
            self.work.say(format!("Pool {} sends nothing new to {}.", pool.name, self.name()));
        }
        let leaves = pool.members.iter().any(|it| it.name == self.name());
        let remember = json!(Memory { moved: true, until: None });
        let why = format!("{} ends its last connections", self.name());
        Ok(leaves.then(|| Outcome::Wait { until: soon(self.work), remember, why }))
    }

    async fn serving(&self, pool: &Pool) -> Result<Option<Outcome>, ActionError> {
        let mut pool = pool.clone();
        if !self.is_at(Place::Serving, &pool) {
            pool = self.with(&pool, Some(&self.input.member)).await?;
            self.work.say(format!("Pool {} sends to {} again as soon as it is fit.", pool.name, self.name()));
        }
        let is_up = pool.members.iter().any(|it| it.name == self.name() && it.health == MemberHealth::Up);
        if is_up { Ok(None) } else { self.until_fit(&format!("{} passes its health check", self.name())).map(Some) }
    }

    /// Waits for it, until it has taken too long.
    fn until_fit(&self, what: &str) -> Result<Outcome, ActionError> {
        let until = Memory::of(self.work).until.unwrap_or(self.work.now + FIT_WITHIN);
        if self.work.now >= until {
            return Err(ActionError::permanent(
                format!("{} min went by, and it is not so that {what}.", FIT_WITHIN.num_minutes()),
                "Look at the pool's machines. Nothing new goes to one that does not pass its check. Mend it and retry.",
            ));
        }
        let remember = json!(Memory { moved: Memory::of(self.work).moved, until: Some(until) });
        Ok(Outcome::Wait { until: soon(self.work), remember, why: format!("until {what}") })
    }

    fn name(&self) -> &str {
        &self.input.member.name
    }

    fn is_at(&self, place: Place, pool: &Pool) -> bool {
        let member = pool.members.iter().find(|it| it.name == self.name());
        match place {
            Place::Serving => member.is_some_and(|it| !is_draining(it)),
            Place::Aside => member.is_none(),
        }
    }

    /// The pool as it serves now, without this machine or with it.
    async fn with(&self, pool: &Pool, joining: Option<&Member>) -> Result<Pool, ActionError> {
        let stays = |it: &&PoolMember| !is_draining(it) && it.name != self.name();
        let order = |it: &PoolMember| MemberOrder { name: it.name.clone(), address: it.address.clone() };
        let mut members: Vec<MemberOrder> = pool.members.iter().filter(stays).map(order).collect();
        members.extend(joining.map(|it| MemberOrder { name: it.name.clone(), address: it.address.clone() }));
        members.sort();
        self.balancer.set_members(&pool.id, &pool.key, &members).await.map_err(told)
    }
}
