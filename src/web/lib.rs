//! Doors for people and programs: pages, the API, live events. Handlers only translate; use cases decide.

mod api;
mod csrf;
mod csv;
mod drawing;
mod follow;
mod headers;
mod health;
pub mod limits;
mod list;
mod look;
pub mod metrics;
mod nodes;
pub mod observe;
mod pages;
mod paper;
mod parameters;
mod problem;
mod shell;
mod static_files;
mod switch;
mod visitor;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig, get};
use app::App;
use limits::Limits;
use metrics::Metrics;

/// Opens every door on an actix application. Each route, also one that does not exist, stands behind the same checks.
pub fn configure(house: App, metrics: Metrics, limits: Limits) -> impl FnOnce(&mut ServiceConfig) {
    move |service| {
        let doors = web::scope("")
            .wrap(from_fn(headers::same_site_writes))
            .wrap(from_fn(limits::keep))
            .wrap(from_fn(problem::explain))
            .wrap(from_fn(headers::secure_everything))
            .route("/healthz", get().to(health::alive))
            .route("/readyz", get().to(health::ready))
            .route("/metrics", get().to(metrics::show))
            .configure(static_files::configure)
            .configure(api::configure)
            .configure(nodes::configure)
            .configure(pages::configure)
            .default_service(web::to(problem::nothing_here));
        service
            .app_data(Data::new(house))
            .app_data(Data::new(metrics))
            .app_data(Data::new(limits))
            .configure(limits::configure)
            .service(doors);
    }
}
