//! Filing a request: what is checked again at the counter, and what is written with it.

use std::collections::BTreeSet;

use domain::approval::ApprovalState;
use domain::audit::Actor;
use domain::blueprint::Blueprint;
use domain::blueprint::plan::Plan;
use domain::blueprint::schema::FormField;
use domain::ids::{DeploymentId, ProjectId, RunId};
use domain::person::{Person, Principal, Role};
use domain::project::Project;
use domain::request::{Request, RequestKind, RequestState};
use domain::trouble::{FieldError, Trouble};
use serde_json::{Map, Value, json};
use store::Tx;

use super::order::{refuse_busy, refuse_outdated};
use super::start::{start, wake};
use crate::approval::{Subject, ask_level, check_levels, note};
use crate::idempotency::{self, Once};
use crate::{App, catalog, database, quota};

/// The longest reason that is kept, in letters.
const REASON_MAX: usize = 2_000;

/// What is filed: an order that was read and planned.
pub(super) struct Filing {
    pub kind: RequestKind,
    pub project: Project,
    pub site: String,
    /// The deployment it is about, or the id of the one it will leave.
    pub deployment: DeploymentId,
    pub title: String,
    pub blueprint: String,
    pub version: String,
    pub action: Option<String>,
    pub parameters: Map<String, Value>,
    pub plan: Option<Plan>,
    /// The last run on the deployment when the plan was made.
    pub seen: Option<RunId>,
    pub reason: String,
    pub via: &'static str,
}

/// The project, if the person may order in it.
pub(super) async fn project_to_order_in(app: &App, who: &Principal, id: ProjectId) -> Result<Project, Trouble> {
    if !who.scope().covers(id) {
        return Err(Trouble::not_found("project"));
    }
    let found = store::project::find(&app.store, id).await.map_err(database)?;
    let project = found.ok_or_else(|| Trouble::not_found("project"))?;
    if !who.has(Role::Requester, id) {
        return Err(Trouble::forbidden(
            format!("You may look at {}, but not order in it.", project.title),
            "Ask an administrator for the role of a requester there.",
        ));
    }
    Ok(project)
}

/// The reason as it is kept; refused when it is too long.
pub fn acceptable_reason(reason: &str) -> Result<String, Trouble> {
    let reason = reason.trim();
    if reason.chars().count() > REASON_MAX {
        return Err(Trouble::field("reason", format!("A reason has at most {REASON_MAX} letters.")));
    }
    Ok(reason.to_owned())
}

/// Files a request, once for each key: quota, names, audit, approvals or the run, and the mails commit together.
pub(super) async fn file(app: &App, who: &Principal, filing: Filing, once: &Once) -> Result<Request, Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    idempotency::claim(app, &tx, who, once).await?;
    if let Some(before) = store::request::find_by_key(&tx, who.person, once.key()).await.map_err(database)? {
        return Ok(before);
    }
    let requester = store::person::find(&tx, who.person).await.map_err(database)?;
    let requester = requester.ok_or_else(|| Trouble::not_found("person"))?;
    if filing.kind != RequestKind::Provision {
        // Somebody else may have asked for something since the plan was made.
        let found = store::deployment::lock(&tx, filing.deployment).await.map_err(database)?;
        let deployment = found.ok_or_else(|| Trouble::not_found("deployment"))?;
        refuse_busy(&tx, &deployment).await?;
        refuse_outdated(&tx, &deployment, filing.seen).await?;
    }
    let request = new_request(app, who, &filing);
    if let Some(plan) = &request.plan {
        check_names(app, &tx, &request, plan).await?;
        check_levels(app, &tx, &plan.levels(), &requester, &filing.project).await?;
    }
    let request = store::request::insert(&tx, request, once.key()).await.map_err(database)?;
    if let Some(plan) = &request.plan {
        quota::reserve(app, &tx, &request, plan).await?;
    }
    let data = json!({
        "kind": request.kind,
        "number": request.number,
        "blueprint": request.blueprint,
        "version": request.version,
        "action": request.action,
        "deployment": request.deployment,
        "site": request.site,
        "parameters": request.parameters,
        "reason": request.reason,
    });
    note(app, &tx, Actor::person(who, filing.via), "request.submitted", &request, data).await?;
    let request = open(app, &tx, request, &requester, &filing.project).await?;
    tx.commit().await.map_err(database)?;
    wake(app, &request);
    Ok(request)
}

fn new_request(app: &App, who: &Principal, filing: &Filing) -> Request {
    Request {
        id: store::fresh_id(),
        number: 0,
        project: filing.project.id,
        site: filing.site.clone(),
        requester: who.person,
        kind: filing.kind,
        title: filing.title.clone(),
        blueprint: filing.blueprint.clone(),
        version: filing.version.clone(),
        action: filing.action.clone(),
        deployment: filing.deployment,
        parameters: filing.parameters.clone(),
        plan: filing.plan.clone(),
        reason: filing.reason.clone(),
        revision: 1,
        state: RequestState::AwaitingApproval,
        outcome: None,
        run: None,
        submitted_at: app.clock.now(),
        decided_at: None,
        ended_at: None,
    }
}

/// Asks the first level, or starts at once when nobody has to be asked.
pub(super) async fn open(
    app: &App,
    tx: &Tx,
    request: Request,
    requester: &Person,
    project: &Project,
) -> Result<Request, Trouble> {
    let levels = request.plan.as_ref().map(Plan::levels).unwrap_or_default();
    match levels.first() {
        Some(level) => {
            ask_level(app, tx, &Subject { request: &request, requester, project }, level).await?;
            Ok(request)
        }
        None => {
            let read_as = (request.state, request.revision);
            let approved = request.approved(app.clock.now()).map_err(Trouble::bug)?;
            start(app, tx, approved, read_as).await
        }
    }
}

/// Refuses names that something living bears, or that another open request will take.
pub(super) async fn check_names(app: &App, tx: &Tx, request: &Request, plan: &Plan) -> Result<(), Trouble> {
    if request.kind != RequestKind::Provision {
        return Ok(());
    }
    let application = plan.application.as_ref().map(|application| application.name.clone());
    let wanted: BTreeSet<&String> = application.iter().chain(&plan.names).collect();
    let found = match store::request::promised(tx, request.id, &wanted).await.map_err(database)? {
        Some((project, name)) if project == request.project => Some((name, "Another open request of this project")),
        Some((_, name)) => Some((name, "Another open request")),
        None => {
            let living = store::resource::names_in_use(tx, &plan.names).await.map_err(database)?;
            living.into_iter().next().map(|name| (name, "Something that lives already"))
        }
    };
    let Some((name, whose)) = found else { return Ok(()) };
    let blueprint = catalog::pinned(app, &request.blueprint, &request.version).await?;
    Err(taken(&blueprint, plan, &name, whose))
}

/// The refusal of a name, at each field that it is made of.
fn taken(blueprint: &Blueprint, plan: &Plan, name: &str, by: &str) -> Trouble {
    let what = format!("The name {name} is taken. {by} bears it.");
    let form = blueprint.order.parameters.form(&Map::new());
    let parts: Vec<_> = form.iter().filter(|field| is_part(name, plan.parameters.get(&field.name))).collect();
    if parts.is_empty() {
        return Trouble::conflict(what, "Change what the name is made of and send the order again.");
    }
    let titles: Vec<String> = parts.iter().map(|field| field.title.to_lowercase()).collect();
    let next = format!("Choose another {} and send the order again.", titles.join(" or "));
    let message = format!("{what} Choose another {}.", titles.join(" or "));
    let at = |field: &&FormField| FieldError { field: field.name.clone(), message: message.clone() };
    let mut trouble = Trouble::conflict(what, next);
    trouble.fields = parts.iter().map(at).collect();
    trouble
}

/// Whether this text is what the name is made of, between its dashes: `shop` of `shop-test-01`.
fn is_part(name: &str, value: Option<&Value>) -> bool {
    let text = value.and_then(Value::as_str).filter(|text| !text.is_empty());
    text.is_some_and(|text| format!("-{name}-").contains(&format!("-{text}-")))
}

/// Ends what was asked about a request's earlier revision.
pub(super) async fn void_questions(tx: &Tx, request: &Request, state: ApprovalState) -> Result<(), Trouble> {
    store::approval::close(tx, request.id, None, state).await.map_err(database)?;
    store::approval_level::close(tx, request.id).await.map_err(database)
}
