//! Sample data: as many deployments as a large company has, with their orders, runs, objects and CIs, for
//! measurements and demonstrations. Everything in the CMDB that comes from here names `sample data` as its source.
//!
//! The rows go the way of real ones, through the same functions of the store; nothing of it exists in a datacenter.

mod story;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::PersonId;
use domain::person::Scope;
use domain::project::Project;
use domain::trouble::{Kind, Trouble};
use store::Tx;
use store::ci::ApplyError;
use story::Story;

use crate::{App, database};

/// Deployments that commit together.
const A_TRANSACTION: u32 = 100;
/// The deployments were ordered evenly over this time before now.
const PAST: TimeDelta = TimeDelta::days(300);

/// Adds sample deployments to the projects that there are, in turn, as ordered by their first person; calls `progress`
/// with the number that there are so far.
pub async fn fill(app: &App, deployments: u32, progress: impl Fn(u32)) -> Result<(), Trouble> {
    let projects = store::project::list(&app.store, &Scope::Everything).await.map_err(database)?;
    let requester = store::person::everybody(&app.store).await.map_err(database)?.into_iter().next();
    let (Some(requester), false) = (requester, projects.is_empty()) else {
        return Err(Trouble::new(
            Kind::Conflict,
            "Sample deployments need a project and a person, and there is none.",
            "Add a project and a person first.",
        ));
    };
    let now = app.clock.now();
    let mut done = 0;
    while done < deployments {
        let until = (done + A_TRANSACTION).min(deployments);
        let tx = app.store.begin().await.map_err(database)?;
        for number in done..until {
            let project = &projects[number as usize % projects.len()];
            let ago = PAST * i32::try_from(deployments - number).unwrap_or(i32::MAX)
                / i32::try_from(deployments).unwrap_or(i32::MAX);
            add(&tx, number, project, requester.id, now - ago, now).await?;
        }
        tx.commit().await.map_err(database)?;
        done = until;
        progress(done);
    }
    Ok(())
}

/// One deployment with everything that a real one leaves.
async fn add(
    tx: &Tx,
    number: u32,
    project: &Project,
    requester: PersonId,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Trouble> {
    let story = Story::new(number, project, requester, at, now);
    store::request::insert(tx, story.request(), &format!("sample-{}", story.request)).await.map_err(database)?;
    store::deployment::insert(tx, &story.deployment()).await.map_err(database)?;
    store::run::insert(tx, &story.run()).await.map_err(database)?;
    let steps = story.steps();
    store::step::save(tx, &steps.iter().collect::<Vec<_>>()).await.map_err(database)?;
    store::resource::intend(tx, &story.resources().iter().collect::<Vec<_>>()).await.map_err(database)?;
    for (changes, cause) in story.cmdb() {
        store::ci::apply(tx, &changes, &cause).await.map_err(|cause| match cause {
            ApplyError::Database(cause) => database(cause),
            ApplyError::UnknownCi(cause) => Trouble::bug(cause),
        })?;
    }
    Ok(())
}
