//! The OpenAPI 3.1 document at `/api/v1/openapi.json`, written from the list of operations itself.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::endpoint::Endpoint;
use super::{BASE, endpoints};

const DESCRIPTION: &str = "Order, approve and look after what runs on the private cloud. Send a token of your \
    account's page as `Authorization: Bearer …`. A token can do no more than its owner; its scopes say what it may be \
    used for. Every error is a problem document (RFC 9457) that says what happened and what can be done. A POST with \
    an `Idempotency-Key` is done once however often it is sent; the key with another body is refused with 422. What \
    belongs to another tenant is not there: 404.";

/// What each status of a refusal means.
const REFUSALS: [(u16, &str); 11] = [
    (400, "The body is no JSON object, or a text of the body or the address holds a zero byte"),
    (401, "No token that is known and valid"),
    (403, "The token or its owner may not do this"),
    (404, "There is no such thing, or it is not the owner's to see"),
    (409, "It can't be done as things stand now"),
    (410, "It was there and can't be used any more: somebody has decided, or time was up"),
    (413, "The body is larger than what is taken at once"),
    (415, "The body is not sent as application/json"),
    (422, "Something that was sent does not fit, and `errors` says where; or the key came with another body before"),
    (500, "A mistake of Gatehouse's own"),
    (503, "It took too long, or something that is needed does not answer"),
];

/// Problem details (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what crate::problem writes")]
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

/// A part of what was sent that does not fit, by one of the three names of its place.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what crate::problem writes")]
pub struct ProblemPlace {
    /// Where it stands in the body (RFC 6901), `/parameters/nodes`.
    #[schema(nullable = false)]
    pointer: Option<String>,
    /// The name of a parameter of the address.
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// The name of a header.
    #[schema(nullable = false)]
    header: Option<String>,
    detail: String,
}

/// This document.
pub async fn show() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// What there is about the API itself.
pub fn about() -> Vec<Endpoint> {
    vec![Endpoint::get("/openapi.json", show).is("About", "This document").gives_object()]
}

/// The document.
pub(super) fn document() -> Value {
    let endpoints = endpoints();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::from([
        ("ProblemDetails".to_owned(), json!(ProblemDetails::schema())),
        ("ProblemPlace".to_owned(), json!(ProblemPlace::schema())),
    ]);
    for endpoint in endpoints {
        let methods = paths.entry(format!("{BASE}{}", endpoint.path)).or_default();
        methods.insert(endpoint.method.as_str().to_lowercase(), endpoint.documented());
        schemas.extend(endpoint.schemas);
    }
    let refusals: BTreeMap<String, Value> = REFUSALS.iter().map(|(status, means)| refusal(*status, means)).collect();
    let token = json!({ "type": "http", "scheme": "bearer", "description": "A token of the account's page" });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Gatehouse", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION },
        "paths": paths,
        "components": { "schemas": schemas, "responses": refusals, "securitySchemes": { "token": token } },
        "security": [{ "token": [] }],
    })
}

fn refusal(status: u16, means: &str) -> (String, Value) {
    let schema = json!({ "$ref": "#/components/schemas/ProblemDetails" });
    let content = json!({ "application/problem+json": { "schema": schema } });
    (status.to_string(), json!({ "description": means, "content": content }))
}
