//! Deployments: the list, one of them, and what may be done with it.

mod csv;
mod index;
mod prolong;
mod show;
mod topology;

use actix_web::web::{ServiceConfig, get, post, resource};

/// The routes of deployments.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/deployments").route(get().to(index::index)))
        .service(resource("/deployments.csv").route(get().to(csv::csv)))
        .service(resource("/deployments/{id}").route(get().to(show::show)))
        .service(resource("/deployments/{id}/prolong").route(post().to(prolong::prolong)));
}
