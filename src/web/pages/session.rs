//! Signing in and out.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Query, ServiceConfig, get, post, resource};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use askama::Template;
use domain::trouble::{Kind, Trouble};
use serde::Deserialize;

use crate::csrf::{AnyFields, Form, OpenForm};
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Shell, page};
use crate::visitor::{FormOn, Guest, no_session_cookie, session_cookie, session_cookie_name};

/// The routes of signing in and out.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/sign-in").route(get().to(show)).route(post().to(sign_in)))
        .service(resource("/sign-out").app_data(FormOn("/")).route(post().to(sign_out)));
}

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct SignIn {
    shell: Shell,
    email: String,
    next: String,
    /// What went wrong with the last try; empty at first.
    trouble: String,
    advice: String,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
    /// Filled in beforehand, by the demo's list of people.
    #[serde(default)]
    email: String,
}

async fn show(guest: Guest, wanted: Query<Wanted>) -> HttpResponse {
    if guest.visitor.is_some() {
        return see_other(local(&wanted.next));
    }
    let Wanted { next, email } = wanted.into_inner();
    let shell = guest.bare_shell("Sign in");
    page(StatusCode::OK, &SignIn { shell, email, next, trouble: String::new(), advice: String::new() })
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    app: Data<App>,
    guest: Guest,
    request: HttpRequest,
    form: OpenForm<Credentials>,
) -> Result<HttpResponse, Problem> {
    let Credentials { email, password, next } = form.fields;
    match app::session::sign_in(&app, &email, &password, &client(&request)).await {
        Ok(token) => {
            end_session_of(&app, &request).await?;
            let mut response = see_other(local(&next));
            response.add_cookie(&session_cookie(&app, token)).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if matches!(trouble.kind, Kind::Invalid | Kind::TooMany) => {
            let shell = guest.bare_shell("Sign in");
            let status = problem::status(trouble.kind);
            Ok(page(status, &SignIn { shell, email, next, trouble: trouble.what, advice: trouble.next }))
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn sign_out(app: Data<App>, request: HttpRequest, _form: Form<AnyFields>) -> Result<HttpResponse, Problem> {
    end_session_of(&app, &request).await?;
    let mut response = see_other("/sign-in");
    response.add_cookie(&no_session_cookie(&app)).map_err(Trouble::bug)?;
    Ok(response)
}

/// Ends the session that the request's cookie opens, if it opens one.
async fn end_session_of(app: &App, request: &HttpRequest) -> Result<(), Trouble> {
    match request.cookie(session_cookie_name(app)) {
        Some(cookie) => app::session::sign_out(app, cookie.value()).await,
        None => Ok(()),
    }
}

/// The address of who asks, as far as the connection tells. A header that anybody can write is not believed.
pub(crate) fn client(request: &HttpRequest) -> String {
    request.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default()
}

/// Where a redirect may lead: an address of ours, never another site's. Browsers drop tabs and line ends from an
/// address, and read a backslash as a slash.
pub(super) fn local(next: &str) -> &str {
    let ours =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(|c: char| c == '\\' || c.is_control());
    if ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn signing_in_never_leads_to_another_site() {
        assert_eq!(local("/requests?state=open"), "/requests?state=open");
        for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "", "/a\r\nb"] {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
        for dropped in ["/\t/evil.example", "/\u{0}/evil.example"] {
            assert_eq!(local(dropped), "/", "{dropped:?}");
        }
    }
}
