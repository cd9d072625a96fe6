//! People: who has an account, with which roles and groups.

mod add;
mod index;
mod show;

use actix_web::web::{ServiceConfig, get, post, resource};
use app::person::Places;
use domain::person::{Place, Role};

/// The routes of people.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/people").route(get().to(index::index)))
        .service(resource("/people.csv").route(get().to(index::csv)))
        .service(resource("/people/new").route(get().to(add::show)).route(post().to(add::add)))
        .service(resource("/people/{id}").route(get().to(show::show)).route(post().to(show::change)));
}

/// The roles as a form offers them: word and label.
fn roles() -> Vec<(String, String)> {
    Role::ALL.iter().map(|role| (role.word().to_owned(), crate::look::words(role.word()))).collect()
}

/// The places as a form offers them: word and label.
fn offered(places: &Places) -> Vec<(String, String)> {
    let everywhere = std::iter::once(("everywhere".to_owned(), "Everywhere".to_owned()));
    let organisations = places.organisations.iter().map(|it| (it.name.clone(), format!("All of {}", it.title)));
    let projects = places.projects.iter().map(|it| {
        (format!("{}/{}", it.organisation_name, it.name), format!("{} in {}", it.title, it.organisation_name))
    });
    everywhere.chain(organisations).chain(projects).collect()
}

/// The word that stands for a place in forms: `everywhere`, `northwind`, `northwind/shop`.
fn place_word(place: Place, places: &Places) -> String {
    match place {
        Place::Everywhere => "everywhere".to_owned(),
        Place::Organisation(id) => {
            let found = places.organisations.iter().find(|organisation| organisation.id == id);
            found.map(|organisation| organisation.name.clone()).unwrap_or_default()
        }
        Place::Project(id) => {
            let found = places.projects.iter().find(|project| project.id == id);
            found.map(|project| format!("{}/{}", project.organisation_name, project.name)).unwrap_or_default()
        }
    }
}
