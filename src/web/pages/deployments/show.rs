//! One deployment: how it looks, what it is made of, who answers for it, what it costs, what happened to it. While a
//! run is under way, its page follows it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::deployment::{Details, RunSummary};
use askama::Template;
use domain::ids::DeploymentId;
use domain::resource::{Resource, ResourceState};
use domain::run::RunState;
use domain::trouble::Trouble;

use super::{called, objects, topology};
use crate::drawing::Drawing;
use crate::follow::Followed;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// Where something of the deployment is reached.
struct Endpoint {
    name: String,
    address: String,
    /// Whether a browser can open it.
    opens: bool,
}

#[derive(Template)]
#[template(path = "deployments/show.html")]
struct Show {
    shell: Shell,
    part: Followed,
    /// Where the part is had alone.
    address: String,
}

#[derive(Template)]
#[template(path = "deployments/part.html")]
struct Part {
    csrf: String,
    /// How it stands, for those who listen to the page.
    says: String,
    topology: Option<Drawing>,
    endpoints: Vec<Endpoint>,
    /// The run that is under way, if one is.
    under_way: Option<RunSummary>,
    standing: Vec<Resource>,
    gone: Vec<Resource>,
    it: Details,
}

/// The page.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Problem> {
    let it = app::deployment::show(&app, &visitor.principal, deployment_id(&id)?).await?;
    let shell = visitor.shell(it.deployment.name.as_str(), Section::Deployments);
    let show = Show { shell, address: format!("/deployments/{}/part", it.deployment.id), part: drawn(&visitor, it)? };
    Ok(page(StatusCode::OK, &show))
}

/// What of the page is asked for again while a run is under way.
pub(super) async fn part(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let it = app::deployment::show(&app, &visitor.principal, deployment_id(&id)?).await?;
    Ok(drawn(&visitor, it)?.answer(&request))
}

fn drawn(visitor: &Visitor, it: Details) -> Result<Followed, Trouble> {
    let (gone, standing) = objects(&it).into_iter().partition(|row| row.state == ResourceState::Gone);
    let under_way = it.runs.iter().find(|run| !run.state.has_ended()).cloned();
    let says = match &under_way {
        Some(run) => format!("{}: {}", run.title, run_label(run)),
        None => crate::look::words(it.deployment.state.word()),
    };
    let part = Part {
        csrf: visitor.csrf.clone(),
        says,
        topology: topology::draw(&it.resources, &it.cis, &it.deployment.name),
        endpoints: endpoints(&it.resources),
        under_way,
        standing,
        gone,
        it,
    };
    let goes_on = part.under_way.is_some();
    Followed::of(&part, goes_on)
}

/// The id in an address; what is none is a page that does not exist.
pub(super) fn deployment_id(text: &str) -> Result<DeploymentId, Trouble> {
    text.parse().map_err(|_| Trouble::not_found("deployment"))
}

/// How the ledger's state of an object reads here.
fn standing_as(row: &Resource) -> &'static str {
    match row.state {
        ResourceState::Intended => "building",
        ResourceState::Live => "live",
        ResourceState::Gone => "gone",
    }
}

/// How a run reads here: waiting for machines is work that goes on, only a run that needs a person stands still.
fn run_word(run: &RunSummary) -> &'static str {
    if run.state.needs_a_person() || run.state.has_ended() { run.state.word() } else { "running" }
}

fn run_label(run: &RunSummary) -> &'static str {
    if run.state == RunState::Waiting { RunState::Running.label() } else { run.state.label() }
}

fn days_left(it: &Details) -> i64 {
    (it.deployment.lease.until - it.now).num_days()
}

fn endpoints(resources: &[Resource]) -> Vec<Endpoint> {
    let live = resources.iter().filter(|row| row.state == ResourceState::Live);
    live.filter_map(|row| {
        let address = ["url", "endpoint"].into_iter().find_map(|name| row.attributes.get(name)?.as_str())?;
        let opens = address.starts_with("http");
        Some(Endpoint { name: row.name.clone(), address: address.to_owned(), opens })
    })
    .collect()
}
