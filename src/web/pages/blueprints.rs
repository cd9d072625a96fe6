//! The files of the catalog, for those who run the platform: what is published, and why a file was refused.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use app::App;
use app::catalog::Published;
use askama::Template;
use domain::blueprint::{Edition, EditionState};
use domain::trouble::Trouble;

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

const ADDRESS: &str = "/operations/blueprints";

/// The routes of the blueprints' page.
pub fn configure(service: &mut ServiceConfig) {
    service.service(resource(ADDRESS).route(get().to(index)).route(post().to(read_again)));
}

#[derive(Template)]
#[template(path = "blueprints/index.html")]
struct Index {
    shell: Shell,
    refused: Vec<Edition>,
    published: Vec<Edition>,
    may_publish: bool,
}

async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let editions = app::catalog::editions(&app, &visitor.principal).await?;
    let (refused, published) = editions.into_iter().partition(|edition| edition.state == EditionState::Refused);
    let shell = visitor.shell("Blueprints", Section::Blueprints);
    let may_publish = app::catalog::may_publish(&visitor.principal);
    Ok(page(StatusCode::OK, &Index { shell, refused, published, may_publish }))
}

async fn read_again(app: Data<App>, visitor: Visitor, _form: Form<AnyFields>) -> Result<HttpResponse, Problem> {
    let published = app::catalog::publish_again(&app, &visitor.principal).await?;
    let mut response = see_other(ADDRESS);
    response.add_cookie(&flash_cookie(&app, &said(&published))).map_err(Trouble::bug)?;
    Ok(response)
}

/// What came of reading the files, in a sentence or two.
fn said(published: &Published) -> String {
    let new = match published.new.as_slice() {
        [] => "The files were read; no version is new.".to_owned(),
        new => format!("Published: {}.", new.join(", ")),
    };
    match published.refused.len() {
        0 => new,
        1 => format!("{new} One file was refused; its mistakes are below."),
        many => format!("{new} {many} files were refused; their mistakes are below."),
    }
}
