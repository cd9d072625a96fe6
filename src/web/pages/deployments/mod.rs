//! Deployments: the list, one of them, and what may be done with it.

mod action;
mod index;
mod prolong;
mod retire;
mod secret;
mod show;
mod topology;

use actix_web::web::{ServiceConfig, get, post, resource};
use app::deployment::Details;
use domain::resource::Resource;
use serde_json::Value;

use crate::visitor::FormOn;

/// The routes of deployments.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/deployments").route(get().to(index::index)))
        .service(resource("/deployments.csv").route(get().to(index::csv)))
        .service(resource("/deployments/{id}").route(get().to(show::show)))
        .service(resource("/deployments/{id}/part").route(get().to(show::part)))
        .service(
            resource("/deployments/{id}/actions/{action}").route(get().to(action::show)).route(post().to(action::ask)),
        )
        .service(resource("/deployments/{id}/actions/{action}/preview").route(post().to(action::preview)))
        .service(resource("/deployments/{id}/retire").route(get().to(retire::show)).route(post().to(retire::retire)))
        .service(
            resource("/deployments/{id}/secrets/{secret}")
                .app_data(FormOn("/deployments/{id}"))
                .route(post().to(secret::take)),
        )
        .service(
            resource("/deployments/{id}/prolong")
                .app_data(FormOn("/deployments/{id}"))
                .route(post().to(prolong::prolong)),
        );
}

/// The objects outside that a deployment has or had. A registration is none: what it registered stands among the CIs.
/// By name, so that what belongs to one machine stands together.
fn objects(it: &Details) -> Vec<Resource> {
    let mut objects: Vec<Resource> = it.resources.iter().filter(|row| row.kind != "registration").cloned().collect();
    objects.sort_by_cached_key(|row| crate::look::counting(called(row)));
    objects
}

/// What an object is called: what was reserved, once that is known, rather than what was asked for.
fn called(row: &Resource) -> &str {
    row.attributes.get("name").and_then(Value::as_str).unwrap_or(&row.name)
}
