//! Doors for people and programs: pages, the API, live events. Handlers only translate; use cases decide.

pub mod csrf;
pub mod drawing;
pub mod headers;
pub mod look;
pub mod pages;
pub mod problem;
pub mod shell;
pub mod visitor;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use app::App;

/// Opens every door on an actix application. Each route, also one that does not exist, stands behind the same checks.
pub fn configure(house: App) -> impl FnOnce(&mut ServiceConfig) {
    move |service| {
        let doors = web::scope("")
            .wrap(from_fn(headers::same_site_writes))
            .wrap(from_fn(problem::explain))
            .wrap(from_fn(headers::secure_everything))
            .configure(pages::configure)
            .default_service(web::to(problem::nothing_here));
        service.app_data(Data::new(house)).service(doors);
    }
}
