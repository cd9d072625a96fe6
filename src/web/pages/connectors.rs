//! The company's CMDBs that ours is carried to: what one would be sent next, and what operators do about it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use app::App;
use app::connector::Planned;
use askama::Template;
use domain::ids::CiId;
use domain::trouble::Trouble;
use serde_json::Value;

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor, flash_cookie};

/// The way in, as the audit log calls it.
const VIA: &str = "portal";

/// The routes of the page.
pub fn configure(service: &mut ServiceConfig) {
    let form = || FormOn("/operations");
    service
        .service(resource("/operations/connectors/{name}").route(get().to(plan)))
        .service(resource("/operations/connectors/{name}/compare").app_data(form()).route(post().to(compare)))
        .service(resource("/operations/connectors/{name}/again").app_data(form()).route(post().to(all_again)))
        .service(resource("/operations/connectors/{name}/again/{ci}").app_data(form()).route(post().to(again)));
}

#[derive(Template)]
#[template(path = "connectors/plan.html")]
struct Plan {
    shell: Shell,
    name: String,
    planned: Vec<Planned>,
}

/// What is sent, as people read it.
fn written(payload: &Value) -> String {
    serde_json::to_string_pretty(payload).unwrap_or_default()
}

async fn plan(app: Data<App>, visitor: Visitor, name: Path<String>) -> Result<HttpResponse, Problem> {
    let planned = app::connector::plan(&app, &visitor.principal, &name).await?;
    let shell = visitor.shell(format!("What {name} is sent next"), Section::Operations);
    Ok(page(StatusCode::OK, &Plan { shell, name: name.into_inner(), planned }))
}

async fn compare(
    app: Data<App>,
    visitor: Visitor,
    name: Path<String>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    app::connector::compare(&app, &visitor.principal, VIA, &name).await?;
    back(&app, "It is compared now.")
}

async fn all_again(
    app: Data<App>,
    visitor: Visitor,
    name: Path<String>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    app::connector::carry_again(&app, &visitor.principal, VIA, &name, None).await?;
    back(&app, "The dead letters are sent again.")
}

async fn again(
    app: Data<App>,
    visitor: Visitor,
    letter: Path<(String, CiId)>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let (name, ci) = letter.into_inner();
    app::connector::carry_again(&app, &visitor.principal, VIA, &name, Some(ci)).await?;
    back(&app, "The CI is sent again.")
}

fn back(app: &App, told: &str) -> Result<HttpResponse, Problem> {
    let mut response = see_other("/operations#connectors");
    response.add_cookie(&flash_cookie(app, told)).map_err(Trouble::bug)?;
    Ok(response)
}
