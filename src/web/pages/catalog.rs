//! The catalog: what can be ordered, and the form that orders it.

mod index;
mod order;

use actix_web::web::{ServiceConfig, get, post, redirect, resource};

/// The routes of the catalog. The house opens with it.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(redirect("/", "/catalog"))
        .service(resource("/catalog").route(get().to(index::index)))
        .service(resource("/catalog/{blueprint}").route(get().to(order::show)).route(post().to(order::order)))
        .service(resource("/catalog/{blueprint}/preview").route(post().to(order::preview)));
}

/// The icon of an offering, by what its name says it is.
fn icon(blueprint: &str) -> &'static str {
    let pictures = [
        ("docker", "docker"),
        ("space", "space"),
        ("container", "container"),
        ("database", "database"),
        ("sql", "database"),
        ("cluster", "cluster"),
        ("tomcat", "balancer"),
        ("vm", "machine"),
        ("machine", "machine"),
    ];
    pictures.iter().find(|(word, _)| blueprint.contains(word)).map_or("catalog", |(_, icon)| icon)
}
