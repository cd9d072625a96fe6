//! People: who has an account, with which roles and groups.

mod index;
mod show;

use actix_web::web::{ServiceConfig, get, post, resource};

/// The routes of people.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/people").route(get().to(index::index)).route(post().to(index::add)))
        .service(resource("/people/{id}").route(get().to(show::show)).route(post().to(show::change)));
}
