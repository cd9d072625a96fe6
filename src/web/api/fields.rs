//! What a program sends: the fields of a JSON body or of an address, taken out one by one, all mistakes told at once.

use std::collections::BTreeSet;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use app::idempotency::{Once, Sent};
use domain::trouble::{FieldError, Kind, Trouble};
use futures::future::{LocalBoxFuture, Ready, ready};
use serde_json::{Map, Value, json};

use super::caller::VIA;
use super::kinds::Wanted;
use crate::problem::Problem;

/// The fields that were sent, and what is wrong with those that were taken out so far.
pub struct Fields {
    /// What they came with.
    pub request: HttpRequest,
    sent: Map<String, Value>,
    taken: BTreeSet<&'static str>,
    wrong: Vec<FieldError>,
    in_address: bool,
}

/// The fields of a JSON object.
pub struct Body(pub Fields);

/// The fields behind the `?` of an address.
pub struct Query(pub Fields);

impl Fields {
    fn new(request: HttpRequest, sent: Map<String, Value>, in_address: bool) -> Self {
        Self { request, sent, taken: BTreeSet::new(), wrong: Vec::new(), in_address }
    }

    /// A field that must be there.
    pub fn required<T: Wanted>(&mut self, name: &'static str) -> Option<T> {
        if self.sent.get(name).is_none_or(Value::is_null) {
            self.taken.insert(name);
            self.refuse(name, format!("This is needed: {}.", T::IS));
            return None;
        }
        self.optional(name)
    }

    /// A field that may be absent or null.
    pub fn optional<T: Wanted>(&mut self, name: &'static str) -> Option<T> {
        self.taken.insert(name);
        let value = self.sent.get(name).filter(|value| !value.is_null())?.clone();
        let read = T::read(value.clone()).or_else(|| T::read(number(&value).filter(|_| self.in_address)?));
        if read.is_none() {
            self.refuse(name, format!("This has to be {}, and `{}` is not.", T::IS, shortened(&value)));
        }
        read
    }

    /// Says what is wrong with a field.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        let field = if self.in_address { format!("?{name}") } else { format!("/{}", escaped(name)) };
        self.wrong.push(FieldError { field, message: message.into() });
    }

    /// Adds what a use case says is wrong with an order's fields.
    pub fn also_in_order(&mut self, wrong: Vec<FieldError>) {
        self.wrong.extend(wrong.into_iter().map(placed_in_order));
    }

    /// How this write came in; with a key when one was sent.
    pub fn sent(&mut self) -> Sent {
        let once = self.idempotency_key().map(|key| Once::new(&key, &json!([self.request.path(), self.sent])));
        let once = once.transpose().map_err(|trouble| self.wrong.extend(trouble.fields)).ok().flatten();
        Sent { via: VIA, once }
    }

    /// The key of an order, which has to bear one.
    pub fn key(&mut self) -> String {
        let key = self.idempotency_key();
        if key.is_none() {
            let message = "Send this header, new for each order, so that trying again orders once.".to_owned();
            self.wrong.push(FieldError { field: "Idempotency-Key:".to_owned(), message });
        }
        key.unwrap_or_default()
    }

    fn idempotency_key(&self) -> Option<String> {
        let key = self.request.headers().get("Idempotency-Key")?;
        Some(String::from_utf8_lossy(key.as_bytes()).into_owned())
    }

    /// Whether something is wrong with what was taken, or something else was sent that nobody asks for.
    pub fn is_wrong(&self) -> bool {
        !self.wrong.is_empty() || self.unknown().next().is_some()
    }

    /// Passes on what was taken, if nothing is wrong.
    pub fn finish<T>(mut self, taken: Option<T>) -> Result<T, Problem> {
        let known: Vec<&str> = self.taken.iter().copied().collect();
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        for name in self.unknown().map(str::to_owned).collect::<Vec<_>>() {
            self.refuse(&name, format!("`{name}` is unknown here; {known} can be given."));
        }
        match taken {
            Some(taken) if self.wrong.is_empty() => Ok(taken),
            _ => Err(Problem(Trouble::invalid(self.wrong))),
        }
    }

    fn unknown(&self) -> impl Iterator<Item = &str> {
        self.sent.keys().map(String::as_str).filter(|name| !self.taken.contains(name))
    }
}

/// Says where in an order's body the fields stand that a use case names.
pub fn in_order(mut trouble: Trouble) -> Problem {
    trouble.fields = trouble.fields.into_iter().map(placed_in_order).collect();
    Problem(trouble)
}

/// Says where in a body the fields stand that a use case names: in an object of their own.
pub fn in_object(name: &str, mut trouble: Trouble) -> Problem {
    for wrong in &mut trouble.fields {
        wrong.field = format!("/{}/{}", escaped(name), escaped(&wrong.field));
    }
    Problem(trouble)
}

/// What is wrong with a field of an order, by its place in the body: parameters stand in an object of their own.
fn placed_in_order(wrong: FieldError) -> FieldError {
    let field = match wrong.field.as_str() {
        "lease" => "/lease_days".to_owned(),
        "reason" => "/reason".to_owned(),
        "site" => "/site".to_owned(),
        placed if placed.starts_with('/') || placed.ends_with(':') => return wrong,
        parameter => format!("/parameters/{}", escaped(parameter)),
    };
    FieldError { field, ..wrong }
}

/// The number that a text says: in an address everything is text.
fn number(value: &Value) -> Option<Value> {
    serde_json::from_str(value.as_str()?).ok().filter(Value::is_number)
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A value as it was sent, no longer than a sentence bears.
fn shortened(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        let sent = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
        ready(Ok(Self(Fields::new(request.clone(), sent, true))))
    }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
        let bytes = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let bytes = bytes.await.map_err(unread)?;
            if bytes.is_empty() {
                return Ok(Self(Fields::new(request, Map::new(), false)));
            }
            if !is_json {
                let what = "The body is not sent as `Content-Type: application/json`.";
                return Err(Problem(Trouble::new(Kind::WrongType, what, "Send it as JSON, and say so in the head.")));
            }
            Ok(Self(Fields::new(request, object(&bytes)?, false)))
        })
    }
}

fn unread(cause: actix_web::Error) -> Problem {
    match cause.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Problem(crate::limits::too_large()),
        _ => malformed("it did not arrive whole"),
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|fault| malformed(&format!("it is not UTF-8 text, from byte {} on", fault.valid_up_to())))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) if fields.iter().any(|(name, value)| name.contains('\0') || holds_zero(value)) => {
            Err(Problem(crate::limits::zero_byte("A text of this document")))
        }
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(malformed("it is another value than an object, `{ … }`")),
        Err(fault) => Err(malformed(&fault.to_string())),
    }
}

fn holds_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_zero),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_zero(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn malformed(why: &str) -> Problem {
    let what = format!("The body is no JSON object: {why}.");
    Problem(Trouble::new(Kind::Malformed, what, "The document at /api/v1/openapi.json says what is expected."))
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;
    use domain::trouble::Kind;

    use super::{Body, Query};
    use crate::problem::Problem;

    async fn read(kind: &str, text: &[u8]) -> Result<Body, Problem> {
        let request = TestRequest::post().insert_header(("content-type", kind));
        let (request, mut payload) = request.set_payload(text.to_vec()).to_http_parts();
        Body::from_request(&request, &mut payload).await
    }

    fn places(refused: Problem) -> Vec<String> {
        refused.0.fields.into_iter().map(|wrong| wrong.field).collect()
    }

    #[actix_web::test]
    async fn every_mistake_is_named_with_its_pointer() {
        let Body(mut body) = read("application/json", br#"{"days": "many", "a/b": 1}"#).await.unwrap();
        let taken = (body.required::<String>("name"), body.optional::<u32>("days"));
        assert!(body.is_wrong());
        assert_eq!(places(body.finish(taken.0.zip(taken.1)).unwrap_err()), ["/name", "/days", "/a~1b"]);
    }

    #[actix_web::test]
    async fn an_address_is_read_by_the_same_rules() {
        let request = TestRequest::with_uri("/?limit=5&after=x&colour=red").to_http_request();
        let Query(mut query) = Query::extract(&request).await.unwrap();
        assert_eq!((query.optional::<u64>("limit"), query.optional::<u64>("after")), (Some(5), None));
        assert_eq!(places(query.finish(Some(())).unwrap_err()), ["?after", "?colour"]);
    }

    #[actix_web::test]
    async fn what_is_no_json_object_is_refused_with_its_reason() {
        for (kind, text, said) in [
            ("application/json", &b"[1]"[..], "another value than an object"),
            ("application/json", b"{\"a\":", "line 1 column 5"),
            ("application/json", b"{\"a\": \"\xff\"}", "not UTF-8 text, from byte 7"),
            ("application/json", "\u{feff}{}".as_bytes(), "line 1 column 1"),
            ("application/json", &[b"[".repeat(10_000), b"]".repeat(10_000)].concat(), "recursion limit"),
        ] {
            let Err(Problem(trouble)) = read(kind, text).await else { panic!("{said}: it was taken") };
            assert!(trouble.kind == Kind::Malformed && trouble.what.contains(said), "{}", trouble.what);
        }
        let Err(Problem(trouble)) = read("text/plain", b"{}").await else { panic!("it was taken") };
        assert_eq!(trouble.kind, Kind::WrongType);
    }
}
