//! What the process counts, in Prometheus' words at `/metrics`.
//!
//! Requests are counted as they pass; what the database knows better (runs, mails, queue) is read when it is asked
//! for, so that it is true however many processes there are.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

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
pub(crate) async fn show(metrics: Data<Metrics>) -> HttpResponse {
    let mut text = String::new();
    if let Err(cause) = encode(&mut text, &metrics.registry) {
        tracing::error!(error = %cause, "the metrics could not be written");
        return HttpResponse::InternalServerError().finish();
    }
    HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text)
}
