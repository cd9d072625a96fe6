//! Doors for people and programs: pages, the API, live events. Handlers only translate; use cases decide.

pub mod drawing;
pub mod look;
pub mod pages;
pub mod problem;
pub mod shell;

use actix_web::web::{Data, ServiceConfig};
use app::App;

/// Opens every door on an actix application.
pub fn configure(house: App) -> impl FnOnce(&mut ServiceConfig) {
    move |service| {
        service.app_data(Data::new(house)).configure(pages::configure);
    }
}
