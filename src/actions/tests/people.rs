//! Asking people: what is asked, of whom, until when; and what can't be asked.

use chrono::TimeDelta;
use domain::mail::Recipients;
use domain::ports::clock::Clock;
use engine::{ActionError, Failure, Outcome};
use serde_json::{Value, json};

use super::stage::Stage;

async fn ask(stage: &mut Stage, input: Value, remembered: Option<Value>) -> Result<Outcome, ActionError> {
    stage.call("human.task", "rack", input, remembered).await
}

fn plug() -> Value {
    json!({
        "title": "Plug it in",
        "assignees": "group:ops-network, person:Ada@example.org,requester",
        "form": { "rack": { "type": "string" } },
        "within": "4h",
    })
}

#[tokio::test]
async fn a_task_says_what_is_to_be_done_by_whom_and_until_when() {
    let mut stage = Stage::ready().await;
    let asked = ask(&mut stage, plug(), None).await.unwrap();
    let Outcome::Ask { wanted, until, why, .. } = asked else { panic!("{asked:?}") };
    let to = [Recipients::Group("ops-network".into()), Recipients::Person("ada@example.org".into())];
    assert_eq!(wanted.assignees, [&to[..], &[Recipients::Requester]].concat());
    assert_eq!((wanted.due_at, until), (stage.clock.now() + TimeDelta::hours(4), wanted.due_at));
    let due = "1 Jan 1970, 04:00 UTC";
    assert_eq!(why, format!("Plug it in: asked of ops-network, ada@example.org, the requester, due {due}"));
}

#[tokio::test]
async fn called_again_it_asks_for_the_same_and_says_when_it_is_overdue() {
    let mut stage = Stage::ready().await;
    let first = ask(&mut stage, plug(), None).await.unwrap();
    let Outcome::Ask { wanted: first, remember, .. } = first else { panic!("{first:?}") };
    stage.clock.wind(TimeDelta::hours(5));
    let again = ask(&mut stage, plug(), Some(remember)).await.unwrap();
    let Outcome::Ask { wanted, until, why, .. } = again else { panic!("{again:?}") };
    assert_eq!(wanted, first);
    assert!(why.contains("overdue since 1 Jan 1970, 04:00 UTC"), "{why}");
    assert_eq!(until, stage.clock.now() + TimeDelta::days(1));
    for _ in 0..2 {
        stage.undo("human.task", "rack").await.unwrap();
    }
    assert!(stage.ledger.is_empty(), "it makes nothing");
}

#[tokio::test]
async fn nobody_and_no_form_are_told_in_an_operators_words() {
    let mut stage = Stage::ready().await;
    for (key, value, what) in [
        ("assignees", json!("group:ops, everybody"), "`everybody` is nobody that can be asked."),
        ("form", json!({ "rack": { "type": "text" } }), "The form can't be asked: `type` takes"),
        ("within", json!("soon"), "`soon` is no moment and no length of time."),
    ] {
        let mut input = plug();
        input[key] = value;
        let refused = ask(&mut stage, input, None).await.unwrap_err();
        assert_eq!(refused.failure, Failure::Permanent);
        assert!(refused.what.starts_with(what), "{}", refused.what);
    }
}
