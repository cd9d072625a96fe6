//! Why a run does not go on now although nothing is wrong: what it waits for in line, or whom, told truly.

use std::collections::HashMap;

use domain::hold::Hold;
use domain::ids::RunId;
use domain::run::RunState;
use domain::task::Task;
use domain::trouble::Trouble;
use store::place::{Crowd, Waits};
use store::run::RunSummary;

use crate::{App, database};

/// What a run waits for, with who is before it; nothing while it goes on, or something else keeps it.
pub(crate) async fn of_run(app: &App, id: RunId, state: RunState, blueprint: &str) -> Result<Option<Hold>, Trouble> {
    let on = &app.store;
    if !state.can_be_driven() {
        return Ok(None);
    }
    if let Some(bound) = app.engine.runs_of(blueprint)
        && let Some(since) = store::turn::held_up(on, &[id]).await.map_err(database)?.remove(&id)
    {
        let at_work = store::turn::at_work(on, blueprint, app.clock.now()).await.map_err(database)?;
        let longer = store::turn::before(on, blueprint, since).await.map_err(database)?;
        let blueprint = blueprint.to_owned();
        let (at_work, bound) = (at_work as u64, bound as u64);
        return Ok(Some(Hold::Turn { blueprint, at_work, bound, since, longer: Some(longer) }));
    }
    if state == RunState::Queued {
        return Ok(Some(Hold::Worker { before: app.engine.before(id).await.map_err(database)? }));
    }
    if state == RunState::Waiting {
        return Ok(for_people(&store::task::open_of_runs(on, &[id]).await.map_err(database)?));
    }
    let Some(waits) = store::place::awaited_by(on, &[id]).await.map_err(database)?.remove(&id) else { return Ok(None) };
    let (worker, places) = line(app, &waits);
    let longer = store::place::before(on, &waits, worker).await.map_err(database)?;
    let crowds = store::place::crowds(on, worker).await.map_err(database)?;
    let taken = taken(&crowds, &waits.provider, places);
    Ok(Some(Hold::Place { provider: waits.provider, taken, places, since: waits.since, longer: Some(longer) }))
}

/// What those of the runs wait for that are held up, in a few statements whatever their number.
pub(crate) async fn of_runs(app: &App, runs: &[RunSummary]) -> Result<HashMap<RunId, Hold>, Trouble> {
    let on = &app.store;
    let ids: Vec<RunId> = runs.iter().filter(|run| run.state.can_be_driven()).map(|run| run.id).collect();
    let held_up = store::turn::held_up(on, &ids).await.map_err(database)?;
    let mut holds = waiting_for_people(app, runs).await?;
    let waiting = store::place::awaited_by(on, &ids).await.map_err(database)?;
    if !waiting.is_empty() {
        let crowds = store::place::crowds(on, None).await.map_err(database)?;
        for (run, waits) in waiting {
            // Where each worker has places of its own, all of this one's are taken.
            let (worker, places) = line(app, &waits);
            let taken = if worker.is_some() { places } else { taken(&crowds, &waits.provider, places) };
            let Waits { provider, since, .. } = waits;
            holds.insert(run, Hold::Place { provider, taken, places, since, longer: None });
        }
    }
    let mut at_work: HashMap<&str, u64> = HashMap::new();
    for run in runs {
        let Some((&since, bound)) = held_up.get(&run.id).zip(app.engine.runs_of(&run.blueprint)) else { continue };
        if !at_work.contains_key(run.blueprint.as_str()) {
            let number = store::turn::at_work(on, &run.blueprint, app.clock.now()).await.map_err(database)?;
            at_work.insert(&run.blueprint, number as u64);
        }
        let (blueprint, at_work) = (run.blueprint.clone(), at_work[run.blueprint.as_str()]);
        holds.insert(run.id, Hold::Turn { blueprint, at_work, bound: bound as u64, since, longer: None });
    }
    Ok(holds)
}

/// Those of the runs that rest until people have done something.
async fn waiting_for_people(app: &App, runs: &[RunSummary]) -> Result<HashMap<RunId, Hold>, Trouble> {
    let resting = runs.iter().filter(|run| run.state == RunState::Waiting);
    let ids: Vec<RunId> = resting.map(|run| run.id).collect();
    let tasks = store::task::open_of_runs(&app.store, &ids).await.map_err(database)?;
    let by_run = tasks.chunk_by(|one, next| one.run == next.run);
    Ok(by_run.filter_map(|tasks| Some((tasks[0].run, for_people(tasks)?))).collect())
}

/// What a run waits for that rests until people have done this.
fn for_people(tasks: &[Task]) -> Option<Hold> {
    let (first, others) = tasks.split_first()?;
    let since = tasks.iter().map(|task| task.opened_at).min()?;
    Some(Hold::People { title: first.title.clone(), whose: first.whose(), since, more: others.len() })
}

fn taken(crowds: &[Crowd], provider: &str, places: u64) -> u64 {
    // A call takes a place of its worker as well as its provider's, and is counted there: who waits for the worker
    // found all of them taken.
    let counted = crowds.iter().find(|crowd| crowd.provider == provider && crowd.taken > 0);
    counted.map_or(places, |crowd| crowd.taken.min(places))
}

/// Among whom a run waits: among those of its worker, unless a bound holds for all; and for how many places.
fn line<'w>(app: &App, waits: &'w Waits) -> (Option<&'w str>, u64) {
    match app.engine.calls_to(&waits.provider) {
        (places, true) => (None, places as u64),
        (places, false) => (waits.worker.as_deref(), places as u64),
    }
}
