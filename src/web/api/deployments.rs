//! What stands, and what may be done with it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::deployment::{self, Details, Filter, Listed, Offered, OnMachine, SortBy};
use app::request::{Order, What};
use chrono::{DateTime, Utc};
use domain::deployment::{Deployment, DeploymentState};
use domain::ids::DeploymentId;
use domain::person::Principal;
use domain::reading::Reading;
use domain::resource::Resource;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::caller::{Caller, VIA};
use super::catalog::reason;
use super::cis::FindingDetails;
use super::endpoint::Endpoint;
use super::fields::{Body, Query};
use super::paging::Part;
use super::requests::{RequestDetails, file};
use super::secrets::SecretEntry;

/// Which deployments are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Wanted {
    /// `building`, `live`, `changing`, `retiring`, `retired` or `failed`.
    state: Option<String>,
    /// The project's id.
    project: Option<String>,
    /// The blueprint's name.
    blueprint: Option<String>,
    /// Part of the name.
    text: Option<String>,
}

/// What a fulfilled request left.
#[derive(Serialize, ToSchema)]
pub struct DeploymentEntry {
    id: String,
    name: String,
    /// The project's id.
    project: String,
    /// The name of the site where it stands.
    site: String,
    /// Who ordered it.
    owner: String,
    blueprint: String,
    version: String,
    #[schema(value_type = Object)]
    parameters: Value,
    /// `building`, `live`, `changing`, `retiring`, `retired` or `failed`; where its run does not go on, how the run
    /// stands: `paused`, `stuck`, `compensating` or `cancelling`.
    state: &'static str,
    /// The state in people's words.
    state_label: &'static str,
    /// The group that answers for the platform.
    platform_responsible: String,
    /// The team that answers for the application.
    application_responsible: String,
    /// Euros a month at present.
    monthly: f64,
    lease_until: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

/// A deployment with its parts.
#[derive(Serialize, ToSchema)]
pub struct DeploymentDetails {
    #[serde(flatten)]
    deployment: DeploymentEntry,
    /// Euros so far.
    cost_so_far: f64,
    resources: Vec<ResourceDetails>,
    /// What others than Gatehouse made of its machines, as their site shows them.
    findings: Vec<MachineFinding>,
    /// Since when and why its machines could not be looked at; nothing where they could.
    not_evaluated: Option<String>,
    /// Newest first.
    runs: Vec<String>,
    /// What was made for it, such as passwords, in the order in which it was made.
    secrets: Vec<SecretEntry>,
    /// What may be done with it.
    actions: Vec<ActionReference>,
}

/// A finding about one of a deployment's machines.
#[derive(Serialize, ToSchema)]
pub struct MachineFinding {
    /// The id of the machine's CI.
    ci: String,
    machine: String,
    #[serde(flatten)]
    finding: FindingDetails,
}

/// Something that may be done with a deployment.
#[derive(Serialize, ToSchema)]
pub struct ActionReference {
    /// Its name in addresses, `scale`.
    name: String,
    title: String,
    /// JSON Schema of its parameters.
    #[schema(value_type = Object)]
    parameters: Value,
}

/// An object on an outside system, as the ledger has it.
#[derive(Serialize, ToSchema)]
pub struct ResourceDetails {
    /// The idempotency key, which is stored on the object as well.
    key: String,
    /// `machine`, `name`, `pool`, `space`, `configuration`.
    kind: String,
    provider: String,
    name: String,
    /// `intended`, `live` or `gone`.
    #[schema(value_type = String)]
    state: Value,
}

/// What is to be done with a deployment.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewAction {
    /// By the action's schema; what is absent takes its default.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    reason: Option<String>,
}

/// How much longer a deployment is to live.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct Prolongation {
    #[schema(minimum = 1, maximum = 365)]
    days: i64,
}

/// Why a deployment is to go.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct NewRetirement {
    reason: Option<String>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/deployments", index)
            .is("Deployments", "The deployments that the caller may see, oldest first")
            .needs(TokenScope::Read)
            .lists::<DeploymentEntry>()
            .asks::<Wanted>(),
        Endpoint::get("/deployments/{id}", show)
            .is("Deployments", "A deployment")
            .needs(TokenScope::Read)
            .gives::<DeploymentDetails>(),
        Endpoint::post("/deployments/{id}/actions/{action}", act)
            .is("Deployments", "Do something with a deployment")
            .needs(TokenScope::Order)
            .takes::<NewAction>()
            .orders::<RequestDetails>(),
        Endpoint::post("/deployments/{id}/prolong", prolong)
            .is("Deployments", "Let a deployment live longer")
            .needs(TokenScope::Order)
            .takes::<Prolongation>()
            .gives::<DeploymentDetails>()
            .may(&[409]),
        Endpoint::post("/deployments/{id}/retire", retire)
            .is("Deployments", "Take a deployment down")
            .needs(TokenScope::Order)
            .takes::<NewRetirement>()
            .orders::<RequestDetails>(),
    ]
}

async fn index(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let part = Part::of(&mut query);
    let filter = Filter {
        states: query.optional::<DeploymentState>("state").map_or(DeploymentState::ALL.to_vec(), |state| vec![state]),
        project: query.optional("project"),
        blueprint: query.optional("blueprint"),
        text: query.optional("text").unwrap_or_default(),
    };
    let filter = query.finish(Some(filter))?;
    let found = deployment::list(&house, who, &filter, part.window(SortBy::Created)?).await?.part;
    Ok(part.answer(found, |listed| listed.deployment.id, DeploymentEntry::from))
}

async fn show(house: Data<App>, caller: Caller, id: Path<DeploymentId>) -> Reply {
    shown(&house, caller.may(TokenScope::Read)?, *id).await
}

async fn shown(house: &App, who: &Principal, id: DeploymentId) -> Reply {
    Ok(HttpResponse::Ok().json(DeploymentDetails::from(deployment::show(house, who, id).await?)))
}

async fn act(house: Data<App>, caller: Caller, place: Path<(DeploymentId, String)>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Order)?;
    let (deployment, action) = place.into_inner();
    let parameters = body.optional::<Map<String, Value>>("parameters").unwrap_or_default();
    let (reason, key) = (reason(&mut body), body.key());
    if body.is_wrong() {
        let form = deployment::action_form(&house, who, deployment, &action).await?;
        body.also_in_order(deployment::action_draft(&house, who, &form, &parameters).await?.errors);
    }
    let what = What::Action { deployment, action, parameters, seen: None };
    file(&house, who, body.finish(Some(Order { what, reason, via: VIA, key }))?).await
}

async fn prolong(house: Data<App>, caller: Caller, id: Path<DeploymentId>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Order)?;
    let (days, sent) = (body.required("days"), body.sent());
    let days = body.finish(days)?;
    deployment::prolong(&house, who, *id, days, &sent).await?;
    shown(&house, who, *id).await
}

async fn retire(house: Data<App>, caller: Caller, id: Path<DeploymentId>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Order)?;
    let (reason, key) = (reason(&mut body), body.key());
    let what = What::Retire { deployment: *id };
    file(&house, who, body.finish(Some(Order { what, reason, via: VIA, key }))?).await
}

impl From<Listed> for DeploymentEntry {
    fn from(listed: Listed) -> Self {
        Self::of(listed.deployment, listed.reads, listed.owner, listed.monthly.euros())
    }
}

impl DeploymentEntry {
    fn of(deployment: Deployment, reads: Reading, owner: String, monthly: f64) -> Self {
        Self {
            id: deployment.id.to_string(),
            name: deployment.name,
            project: deployment.project.to_string(),
            site: deployment.site,
            owner,
            blueprint: deployment.blueprint,
            version: deployment.version,
            parameters: Value::Object(deployment.params),
            state: reads.word,
            state_label: reads.label,
            platform_responsible: deployment.platform,
            application_responsible: deployment.application,
            monthly,
            lease_until: deployment.lease.until,
            created_at: deployment.created_at,
        }
    }
}

impl From<Details> for DeploymentDetails {
    fn from(details: Details) -> Self {
        Self {
            cost_so_far: details.so_far.euros(),
            resources: details.resources.into_iter().map(ResourceDetails::from).collect(),
            runs: details.runs.iter().map(|run| run.id.to_string()).collect(),
            findings: details.by_hand.into_iter().map(MachineFinding::from).collect(),
            not_evaluated: details.not_evaluated,
            secrets: details.secrets.into_iter().map(SecretEntry::from).collect(),
            actions: details.actions.into_iter().map(ActionReference::from).collect(),
            deployment: DeploymentEntry::of(details.deployment, details.reads, details.owner, details.monthly.euros()),
        }
    }
}

impl From<OnMachine> for MachineFinding {
    fn from(found: OnMachine) -> Self {
        Self { ci: found.ci.id.to_string(), machine: found.ci.name, finding: found.finding.into() }
    }
}

impl From<Offered> for ActionReference {
    fn from(offered: Offered) -> Self {
        Self { name: offered.name, title: offered.title, parameters: offered.parameters }
    }
}

impl From<Resource> for ResourceDetails {
    fn from(resource: Resource) -> Self {
        Self {
            key: resource.key,
            kind: resource.kind,
            provider: resource.provider,
            name: resource.name,
            state: serde_json::json!(resource.state),
        }
    }
}
