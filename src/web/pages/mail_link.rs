//! The way in by a mail's link, without signing in. The first GET takes the link's secret out of the address bar: it
//! goes into a cookie that only the one page gets, so that two links in two tabs are never confused.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use domain::trouble::{Kind, Trouble};

use super::see_other;
use crate::problem::Problem;
use crate::visitor::secure;

/// The cookie that holds the link's secret while the page is open.
const COOKIE: &str = "decide";
/// How long the page may stay open before the link has to be opened again.
const OPEN_FOR: Duration = Duration::minutes(30);

/// Leads on to the page `to`, which alone gets the secret.
pub(super) fn move_out_of_address(app: &App, to: &str, token: &str) -> Result<HttpResponse, Problem> {
    let cookie = Cookie::build(COOKIE, token.to_owned())
        .path(to.to_owned())
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure(app))
        .max_age(OPEN_FOR)
        .finish();
    let mut response = see_other(to);
    response.add_cookie(&cookie).map_err(Trouble::bug)?;
    Ok(without_referer(response))
}

/// An answer from which no other site learns where it was.
pub(super) fn without_referer(mut response: HttpResponse) -> HttpResponse {
    response.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    response
}

/// The link's secret, from the cookie of this page.
pub(super) fn token(request: &HttpRequest) -> Result<String, Trouble> {
    request.cookie(COOKIE).map(|cookie| cookie.value().to_owned()).ok_or_else(|| {
        Trouble::new(
            Kind::Gone,
            "This page was open for too long, or your browser keeps no cookies.",
            "Open the link in the mail once more.",
        )
    })
}
