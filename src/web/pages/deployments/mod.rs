//! Deployments: the list, one of them, and what may be done with it.

mod action;
mod csv;
mod index;
mod prolong;
mod retire;
mod show;
mod topology;

use actix_web::web::{ServiceConfig, get, post, resource};

/// The routes of deployments.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/deployments").route(get().to(index::index)))
        .service(resource("/deployments.csv").route(get().to(csv::csv)))
        .service(resource("/deployments/{id}").route(get().to(show::show)))
        .service(
            resource("/deployments/{id}/actions/{action}").route(get().to(action::show)).route(post().to(action::ask)),
        )
        .service(resource("/deployments/{id}/retire").route(get().to(retire::show)).route(post().to(retire::retire)))
        .service(resource("/deployments/{id}/prolong").route(post().to(prolong::prolong)));
}
