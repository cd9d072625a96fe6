//! Day-2 actions: what the blueprint of a deployment offers to do with it, as a form and as a plan.

use std::sync::Arc;

use domain::blueprint::plan::{DeploymentFacts, Order};
use domain::blueprint::schema::FormField;
use domain::blueprint::{Blueprint, DayTwo};
use domain::deployment::{Deployment, DeploymentState};
use domain::ids::{DeploymentId, RunId};
use domain::person::Principal;
use domain::project::Project;
use domain::trouble::Trouble;
use serde_json::{Map, Value};

use super::{find, may_act};
use store::Reads;

use crate::catalog::Draft;
use crate::request::{facts_of, last_run};
use crate::{App, catalog, database};

/// What may be done, as the menu names it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Its name in addresses, `scale`.
    pub name: String,
    pub title: String,
    /// JSON Schema of its parameters.
    pub parameters: Value,
}

/// The form of an action on a deployment.
#[derive(Clone, Debug)]
pub struct ActionForm {
    pub deployment: Deployment,
    pub project: Project,
    pub offered: Offered,
    pub summary: String,
    pub fields: Vec<FormField>,
    /// The last run on the deployment; what the form says is so after it.
    pub seen: Option<RunId>,
    blueprint: Arc<Blueprint>,
    facts: DeploymentFacts,
}

impl ActionForm {
    /// What was typed into the form, as JSON by the kind of each field.
    pub fn read<'a>(&self, sent: impl Fn(&str) -> Option<&'a str>) -> Map<String, Value> {
        let day_two = self.blueprint.day_two(&self.offered.name);
        day_two.map(|day_two| day_two.workflow.parameters.read_form(sent)).unwrap_or_default()
    }
}

/// What the version that the deployment was built with offers to do with it.
pub(super) fn offered(blueprint: &Blueprint) -> Vec<Offered> {
    let named = blueprint.actions.iter();
    named.map(of).collect()
}

fn of(it: &DayTwo) -> Offered {
    Offered { name: it.action.value.clone(), title: it.title.clone(), parameters: it.workflow.parameters.schema() }
}

/// The form of an action, for somebody who may ask for it.
pub async fn action_form(app: &App, who: &Principal, id: DeploymentId, action: &str) -> Result<ActionForm, Trouble> {
    let (deployment, project) = to_change(app, who, id).await?;
    let blueprint = catalog::pinned(app, &deployment.blueprint, &deployment.version).await?;
    let day_two = blueprint.day_two(action).ok_or_else(|| Trouble::not_found("action"))?;
    let seen = last_run(&app.store, id).await.map_err(database)?;
    let facts = facts_of(app, &deployment).await?;
    let request = catalog::facts(who, Some(&project));
    let order = Order { parameters: &Map::new(), lease: None, request: &request, on: Some((action, &facts)) };
    let fields = day_two.workflow.parameters.form(&Blueprint::form_scope(&order));
    Ok(ActionForm {
        offered: of(day_two),
        summary: day_two.summary.clone(),
        fields,
        seen,
        deployment,
        project,
        facts,
        blueprint,
    })
}

/// What the action comes to while its form is filled in.
pub async fn action_draft(
    app: &App,
    who: &Principal,
    form: &ActionForm,
    parameters: &Map<String, Value>,
) -> Result<Draft, Trouble> {
    let request = catalog::facts(who, Some(&form.project));
    let on = Some((form.offered.name.as_str(), &form.facts));
    let order = Order { parameters, lease: None, request: &request, on };
    catalog::drafted(app, &form.blueprint, form.project.id, &order).await
}

/// The deployment that somebody wants to change or retire, and its project; refused while a run works on it.
pub async fn to_change(app: &App, who: &Principal, id: DeploymentId) -> Result<(Deployment, Project), Trouble> {
    let deployment = find(app, &who.scope(), id).await?;
    let project = store::project::find(&app.store, deployment.project).await.map_err(database)?;
    let project = project.ok_or_else(|| Trouble::not_found("deployment"))?;
    if !may_act(who, deployment.project) {
        return Err(Trouble::forbidden(
            format!("You may look at {}, but not change it.", deployment.name),
            format!("Ask a requester of {}.", project.title),
        ));
    }
    refuse_unless_live(&app.store, &deployment).await?;
    Ok((deployment, project))
}

/// Refuses a deployment that a run works on, or of which nothing is left.
pub(crate) async fn refuse_unless_live(on: &impl Reads, deployment: &Deployment) -> Result<(), Trouble> {
    if deployment.state == DeploymentState::Live {
        return Ok(());
    }
    let runs = store::run::open_of_deployments(on, &[deployment.id]).await.map_err(database)?;
    let reads = deployment.state.reads(runs.get(&deployment.id).map(|run| run.state));
    Err(Trouble::conflict(
        format!("{} can't be changed now. It stands as: {}.", deployment.name, reads.label),
        "Its page shows what is under way; ask again when that has ended.",
    ))
}
