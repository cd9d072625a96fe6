//! Several sites: each has its own actions, bounds and breakers; what one suffers the others do not feel.

use domain::run::RunState;

use super::*;
use crate::drive::Drive;
use crate::proof::{Bend, Side};
use crate::{Bounds, NewRun};

async fn two_sites(settings: Settings) -> (Proof, Arc<World>) {
    let world = Arc::<World>::default();
    let actions = || vec![Arc::new(Make(Arc::clone(&world))) as Arc<dyn Action>];
    let actions = ["dc1", "dc2"].map(|site| (site.to_owned(), actions()));
    (Proof::at_sites(BTreeMap::from(actions), settings).await, world)
}

/// A run of one step at this site.
async fn at(proof: &Proof, site: &str, key: &str) -> domain::ids::RunId {
    let order = NewRun { site: site.to_owned(), deployment: store::fresh_id(), ..proof.order(vec![make(key, &[])]) };
    proof.enqueue_run(order).await
}

#[tokio::test]
async fn a_site_that_is_away_keeps_no_other_site_waiting() {
    let (proof, world) = two_sites(Settings::default()).await;
    assert_eq!(proof.engine.providers(), BTreeSet::from(["world@dc1", "world@dc2"]));
    let mut waiting = Vec::new();
    for key in ["a", "b", "c"] {
        proof.bend(key, Side::Run, &[Bend::Silent]);
        waiting.push(at(&proof, "dc1", key).await);
        proof.drive_as(waiting[waiting.len() - 1], "worker").await.unwrap();
    }
    let late = at(&proof, "dc1", "late").await;
    assert_eq!(proof.drive_as(late, "worker").await.unwrap(), Drive::Rested(RunState::Waiting));
    let why = proof.read(late).await.1[0].why.clone().unwrap();
    assert!(why.starts_with("No answer from the world at dc1 since"), "{why}");
    let other = at(&proof, "dc2", "other").await;
    assert_eq!(proof.drive_as(other, "worker").await.unwrap(), Drive::Rested(RunState::Done));
    assert_eq!(world.made(), 1, "only the other site was called");
}

#[tokio::test]
async fn the_bound_of_a_site_is_no_bound_of_another() {
    let bounds = Bounds { providers: BTreeMap::from([("world@dc1".to_owned(), 1)]), ..Bounds::default() };
    let (proof, _) = two_sites(Settings { bounds, ..Settings::default() }).await;
    assert_eq!(proof.engine.calls_to("world@dc1"), (1, true));
    assert_eq!(proof.engine.calls_to("world@dc2"), (16, false));
    // Nobody has shared out the place of the first site, so a call there would wait for it.
    let free = at(&proof, "dc2", "free").await;
    assert_eq!(proof.drive_as(free, "worker").await.unwrap(), Drive::Rested(RunState::Done));
}

#[tokio::test]
async fn a_run_whose_site_is_not_configured_pauses_and_says_so() {
    let (proof, world) = two_sites(Settings::default()).await;
    let run = at(&proof, "dc3", "lost").await;
    assert_eq!(proof.drive_as(run, "worker").await.unwrap(), Drive::Rested(RunState::Paused));
    let (found, steps) = proof.read(run).await;
    assert_eq!(found.why.as_deref(), Some("The site `dc3`, where this is built, is not in the settings."));
    assert!(steps[0].advice.as_deref().unwrap().starts_with("Put `[sites.dc3]` back into the settings"));
    assert_eq!(world.made(), 0);
}
