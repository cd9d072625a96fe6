//! `/api/v1`: what pages do for people, for programs. The same use cases, JSON in and out, bearer tokens only.
//!
//! Each noun lists its operations; routes, the methods that a path refuses, and the OpenAPI document come from the
//! lists.

mod absence;
mod approvals;
mod audit;
mod blueprints;
mod caller;
mod catalog;
mod cis;
mod connectors;
mod deployments;
mod endpoint;
mod fields;
mod findings;
mod kinds;
mod mend;
mod openapi;
mod operations;
mod paging;
mod projects;
mod reconcile;
mod requests;
mod runs;
mod search;
mod secrets;
mod tasks;
mod tokens;

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::{self, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use domain::trouble::{Kind, Trouble};
use endpoint::Endpoint;

use crate::problem::{self, Problem};

/// Where every path of the API begins.
const BASE: &str = "/api/v1";

/// What an operation answers, or why it refuses.
type Reply = Result<HttpResponse, Problem>;

/// Every operation.
fn endpoints() -> Vec<Endpoint> {
    let nouns = [
        absence::endpoints(),
        approvals::endpoints(),
        audit::endpoints(),
        blueprints::endpoints(),
        catalog::endpoints(),
        cis::endpoints(),
        connectors::endpoints(),
        deployments::endpoints(),
        findings::endpoints(),
        operations::endpoints(),
        projects::endpoints(),
        reconcile::endpoints(),
        requests::endpoints(),
        runs::endpoints(),
        mend::endpoints(),
        search::endpoints(),
        secrets::endpoints(),
        tasks::endpoints(),
        tokens::endpoints(),
        openapi::about(),
    ];
    nouns.into_iter().flatten().collect()
}

pub(crate) fn configure(service: &mut ServiceConfig) {
    let mut by_path: BTreeMap<&str, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints() {
        by_path.entry(endpoint.path).or_default().push(endpoint);
    }
    let mut scope = web::scope(BASE).default_service(web::to(problem::nothing_here));
    for (path, endpoints) in by_path {
        let allowed: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
        let allowed = allowed.join(", ");
        let refused = web::to(move |request: HttpRequest| std::future::ready(not_allowed(&request, &allowed)));
        let known = endpoints.into_iter().fold(resource(path), |known, endpoint| known.route(endpoint.route));
        scope = scope.service(known.default_service(refused));
    }
    service.service(scope);
}

fn not_allowed(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let what = format!("{} can't be done here, only {allowed}.", request.method());
    let next = "The document at /api/v1/openapi.json says what there is.";
    let mut answer = problem::answer(request, &Trouble::new(Kind::NotAllowed, what, next));
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}
