//! The files of the catalog, for those who run the platform: what is published, and why a file was refused.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, resource};
use app::App;
use askama::Template;
use domain::blueprint::{Edition, EditionState};

use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// The route of the blueprints' page.
pub fn configure(service: &mut ServiceConfig) {
    service.service(resource("/operations/blueprints").route(get().to(index)));
}

#[derive(Template)]
#[template(path = "blueprints/index.html")]
struct Index {
    shell: Shell,
    refused: Vec<Edition>,
    published: Vec<Edition>,
}

async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let editions = app::catalog::editions(&app, &visitor.principal).await?;
    let (refused, published) = editions.into_iter().partition(|edition| edition.state == EditionState::Refused);
    let shell = visitor.shell("Blueprints", Section::Blueprints);
    Ok(page(StatusCode::OK, &Index { shell, refused, published }))
}
