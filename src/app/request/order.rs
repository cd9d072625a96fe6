//! Ordering: from what somebody filled in to a planned request that can be filed.

use chrono::{DateTime, Utc};
use domain::blueprint::Period;
use domain::blueprint::plan::{DeploymentFacts, Plan, StepOutput, outputs_by_step};
use domain::deployment::Deployment;
use domain::ids::{DeploymentId, ProjectId, RunId};
use domain::person::Principal;
use domain::project::Project;
use domain::request::{Request, RequestKind, number};
use domain::trouble::Trouble;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{DbErr, Reads, Tx};

use super::submit::{Filing, acceptable_reason, file, project_to_order_in};
use crate::deployment::refuse_unless_live;
use crate::idempotency::{self, Once};
use crate::{App, catalog, database, site};

/// What somebody orders.
#[derive(Clone, Debug)]
pub struct Order {
    pub what: What,
    /// Why it is wanted, for the approvers.
    pub reason: String,
    /// How the person came in: `portal`, `token`.
    pub via: &'static str,
    /// Made with the form, or sent by the program: the same key from the same person orders once, and only this.
    pub key: String,
}

/// What is asked for.
#[derive(Clone, Debug, Serialize)]
pub enum What {
    Provision {
        project: ProjectId,
        /// Where it is to be built; none takes the project's first site.
        #[serde(skip_serializing_if = "Option::is_none")]
        site: Option<String>,
        blueprint: String,
        /// The version whose form was filled in; none takes what is offered now.
        version: Option<String>,
        parameters: Map<String, Value>,
        lease: Option<Period>,
    },
    Action {
        deployment: DeploymentId,
        action: String,
        parameters: Map<String, Value>,
        /// The last run on the deployment when the person looked at what the action comes to; none takes it as it is.
        seen: Option<RunId>,
    },
    Retire {
        deployment: DeploymentId,
    },
}

/// Orders: the request waits for its approvers, or is carried out at once when nobody has to be asked.
pub async fn submit(app: &App, who: &Principal, order: Order) -> Result<Request, Trouble> {
    let once = Once::new(&order.key, &(&order.what, order.reason.trim()))?;
    // What was ordered before with this key is the answer, whatever happened since to names, quota or the catalog.
    if let Some(before) = ordered_before(app, who, &once).await? {
        return Ok(before);
    }
    let filed = match read(app, who, order).await {
        Ok(filing) => file(app, who, filing, &once).await,
        Err(trouble) => Err(trouble),
    };
    match filed {
        Ok(request) => Ok(request),
        // The same order may have been filed meanwhile, and be what is in the way.
        Err(trouble) => ordered_before(app, who, &once).await?.ok_or(trouble),
    }
}

/// What the person ordered with this key before, if anything.
pub async fn ordered_with(app: &App, who: &Principal, key: &str) -> Result<Option<Request>, Trouble> {
    store::request::find_by_key(&app.store, who.person, key).await.map_err(database)
}

async fn ordered_before(app: &App, who: &Principal, once: &Once) -> Result<Option<Request>, Trouble> {
    if !idempotency::was_asked(&app.store, who, once).await? {
        // What another order with this key files from here on is not what was asked.
        return Ok(None);
    }
    ordered_with(app, who, once.key()).await
}

/// What is to be filed, planned.
async fn read(app: &App, who: &Principal, order: Order) -> Result<Filing, Trouble> {
    let filing = planned(app, who, order.what).await;
    let (filing, reason) = Trouble::both(filing, acceptable_reason(&order.reason))?;
    Ok(Filing { reason, via: order.via, ..filing })
}

/// What it comes to, as yet without its reason.
async fn planned(app: &App, who: &Principal, what: What) -> Result<Filing, Trouble> {
    match what {
        What::Provision { project, site, blueprint, version, parameters, lease } => {
            let project = project_to_order_in(app, who, project).await?;
            let plan = catalog::plan(app, who, project.id, &blueprint, &parameters, lease).await;
            let (plan, site) = Trouble::both(plan, site::choose(app, &project, site.as_deref()))?;
            refuse_stale_version(version.as_deref(), &plan)?;
            let place = Place { project, site: site.name, deployment: store::fresh_id() };
            Ok(of_plan(RequestKind::Provision, place, plan.order_title(), plan))
        }
        What::Action { deployment, action, parameters, seen } => {
            let (deployment, project) = deployment_to_change(app, who, deployment).await?;
            let seen = match seen {
                None => last_run(&app.store, deployment.id).await.map_err(database)?,
                seen => seen,
            };
            let facts = facts_of(app, &deployment).await?;
            let edition = (deployment.blueprint.as_str(), deployment.version.as_str());
            let request = catalog::facts(who, Some(&project));
            let plan = catalog::plan_action(app, &request, edition, &action, &parameters, &facts).await?;
            let title = format!("{} of {}", plan.title, deployment.name);
            let place = Place { project, site: deployment.site, deployment: deployment.id };
            Ok(Filing { seen, ..of_plan(RequestKind::Action, place, title, plan) })
        }
        What::Retire { deployment } => {
            let (deployment, project) = deployment_to_change(app, who, deployment).await?;
            Ok(retirement(project, &deployment))
        }
    }
}

/// Refuses a form that was made from another version than the one that is offered.
pub(super) fn refuse_stale_version(version: Option<&str>, plan: &Plan) -> Result<(), Trouble> {
    let offered = plan.version.to_string();
    match version.filter(|version| *version != offered) {
        Some(version) => Err(Trouble::conflict(
            format!("{} {version} is not offered any more; it is {offered} now.", plan.title),
            "Look at the order again with the new version; what you typed is kept.",
        )),
        None => Ok(()),
    }
}

/// What a request is about, and where that stands or will stand.
struct Place {
    project: Project,
    site: String,
    deployment: DeploymentId,
}

fn of_plan(kind: RequestKind, place: Place, title: String, plan: Plan) -> Filing {
    let Place { project, site, deployment } = place;
    Filing {
        kind,
        project,
        site,
        deployment,
        title,
        blueprint: plan.blueprint.clone(),
        version: plan.version.to_string(),
        action: plan.action.clone(),
        parameters: plan.parameters.clone(),
        plan: Some(plan),
        seen: None,
        reason: String::new(),
        via: "",
    }
}

fn retirement(project: Project, deployment: &Deployment) -> Filing {
    Filing {
        kind: RequestKind::Retire,
        project,
        site: deployment.site.clone(),
        deployment: deployment.id,
        title: format!("Retire {}", deployment.name),
        blueprint: deployment.blueprint.clone(),
        version: deployment.version.clone(),
        action: None,
        parameters: Map::new(),
        plan: None,
        seen: None,
        reason: String::new(),
        via: "",
    }
}

/// The deployment, if the person may change it and nothing else is under way with it.
async fn deployment_to_change(app: &App, who: &Principal, id: DeploymentId) -> Result<(Deployment, Project), Trouble> {
    let found = store::deployment::find_in(&app.store, id, &who.scope()).await.map_err(database)?;
    let deployment = found.ok_or_else(|| Trouble::not_found("deployment"))?;
    let project = project_to_order_in(app, who, deployment.project).await?;
    refuse_busy(&app.store, &deployment).await?;
    Ok((deployment, project))
}

/// Refuses a deployment with which something else is under way.
pub(super) async fn refuse_busy(on: &impl Reads, deployment: &Deployment) -> Result<(), Trouble> {
    refuse_unless_live(on, deployment).await?;
    let requests = store::request::of_deployment(on, deployment.id).await.map_err(database)?;
    let open = requests.iter().find(|request| !request.state.is_over() && request.kind != RequestKind::Provision);
    if let Some(open) = open {
        return Err(Trouble::conflict(
            format!("{} ({}) is still open for {}.", number(open.number), open.title, deployment.name),
            "Wait until it has ended, or take it back first.",
        ));
    }
    Ok(())
}

/// Refuses what was planned for a deployment on which a run has begun since, whether or not that has ended: what the
/// plan says of machines and pools may no longer be so.
pub(super) async fn refuse_outdated(tx: &Tx, deployment: &Deployment, seen: Option<RunId>) -> Result<(), Trouble> {
    let since = store::run::of_deployment(tx, deployment.id).await.map_err(database)?.into_iter().next();
    match since.filter(|run| seen.is_some_and(|seen| seen != run.id)) {
        Some(run) => Err(Trouble::conflict(
            format!("{} has changed since you looked at it: {}.", deployment.name, run.title),
            "Look at what the action comes to now, and send it again.",
        )),
        None => Ok(()),
    }
}

/// The last run on a deployment.
pub(crate) async fn last_run(on: &impl Reads, deployment: DeploymentId) -> Result<Option<RunId>, DbErr> {
    Ok(store::run::of_deployment(on, deployment).await?.first().map(|run| run.id))
}

/// What expressions of an action see of the deployment.
pub(crate) async fn facts_of(app: &App, deployment: &Deployment) -> Result<DeploymentFacts, Trouble> {
    let standing = engine::retire::standing_steps(&app.store, deployment.id).await.map_err(database)?;
    let outputs: Vec<StepOutput> = standing
        .into_iter()
        .filter_map(|standing| {
            Some(StepOutput {
                key: standing.workflow.object_key().to_owned(),
                id: standing.workflow.planned.id.clone(),
                n: standing.workflow.planned.each.as_ref().map(|each| each.n),
                output: standing.step.output?,
            })
        })
        .collect();
    Ok(DeploymentFacts {
        name: deployment.name.clone(),
        params: deployment.params.clone(),
        steps: outputs_by_step(&outputs),
        lease: rest_of_lease(deployment, app.clock.now()),
    })
}

fn rest_of_lease(deployment: &Deployment, now: DateTime<Utc>) -> Period {
    // A day that has begun counts: what was agreed for 90 days is so until the first of them is over.
    let days = ((deployment.lease.until - now).num_seconds() + 86_399).div_euclid(86_400).max(1);
    Period::of_days(u32::try_from(days).unwrap_or(u32::MAX / 86_400))
}
