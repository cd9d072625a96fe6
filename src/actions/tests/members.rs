//! The members of a pool: who joins, who leaves, and how a step that stopped on its way is gone on with or taken back.

use chrono::TimeDelta;
use domain::ports::balancer::Balancer;
use domain::ports::datacenter::{DatacenterControls, Fault, Operation};
use engine::{ActionError, Failure, Outcome};
use serde_json::{Value, json};

use super::stage::Stage;

const ACTION: &str = "balancer.members";
const STEP: &str = "members";

/// A pool on a stage with three machines, and the step that sets its members.
struct Pool {
    stage: Stage,
    pool: Value,
    machines: [Value; 3],
}

impl Pool {
    /// The first machines are its members, that many.
    async fn of(members: usize) -> Self {
        let mut stage = Stage::ready().await;
        let (first, _) = stage.machine(1, "tomcat").await;
        let (second, _) = stage.machine(2, "tomcat").await;
        let (third, _) = stage.machine(3, "tomcat").await;
        let machines = [first, second, third];
        let input = json!({ "name": "shop", "members": machines[..members], "port": 8080, "check": "GET /" });
        let pool = stage.run("balancer.pool", "pool", input).await.unwrap();
        Self { stage, pool, machines }
    }

    /// What the step is given so that these machines are the members, by their numbers.
    fn members(&self, numbers: &[usize]) -> Value {
        let members: Vec<&Value> = numbers.iter().map(|number| &self.machines[number - 1]).collect();
        json!({ "pool": self.pool, "members": members })
    }

    /// Who is behind the pool.
    async fn names(&self) -> Vec<String> {
        let pool = Balancer::describe(&self.stage.datacenter, self.pool["id"].as_str().unwrap()).await.unwrap();
        pool.members.into_iter().map(|member| member.name).collect()
    }

    /// The step, to its end.
    async fn set(&mut self, wanted: &Value) -> Result<Value, ActionError> {
        self.stage.run(ACTION, STEP, wanted.clone()).await
    }

    /// The step's first call, which only says what it is about to move.
    async fn plan(&mut self, wanted: &Value) -> Value {
        match self.stage.call(ACTION, STEP, wanted.clone(), None).await.unwrap() {
            Outcome::Wait { remember, .. } => remember,
            other => panic!("it does not wait: {other:?}"),
        }
    }

    /// The step's second call, by a worker that dies when the balancer has done it and before that is committed.
    async fn move_and_die(&mut self, wanted: &Value, moves: &Value) {
        self.stage.call(ACTION, STEP, wanted.clone(), Some(moves.clone())).await.unwrap();
    }

    /// The step, to its end, because a person has it tried again.
    async fn try_again(&mut self, wanted: &Value, before: Value) -> Value {
        self.stage.try_again(ACTION, STEP, wanted.clone(), before).await.unwrap()
    }

    /// Takes back the step that returned or remembers this.
    async fn take_back(&mut self, wanted: Value, output: Option<Value>, remembered: Option<Value>) {
        self.stage.undo_with(ACTION, STEP, wanted, output, remembered).await.unwrap();
    }
}

#[tokio::test]
async fn a_member_that_leaves_a_pool_drains_and_its_ci_is_retired() {
    let mut pool = Pool::of(2).await;
    let wanted = pool.members(&[1, 3]);
    let changed = pool.set(&wanted).await.unwrap();
    assert_eq!(changed["members"].as_array().unwrap().len(), 2);
    let again = pool.set(&wanted).await.unwrap();
    assert_eq!((&again["members"], &again["joined"]), (&changed["members"], &json!([])), "nothing moves twice");
    let standing = pool.stage.standing_cis();
    assert!(!standing[7..].contains(&"shop-2".to_owned()) && standing.contains(&"shop-3".to_owned()), "{standing:?}");

    pool.stage.undo("balancer.pool", "pool").await.unwrap();
    let members = ["shop-1", "shop-2", "shop-3"];
    let left = pool.stage.standing_cis();
    assert!(members.iter().all(|name| left.iter().filter(|ci| ci == name).count() == 1), "only machines: {left:?}");
}

#[tokio::test]
async fn members_that_joined_leave_again_when_the_step_is_taken_back() {
    let mut pool = Pool::of(2).await;
    let before = pool.stage.standing_cis();
    let grown = pool.members(&[1, 2, 3]);
    let output = pool.set(&grown).await.unwrap();
    assert_eq!(output["joined"], json!(["shop-3"]));
    assert_eq!(pool.names().await, ["shop-1", "shop-2", "shop-3"]);
    pool.take_back(grown, Some(output), None).await;
    assert_eq!(pool.names().await, ["shop-1", "shop-2"], "it has drained");
    assert_eq!(pool.stage.standing_cis(), before);
    let row = pool.stage.ledger.iter().find(|row| row.kind == "pool").unwrap();
    assert_eq!(row.attributes["members"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn members_that_joined_leave_again_when_the_step_stopped_on_its_way() {
    let mut pool = Pool::of(2).await;
    let grown = pool.members(&[1, 2, 3]);
    let moves = pool.plan(&grown).await;
    assert_eq!(pool.names().await, ["shop-1", "shop-2"], "nothing moves before it is remembered");
    pool.move_and_die(&grown, &moves).await;
    assert_eq!(pool.names().await.len(), 3);
    pool.take_back(grown, None, Some(moves)).await;
    assert_eq!(pool.names().await, ["shop-1", "shop-2"]);
}

#[tokio::test]
async fn a_step_that_is_tried_again_knows_who_joined_in_its_first_try() {
    tried_again_after(&[1, 2, 3]).await;
}

#[tokio::test]
async fn a_member_that_left_in_the_first_try_and_comes_again_has_not_joined() {
    tried_again_after(&[1, 3]).await;
}

/// The first try, for these members, dies on its way; the second, for all three, knows who joined since before both.
async fn tried_again_after(first_try: &[usize]) {
    let mut pool = Pool::of(2).await;
    let first = pool.members(first_try);
    let moves = pool.plan(&first).await;
    pool.move_and_die(&first, &moves).await;
    let right = pool.members(&[1, 2, 3]);
    let output = pool.try_again(&right, moves).await;
    assert_eq!(output["joined"], json!(["shop-3"]));
    pool.take_back(right, Some(output), None).await;
    assert_eq!(pool.names().await, ["shop-1", "shop-2"], "as before the first try");
}

#[tokio::test]
async fn a_member_whose_leaving_was_not_committed_is_retired_all_the_same() {
    let mut pool = Pool::of(2).await;
    let shrunk = pool.members(&[1]);
    let moves = pool.plan(&shrunk).await;
    pool.move_and_die(&shrunk, &moves).await;
    // Another worker goes on long after the member is gone.
    pool.stage.clock.wind(TimeDelta::minutes(5));
    assert_eq!(pool.names().await, ["shop-1"]);
    pool.stage.go_on(ACTION, STEP, shrunk, Some(moves)).await.unwrap();
    let second = pool.machines[1]["name"].as_str().unwrap();
    let named = pool.stage.standing_cis().iter().filter(|name| *name == second).count();
    assert_eq!(named, 1, "only the machine stands");
}

#[tokio::test]
async fn members_that_cannot_be_set_keep_serving_and_an_unanswered_change_is_not_made_twice() {
    let mut pool = Pool::of(1).await;
    let wanted = pool.members(&[1, 2]);
    for (fault, failure) in
        [(Fault::Refuse, Failure::Permanent), (Fault::TimeOut, Failure::Away), (Fault::LoseAnswer, Failure::Away)]
    {
        pool.stage.datacenter.arm(Operation::PoolMembers, fault, Some(1)).await.unwrap();
        assert_eq!(pool.set(&wanted).await.unwrap_err().failure, failure);
    }
    pool.stage.datacenter.arm(Operation::PoolMembers, Fault::Refuse, None).await.unwrap();
    pool.set(&wanted).await.unwrap();
}
