//! What the process counts, in Prometheus' words at `/metrics`.
//!
//! Requests are counted as they pass; what the database knows better (runs, mails, queue) is read when it is asked
//! for, so that it is true however many processes there are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;
use app::operations::{self, Gauges, Tally};
use domain::trouble::Trouble;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
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
    node_reports: Family<Outcome, Counter>,
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
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
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
        let node_reports = Family::default();
        registry.register(
            "node_reports",
            "Reports of configuration runs, by what became of them",
            node_reports.clone(),
        );
        Self { registry: Arc::new(registry), requests, seconds, node_reports }
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

impl Metrics {
    /// Counts a report of a configuration run.
    pub(crate) fn count_node_report(&self, outcome: &'static str) {
        self.node_reports.get_or_create(&Outcome { outcome }).inc();
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
    registry.register("runs_open", "Runs that have not ended, by state", runs);
    registry.register("mails", "Mails in the outbox, by state", mails);
    let (away, waiting): (Family<Provider, Gauge>, Family<Provider, Gauge>) = Default::default();
    let (calls, in_line): (Family<Provider, Gauge>, Family<Provider, Gauge>) = Default::default();
    for operations::Provider { name: provider, outage, waiting: steps, calls: under_way, in_line: line, .. } in
        &read.providers
    {
        let provider = Provider { provider: provider.clone() };
        set(&away.get_or_create(&provider), outage.is_some().into());
        set(&waiting.get_or_create(&provider), *steps);
        set(&calls.get_or_create(&provider), *under_way);
        set(&in_line.get_or_create(&provider), *line);
    }
    registry.register("provider_calls", "Calls of a provider that are under way", calls);
    registry.register("steps_waiting_for_place", "Steps that wait for a place at a provider", in_line);
    registry.register("provider_away", "Whether a provider does not answer, as its callers find: 1 or 0", away);
    registry.register("steps_waiting_for_provider", "Steps that wait for a provider that is away", waiting);
    let paused = read.runs.iter().filter(|(state, _)| state.needs_a_person()).map(|(_, number)| number).sum();
    for (name, help, number) in [
        ("runs_paused", "Runs that need an operator", paused),
        ("runs_queued", "Runs that wait for a worker", read.queue),
        ("runs_queued_oldest_seconds", "How long the oldest of them has waited", read.queue_waits),
        ("mails_queued_oldest_seconds", "How long the oldest mail has waited to be sent", read.mail_waits),
        ("workers", "Workers that live", read.workers),
        ("duties_done", "Whether a process does the duties: 1 or 0", read.duties_done.into()),
    ] {
        let gauge = Gauge::default();
        set(&gauge, number);
        registry.register(name, help, gauge);
    }
    registry.register_collector(Box::new(Steps(read.steps.clone())));
    registry
}

/// The steps that this process carried, as they were counted.
#[derive(Debug)]
struct Steps(Tally);

impl Collector for Steps {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "Steps that this process carried, by action and what they came to";
        let mut ended = encoder.encode_descriptor("steps", help, None, MetricType::Counter)?;
        for ((action, outcome), number) in &self.0.ended {
            let labels = [("action", action.as_str()), ("outcome", *outcome)];
            ended.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(number, None)?;
        }
        let help = "Time from a step's first call until it was done, by action";
        let mut took = encoder.encode_descriptor("step_seconds", help, None, MetricType::Histogram)?;
        for (action, durations) in &self.0.took {
            let labels = [("action", action.as_str())];
            let buckets = durations.buckets();
            took.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                durations.sum,
                durations.count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

fn set(gauge: &Gauge, number: u64) {
    gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
}
