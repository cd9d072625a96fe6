//! Group commit: what runs come to at one moment commits together, and no run suffers for another.

use std::time::Duration;

use domain::ids::RunId;
use domain::run::RunState;

use super::*;
use crate::Worker;

/// Runs whose only steps have been called and are about to return, each of a deployment of its own.
struct Poised {
    proof: Proof,
    world: Arc<World>,
    gate: Arc<Notify>,
    runs: Vec<RunId>,
    worker: Worker,
}

async fn poised(steps: Vec<WorkflowStep>) -> Poised {
    let at_once = Settings { calls_per_provider: steps.len(), ..Settings::default() };
    let (mut proof, world) = proof_with(at_once).await;
    let gate = Arc::new(Notify::new());
    *world.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let worker = Worker::start(&proof.engine);
    let mut runs = Vec::new();
    for step in steps {
        proof.turn_to_a_new_deployment();
        let run = proof.enqueue(vec![step]).await;
        proof.engine.wake(run);
        runs.push(run);
    }
    world.until_busy(runs.len()).await;
    Poised { proof, world, gate, runs, worker }
}

impl Poised {
    /// Lets all calls return while a use case writes, so that what they come to has to wait for it together.
    async fn let_go(&self) {
        let use_case = self.proof.store.begin().await.unwrap();
        self.gate.notify_waiters();
        self.world.until_idle().await;
        drop(use_case);
    }

    async fn ended(&self) -> Vec<Run> {
        let mut ended = Vec::new();
        for &run in &self.runs {
            let mut events = self.proof.engine.subscribe();
            let rests = async {
                loop {
                    let (found, _) = self.proof.read(run).await;
                    if found.lease_until.is_none() && found.state != RunState::Queued {
                        return found;
                    }
                    let _ = tokio::time::timeout(Duration::from_millis(100), events.recv()).await;
                }
            };
            ended.push(tokio::time::timeout(Duration::from_secs(20), rests).await.expect("the run comes to rest"));
        }
        ended
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_runs_come_to_at_one_moment_is_a_few_transactions() {
    let poised = poised((0..24).map(|_| make("name", &[])).collect()).await;
    let before = poised.proof.store.commits();
    poised.let_go().await;
    for run in poised.ended().await {
        assert_done(&run);
    }
    let commits = poised.proof.store.commits() - before;
    assert!(commits <= 12, "24 runs ended in {commits} transactions");
    assert_eq!(poised.world.made(), 24);
    poised.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_can_not_be_written_takes_no_other_with_it() {
    let lost = step("name", "thing.make", &[], json!({ "on": "nowhere" }));
    let steps = (0..12).map(|n| if n == 6 { lost.clone() } else { make("name", &[]) }).collect();
    let poised = poised(steps).await;
    poised.let_go().await;
    for (n, run) in poised.ended().await.into_iter().enumerate() {
        let expected = if n == 6 { RunState::Paused } else { RunState::Done };
        assert_eq!(run.state, expected, "run {n}: {:?}", run.why);
    }
    poised.worker.stop().await;
}
