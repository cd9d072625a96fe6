//! Waiting: for a moment, a length of time, or an address to answer.

use chrono::TimeDelta;
use domain::ports::clock::Clock;
use domain::ports::datacenter::{DatacenterControls, Fault, Operation};
use engine::{ActionError, Failure, Outcome};
use serde_json::{Value, json};

use super::stage::Stage;

async fn wait(stage: &mut Stage, until: &str) -> Result<Value, ActionError> {
    stage.run("wait.until", "pause", json!({ "until": until })).await
}

#[tokio::test]
async fn a_length_of_time_is_waited_from_the_first_call_on_and_a_moment_until_it_has_come() {
    let mut stage = Stage::ready().await;
    let begun = stage.clock.now();
    let first = wait(&mut stage, "2h").await.unwrap();
    assert_eq!(stage.clock.now(), begun + TimeDelta::hours(2));
    assert_eq!(first["until"], "1970-01-01T02:00:00Z");
    let moment = wait(&mut stage, "1970-01-01T06:30:00+01:00").await.unwrap();
    assert_eq!(moment["until"], "1970-01-01T05:30:00Z");
    assert_eq!(stage.clock.now(), begun + TimeDelta::minutes(330));
    let past = wait(&mut stage, "1970-01-01T00:00:00Z").await.unwrap();
    assert_eq!(past["until"], "1970-01-01T00:00:00Z");
    assert_eq!(stage.clock.now(), begun + TimeDelta::minutes(330), "what has passed is not waited for");
}

#[tokio::test]
async fn a_wait_that_a_worker_left_goes_on_to_the_same_moment() {
    let mut stage = Stage::ready().await;
    let begun = stage.clock.now();
    let input = json!({ "until": "10m" });
    let left = stage.call("wait.until", "pause", input.clone(), None).await.unwrap();
    let Outcome::Wait { until, remember, why } = left else { panic!("{left:?}") };
    assert_eq!((until, why.as_str()), (begun + TimeDelta::minutes(10), "until 1 Jan 1970, 00:10 UTC"));
    stage.clock.wind(TimeDelta::minutes(4));
    stage.go_on("wait.until", "pause", input, Some(remember)).await.unwrap();
    assert_eq!(stage.clock.now(), until);
}

#[tokio::test]
async fn what_is_neither_a_moment_nor_a_length_of_time_is_refused() {
    let mut stage = Stage::ready().await;
    let nonsense = wait(&mut stage, "soon").await.unwrap_err();
    assert_eq!(nonsense.failure, Failure::Permanent);
    assert_eq!(nonsense.what, "`soon` is no moment and no length of time.");
    let endless = wait(&mut stage, "99999d").await.unwrap_err();
    assert_eq!(endless.failure, Failure::Permanent, "that is longer than any clock here counts");
}

#[tokio::test]
async fn an_address_is_asked_until_it_answers_as_expected() {
    let mut stage = Stage::ready().await;
    let url = "http://shop-1.dc1.example.org:8080/";
    let input = json!({ "url": url, "every": "5s", "within": "30m" });
    let left = stage.call("wait.poll", "up", input.clone(), None).await.unwrap();
    let Outcome::Wait { until, remember, why } = left else { panic!("{left:?}") };
    assert_eq!(until, stage.clock.now() + TimeDelta::seconds(5));
    assert_eq!(why, format!("{url} has not answered 200 yet; nothing answers there"));
    stage.machine(1, "tomcat").await;
    for _ in 0..2 {
        let up = stage.go_on("wait.poll", "up", input.clone(), Some(remember.clone())).await.unwrap();
        assert_eq!(up["status"], 200);
    }
    let objects = stage.datacenter.overview().await.unwrap().objects;
    for _ in 0..2 {
        stage.undo("wait.poll", "up").await.unwrap();
        stage.undo("wait.until", "pause").await.unwrap();
    }
    assert_eq!(stage.datacenter.overview().await.unwrap().objects, objects, "there is nothing to take back");
    assert!(stage.ledger.iter().all(|row| row.step_key != "up"));
}

#[tokio::test]
async fn an_address_that_never_answers_as_expected_is_given_up_in_an_operators_words() {
    let mut stage = Stage::ready().await;
    let begun = stage.clock.now();
    let member = json!({ "name": "shop-1", "address": "10.20.0.1", "ci": "nobody" });
    let pool = json!({ "name": "shop", "members": [member], "port": 8080, "check": "GET /" });
    let pool = stage.run("balancer.pool", "pool", pool).await.unwrap();
    let waited_before = stage.clock.now() - begun;
    let input = json!({ "url": pool["url"], "every": "7s", "within": "1m" });
    let late = stage.run("wait.poll", "up", input).await.unwrap_err();
    assert_eq!(late.failure, Failure::Permanent);
    let url = pool["url"].as_str().unwrap();
    assert_eq!(late.what, format!("{url} has not answered 200 within 1 minute; the last answer was 503."));
    assert_eq!(stage.clock.now() - begun - waited_before, TimeDelta::minutes(1), "to the second");
}

#[tokio::test]
async fn a_probe_that_is_silent_itself_says_nothing_of_the_address() {
    let mut stage = Stage::ready().await;
    stage.datacenter.arm(Operation::Probe, Fault::TimeOut, Some(1)).await.unwrap();
    let input = json!({ "url": "http://shop-1.dc1.example.org:8080/", "within": "1m" });
    let silent = stage.call("wait.poll", "up", input, None).await.unwrap_err();
    assert_eq!(silent.failure, Failure::Away);
    let nowhere = stage.call("wait.poll", "up", json!({ "url": "shop", "within": "1m" }), None).await.unwrap_err();
    assert_eq!(nowhere.what, "`shop` is no web address.");
}
