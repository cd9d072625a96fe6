//! Random graphs, random faults, workers that die and clocks that jump at random moments, people who decide at random:
//! whatever happens, no object outside is without its row in the ledger, no finished step is called again, and what is taken back or
//! retired leaves nothing behind.
//!
//! `GATEHOUSE_PROOF_CASES` sets how many stories are told, `GATEHOUSE_PROOF_SEED` tells those of an earlier time again.

use std::cell::RefCell;
use std::collections::BTreeSet;

use chrono::TimeDelta;
use domain::ids::RunId;
use domain::run::{Cancel, RunState};
use domain::step::StepState;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::crash::{drive_and_die, wake};
use super::*;
use crate::mend::By;
use crate::proof::{Bend, Side};

const OTTO: By<'_> = By { name: "Otto Operator", reason: "A coin was tossed." };
const MOST_STEPS: usize = 7;
/// In seconds.
const HOUR: i64 = 3_600;
/// A story that takes more drives than this never ends.
const MOST_DRIVES: usize = 400;

/// What happens to one deployment.
#[derive(Clone, Debug)]
struct Story {
    nodes: Vec<Node>,
    bends: Vec<(usize, Side, Bend)>,
    /// How the drives go, one after the other; those after the last are left alone.
    drives: Vec<Fate>,
    /// What people do at each pause; later ones try again.
    hands: Vec<Hand>,
}

/// A step of the graph.
#[derive(Clone, Debug)]
struct Node {
    /// Which of the steps before it are needed, by bit.
    needs: u8,
    /// Its object sends to the objects of what it needs, so that those must outlive it.
    is_pool: bool,
}

#[derive(Clone, Debug)]
enum Fate {
    Lives,
    /// The worker dies after it was woken so many times.
    Dies(usize),
    /// Two workers take the run at the same time.
    Races,
    /// The clock jumps by so many seconds after the worker was woken so many times; the worker goes on.
    ClockJumps(usize, i64),
}

#[derive(Clone, Copy, Debug)]
enum Hand {
    TryAgain,
    Skip,
    TakeBack,
    Stop,
    Cancel,
}

fn stories() -> impl Strategy<Value = Story> {
    let node = (any::<u8>(), any::<bool>()).prop_map(|(needs, is_pool)| Node { needs, is_pool });
    let bend = prop_oneof![
        Just(Bend::Transient),
        Just(Bend::Silent),
        Just(Bend::Permanent),
        Just(Bend::LostAnswer),
        Just(Bend::PermanentAfter),
        Just(Bend::Twice),
        (1..600_i64).prop_map(Bend::Wait),
    ];
    let side = prop_oneof![2 => Just(Side::Run), 1 => Just(Side::Undo)];
    let jump = (1..40_usize, prop_oneof![Just(HOUR), Just(-HOUR)]);
    let fate = prop_oneof![
        2 => Just(Fate::Lives),
        3 => (1..40_usize).prop_map(Fate::Dies),
        1 => Just(Fate::Races),
        1 => jump.prop_map(|(polls, seconds)| Fate::ClockJumps(polls, seconds)),
    ];
    let hand =
        prop_oneof![Just(Hand::TryAgain), Just(Hand::Skip), Just(Hand::TakeBack), Just(Hand::Stop), Just(Hand::Cancel)];
    let bends = vec((0..MOST_STEPS, side, bend), 0..8);
    (vec(node, 1..=MOST_STEPS), bends, vec(fate, 0..12), vec(hand, 0..6))
        .prop_map(|(nodes, bends, drives, hands)| Story { nodes, bends, drives, hands })
}

fn key(at: usize) -> String {
    format!("s{at}")
}

impl Story {
    fn workflow(&self) -> Vec<WorkflowStep> {
        let step_of = |(at, node): (usize, &Node)| {
            let needs: Vec<String> = (0..at).filter(|before| node.needs >> before & 1 == 1).map(key).collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            let with = if node.is_pool { json!({ "members": needs }) } else { json!({}) };
            step(&key(at), "thing.make", &needs, with)
        };
        self.nodes.iter().enumerate().map(step_of).collect()
    }
}

/// A story as it is told.
struct Telling<'p> {
    proof: &'p Proof,
    world: &'p World,
    fates: std::vec::IntoIter<Fate>,
    hands: std::vec::IntoIter<Hand>,
}

impl Telling<'_> {
    /// Carries a run through all that happens to it, to its end.
    async fn carry(&mut self, run: RunId) -> Run {
        for _ in 0..MOST_DRIVES {
            self.drive(run).await;
            assert_eq!(self.world.complaints(), Vec::<String>::new());
            self.assert_that_each_thing_has_its_row().await;
            let (found, _) = self.proof.read(run).await;
            if found.state.has_ended() {
                return found;
            }
            if found.state.needs_a_person() {
                self.decide(&found).await;
            } else if let Some(due) = found.wake_at {
                self.proof.clock.wind_to(due);
            }
        }
        panic!("the run has not ended after {MOST_DRIVES} drives: {:?}", self.proof.read(run).await);
    }

    async fn drive(&mut self, run: RunId) {
        match self.fates.next().unwrap_or(Fate::Lives) {
            Fate::Lives => {
                self.proof.drive_as(run, "worker").await.unwrap();
            }
            Fate::Dies(polls) => {
                drive_and_die(self.proof, run, polls).await;
                self.proof.clock.wind(TimeDelta::seconds(16));
            }
            Fate::Races => {
                let both = tokio::join!(self.proof.drive_as(run, "one"), self.proof.drive_as(run, "other"));
                both.0.unwrap();
                both.1.unwrap();
            }
            Fate::ClockJumps(polls, seconds) => {
                let mut drive = Box::pin(self.proof.drive_as(run, "worker"));
                if !wake(&mut drive, polls).await {
                    self.proof.clock.wind(TimeDelta::seconds(seconds));
                    drive.await.unwrap();
                }
            }
        }
    }

    async fn decide(&mut self, run: &Run) {
        let (engine, tx) = (&self.proof.engine, self.proof.store.begin().await.unwrap());
        let forward = run.state == RunState::Paused && run.kind == domain::run::RunKind::Provision;
        match self.hands.next().unwrap_or(Hand::TryAgain) {
            Hand::Skip => self.skip(&tx, run).await,
            Hand::TakeBack if forward => engine.compensate(&tx, run.id, &OTTO).await.unwrap(),
            Hand::Stop if forward => engine.cancel(&tx, run.id, Cancel::Stop, &OTTO).await.unwrap(),
            Hand::Cancel if forward => engine.cancel(&tx, run.id, Cancel::TakeBack, &OTTO).await.unwrap(),
            _ => engine.resume(&tx, run.id, &OTTO).await.unwrap(),
        }
        tx.commit().await.unwrap();
    }

    /// Skips what failed first; where that was to be taken back, the person has done it by hand.
    async fn skip(&self, tx: &store::Tx, run: &Run) {
        let (_, steps) = self.proof.read(run.id).await;
        let failed = |step: &&Step| matches!(step.state, StepState::Failed | StepState::UndoFailed);
        let failed = steps.iter().find(failed).expect("a run that needs a person has a step that failed");
        let planned = run.workflow.iter().find(|planned| planned.planned.key == failed.key).unwrap();
        let takes_back = planned.takes_back.is_some() || failed.state == StepState::UndoFailed;
        let output = (!takes_back).then(|| json!({ "id": failed.key }));
        self.proof.engine.skip(tx, run.id, &failed.key, output, &OTTO).await.unwrap();
        if takes_back {
            self.world.remove_by_hand(&format!("{}/{}", run.deployment, planned.object_key()));
        }
    }

    async fn rows(&self) -> Vec<domain::resource::Resource> {
        store::resource::standing(&self.proof.store, self.proof.deployment()).await.unwrap()
    }

    async fn assert_that_each_thing_has_its_row(&self) {
        let rows: BTreeSet<String> = self.rows().await.into_iter().map(|row| row.key).collect();
        let things = self.world.keys_of(self.proof.deployment());
        assert!(things.is_subset(&rows), "without a row: {:?}", things.difference(&rows));
    }

    async fn assert_that_nothing_is_left(&self) {
        let things = self.world.keys_of(self.proof.deployment());
        assert!(things.is_empty(), "left behind: {things:?}");
        assert!(self.rows().await.is_empty(), "rows without an object: {:?}", self.rows().await);
        for at in 0..MOST_STEPS {
            let object = format!("{}/{}", self.proof.deployment(), key(at));
            let (store, deployment) = (&self.proof.store, self.proof.deployment());
            let cis = store::ci::standing_below(store, deployment, &object).await.unwrap();
            assert!(cis.is_empty(), "the CMDB still has {cis:?}");
        }
    }

    async fn assert_that_it_stands_as_it_was_built(&self, run: RunId) {
        let rows = self.rows().await;
        let things = self.world.keys_of(self.proof.deployment());
        for step in self.proof.read(run).await.1.iter().filter(|step| step.state == StepState::Done) {
            let object = format!("{}/{}", self.proof.deployment(), step.key);
            assert!(things.contains(&object), "{} is done, and its thing is not there", step.key);
            let row = rows.iter().find(|row| row.key == object).expect("what is done has its row");
            assert_eq!(row.state, domain::resource::ResourceState::Live, "{}", step.key);
        }
    }

    async fn assert_that_the_log_has_no_gap(&self, run: RunId) {
        let events = store::run_event::after(&self.proof.store, run, 0, 10_000).await.unwrap();
        assert!(events.iter().zip(1..).all(|(event, number)| event.number == number), "{events:?}");
    }
}

/// Tells a story: the deployment is built as far as it comes, and retired.
async fn tell(proof: &mut Proof, world: &World, story: Story) {
    proof.turn_to_a_new_deployment();
    // The walk back goes on past a pool that could not be removed, to what it sends to; a retirement waits for it.
    let (later, at_once): (Vec<_>, Vec<_>) = story
        .bends
        .iter()
        .partition(|(at, side, _)| *side == Side::Undo && story.nodes.get(*at).is_some_and(|node| node.is_pool));
    at_once.into_iter().for_each(|(at, side, bend)| proof.bend(&key(at), side, &[bend]));
    let workflow = story.workflow();
    let (fates, hands) = (story.drives.into_iter(), story.hands.into_iter());
    let mut telling = Telling { proof, world, fates, hands };
    let run = proof.enqueue(workflow).await;
    let built = telling.carry(run).await;
    telling.assert_that_the_log_has_no_gap(run).await;
    match built.state {
        RunState::Done => telling.assert_that_it_stands_as_it_was_built(run).await,
        RunState::Cancelled if built.cancel == Some(Cancel::Stop) => {}
        RunState::Compensated | RunState::Cancelled => telling.assert_that_nothing_is_left().await,
        state => panic!("nobody wanted it {}", state.word()),
    }
    let graph = proof.engine.retirement(&proof.store, proof.deployment()).await.unwrap();
    if !graph.is_empty() {
        later.into_iter().for_each(|(at, side, bend)| proof.bend(&key(at), side, &[bend]));
        let retire = crate::NewRun { kind: domain::run::RunKind::Retire, ..proof.order(graph) };
        let retire = proof.enqueue_run(retire).await;
        assert_done(&telling.carry(retire).await);
        telling.assert_that_the_log_has_no_gap(retire).await;
    }
    telling.assert_that_nothing_is_left().await;
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_left_behind() {
    let number = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect("a number"));
    let seed = number("GATEHOUSE_PROOF_SEED").unwrap_or_else(rand::random);
    println!("told again with GATEHOUSE_PROOF_SEED={seed}");
    let cases = number("GATEHOUSE_PROOF_CASES").unwrap_or(150).try_into().expect("so many cases");
    let config = Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One database serves all stories, but none that follows a failure: what that left could fail it as well.
    let kept = RefCell::new(None);
    let outcome = TestRunner::new(config).run(&stories(), |story| {
        runtime.block_on(async {
            let (mut proof, world) = match kept.take() {
                Some(kept) => kept,
                None => super::proof().await,
            };
            tell(&mut proof, &world, story).await;
            kept.replace(Some((proof, world)));
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}\ntold again with GATEHOUSE_PROOF_SEED={seed}");
    }
    runtime.block_on(async { drop(kept) });
}
