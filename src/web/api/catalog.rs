//! What may be ordered, and what an order would do.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::catalog::{self, Card, OrderForm};
use domain::blueprint::Period;
use domain::blueprint::plan::{Level, Plan, PlannedWork};
use domain::ids::ProjectId;
use domain::person::Principal;
use domain::site::Site;
use domain::token::TokenScope;
use domain::trouble::Trouble;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::{Body, Fields, in_order};
use super::projects::ProjectReference;
use crate::problem::Problem;

/// More days than any blueprint allows.
const LONGEST_LEASE: u32 = 36_500;

/// A blueprint that may be ordered.
#[derive(Serialize, ToSchema)]
pub struct CatalogEntry {
    name: String,
    version: String,
    title: String,
    summary: String,
    category: String,
    /// Euros a month for the smallest order; null when that can't be said.
    price_from: Option<f64>,
    /// How long building it usually takes, in seconds; null before it was ever built.
    usual_seconds: Option<u64>,
    /// Who would have to approve an order of the defaults.
    approval: Vec<ApprovalLevel>,
}

/// What the catalog offers.
#[derive(Serialize, ToSchema)]
pub struct Catalog {
    items: Vec<CatalogEntry>,
}

/// A level of approval.
#[derive(Serialize, ToSchema)]
pub struct ApprovalLevel {
    level: u32,
    /// Groups and people, any of whom may decide.
    approvers: Vec<String>,
    /// Why they are asked.
    why: Vec<String>,
}

/// A blueprint with what an order has to say.
#[derive(Serialize, ToSchema)]
pub struct BlueprintDetails {
    name: String,
    version: String,
    title: String,
    summary: String,
    category: String,
    /// JSON Schema of the parameters.
    #[schema(value_type = Object)]
    parameters: Value,
    /// Where the caller may order.
    projects: Vec<ProjectReference>,
    /// Where it may be built for one of them, the usual place of the first of them first.
    sites: Vec<SiteReference>,
    /// Days that a deployment lives unless the order says otherwise, and at most.
    lease_days: LeaseDays,
}

/// A place where things are built.
#[derive(Serialize, ToSchema)]
pub struct SiteReference {
    name: String,
    title: String,
    /// Ids of those of the caller's projects that may use it.
    projects: Vec<String>,
}

/// How many days a deployment may live.
#[derive(Serialize, ToSchema)]
pub struct LeaseDays {
    default: u32,
    max: u32,
}

/// What is to be planned.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body, which is read field by field")]
pub struct PlanOrder {
    /// The project's id.
    project: String,
    /// Where it is to be built, by the site's name; absent, the project's first site.
    site: Option<String>,
    /// By the blueprint's schema; what is absent takes its default.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    lease_days: Option<u32>,
}

/// What an order would do.
#[derive(Serialize, ToSchema)]
pub struct PlanDetails {
    blueprint: String,
    version: String,
    /// The name of the site where it would be built.
    site: String,
    /// Every parameter, defaults filled in.
    #[schema(value_type = Object)]
    parameters: Value,
    /// Euros a month.
    monthly: f64,
    /// Euros over the lease.
    total: f64,
    lease_days: u32,
    quota: Vec<QuotaLine>,
    approval: Vec<ApprovalLevel>,
    /// Names that will be taken.
    names: Vec<String>,
    steps: Vec<PlanStep>,
    /// Who answers for the platform.
    platform_responsible: String,
    /// Who answers for the application.
    application_responsible: String,
}

/// What a deployment takes of its project's quota.
#[derive(Serialize, ToSchema)]
pub struct QuotaLine {
    kind: String,
    amount: i64,
}

/// A step of the run to come.
#[derive(Serialize, ToSchema)]
pub struct PlanStep {
    key: String,
    title: String,
    /// The action, `machine.create`, or `undo node[1]`.
    does: String,
    needs: Vec<String>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/catalog", index)
            .is("Catalog", "What may be ordered")
            .needs(TokenScope::Read)
            .gives::<Catalog>(),
        Endpoint::get("/catalog/{blueprint}", show)
            .is("Catalog", "A blueprint with its parameters")
            .needs(TokenScope::Read)
            .gives::<BlueprintDetails>(),
        Endpoint::post("/catalog/{blueprint}/plan", plan)
            .is("Catalog", "What an order would do, without ordering it")
            .changes_nothing()
            .needs(TokenScope::Read)
            .takes::<PlanOrder>()
            .gives::<PlanDetails>()
            .may(&[409]),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let cards = catalog::list(&house, caller.may(TokenScope::Read)?, None).await?;
    Ok(HttpResponse::Ok().json(Catalog { items: cards.into_iter().map(CatalogEntry::from).collect() }))
}

async fn show(house: Data<App>, caller: Caller, blueprint: Path<String>) -> Reply {
    let form = catalog::form(&house, caller.may(TokenScope::Read)?, &blueprint, None).await?;
    Ok(HttpResponse::Ok().json(BlueprintDetails::from(form)))
}

async fn plan(house: Data<App>, caller: Caller, blueprint: Path<String>, Body(mut body): Body) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let project = body.required::<ProjectId>("project");
    let ordered = Ordered::of(&mut body);
    ordered.add_mistakes(&house, who, Some(&blueprint), &mut body).await?;
    let project = body.finish(project)?;
    let plan = catalog::plan(&house, who, project, &blueprint, &ordered.parameters, ordered.lease).await;
    let site = app::site::chosen(&house, who, project, ordered.site.as_deref()).await;
    let (plan, site) = Trouble::both(plan, site).map_err(in_order)?;
    Ok(HttpResponse::Ok().json(PlanDetails::of(&plan, site.name)))
}

/// How long it is to live, if the order says so.
fn lease(body: &mut Fields) -> Option<Period> {
    let days = body.optional::<u32>("lease_days")?;
    if days > LONGEST_LEASE {
        body.refuse("lease_days", format!("No lease lasts longer than {LONGEST_LEASE} days."));
        return None;
    }
    Some(Period::of_days(days))
}

/// Why it is wanted; may be empty.
pub fn reason(body: &mut Fields) -> String {
    let reason = body.optional::<String>("reason").unwrap_or_default();
    if let Err(too_long) = app::request::acceptable_reason(&reason) {
        too_long.fields.into_iter().for_each(|wrong| body.refuse("reason", wrong.message));
    }
    reason
}

/// What every order says: where, the parameters and how long.
pub struct Ordered {
    pub site: Option<String>,
    pub parameters: Map<String, Value>,
    pub lease: Option<Period>,
}

impl Ordered {
    pub fn of(body: &mut Fields) -> Self {
        let site = body.optional("site");
        Self { site, parameters: body.optional("parameters").unwrap_or_default(), lease: lease(body) }
    }

    /// What an order is to be instead, whose parameters have to be said.
    pub fn anew(body: &mut Fields) -> Option<Self> {
        let (site, parameters, lease) = (body.optional("site"), body.required("parameters"), lease(body));
        Some(Self { site, parameters: parameters?, lease })
    }

    /// Adds what is wrong with the parameters to a body that is refused anyway, so that all is told at once.
    pub async fn add_mistakes(
        &self,
        house: &App,
        who: &Principal,
        blueprint: Option<&str>,
        body: &mut Fields,
    ) -> Result<(), Problem> {
        let Some(blueprint) = blueprint.filter(|_| body.is_wrong()) else { return Ok(()) };
        body.also_in_order(catalog::mistakes(house, who, blueprint, &self.parameters, self.lease).await?);
        Ok(())
    }
}

impl From<Card> for CatalogEntry {
    fn from(card: Card) -> Self {
        Self {
            name: card.name,
            version: card.version,
            title: card.title,
            summary: card.summary,
            category: card.category,
            price_from: card.price_from.map(|price| price.euros()),
            usual_seconds: card.usually.map(|usually| usually.as_secs()),
            approval: card.levels.iter().map(ApprovalLevel::from).collect(),
        }
    }
}

impl From<&Level> for ApprovalLevel {
    fn from(level: &Level) -> Self {
        Self {
            level: level.level,
            approvers: level.approvers.iter().map(ToString::to_string).collect(),
            why: level.why.clone(),
        }
    }
}

impl From<OrderForm> for BlueprintDetails {
    fn from(form: OrderForm) -> Self {
        let blueprint = &form.blueprint;
        let reference = |site: &Site| SiteReference {
            name: site.name.clone(),
            title: site.title.clone(),
            projects: form.projects.iter().filter(|it| site.is_open_to(it)).map(|it| it.id.to_string()).collect(),
        };
        Self {
            sites: form.sites.iter().map(reference).collect(),
            name: blueprint.name.clone(),
            version: blueprint.version.to_string(),
            title: blueprint.title.clone(),
            summary: blueprint.summary.clone(),
            category: blueprint.category.clone(),
            parameters: blueprint.order.parameters.schema(),
            projects: form.projects.into_iter().map(ProjectReference::from).collect(),
            lease_days: LeaseDays { default: blueprint.lease.default.days(), max: blueprint.lease.max.days() },
        }
    }
}

impl PlanDetails {
    pub fn of(plan: &Plan, site: String) -> Self {
        let steps = plan.steps.iter().map(|step| PlanStep {
            key: step.key.clone(),
            title: step.title.clone(),
            does: match &step.work {
                PlannedWork::Do(action) => action.clone(),
                PlannedWork::Undo(key) => format!("undo {key}"),
            },
            needs: step.needs.clone(),
        });
        Self {
            blueprint: plan.blueprint.clone(),
            version: plan.version.to_string(),
            site,
            parameters: Value::Object(plan.parameters.clone()),
            monthly: plan.monthly.euros(),
            total: plan.total.euros(),
            lease_days: plan.lease.days(),
            quota: plan.quota.iter().map(|line| QuotaLine { kind: line.kind.clone(), amount: line.amount }).collect(),
            approval: plan.levels().iter().map(ApprovalLevel::from).collect(),
            names: plan.names.clone(),
            steps: steps.collect(),
            platform_responsible: plan.responsible.platform.clone(),
            application_responsible: plan.responsible.application.clone(),
        }
    }
}
