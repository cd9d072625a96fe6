//! The catalog: what may be ordered, what an order would do, and how blueprints are published.
//!
//! Blueprints are read when the process starts, and again when it is asked to ([`publish()`]), and kept parsed; a page
//! plans without reading anything.

mod publish;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::action::Signature;
use domain::blueprint::plan::{DeploymentFacts, Glance, Level, Order, Plan, RequestFacts, Unplannable};
use domain::blueprint::schema::FormField;
use domain::blueprint::{Blueprint, Edition, Period};
use domain::ids::ProjectId;
use domain::money::Money;
use domain::person::{Principal, Role, Scope};
use domain::project::Project;
use domain::run::RunKind;
use domain::site::Site;
use domain::trouble::{FieldError, Kind, Trouble};
pub use publish::{File, Published, may_publish, publish, publish_again};
use serde_json::{Map, Value};

use crate::quota::QuotaAfter;
use crate::{App, database, site};

/// The blueprints that are offered, parsed, and the actions they are checked against.
#[derive(Clone)]
pub struct Catalog(Arc<Parts>);

/// Reads the files that blueprints come from; the error says what could not be read.
type Reader = dyn Fn() -> Result<Vec<File>, String> + Send + Sync;

struct Parts {
    actions: Vec<Signature>,
    files: Box<Reader>,
    offered: RwLock<BTreeMap<String, Arc<Blueprint>>>,
    /// What the cards say, by blueprint and requester; forgotten when other blueprints are offered.
    glances: RwLock<HashMap<(String, RequestFacts), Option<Glance>>>,
    /// Versions that deployments were built with, by name and version.
    pinned: RwLock<HashMap<(String, String), Arc<Blueprint>>>,
}

/// Cards kept ready, so that the catalog does not plan anew for each visit.
const GLANCES_KEPT: usize = 2_000;

/// A blueprint on the catalog's page.
#[derive(Clone, Debug)]
pub struct Card {
    pub name: String,
    pub title: String,
    pub summary: String,
    pub category: String,
    pub version: String,
    /// Per month, for the smallest order; none when its price has no value.
    pub price_from: Option<Money>,
    /// Who would have to approve an order of the defaults.
    pub levels: Vec<Level>,
    /// How long building it took, of the last ones that were done; none before the first.
    pub usually: Option<Duration>,
}

/// What an order page starts from.
#[derive(Clone, Debug)]
pub struct OrderForm {
    pub blueprint: Arc<Blueprint>,
    pub fields: Vec<FormField>,
    pub usually: Option<Duration>,
    /// The projects that the person may order for; at least one, and first the one to begin with.
    pub projects: Vec<Project>,
    /// The sites that one of them may use, those of the first before the others.
    pub sites: Vec<Site>,
}

/// What a form comes to as it is filled in.
#[derive(Clone, Debug)]
pub struct Draft {
    pub plan: Plan,
    /// What is missing or does not fit; the plan has the default in its place.
    pub errors: Vec<FieldError>,
    /// The project's quota before and after.
    pub quota: Vec<QuotaAfter>,
}

impl Catalog {
    /// A catalog that offers nothing yet; blueprints come from these files and are checked against these actions.
    pub fn new(actions: Vec<Signature>, files: impl Fn() -> Result<Vec<File>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Parts {
            actions,
            files: Box::new(files),
            offered: RwLock::default(),
            glances: RwLock::default(),
            pinned: RwLock::default(),
        }))
    }

    /// The actions that blueprints may use.
    pub fn actions(&self) -> &[Signature] {
        &self.0.actions
    }

    fn offered(&self) -> Vec<Arc<Blueprint>> {
        self.0.offered.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn find(&self, name: &str) -> Option<Arc<Blueprint>> {
        self.0.offered.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// What an offered blueprint is called.
    pub(crate) fn title(&self, name: &str) -> Option<String> {
        self.find(name).map(|blueprint| blueprint.title.clone())
    }

    fn offer(&self, blueprints: BTreeMap<String, Arc<Blueprint>>) {
        *self.0.offered.write().unwrap_or_else(PoisonError::into_inner) = blueprints;
        self.0.glances.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What the card of a blueprint says to this requester; none when its defaults can't be planned.
    fn glance(&self, blueprint: &Blueprint, request: &RequestFacts) -> Option<Glance> {
        let key = (blueprint.name.clone(), request.clone());
        if let Some(known) = self.0.glances.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return known.clone();
        }
        let glance = blueprint.glance(request, &self.0.actions).ok();
        let mut glances = self.0.glances.write().unwrap_or_else(PoisonError::into_inner);
        if glances.len() >= GLANCES_KEPT {
            glances.clear();
        }
        glances.insert(key, glance.clone());
        glance
    }
}

/// What is offered, with what it costs at least and who would have to approve in this person's case, for the project
/// that he works in or the first that he may order for.
pub async fn list(app: &App, who: &Principal, works_in: Option<ProjectId>) -> Result<Vec<Card>, Trouble> {
    let durations = store::run::usual_durations(&app.store, RunKind::Provision).await.map_err(database)?;
    let projects = in_order(projects(app, who).await?, works_in);
    let project = projects.first();
    let request = facts(who, project);
    let card = |blueprint: Arc<Blueprint>| {
        let glance = app.catalog.glance(&blueprint, &request);
        Card {
            price_from: glance.as_ref().map(|glance| glance.price_from),
            levels: glance.map(|glance| glance.levels).unwrap_or_default(),
            usually: durations.get(&blueprint.name).copied(),
            name: blueprint.name.clone(),
            title: blueprint.title.clone(),
            summary: blueprint.summary.clone(),
            category: blueprint.category.clone(),
            version: blueprint.version.to_string(),
        }
    };
    Ok(app.catalog.offered().into_iter().map(card).collect())
}

/// The form of a blueprint, for somebody who may order; the project that he works in stands first.
pub async fn form(
    app: &App,
    who: &Principal,
    blueprint: &str,
    works_in: Option<ProjectId>,
) -> Result<OrderForm, Trouble> {
    let blueprint = offered(app, blueprint)?;
    let projects = in_order(projects(app, who).await?, works_in);
    if projects.is_empty() {
        return Err(Trouble::forbidden(
            "You may not order: you are no requester in any project.",
            "Ask whoever manages people to give you the role in your project.",
        ));
    }
    let usually = store::run::usual_duration(&app.store, &blueprint.name, RunKind::Provision, None);
    let request = facts(who, projects.first());
    let order = Order { parameters: &Map::new(), lease: None, request: &request, on: None };
    let fields = blueprint.order.parameters.form(&Blueprint::form_scope(&order));
    let sites = site::of_projects(app, &projects);
    Ok(OrderForm { usually: usually.await.map_err(database)?, fields, projects, sites, blueprint })
}

/// What an order of this project would do; fields that do not fit are named.
pub async fn plan(
    app: &App,
    who: &Principal,
    project: ProjectId,
    blueprint: &str,
    parameters: &Map<String, Value>,
    lease: Option<Period>,
) -> Result<Plan, Trouble> {
    let blueprint = offered(app, blueprint)?;
    let project = project_to_order_for(app, who, project).await?;
    let request = facts(who, Some(&project));
    let order = Order { parameters, lease, request: &request, on: None };
    blueprint.plan(&order, app.catalog.actions()).map_err(unplannable)
}

/// What is wrong with an order of this blueprint, wherever it is for.
pub async fn mistakes(
    app: &App,
    who: &Principal,
    blueprint: &str,
    parameters: &Map<String, Value>,
    lease: Option<Period>,
) -> Result<Vec<FieldError>, Trouble> {
    let Some(blueprint) = app.catalog.find(blueprint) else {
        let message = format!("The catalog does not offer `{blueprint}`, or no longer.");
        return Ok(vec![FieldError { field: "/blueprint".to_owned(), message }]);
    };
    let request = facts(who, projects(app, who).await?.first());
    let order = Order { parameters, lease, request: &request, on: None };
    match blueprint.plan(&order, app.catalog.actions()) {
        Err(Unplannable::Fields(wrong)) => Ok(wrong),
        _ => Ok(Vec::new()),
    }
}

/// What an order comes to while its form is filled in: what does not fit is told, and the rest is planned.
pub async fn draft(
    app: &App,
    who: &Principal,
    project: ProjectId,
    blueprint: &str,
    parameters: &Map<String, Value>,
    lease: Option<Period>,
) -> Result<Draft, Trouble> {
    let blueprint = offered(app, blueprint)?;
    let project = project_to_order_for(app, who, project).await?;
    let request = facts(who, Some(&project));
    let order = Order { parameters, lease, request: &request, on: None };
    drafted(app, &blueprint, project.id, &order).await
}

/// What is planned of an order as it is so far, and what it makes of the project's quota.
pub(crate) async fn drafted(
    app: &App,
    blueprint: &Blueprint,
    project: ProjectId,
    order: &Order<'_>,
) -> Result<Draft, Trouble> {
    let (plan, errors) = blueprint.draft(order, app.catalog.actions()).map_err(unplannable)?;
    let quota = crate::quota::quota_after(&app.store, project, &plan, false).await?;
    Ok(Draft { plan, errors, quota })
}

/// What an action on a deployment would do, by the version the deployment was built with. The caller has made sure
/// that the person may act on it.
pub(crate) async fn plan_action(
    app: &App,
    request: &RequestFacts,
    edition: (&str, &str),
    action: &str,
    parameters: &Map<String, Value>,
    deployment: &DeploymentFacts,
) -> Result<Plan, Trouble> {
    let blueprint = pinned(app, edition.0, edition.1).await?;
    let order = Order { parameters, lease: None, request, on: Some((action, deployment)) };
    blueprint.plan(&order, app.catalog.actions()).map_err(unplannable)
}

/// What was chosen for a plan, as people read it: title and value.
pub(crate) async fn chosen(app: &App, site: &str, plan: &Plan) -> Result<Vec<(String, String)>, Trouble> {
    let blueprint = pinned(app, &plan.blueprint, &plan.version.to_string()).await?;
    let words = blueprint.in_words(plan.action.as_deref(), &plan.parameters);
    Ok(site::fact(app, site).into_iter().chain(words).collect())
}

/// The version of a blueprint that a deployment was built with.
pub(crate) async fn pinned(app: &App, name: &str, version: &str) -> Result<Arc<Blueprint>, Trouble> {
    let key = (name.to_owned(), version.to_owned());
    let offered = app.catalog.find(name).filter(|blueprint| blueprint.version.to_string() == version);
    let known = app.catalog.0.pinned.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if let Some(blueprint) = offered.or(known) {
        return Ok(blueprint);
    }
    let edition = store::blueprint::find(&app.store, name, version).await.map_err(database)?;
    let Some(edition) = edition else { return Err(Trouble::not_found("blueprint")) };
    let blueprint = Arc::new(Blueprint::parse(&edition.file, &edition.source).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Trouble::bug(format!("{name} {version} was published and can't be read any more: {}", told.join("; ")))
    })?);
    app.catalog.0.pinned.write().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&blueprint));
    Ok(blueprint)
}

/// Every version that was ever published and every file that is refused, for those who run the platform.
pub async fn editions(app: &App, who: &Principal) -> Result<Vec<Edition>, Trouble> {
    let may_see = [Role::Operator, Role::Auditor, Role::Administrator].iter().any(|role| who.has_everywhere(*role));
    if !may_see {
        return Err(Trouble::forbidden(
            "The files of the catalog are for those who run the platform.",
            "What can be ordered is in the catalog.",
        ));
    }
    store::blueprint::list(&app.store).await.map_err(database)
}

/// The projects that the person may order for.
pub async fn projects(app: &App, who: &Principal) -> Result<Vec<Project>, Trouble> {
    let scope = match who.has_everywhere(Role::Requester) {
        true => Scope::Everything,
        false => Scope::Projects(who.by_project.keys().copied().filter(|id| who.has(Role::Requester, *id)).collect()),
    };
    store::project::list(&app.store, &scope).await.map_err(database)
}

/// The projects with this one first, if it is among them.
fn in_order(mut projects: Vec<Project>, first: Option<ProjectId>) -> Vec<Project> {
    projects.sort_by_key(|project| Some(project.id) != first);
    projects
}

/// The project, if it is the person's to see and to order for.
pub(crate) async fn project_to_order_for(app: &App, who: &Principal, id: ProjectId) -> Result<Project, Trouble> {
    if !who.scope().covers(id) {
        return Err(Trouble::not_found("project"));
    }
    let project = store::project::find(&app.store, id).await.map_err(database)?;
    let project = project.ok_or_else(|| Trouble::not_found("project"))?;
    if who.has(Role::Requester, id) {
        return Ok(project);
    }
    let what = format!("You may not order for {}: you are no requester there.", project.title);
    Err(Trouble::forbidden(what, "Choose another project, or ask whoever manages people for the role."))
}

/// What expressions see of a request by this person for this project.
pub(crate) fn facts(who: &Principal, project: Option<&Project>) -> RequestFacts {
    RequestFacts {
        number: String::new(),
        requester: who.name.clone(),
        team: project.map(|project| project.team.clone()).unwrap_or_default(),
        project: project.map(|project| project.name.clone()).unwrap_or_default(),
        organisation: project.map(|project| project.organisation_name.clone()).unwrap_or_default(),
    }
}

fn offered(app: &App, name: &str) -> Result<Arc<Blueprint>, Trouble> {
    app.catalog.find(name).ok_or_else(|| {
        Trouble::new(
            Kind::NotFound,
            format!("The catalog does not offer `{name}`, or no longer."),
            "Choose from what the catalog offers now.",
        )
    })
}

pub(crate) fn unplannable(cause: Unplannable) -> Trouble {
    match cause {
        Unplannable::Fields(fields) => Trouble::invalid(fields),
        Unplannable::NoSuchAction(_) => Trouble::not_found("action"),
        Unplannable::Fault(_) => Trouble::conflict(
            cause.to_string(),
            "Other parameters may do; tell those who run the platform, whose blueprint it is.",
        ),
    }
}
