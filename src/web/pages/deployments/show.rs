//! One deployment: how it looks, what it is made of, who answers for it, what it costs, what happened to it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use app::deployment::{Details, RunSummary};
use askama::Template;
use domain::ids::DeploymentId;
use domain::resource::{Resource, ResourceState};
use domain::trouble::Trouble;
use serde_json::Value;

use super::topology;
use crate::drawing::Drawing;
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

/// Something that was ordered: its title and value in words.
struct Fact {
    label: String,
    value: String,
}

#[derive(Template)]
#[template(path = "deployments/show.html")]
struct Show {
    shell: Shell,
    topology: Option<Drawing>,
    endpoints: Vec<Endpoint>,
    facts: Vec<Fact>,
    /// The run that is under way, if one is.
    under_way: Option<RunSummary>,
    standing: Vec<Resource>,
    gone: Vec<Resource>,
    it: Details,
}

/// The page.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Problem> {
    let it = app::deployment::show(&app, &visitor.principal, deployment_id(&id)?).await?;
    let (gone, standing) = it.resources.iter().cloned().partition(|row| row.state == ResourceState::Gone);
    let show = Show {
        shell: visitor.shell(it.deployment.name.as_str(), Section::Deployments),
        topology: topology::draw(&it.resources, &it.deployment.name),
        endpoints: endpoints(&it.resources),
        facts: it.deployment.params.iter().map(|(name, value)| fact(name, value)).collect(),
        under_way: it.runs.iter().find(|run| !run.state.has_ended()).cloned(),
        standing,
        gone,
        it,
    };
    Ok(page(StatusCode::OK, &show))
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

fn endpoints(resources: &[Resource]) -> Vec<Endpoint> {
    let live = resources.iter().filter(|row| row.state == ResourceState::Live);
    live.filter_map(|row| {
        let address = ["url", "endpoint"].into_iter().find_map(|name| row.attributes.get(name)?.as_str())?;
        let opens = address.starts_with("http");
        Some(Endpoint { name: row.name.clone(), address: address.to_owned(), opens })
    })
    .collect()
}

fn fact(name: &str, value: &Value) -> Fact {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Fact { label: crate::look::words(name), value }
}
