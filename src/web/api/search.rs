//! One search for everything.

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;
use app::search::{self, Group, Hit};
use domain::token::TokenScope;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::Query;

/// What is looked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Sought {
    /// A request's title or number, a deployment's name, or beginnings of words that a CI bears.
    q: String,
}

/// What was found, noun by noun.
#[derive(Serialize, ToSchema)]
pub struct SearchAnswer {
    groups: Vec<FoundGroup>,
}

/// What was found of one noun.
#[derive(Serialize, ToSchema)]
pub struct FoundGroup {
    /// `requests`, `deployments`, `cis`, `workloads` or `people`.
    noun: String,
    items: Vec<FoundItem>,
    /// Whether there are others.
    more: bool,
}

/// Something that was found.
#[derive(Serialize, ToSchema)]
pub struct FoundItem {
    id: String,
    name: String,
    /// What it is, in a few words.
    note: String,
    /// Its state; null for people.
    state: Option<String>,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    let search = Endpoint::get("/search", show).is("Search", "Search requests, deployments, CIs, workloads and people");
    vec![search.needs(TokenScope::Read).asks::<Sought>().gives::<SearchAnswer>()]
}

async fn show(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let q = query.required::<String>("q");
    let q = query.finish(q)?;
    let groups = search::search(&house, who, &q).await?;
    Ok(HttpResponse::Ok().json(SearchAnswer { groups: groups.into_iter().map(FoundGroup::from).collect() }))
}

impl From<Group> for FoundGroup {
    fn from(group: Group) -> Self {
        let items = group.hits.into_iter().map(FoundItem::from).collect();
        Self { noun: group.noun.word().to_owned(), items, more: group.more }
    }
}

impl From<Hit> for FoundItem {
    fn from(hit: Hit) -> Self {
        let state = hit.reads.map(|reads| reads.word.to_owned());
        Self { id: hit.id.to_string(), name: hit.name, note: hit.note, state }
    }
}
