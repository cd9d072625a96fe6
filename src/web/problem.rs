//! Trouble at the door: the same error as a page for people or as problem details (RFC 9457) for programs.

use std::error::Error as _;
use std::fmt;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use domain::trouble::{FieldError, Kind, Trouble};
use serde_json::{Value, json};

use crate::nodes;
use crate::shell::{Shell, page};
use crate::visitor;

/// A use case's trouble on its way to a page or a program.
#[derive(Debug)]
pub struct Problem(pub Trouble);

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        Self(trouble)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status(self.0.kind)
    }
}

/// What is wrong with a field of a form; empty when nothing is.
pub fn message_at<'e>(errors: &'e [FieldError], field: &str) -> &'e str {
    errors.iter().find(|error| error.field == field).map_or("", |error| &error.message)
}

/// The HTTP status (RFC 9110) that says this sort of trouble.
pub fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Malformed => StatusCode::BAD_REQUEST,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::SignInRequired => StatusCode::UNAUTHORIZED,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Gone => StatusCode::GONE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Writes every refusal in the words of whoever asked: a page, a part of a page, or problem details.
pub async fn explain(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let status = response.status();
    let Some(error) = response.response().error() else { return Ok(response) };
    let answer = match error.as_error::<Problem>() {
        Some(Problem(trouble)) => {
            log(response.request(), trouble);
            answer(response.request(), app::fault::told(trouble).as_ref().unwrap_or(trouble))
        }
        None => answer(response.request(), &trouble_of(status, error)),
    };
    let (request, _) = response.into_parts();
    Ok(ServiceResponse::new(request, answer))
}

/// What every address answers that no page has.
pub(crate) async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem(Trouble::not_found("page")))
}

/// Trouble that actix found before one of our handlers was asked.
fn trouble_of(status: StatusCode, error: &Error) -> Trouble {
    let kind = match status {
        StatusCode::NOT_FOUND => return Trouble::not_found("page"),
        StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
        status if status.is_server_error() => return Trouble::bug(error.to_string()),
        _ => Kind::Malformed,
    };
    Trouble::new(
        kind,
        format!("Gatehouse could not read this request: {error}."),
        "Check the address and what was sent.",
    )
}

fn log(request: &HttpRequest, trouble: &Trouble) {
    if trouble.kind != Kind::Bug {
        return;
    }
    let mut causes = Vec::new();
    let mut cause = trouble.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    tracing::error!(path = request.path(), method = %request.method(), causes = causes.join(": "), "a request failed");
}

/// The answer that says this trouble to whoever asked.
pub fn answer(request: &HttpRequest, trouble: &Trouble) -> HttpResponse {
    let audience = Audience::of(request);
    if trouble.kind == Kind::SignInRequired && request.method() == Method::GET {
        let to = sign_in_address(request);
        match audience {
            Audience::Program => {}
            Audience::Part => {
                return HttpResponse::build(status(trouble.kind)).insert_header(("HX-Redirect", to)).finish();
            }
            Audience::Person(_) => return HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish(),
        }
    }
    audience.answer(trouble)
}

/// To whom an answer speaks; outlives the request.
pub(crate) enum Audience {
    /// Problem details.
    Program,
    /// What htmx puts into a page.
    Part,
    /// A page in this frame.
    Person(Box<Shell>),
}

impl Audience {
    /// Who sent this request.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        if request.path().starts_with("/api/") || request.path().starts_with(nodes::BASE) {
            Self::Program
        } else if request.headers().contains_key("HX-Request") {
            Self::Part
        } else {
            Self::Person(Box::new(visitor::shell_for_trouble(request, "")))
        }
    }

    /// The answer that says this trouble.
    pub(crate) fn answer(self, trouble: &Trouble) -> HttpResponse {
        let status = status(trouble.kind);
        let (what, next) = (trouble.what.as_str(), trouble.next.as_str());
        match self {
            Self::Program => details(status, trouble),
            Self::Part => page(status, &TroublePart { what, next }),
            Self::Person(shell) => {
                let headline = headline(trouble.kind);
                let shell = Shell { title: headline.to_owned(), ..*shell };
                page(status, &TroublePage { shell, headline, what, next, status: status.as_u16() })
            }
        }
    }
}

/// Problem details (RFC 9457) with the fields that do not fit.
fn details(status: StatusCode, trouble: &Trouble) -> HttpResponse {
    let errors: Vec<Value> = trouble.fields.iter().map(place).collect();
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"gatehouse\""));
    }
    answer.insert_header((header::CONTENT_TYPE, "application/problem+json")).body(
        json!({
            "type": "about:blank",
            "title": headline(trouble.kind),
            "status": status.as_u16(),
            "detail": trouble.what,
            "next": trouble.next,
            "errors": errors,
        })
        .to_string(),
    )
}

/// What is wrong and where: `?limit` is a parameter of the address, `Idempotency-Key:` a header, anything else a part of
/// the body.
fn place(wrong: &FieldError) -> Value {
    let FieldError { field, message } = wrong;
    if let Some(parameter) = field.strip_prefix('?') {
        json!({ "parameter": parameter, "detail": message })
    } else if let Some(header) = field.strip_suffix(':') {
        json!({ "header": header, "detail": message })
    } else {
        json!({ "pointer": format!("/{}", field.trim_start_matches('/')), "detail": message })
    }
}

fn sign_in_address(request: &HttpRequest) -> String {
    let wanted = request.uri().path_and_query().map_or("/", |address| address.as_str());
    let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
    format!("/sign-in?next={next}")
}

fn headline(kind: Kind) -> &'static str {
    match kind {
        Kind::Malformed => "This request can't be read",
        Kind::Invalid => "Something needs another look",
        Kind::NotFound => "There is nothing here",
        Kind::Forbidden => "This is not yours to do",
        Kind::SignInRequired => "Please sign in",
        Kind::Conflict => "This can't be done now",
        Kind::Gone => "This can't be used any more",
        Kind::TooLarge => "This is too large",
        Kind::WrongType => "This is sent as something else",
        Kind::NotAllowed => "This can't be done here",
        Kind::TooMany => "Too many tries",
        Kind::Unavailable => "Something we need does not answer",
        Kind::Bug => "Gatehouse made a mistake",
    }
}

#[derive(Template)]
#[template(path = "errors/trouble.html")]
struct TroublePage<'t> {
    shell: Shell,
    headline: &'static str,
    what: &'t str,
    next: &'t str,
    status: u16,
}

/// The same words where htmx puts a part of a page.
#[derive(Template)]
#[template(path = "errors/part.html")]
struct TroublePart<'t> {
    what: &'t str,
    next: &'t str,
}
