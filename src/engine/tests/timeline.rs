//! What happened to a run is told event by event, however its rows lie.

use domain::ids::RunId;
use domain::run::{EventKind, RunEvent};
use store::run_event::{after, latest};

use super::*;

#[tokio::test]
async fn what_happened_together_is_told_event_by_event() {
    let (proof, _) = proof().await;
    let run = proof.enqueue(diamond()).await;
    proof.carry(run).await;
    let carried = after(&proof.store, run, 0, 1_000).await.unwrap();
    let said: Vec<RunEvent> = (0..70).map(|n| line(run, carried.len() as i64 + 1 + n)).collect();
    let tx = proof.store.begin_step().await.unwrap();
    store::run_event::append(&tx, &said.iter().collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();

    let all = [carried, said].concat();
    assert!(all.iter().zip(1..).all(|(event, number)| event.number == number), "{all:#?}");
    for told in 0..=all.len() {
        for limit in [1, 2, 31, 1_000] {
            let expected: Vec<RunEvent> = all[told..].iter().take(limit).cloned().collect();
            assert_eq!(after(&proof.store, run, told as i64, limit as u64).await.unwrap(), expected);
        }
    }
    for limit in [1, 2, 40, all.len()] {
        assert_eq!(latest(&proof.store, run, None, limit as u64).await.unwrap(), all[all.len() - limit..]);
    }
    for step in ["pool", "talkative"] {
        let of_step: Vec<RunEvent> = all.iter().filter(|it| it.step_key.as_deref() == Some(step)).cloned().collect();
        assert!(of_step.len() > 1, "{step}");
        for limit in [1, 2, 1_000] {
            let newest = &of_step[of_step.len().saturating_sub(limit)..];
            assert_eq!(latest(&proof.store, run, Some(step), limit as u64).await.unwrap(), newest);
        }
    }
}

/// Every third line is another step's; each is a millisecond later.
fn line(run: RunId, number: i64) -> RunEvent {
    let step = if number % 3 == 0 { "talkative" } else { "other" };
    RunEvent {
        run,
        number,
        at: chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::milliseconds(number),
        step_key: Some(step.to_owned()),
        kind: EventKind::Said,
        line: format!("Line {number}."),
        detail: (number % 10 == 0).then(|| json!({ "number": number })),
    }
}
