//! One search for everything: a request's number leads straight to it, anything else to what was found, noun by noun.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query, ServiceConfig, get, resource};
use app::App;
use app::search::{Group, Noun};
use askama::Template;
use serde::Deserialize;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::see_other;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

/// The route of the page.
pub fn configure(service: &mut ServiceConfig) {
    service.service(resource("/search").route(get().to(show)));
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
}

#[derive(Template)]
#[template(path = "search/index.html")]
struct Search {
    shell: Shell,
    q: String,
    groups: Vec<Group>,
}

async fn show(app: Data<App>, visitor: Visitor, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let q = asked.into_inner().q.trim().to_owned();
    if let Some(request) = app::search::by_number(&app, &visitor.principal, &q).await? {
        return Ok(see_other(&format!("/requests/{request}")));
    }
    let groups = app::search::search(&app, &visitor.principal, &q).await?;
    let shell = Shell { search: q.clone(), ..visitor.shell("Search", Section::None) };
    Ok(page(StatusCode::OK, &Search { shell, q, groups }))
}

/// What a noun is called on the page, and its icon.
const fn called(noun: Noun) -> (&'static str, &'static str) {
    match noun {
        Noun::Requests => ("Requests", "requests"),
        Noun::Deployments => ("Deployments", "deployments"),
        Noun::Cis => ("Configuration items", "cmdb"),
        Noun::Workloads => ("Workloads", "container"),
        Noun::People => ("People", "people"),
    }
}

/// Where something that was found stands.
fn address(noun: Noun, id: Uuid) -> String {
    let folder = match noun {
        Noun::Requests => "requests",
        Noun::Deployments => "deployments",
        Noun::Cis | Noun::Workloads => "cmdb",
        Noun::People => "people",
    };
    format!("/{folder}/{id}")
}

/// The noun's list with the same search.
fn list(noun: Noun, q: &str) -> String {
    let (path, more): (&str, &[(&str, &str)]) = match noun {
        Noun::Requests => ("/requests", &[("whose", "all")]),
        Noun::Deployments => ("/deployments", &[]),
        Noun::Cis => ("/cmdb", &[]),
        Noun::Workloads => ("/cmdb", &[("class", "workload")]),
        Noun::People => ("/people", &[]),
    };
    let query = Serializer::new(String::new()).append_pair("q", q).extend_pairs(more).finish();
    format!("{path}?{query}")
}
