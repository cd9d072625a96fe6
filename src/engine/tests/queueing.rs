//! What becomes of a job when its run can't begin, and that what steps return is kept to the letter.

use chrono::TimeDelta;
use domain::run::RunState;

use super::versions::{first, pin};
use super::*;
use crate::Worker;
use crate::commit::{Found, Wanted, Wish};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_can_not_begin_keep_no_other_from_it() {
    let (proof, _) = proof().await;
    let mut runs = Vec::new();
    for key in ["unreadable", "stumbled over", "well", "well, too"] {
        runs.push(proof.enqueue(vec![make(key, &[])]).await);
    }
    let (_, bindings) = first();
    pin(&proof, runs[0], &json!({ "no": "workflow" }), &bindings).await;
    proof.house.stumble_over(Some(runs[1]));
    let worker = Worker::start(&proof.engine);
    for run in &runs[2..] {
        until(&proof, *run, RunState::Done).await;
    }
    let summaries = store::run::of_deployment(&proof.store, proof.deployment()).await.unwrap();
    let state = |run: RunId| summaries.iter().find(|it| it.id == run).unwrap().state;
    assert_eq!((state(runs[0]), state(runs[1])), (RunState::Paused, RunState::Queued));
    assert_eq!(proof.engine.queue().await.unwrap().number, 0, "nothing is tried over and over");

    proof.house.stumble_over(None);
    proof.clock.wind(TimeDelta::hours(1));
    proof.engine.sweep().await.unwrap();
    until(&proof, runs[1], RunState::Done).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_is_in_the_queue_until_the_first_moves_of_its_run_are_written() {
    let (proof, _) = proof().await;
    let runs = [proof.enqueue(diamond()).await, proof.enqueue(diamond()).await];
    let tx = proof.store.begin_step().await.unwrap();
    assert_eq!(proof.engine.draw(&tx, 10, true).await.unwrap().runs, runs);
    assert!(proof.engine.draw(&tx, 10, true).await.unwrap().runs.is_empty());
    drop(tx);
    let tx = proof.store.begin_step().await.unwrap();
    assert_eq!(proof.engine.draw(&tx, 1, true).await.unwrap().runs, runs[..1], "what did not commit took nothing");
    tx.commit().await.unwrap();
    let tx = proof.store.begin_step().await.unwrap();
    assert_eq!(proof.engine.draw(&tx, 10, true).await.unwrap().runs, runs[1..]);
}

#[tokio::test]
async fn an_empty_queue_is_no_fault_and_more_is_looked_for_as_long_as_all_that_was_wanted_was_there() {
    let (mut proof, _) = proof().await;
    let engine = proof.engine.clone();
    let next = |most| Wish {
        engine: engine.clone(),
        worker: "worker".to_owned(),
        runs: Wanted::Next { most, thoroughly: false },
    };
    let begin = async |most| engine.begin(next(most)).await.map(|batch| (batch.begun.len(), batch.found)).unwrap();
    assert_eq!(begin(4).await, (0, Found::Nothing));
    for _ in 0..3 {
        proof.turn_to_a_new_deployment();
        proof.enqueue(diamond()).await;
    }
    assert_eq!(
        (begin(2).await, begin(2).await, begin(2).await),
        ((2, Found::All), (1, Found::Some), (0, Found::Nothing))
    );
}

#[tokio::test]
async fn a_job_that_was_long_under_way_before_it_committed_is_found_by_a_thorough_look() {
    let (proof, _) = proof().await;
    let look = async |thoroughly| look(&proof, 4, thoroughly).await;
    assert_eq!(look(true).await, 0);
    // What is seen of the queue is relied on when what was being written at that time is committed.
    proof.engine.0.queued.let_time_pass();
    proof.enqueue(diamond()).await;
    put_before_all(&proof).await;
    // SQLite keeps nothing of what has left the queue, so that all of it is looked at.
    let found = usize::from(!proof.database.is_postgres());
    assert_eq!(look(false).await, found, "as if it had been put there before the queue was seen empty");
    assert_eq!(look(true).await, 1 - found);
}

#[tokio::test]
async fn nothing_is_looked_for_before_what_was_taken_from_a_queue_that_is_backed_up() {
    let (mut proof, _) = proof().await;
    for _ in 0..6 {
        proof.turn_to_a_new_deployment();
        proof.enqueue(diamond()).await;
    }
    assert_eq!(look(&proof, 2, false).await, 2);
    proof.engine.0.queued.let_time_pass();
    assert_eq!(look(&proof, 2, false).await, 2, "those behind are found");
    put_before_all(&proof).await;
    let found = if proof.database.is_postgres() { 0 } else { 2 };
    assert_eq!(look(&proof, 4, false).await, found, "nothing stands where all has been taken");
    assert_eq!(look(&proof, 4, true).await, 2 - found, "should there be something, a thorough look finds it");
}

/// How many runs such a look finds.
async fn look(proof: &Proof, most: usize, thoroughly: bool) -> usize {
    let wish =
        Wish { engine: proof.engine.clone(), worker: "worker".to_owned(), runs: Wanted::Next { most, thoroughly } };
    proof.engine.begin(wish).await.map(|batch| batch.begun.len()).unwrap()
}

async fn put_before_all(proof: &Proof) {
    let jobs = if proof.database.is_postgres() { "apalis.jobs" } else { "Jobs" };
    proof.database.tamper(&format!("UPDATE {jobs} SET priority = priority + 3600")).await;
}

#[tokio::test]
async fn jobs_of_an_older_version_are_taken_too_and_before_those_of_this_one() {
    let (proof, _) = proof().await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(proof.enqueue(diamond()).await);
    }
    let jobs = if proof.database.is_postgres() { "apalis.jobs" } else { "Jobs" };
    for (run, priority) in [(runs[3], 2_000_000_001_i64), (runs[2], 2_000_000_000), (runs[1], 1_000_000_000)] {
        let priority = format!("UPDATE {jobs} SET priority = {priority}");
        let run = match proof.database.is_postgres() {
            true => format!("convert_from(job, 'UTF8') LIKE '%{}%'", run.0),
            false => format!("CAST(job AS text) LIKE '%{}%'", run.0),
        };
        proof.database.tamper(&format!("{priority} WHERE {run}")).await;
    }
    let tx = proof.store.begin_step().await.unwrap();
    assert_eq!(proof.engine.draw(&tx, 3, true).await.unwrap().runs, [runs[3], runs[2], runs[1]]);
    assert_eq!(proof.engine.draw(&tx, 3, true).await.unwrap().runs, [runs[0]]);
}

/// The step that returns characters of the number 0.
const ZERO: &str = "zero";

/// Returns what it is given.
struct Echo;

#[async_trait]
impl Action for Echo {
    fn signature(&self) -> Signature {
        Signature {
            name: "echo",
            title: "Echo",
            undo_title: "Take the echo back",
            summary: "Returns what it is given.",
            input: json!({ "type": "object" }),
            output: json!({}),
            provider: None,
            is_of_site: true,
        }
    }

    fn intend(&self, _: &Work) -> Result<Vec<Intent>, ActionError> {
        Ok(Vec::new())
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        let output = match work.step_key.as_str() {
            ZERO => json!({ "\0": ["a\0b", "\\u0000"] }),
            _ => work.input["says"].clone(),
        };
        work.say("a\0b");
        Ok(Outcome::Done(Record { output, ..Record::default() }))
    }

    async fn undo(&self, _: &Work) -> Result<Outcome, ActionError> {
        Ok(Outcome::Done(Record::default()))
    }
}

#[tokio::test]
async fn what_steps_return_is_kept_to_the_letter() {
    let proof = Proof::new(vec![Arc::new(Echo)], Settings::default()).await;
    let says = [
        json!(null),
        json!([null, [null], {}]),
        json!("one \u{1}, \u{2028}, \u{1F600} and \"quotes\" in \\u0000"),
        json!({ "n": 12_345_678_901_234_567_u64, "x": -0.1e-7, "": false, "'; DROP TABLE run; --": "$1" }),
        json!("x".repeat(200_000)),
    ];
    let steps = says.iter().enumerate().map(|(at, says)| step(&format!("s{at}"), "echo", &[], json!({ "says": says })));
    let steps = steps.chain([step(ZERO, "echo", &[], json!({}))]);
    let run = proof.enqueue(steps.collect()).await;
    assert_eq!(proof.carry(run).await.state, RunState::Done);
    let (_, steps) = proof.read(run).await;
    for (step, says) in steps.iter().zip(&says) {
        assert_eq!(step.output.as_ref(), Some(says), "{}", step.key);
        assert_eq!(step.input.as_ref(), Some(&json!({ "says": says })), "{}", step.key);
    }
    let said = steps[says.len()].output.as_ref().unwrap();
    assert_eq!(said, &json!({ "\0": ["a\0b", "\\u0000"] }));
}
