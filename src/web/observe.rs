//! Every request is counted, and what is logged on its way bears its method and path.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use tracing::Instrument;

use crate::metrics::Metrics;

/// Middleware: counts the request, and opens the span its log lines stand in.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let metrics = request.app_data::<Data<Metrics>>().cloned();
    // The path alone: a query may hold what somebody searched for.
    let span = tracing::info_span!("request", method = %request.method(), path = request.path());
    let answer = next.call(request).instrument(span.clone()).await?;
    let route = answer.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    if let Some(metrics) = metrics {
        let method = answer.request().method().as_str().to_owned();
        metrics.count(&method, &route, answer.status().as_u16(), began.elapsed());
    }
    span.in_scope(|| tracing::debug!(status = answer.status().as_u16(), took = ?began.elapsed(), "answered"));
    Ok(answer)
}
