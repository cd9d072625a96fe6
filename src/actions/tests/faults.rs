//! Each action that makes something, under each fault.

use domain::ports::datacenter::{DatacenterControls, Fault, Operation};
use domain::resource::ResourceState;
use engine::Failure;
use serde_json::Value;

use super::sets;
use super::stage::Stage;

/// An action that makes one object, and how the datacenter calls it.
struct Maker {
    action: &'static str,
    operation: Operation,
    find: Operation,
    remove: Operation,
    kind: &'static str,
}

const MAKERS: [Maker; 5] = [
    Maker {
        action: "naming.reserve",
        operation: Operation::NameReserve,
        find: Operation::NameFind,
        remove: Operation::NameRelease,
        kind: "name",
    },
    Maker {
        action: "machine.create",
        operation: Operation::MachineCreate,
        find: Operation::MachineFind,
        remove: Operation::MachineDestroy,
        kind: "machine",
    },
    Maker {
        action: "puppet.apply",
        operation: Operation::ConfigurationApply,
        find: Operation::ConfigurationFind,
        remove: Operation::ConfigurationPurge,
        kind: "configuration",
    },
    Maker {
        action: "balancer.pool",
        operation: Operation::PoolCreate,
        find: Operation::PoolFind,
        remove: Operation::PoolDelete,
        kind: "pool",
    },
    Maker {
        action: "space.create",
        operation: Operation::SpaceCreate,
        find: Operation::SpaceFind,
        remove: Operation::SpaceDelete,
        kind: "space",
    },
];

/// A stage on which everything is ready for the maker, what it is to be given, and how many of its kind are there.
async fn set_for(maker: &Maker) -> (Stage, Value, usize) {
    let (stage, input) = sets::set_for(maker.action).await;
    let before = stage.count(maker.kind).await;
    (stage, input, before)
}

#[tokio::test]
async fn run_twice_is_run_once_and_undone_twice_is_undone_once() {
    for maker in &MAKERS {
        let (mut stage, input, before) = set_for(maker).await;
        let first = stage.run(maker.action, "it", input.clone()).await.unwrap();
        let second = stage.run(maker.action, "it", input).await.unwrap();
        assert_eq!(first, second, "{}", maker.action);
        assert_eq!(stage.count(maker.kind).await, before + 1, "{}", maker.action);
        for _ in 0..2 {
            stage.undo(maker.action, "it").await.unwrap();
            assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);
        }
        let row = stage.ledger.last().unwrap();
        assert_eq!((row.kind.as_str(), row.state), (maker.kind, ResourceState::Gone));
    }
}

#[tokio::test]
async fn undoing_what_was_never_done_is_done_at_once() {
    for maker in &MAKERS {
        let (mut stage, _, before) = set_for(maker).await;
        stage.undo(maker.action, "it").await.unwrap();
        assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);
    }
}

#[tokio::test]
async fn a_lost_answer_or_none_at_all_is_transient_and_the_next_try_leaves_one_object() {
    for maker in &MAKERS {
        for fault in [Fault::LoseAnswer, Fault::TimeOut] {
            let (mut stage, input, before) = set_for(maker).await;
            stage.datacenter.arm(maker.operation, fault, Some(1)).await.unwrap();
            let silent = stage.run(maker.action, "it", input.clone()).await.unwrap_err();
            assert_eq!(silent.failure, Failure::Away, "{} {fault}", maker.action);
            stage.run(maker.action, "it", input).await.unwrap();
            assert_eq!(stage.count(maker.kind).await, before + 1, "{} {fault}", maker.action);
        }
    }
}

#[tokio::test]
async fn a_lost_answer_that_nobody_asks_about_again_is_still_taken_back() {
    for maker in &MAKERS {
        let (mut stage, input, before) = set_for(maker).await;
        stage.datacenter.arm(maker.operation, Fault::LoseAnswer, Some(1)).await.unwrap();
        stage.run(maker.action, "it", input).await.unwrap_err();
        assert_eq!(stage.count(maker.kind).await, before + 1, "{}", maker.action);
        stage.undo(maker.action, "it").await.unwrap();
        assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);
    }
}

#[tokio::test]
async fn a_refusal_pauses_and_makes_nothing() {
    for maker in &MAKERS {
        let (mut stage, input, before) = set_for(maker).await;
        stage.datacenter.arm(maker.operation, Fault::Refuse, Some(1)).await.unwrap();
        let refused = stage.run(maker.action, "it", input).await.unwrap_err();
        assert_eq!(refused.failure, Failure::Permanent, "{}", maker.action);
        assert!(refused.what.contains("refused") && !refused.next.is_empty(), "{refused}");
        assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);
    }
}

#[tokio::test]
async fn a_slow_answer_is_only_slow() {
    for maker in &MAKERS {
        let (mut stage, input, before) = set_for(maker).await;
        stage.datacenter.arm(maker.operation, Fault::SlowDown, Some(1)).await.unwrap();
        stage.run(maker.action, "it", input).await.unwrap();
        assert_eq!(stage.count(maker.kind).await, before + 1, "{}", maker.action);
    }
}

#[tokio::test]
async fn a_vanished_object_is_made_again_or_at_least_taken_back_without_trouble() {
    for maker in &MAKERS {
        let (mut stage, input, before) = set_for(maker).await;
        stage.datacenter.arm(maker.operation, Fault::LoseObject, Some(1)).await.unwrap();
        stage.run(maker.action, "it", input).await.unwrap();
        let expected = before + usize::from(["machine", "configuration"].contains(&maker.kind));
        assert_eq!(stage.count(maker.kind).await, expected, "{}", maker.action);
        stage.undo(maker.action, "it").await.unwrap();
        assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);
    }
}

#[tokio::test]
async fn silence_while_looking_for_the_key_makes_nothing_and_removes_nothing() {
    for maker in &MAKERS {
        let (mut stage, input, before) = set_for(maker).await;
        stage.datacenter.arm(maker.find, Fault::TimeOut, Some(1)).await.unwrap();
        let silent = stage.run(maker.action, "it", input.clone()).await.unwrap_err();
        assert_eq!(silent.failure, Failure::Away, "{}", maker.action);
        assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);

        stage.run(maker.action, "it", input).await.unwrap();
        stage.datacenter.arm(maker.find, Fault::TimeOut, Some(1)).await.unwrap();
        assert_eq!(stage.undo(maker.action, "it").await.unwrap_err().failure, Failure::Away);
        assert_eq!(stage.count(maker.kind).await, before + 1, "{}", maker.action);
    }
}

#[tokio::test]
async fn an_undo_that_was_not_answered_is_finished_by_the_next_one() {
    for maker in &MAKERS {
        for fault in [Fault::LoseAnswer, Fault::TimeOut] {
            let (mut stage, input, before) = set_for(maker).await;
            stage.run(maker.action, "it", input).await.unwrap();
            stage.datacenter.arm(maker.remove, fault, Some(1)).await.unwrap();
            assert_eq!(stage.undo(maker.action, "it").await.unwrap_err().failure, Failure::Away);
            assert_eq!(stage.ledger.last().unwrap().state, ResourceState::Live, "{}", maker.action);
            stage.undo(maker.action, "it").await.unwrap();
            assert_eq!(stage.count(maker.kind).await, before, "{}", maker.action);
        }
    }
}
