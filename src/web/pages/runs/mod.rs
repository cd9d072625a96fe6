//! Runs: the graph of steps coming alive, what each step says, and what an operator does about it.

mod index;
mod live;
mod mend;
mod show;

pub(super) use mend::{told, wish};
pub(super) use show::Typed;

use actix_web::web::{ServiceConfig, get, post, resource};
use domain::ids::RunId;
use domain::trouble::Trouble;

use crate::visitor::FormOn;

/// The routes of runs.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/runs").route(get().to(index::index)))
        .service(resource("/runs.csv").route(get().to(index::csv)))
        .service(resource("/runs/{run}").route(get().to(show::show)))
        .service(resource("/runs/{run}/part").route(get().to(show::part)))
        .service(resource("/runs/{run}/events").route(get().to(live::events)))
        .service(resource("/runs/{run}/mend").app_data(FormOn("/runs/{run}")).route(post().to(mend::mend)));
}

/// The id in an address; what is none is a page that does not exist.
pub(super) fn run_id(text: &str) -> Result<RunId, Trouble> {
    text.parse().map_err(|_| Trouble::not_found("run"))
}
