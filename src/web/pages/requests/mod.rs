//! Requests: the list, one of them with everything that happened to it, changing one
//! and taking one back.

mod change;
mod index;
mod show;
mod words;

use actix_web::web::{ServiceConfig, get, post, resource};

use crate::visitor::FormOn;

/// The routes of requests.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/requests").route(get().to(index::index)))
        .service(resource("/requests.csv").route(get().to(index::csv)))
        .service(resource("/requests/{id}").route(get().to(show::show)))
        .service(resource("/requests/{id}/change").route(get().to(change::show)).route(post().to(change::change)))
        .service(resource("/requests/{id}/change/preview").route(post().to(change::preview)))
        .service(resource("/requests/{id}/part").route(get().to(show::part)))
        .service(
            resource("/requests/{id}/withdraw").app_data(FormOn("/requests/{id}")).route(post().to(show::withdraw)),
        );
}
