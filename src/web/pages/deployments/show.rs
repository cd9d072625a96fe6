//! One deployment: how it looks, what it is made of, who answers for it, what it costs, what happened to it. While a
//! run is under way or awaits its approval, the page follows it.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::deployment::{Details, Ordered};
use app::run::{Listed, RunSummary};
use askama::Template;
use domain::ids::DeploymentId;
use domain::reading::{Meaning, Reading};
use domain::request::number;
use domain::resource::{Resource, ResourceState};
use domain::secret::HandoverState;
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
    standing: Vec<Resource>,
    gone: Vec<Resource>,
    it: Details,
}

impl Part {
    /// What others made of this object, where it is a machine, in a word.
    fn found(&self, row: &Resource) -> Option<&'static str> {
        let found = self.it.by_hand.iter().find(|found| found.is_about(&row.key))?;
        Some(found.finding.kind.word())
    }

    /// How one of the runs reads; the one that is under way may wait in line.
    fn reads(&self, run: &RunSummary) -> Reading {
        let under_way = self.it.under_way.as_ref().filter(|it| it.run.id == run.id);
        under_way.map_or(run.reads(), Listed::reads)
    }
}

/// The page.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Problem> {
    let it = app::deployment::show(&app, &visitor.principal, deployment_id(&id)?).await?;
    let shell = visitor.shell(it.deployment.name.as_str(), Section::Deployments);
    let show = Show { shell, address: format!("/deployments/{}/part", it.deployment.id), part: drawn(&visitor, it)? };
    Ok(page(StatusCode::OK, &show))
}

/// What of the page is asked for again while a run is under way or somebody has to decide on one.
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
    let is_ahead = it.orders.values().any(Ordered::is_ahead);
    let goes_on = it.under_way.is_some() || is_ahead;
    let says = match &it.under_way {
        Some(it) => format!("{}: {}", it.run.title, it.reads().label),
        None => it.orders.values().find(|order| order.is_ahead()).map_or_else(|| it.reads.label.to_owned(), ahead),
    };
    let part = Part {
        csrf: visitor.csrf.clone(),
        says,
        topology: topology::draw(&it),
        endpoints: endpoints(&it.resources),
        standing,
        gone,
        it,
    };
    Followed::of(&part, goes_on)
}

/// The id in an address; what is none is a page that does not exist.
pub(super) fn deployment_id(text: &str) -> Result<DeploymentId, Trouble> {
    text.parse().map_err(|_| Trouble::not_found("deployment"))
}

/// How the ledger's state of an object reads here; nothing is being built while a run stands still.
fn standing_as(row: &Resource, reads: &Reading) -> &'static str {
    match row.state {
        ResourceState::Intended if reads.meaning == Meaning::Failed => "unfinished",
        ResourceState::Intended => "building",
        ResourceState::Live => "live",
        ResourceState::Gone => "gone",
    }
}

/// What is ordered and not begun, and who has to decide: "Add or remove machines waits for Adam Approver".
fn ahead(order: &Ordered) -> String {
    match order.waits_for.as_slice() {
        [] => format!("{} is approved and about to begin", order.title),
        people => format!("{} waits for {}", order.title, people.join(" or ")),
    }
}

/// Who said yes to what a run carried out.
fn approved(order: &Ordered) -> String {
    match order.approvers.as_slice() {
        [] => "no approval needed".to_owned(),
        approvers => format!("approved by {}", approvers.join(", ")),
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
