//! A new run, written in the transaction of the reason for it.

use domain::blueprint::plan::{Bindings, Responsibilities};
use domain::ids::{DeploymentId, ProjectId, RequestId, RunId};
use domain::run::{EventKind, Run, RunEvent, RunKind, RunState};
use domain::trouble::Trouble;
use domain::workflow::{Graph, WorkflowStep};
use store::Tx;

use crate::Engine;

/// A run to be written.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub deployment: DeploymentId,
    pub project: ProjectId,
    /// The site at which its actions work.
    pub site: String,
    /// What it carries out. A request has at most one run: enqueuing it again changes nothing.
    pub request: Option<RequestId>,
    pub kind: RunKind,
    /// A heading, "Scale Out Tomcat for shop".
    pub title: String,
    pub blueprint: String,
    pub version: String,
    /// Which day-2 action, for [`RunKind::Action`].
    pub action: Option<String>,
    pub workflow: Vec<WorkflowStep>,
    pub bindings: Bindings,
    pub responsible: Responsibilities,
}

impl Engine {
    /// Writes a run and its place in the queue. Call [`Engine::wake`] when the transaction is committed.
    pub async fn enqueue(&self, tx: &Tx, new: NewRun) -> Result<RunId, Trouble> {
        Graph::of(&new.workflow).map_err(Trouble::bug)?;
        if let Some(request) = new.request
            && let Some(run) = store::run::of_request(tx, request).await.map_err(Trouble::bug)?
        {
            return Ok(run.id);
        }
        let run = self.fresh(new);
        self.write(tx, &run).await.map_err(Trouble::bug)?;
        Ok(run.id)
    }

    fn fresh(&self, new: NewRun) -> Run {
        let now = self.0.clock.now();
        Run {
            id: store::fresh_id(),
            deployment: new.deployment,
            project: new.project,
            site: new.site,
            request: new.request,
            kind: new.kind,
            title: new.title,
            blueprint: new.blueprint,
            version: new.version,
            action: new.action,
            workflow: new.workflow.into(),
            bindings: new.bindings.into(),
            platform: new.responsible.platform,
            application: new.responsible.application,
            state: RunState::Queued,
            why: None,
            paused_at: None,
            cancel: None,
            token: 0,
            revision: 0,
            next_event: 2,
            worker: None,
            lease_until: None,
            // Should the job be lost, the sweeper finds the run.
            wake_at: Some(now + self.0.settings.look_again),
            created_at: now,
            started_at: None,
            ended_at: None,
        }
    }

    async fn write(&self, tx: &Tx, run: &Run) -> Result<(), store::DbErr> {
        let queued = RunEvent {
            run: run.id,
            number: 1,
            at: run.created_at,
            step_key: None,
            kind: EventKind::Run,
            line: format!("Queued: {}.", run.title),
            detail: None,
        };
        self.open(tx, run, &queued).await
    }
}
