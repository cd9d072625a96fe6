//! What the process counts, in Prometheus' words at `/metrics`.
//!
//! Requests are counted as they pass; what the database knows better (runs, mails, queue) is read when it is asked
//! for, so that it is true however many processes there are.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;
use app::operations::{self, Gauges};
use domain::trouble::Trouble;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::problem::Problem;

/// Upper bounds of the buckets of answer times, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0];

/// The process' counters; clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let seconds: Family<Route, Histogram> = Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let mut registry = Registry::with_prefix("gatehouse");
        registry.register("http_requests", "Requests by route and status", requests.clone());
        registry.register("http_request_seconds", "Time to the answer's head, by route", seconds.clone());
        Self { registry: Arc::new(registry), requests, seconds }
    }
}

impl Metrics {
    /// Counts one answered request. `route` is the pattern, so that ids do not make a series each.
    pub(crate) fn count(&self, method: &str, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { method: method.to_owned(), route, status }).inc();
    }
}

/// `GET /metrics`
pub(crate) async fn show(house: Data<App>, metrics: Data<Metrics>) -> Result<HttpResponse, Problem> {
    let gauges = registry_of(&operations::gauges(&house).await?);
    let mut text = String::new();
    encode_registry(&mut text, &metrics.registry)
        .and_then(|()| encode_registry(&mut text, &gauges))
        .and_then(|()| encode_eof(&mut text))
        .map_err(Trouble::bug)?;
    Ok(HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text))
}

/// What the database says now, as gauges of their own.
fn registry_of(read: &Gauges) -> Registry {
    let mut registry = Registry::with_prefix("gatehouse");
    let runs: Family<State, Gauge> = Family::default();
    for (state, number) in &read.runs {
        set(&runs.get_or_create(&State { state: state.word().to_owned() }), *number);
    }
    let mails: Family<State, Gauge> = Family::default();
    for (state, number) in &read.mails {
        set(&mails.get_or_create(&State { state: state.word().to_owned() }), *number);
    }
    let (queue, workers) = (Gauge::default(), Gauge::default());
    set(&queue, read.queue);
    set(&workers, read.workers);
    registry.register("runs_open", "Runs that have not ended, by state", runs);
    registry.register("mails", "Mails in the outbox, by state", mails);
    registry.register("runs_queued", "Runs that wait for a worker", queue);
    registry.register("workers", "Workers that live", workers);
    registry
}

fn set(gauge: &Gauge, number: u64) {
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
}
