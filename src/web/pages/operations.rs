//! Operations: what needs a person, what goes on, who carries it, what waits.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, resource};
use app::App;
use app::operations::Overview;
use askama::Template;

use crate::pages::trend::Charts;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// The route of the page.
pub fn configure(service: &mut ServiceConfig) {
    service.service(resource("/operations").route(get().to(index)));
}

#[derive(Template)]
#[template(path = "operations/index.html")]
struct Index {
    shell: Shell,
    it: Overview,
    charts: Charts,
}

async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let it = app::operations::overview(&app, &visitor.principal).await?;
    let charts = Charts::of(&app::trend::lately(&app, &visitor.principal).await?);
    Ok(page(StatusCode::OK, &Index { shell: visitor.shell("Operations", Section::Operations), it, charts }))
}
