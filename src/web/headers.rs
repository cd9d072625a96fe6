//! The headers that every answer carries, and the checks that every request passes before its handler.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use app::App;

use crate::csrf;
use crate::problem::Problem;
use crate::visitor::{FLASH_COOKIE, secure};

/// The number that lets the page's own script tags run; new with every answer.
#[derive(Clone)]
pub struct Nonce(String);

impl Nonce {
    /// The nonce of this request.
    pub fn of(request: &HttpRequest) -> String {
        request.extensions().get::<Self>().map(|nonce| nonce.0.clone()).unwrap_or_default()
    }
}

/// Refuses writes that another site started, and puts the security headers on every answer.
pub(crate) async fn secure_everything(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let nonce = app::secret::fresh();
    request.extensions_mut().insert(Nonce(nonce.clone()));
    let over_https = request.app_data::<Data<App>>().is_some_and(|app| secure(app));
    let mut response = match next.call(request).await {
        Ok(response) => response,
        // A request that took too long is gone; its answer has to be safe all the same.
        Err(error) => {
            let mut answer = error.error_response();
            add_headers(answer.headers_mut(), &nonce, over_https);
            return Err(InternalError::from_response(error, answer).into());
        }
    };
    forget_shown_flash(&mut response);
    add_headers(response.headers_mut(), &nonce, over_https);
    Ok(response)
}

/// Lets only requests through that our own pages, or no page at all, started.
pub(crate) async fn same_site_writes(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match csrf::check_origin(request.request()) {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        // An answer rather than an error, so that it is explained and bears every header.
        Err(trouble) => Ok(request.error_response(Problem(trouble))),
    }
}

fn add_headers(headers: &mut HeaderMap, nonce: &str, over_https: bool) {
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        // A handler that said something of its own (a static file's caching) knows better.
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let (false, Ok(policy)) = (headers.contains_key(header::CONTENT_SECURITY_POLICY), HeaderValue::from_str(&policy))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if over_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// A sentence that a page has shown is not shown again.
fn forget_shown_flash(response: &mut ServiceResponse<impl MessageBody>) {
    let asked_with_flash = response.request().cookie(FLASH_COOKIE).is_some();
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_part = response.request().headers().contains_key("HX-Request");
    if asked_with_flash && is_page && !is_part {
        let gone = Cookie::build(FLASH_COOKIE, "").path("/").max_age(Duration::ZERO).finish();
        if let Err(cause) = response.response_mut().add_cookie(&gone) {
            tracing::warn!(error = %cause, "a shown message could not be taken away");
        }
    }
}
