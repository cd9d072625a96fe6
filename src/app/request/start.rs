//! From a yes to a run, in one transaction; or from a no to nothing.

use domain::approval::ApprovalState;
use domain::blueprint::plan::{Bindings, Responsibilities};
use domain::request::{Request, RequestState, number};
use domain::trouble::Trouble;
use engine::{NewRun, retire};
use store::Tx;

use super::submit::void_questions;
use crate::{App, catalog, database, deployment};

/// In which state and revision a request was read; a request that changed meanwhile is not written over.
pub(crate) type ReadAs = (RequestState, i32);

/// Writes an approved request with the deployment it makes or changes and the run that carries it out.
pub(crate) async fn start(app: &App, tx: &Tx, request: Request, read_as: ReadAs) -> Result<Request, Trouble> {
    let blueprint = catalog::pinned(app, &request.blueprint, &request.version).await?;
    deployment::begin(app, tx, &request, blueprint.lease).await?;
    let run = app.engine.enqueue(tx, new_run(app, tx, &request).await?).await?;
    let request = Request { run: Some(run), ..request };
    save(tx, &request, read_as).await?;
    Ok(request)
}

async fn new_run(app: &App, tx: &Tx, request: &Request) -> Result<NewRun, Trouble> {
    let deployment = request.deployment;
    let (workflow, bindings) = match &request.plan {
        Some(plan) => {
            let standing = retire::standing_steps(tx, deployment).await.map_err(database)?;
            let ledger = store::resource::standing(tx, deployment).await.map_err(database)?;
            (retire::workflow(plan.steps.clone(), &standing, &ledger)?, plan.bindings.clone())
        }
        None => (app.engine.retirement(tx, deployment).await.map_err(database)?, Bindings::default()),
    };
    let stands = store::deployment::find(tx, deployment).await.map_err(database)?;
    let stands = stands.ok_or_else(|| Trouble::not_found("deployment"))?;
    Ok(NewRun {
        deployment,
        responsible: Responsibilities { platform: stands.platform, application: stands.application },
        project: request.project,
        site: stands.site,
        request: Some(request.id),
        kind: request.kind.of_run(),
        title: format!("{} ({})", request.title, number(request.number)),
        blueprint: request.blueprint.clone(),
        version: request.version.clone(),
        action: request.action.clone(),
        workflow,
        bindings,
    })
}

/// Ends a request before anything was built: open questions close, the quota is given back.
pub(crate) async fn end_before_run(
    app: &App,
    tx: &Tx,
    request: &Request,
    read_as: ReadAs,
    questions: ApprovalState,
) -> Result<(), Trouble> {
    void_questions(tx, request, questions).await?;
    store::allocation::release(tx, request.id, app.clock.now()).await.map_err(database)?;
    save(tx, request, read_as).await
}

/// Writes a request, unless somebody else changed it meanwhile.
pub(super) async fn save(tx: &Tx, request: &Request, read_as: ReadAs) -> Result<(), Trouble> {
    if store::request::save(tx, request, read_as).await.map_err(database)? {
        return Ok(());
    }
    Err(Trouble::conflict("The request changed while you looked at it.", "Load its page again and see how it stands."))
}

/// Tells the workers of a run that was enqueued; after the commit.
pub(crate) fn wake(app: &App, request: &Request) {
    if let Some(run) = request.run {
        app.engine.wake(run);
    }
}
