//! The OpenAPI 3.1 document at `/api/v1/openapi.json`, written from the handlers themselves.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, Ref};
use utoipa::{Modify, OpenApi, ToSchema};

use super::{approvals, audit, catalog, cis, deployments, requests, runs};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gatehouse",
        description = "Order, approve and look after what runs on the private cloud. Send a token of your account's \
                       page as `Authorization: Bearer …`. A token can do no more than its owner; its scopes say what \
                       it may be used for. Every error is a problem document (RFC 9457).",
    ),
    paths(
        approvals::decide,
        approvals::index,
        audit::report,
        catalog::index,
        catalog::plan,
        catalog::show,
        cis::index,
        cis::show,
        deployments::act,
        deployments::index,
        deployments::retire,
        deployments::show,
        requests::index,
        requests::show,
        requests::submit,
        requests::withdraw,
        runs::show,
        show,
    ),
    security(("token" = [])),
    modifiers(&Token),
)]
struct Gatehouse;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
        for path in document.paths.paths.values_mut() {
            for operation in [&mut path.get, &mut path.post].into_iter().flatten() {
                if operation.security.is_none() {
                    refuse_strangers(operation);
                }
            }
        }
    }
}

/// Every operation that takes a token may find it unknown, or not good for this.
fn refuse_strangers(operation: &mut Operation) {
    let problem = Content::new(Some(Ref::from_schema_name("ProblemDetails")));
    for (status, description) in [("401", "No valid token"), ("403", "The token or its owner may not do this")] {
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", problem.clone())
            .build();
        operation.responses.responses.insert(status.to_owned(), response.into());
    }
}

/// Problem details (RFC 9457).
#[derive(Serialize, ToSchema)]
pub struct ProblemDetails {
    r#type: String,
    title: String,
    status: u16,
    /// What happened, to what, and why.
    detail: String,
    /// What can be done now.
    next: String,
    /// Which parts of what was sent do not fit.
    errors: Vec<ProblemPlace>,
}

/// A part of what was sent that does not fit.
#[derive(Serialize, ToSchema)]
pub struct ProblemPlace {
    /// Where it stands (RFC 6901), or the name of a parameter of the address.
    pointer: String,
    detail: String,
}

/// This document
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "About", security(()), responses((status = 200, body = Object)))]
pub async fn show() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// The document.
pub(super) fn document() -> Document {
    Gatehouse::openapi()
}
