//! How much one request may send, and how long it may take.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::{Data, FormConfig, JsonConfig, PayloadConfig, ServiceConfig};
use actix_web::{Error, HttpMessage};
use domain::trouble::{Kind, Trouble};
use futures::StreamExt;

use crate::nodes;
use crate::problem::{Audience, Problem};

/// The largest form of a page and the largest document of the API, in bytes; honest ones have a few KB.
const LARGEST_BODY: usize = 256 * 1024;

/// What is larger is not even read to its end.
const LARGEST_DRAINED: usize = 32 * 1024 * 1024;

/// How long one request may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// From the head of the request to the head of the answer.
    pub time: Duration,
}

/// The limits of everything that reads a body.
pub(crate) fn configure(service: &mut ServiceConfig) {
    service
        .app_data(FormConfig::default().limit(LARGEST_BODY))
        .app_data(JsonConfig::default().limit(LARGEST_BODY))
        .app_data(PayloadConfig::default().limit(LARGEST_BODY));
}

/// What holds a zero byte is no text that a person wrote, and no database keeps it as one.
pub(crate) fn zero_byte(what: &str) -> Trouble {
    let next = "Leave it out and send the rest again; nothing was changed.";
    Trouble::new(Kind::Malformed, format!("{what} holds a zero byte, which is no letter of any text."), next)
}

/// Middleware: refuses a body that says it is too large or an address that is no text, and ends what takes too long.
pub(crate) async fn keep(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let time = request.app_data::<Data<Limits>>().map_or(Duration::MAX, |limits| limits.time);
    if request.uri().to_string().contains("%00") {
        return Ok(request.error_response(Problem(zero_byte("This address"))));
    }
    let announced = announced_length(&request);
    if announced > largest(request.path()) {
        if announced <= LARGEST_DRAINED {
            drain(&mut request, time).await;
        }
        return Ok(request.error_response(Problem(too_large())));
    }
    // The request goes with whoever is too slow with it; what its answer takes is kept.
    let audience = Audience::of(request.request());
    match tokio::time::timeout(time, next.call(request)).await {
        Ok(answer) => answer.map(ServiceResponse::map_into_boxed_body),
        Err(_) => {
            let answer = audience.answer(&too_slow(time));
            Err(InternalError::from_response(Problem(too_slow(time)), answer).into())
        }
    }
}

/// The largest body that an address takes, in bytes.
fn largest(path: &str) -> usize {
    if path == nodes::REPORTS { nodes::LARGEST_REPORT } else { LARGEST_BODY }
}

fn announced_length(request: &ServiceRequest) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// Reads what is sent and drops it: a browser shows no answer before it has sent everything.
async fn drain(request: &mut ServiceRequest, time: Duration) {
    let mut body = request.take_payload();
    let read = async { while let Some(Ok(_)) = body.next().await {} };
    // Whether it came to its end makes no difference to the answer.
    let _ = tokio::time::timeout(time, read).await;
}

/// A body that is larger than what is read.
pub(crate) fn too_large() -> Trouble {
    let what = format!(
        "This is larger than the {} KB that Gatehouse takes at once. Nothing of it was kept.",
        LARGEST_BODY / 1024
    );
    Trouble::new(Kind::TooLarge, what, "Send less at a time.")
}

fn too_slow(time: Duration) -> Trouble {
    let what = format!("This took longer than {} seconds and was ended.", time.as_secs());
    Trouble::new(Kind::Unavailable, what, "Look whether it was done all the same, then try again.")
}
