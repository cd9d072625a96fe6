//! Forms that only our own pages can send, and that lose nothing that was typed.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{BytesMut, Data, Query};
use actix_web::{FromRequest, HttpRequest};
use app::App;
use domain::trouble::{Kind, Trouble};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::limits::zero_byte;
use crate::problem::Problem;
use crate::visitor::Visitor;

/// The largest form, in bytes; the longest honest one has a few kilobytes.
const FORM_MAX: usize = 256 * 1024;

/// The pages behind links in mails, whose forms prove themselves ([`OpenForm::must_come_from_holder_of`]).
const LINKS: &str = "/decide/";

/// A form of somebody who is signed in: it carries his session's token in the field `csrf`.
pub struct Form<T> {
    pub fields: T,
    /// The fields as they were sent, to show a refused form with what was typed.
    pub pairs: Vec<(String, String)>,
}

/// A form that needs no session: signing in, deciding by a link. Another site still can't send it.
pub struct OpenForm<T> {
    pub fields: T,
    /// The fields as they were sent, to show a refused form with what was typed.
    pub pairs: Vec<(String, String)>,
    /// What it carries in the field `csrf`; empty when nothing.
    proof: String,
}

/// The fields of a form whose names are not known beforehand.
#[derive(serde::Deserialize)]
pub struct AnyFields {}

impl<T> Form<T> {
    /// What was typed into a field; the first when there are several of the name.
    pub fn typed(&self, field: &str) -> Option<&str> {
        typed_in(&self.pairs, field)
    }
}

/// What was typed into a field of these; the first when there are several of the name.
pub fn typed_in<'p>(pairs: &'p [(String, String)], field: &str) -> Option<&'p str> {
    pairs.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
}

impl<T> OpenForm<T> {
    /// Refuses a form that is not from the page that the holder of this link was shown.
    pub fn must_come_from_holder_of(&self, link: &str) -> Result<(), Trouble> {
        if app::secret::same(&self.proof, &proof_of(link)) { Ok(()) } else { Err(stale()) }
    }
}

/// What a form on the page behind a link carries in the field `csrf`: only who has the link's secret can know it.
pub fn proof_of(link: &str) -> String {
    app::secret::derive("form of a link", link)
}

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let visitor = Visitor::from_request(&request, &mut Payload::None).await?;
            let body = read(&request, &mut payload).await?;
            let pairs = pairs(&body)?;
            let token = pairs.iter().find(|(name, _)| name == "csrf").map_or("", |(_, value)| value);
            if !app::secret::same(token, &visitor.csrf) {
                return Err(Problem(stale()));
            }
            Ok(Self { fields: parse(&body)?, pairs })
        })
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for OpenForm<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read(&request, &mut payload).await?;
            let pairs = pairs(&body)?;
            let proof = pairs.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.clone());
            Ok(Self { fields: parse(&body)?, pairs, proof: proof.unwrap_or_default() })
        })
    }
}

/// Refuses a write that another site started. Browsers say where a request comes from in `Sec-Fetch-Site`, older ones
/// in `Origin`; a program with a token of its own carries no cookie and needs neither.
pub(crate) fn check_origin(request: &HttpRequest) -> Result<(), Trouble> {
    let headers = request.headers();
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    // The API knows no cookies, so that nobody can be made to send what he did not mean.
    let by_token = headers.contains_key(header::AUTHORIZATION) || request.path().starts_with("/api/");
    if safe || by_token || comes_from_us(request, headers) {
        return Ok(());
    }
    Err(Trouble::forbidden(
        "This form was not sent from a page of Gatehouse.",
        "Open the page itself and send the form from there.",
    ))
}

fn comes_from_us(request: &HttpRequest, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin" || site == "none",
        // From a page without Referer, Safari before 16.4 says `null`, as a sandboxed frame of anybody's does. Behind
        // a link the form itself proves where it comes from.
        (None, Some("null")) => request.path().starts_with(LINKS),
        (None, Some(origin)) => {
            let ours = request.app_data::<Data<App>>().is_some_and(|app| app.base_url == origin);
            let host = text("host").unwrap_or_default();
            ours || origin.split_once("://").is_some_and(|(_, from)| from == host)
        }
        (None, None) => false,
    }
}

fn stale() -> Trouble {
    Trouble::forbidden(
        "This form belongs to another sign-in or is too old.",
        "Load the page again and send the form once more; nothing was changed.",
    )
}

/// Reads a form's body, no further than a form may go.
async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<String, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    if !kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
        return Err(Problem(Trouble::new(
            Kind::Malformed,
            "The answer to this form came in a format that is not a form's.",
            "Send it as application/x-www-form-urlencoded.",
        )));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|cause| broken("The form did not arrive whole.").because(cause.to_string()))?;
        if body.len() + chunk.len() > FORM_MAX {
            return Err(Problem(Trouble::new(
                Kind::TooLarge,
                "This form is larger than the 256 KB that a form may have.",
                "Shorten what was typed and send it again; nothing was changed.",
            )));
        }
        body.extend_from_slice(&chunk);
    }
    let body = String::from_utf8(body.to_vec())
        .map_err(|cause| Problem(broken("The form is not UTF-8 text.").because(cause)))?;
    if body.contains("%00") || body.contains('\0') {
        return Err(Problem(zero_byte("A field of this form")));
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &str) -> Result<T, Problem> {
    Query::<T>::from_query(body).map(Query::into_inner).map_err(|cause| {
        Problem(broken("A field of this form is missing or has a value that does not fit.").because(cause.to_string()))
    })
}

fn broken(what: &str) -> Trouble {
    Trouble::new(Kind::Malformed, what, "Load the page again and send the form from there; nothing was changed.")
}

/// The fields of a form, decoded strictly: bytes that are no text are refused rather than replaced.
fn pairs(body: &str) -> Result<Vec<(String, String)>, Problem> {
    body.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => match after {
                [high, low, after @ ..] => {
                    rest = after;
                    hex_byte(*high, *low).ok_or_else(|| Problem(broken("The form is not encoded as a form.")))?
                }
                _ => return Err(Problem(broken("The form is not encoded as a form."))),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|cause| Problem(broken("A field of this form is not UTF-8 text.").because(cause)))
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_every_field_as_it_was_typed() {
        let fields = pairs("name=R%C3%A9my+%26+Co&size=&size=large&&flag").expect("a good form");
        let expected =
            [("name", "Rémy & Co"), ("size", ""), ("size", "large"), ("flag", "")].map(|(n, v)| (n.into(), v.into()));
        assert_eq!(fields, expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        for body in ["name=%FF", "name=%C3", "name=%ED%A0%80", "name=%G1", "name=%2", "%FF=x"] {
            assert_eq!(pairs(body).expect_err(body).0.kind, Kind::Malformed, "{body}");
        }
    }
}
