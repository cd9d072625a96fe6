//! `/api/v1`: what pages do for people, for programs. The same use cases, JSON in and out, bearer tokens only.
//!
//! [`routes`] is the one list of what there is; the OpenAPI document must say the same, which a test holds it to.

mod approvals;
mod audit;
mod body;
mod caller;
mod catalog;
mod cis;
mod deployments;
mod openapi;
mod paging;
mod requests;
mod runs;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig, get, post};
use actix_web::{HttpResponse, Route};

use crate::problem;

/// Where every path of the API begins.
const BASE: &str = "/api/v1";

/// Every route: method, path below [`BASE`], handler.
fn routes() -> Vec<(Method, &'static str, Route)> {
    let read = |path, route: Route| (Method::GET, path, route);
    let write = |path, route: Route| (Method::POST, path, route);
    vec![
        read("/approvals", get().to(approvals::index)),
        write("/approvals/{id}/decision", post().to(approvals::decide)),
        read("/audit/report", get().to(audit::report)),
        read("/catalog", get().to(catalog::index)),
        read("/catalog/{blueprint}", get().to(catalog::show)),
        write("/catalog/{blueprint}/plan", post().to(catalog::plan)),
        read("/cis", get().to(cis::index)),
        read("/cis/{id}", get().to(cis::show)),
        read("/deployments", get().to(deployments::index)),
        read("/deployments/{id}", get().to(deployments::show)),
        write("/deployments/{id}/actions/{action}", post().to(deployments::act)),
        write("/deployments/{id}/retire", post().to(deployments::retire)),
        read("/openapi.json", get().to(openapi::show)),
        read("/requests", get().to(requests::index)),
        write("/requests", post().to(requests::submit)),
        read("/requests/{id}", get().to(requests::show)),
        write("/requests/{id}/withdraw", post().to(requests::withdraw)),
        read("/runs/{id}", get().to(runs::show)),
    ]
}

pub(crate) fn configure(service: &mut ServiceConfig) {
    let scope = web::scope(BASE).default_service(web::to(problem::nothing_here));
    service.service(routes().into_iter().fold(scope, |scope, (_, path, route)| scope.route(path, route)));
}

/// Says 201 and where the new thing is.
fn created(path: String, body: &impl serde::Serialize) -> HttpResponse {
    HttpResponse::Created().insert_header(("Location", format!("{BASE}{path}"))).json(body)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BASE, openapi, routes};

    #[test]
    fn the_document_says_what_there_is_and_nothing_else() {
        let there_is: BTreeSet<String> = routes()
            .iter()
            .map(|(method, path, _)| format!("{} {BASE}{path}", method.as_str().to_lowercase()))
            .collect();
        let document = serde_json::to_value(openapi::document()).unwrap();
        let said = document["paths"].as_object().unwrap().iter().flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        });
        assert_eq!(there_is, said.collect());
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn every_operation_says_which_problems_it_may_answer() {
        let document = serde_json::to_value(openapi::document()).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let by_token = operation["security"]
                    .as_array()
                    .is_none_or(|schemes| schemes.iter().any(|scheme| scheme.get("token").is_some()));
                assert!(!by_token || operation["responses"]["401"].is_object(), "{method} {path}");
            }
        }
    }
}
