//! The catalog's page: a card for each offering.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use app::App;
use app::catalog::Card;
use askama::Template;

use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "catalog/index.html")]
struct Index {
    shell: Shell,
    cards: Vec<Card>,
}

/// Who would have to approve, in one line.
fn approvers(card: &Card) -> String {
    let levels = card.levels.iter().map(|level| {
        let names: Vec<String> = level.approvers.iter().map(ToString::to_string).collect();
        names.join(" or ")
    });
    let levels: Vec<String> = levels.collect();
    if levels.is_empty() { "nobody, for the usual order".to_owned() } else { levels.join(", then ") }
}

pub(super) async fn index(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let mut cards = app::catalog::list(&app, &visitor.principal, visitor.project).await?;
    cards.sort_by(|a, b| (&a.category, &a.title).cmp(&(&b.category, &b.title)));
    Ok(page(StatusCode::OK, &Index { shell: visitor.shell("Catalog", Section::Catalog), cards }))
}
