//! JSON bodies: every mistake at once, each with the pointer (RFC 6901) to its place.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use domain::trouble::{FieldError, Kind, Trouble};
use futures::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The fields of a JSON object, taken out one by one.
pub struct Body {
    fields: Map<String, Value>,
    wrong: Vec<FieldError>,
}

impl Body {
    /// A field that must be there.
    pub fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        if !self.fields.contains_key(name) {
            self.refuse(name, "is needed");
            return None;
        }
        self.optional(name)
    }

    /// A field that may be absent or null.
    pub fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.fields.remove(name).filter(|value| !value.is_null())?;
        serde_json::from_value(value).map_err(|cause| self.refuse(name, &cause.to_string())).ok()
    }

    /// Passes on what was taken, if all of it was there and nothing is left over.
    pub fn finish<T>(mut self, taken: Option<T>) -> Result<T, Problem> {
        for name in std::mem::take(&mut self.fields).keys() {
            self.refuse(name, "is unknown here");
        }
        match taken {
            Some(taken) if self.wrong.is_empty() => Ok(taken),
            _ => Err(Problem(Trouble::invalid(self.wrong))),
        }
    }

    fn refuse(&mut self, name: &str, message: &str) {
        let field = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        self.wrong.push(FieldError { field, message: message.to_owned() });
    }
}

impl FromRequest for Body {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            if !is_json {
                return Err(malformed("it is not sent as `Content-Type: application/json`"));
            }
            let bytes = bytes.await.map_err(|cause| malformed(&cause.to_string()))?;
            let fields = serde_json::from_slice(&bytes).map_err(|cause| malformed(&cause.to_string()))?;
            Ok(Self { fields, wrong: Vec::new() })
        })
    }
}

fn malformed(why: &str) -> Problem {
    let what = format!("The body is no JSON object: {why}.");
    Problem(Trouble::new(Kind::Malformed, what, "The document at /api/v1/openapi.json says what is expected."))
}

/// Says that fields named by a use case stand in this object of the body.
pub fn inside(object: &'static str) -> impl Fn(Trouble) -> Problem {
    move |mut trouble| {
        for wrong in &mut trouble.fields {
            wrong.field = format!("/{object}/{}", wrong.field);
        }
        Problem(trouble)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;

    use super::Body;
    use crate::problem::Problem;

    async fn read(kind: &str, text: &str) -> Result<Body, Problem> {
        let (request, mut payload) =
            TestRequest::post().insert_header(("content-type", kind)).set_payload(text.to_owned()).to_http_parts();
        Body::from_request(&request, &mut payload).await
    }

    #[actix_web::test]
    async fn every_mistake_is_named_with_its_pointer() {
        let mut body = read("application/json", r#"{"days": "many", "a/b": 1}"#).await.unwrap();
        let taken = (body.required::<String>("name"), body.optional::<u32>("days"));
        let Problem(trouble) = body.finish(taken.0.zip(taken.1)).unwrap_err();
        let wrong: Vec<&str> = trouble.fields.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!(wrong, ["/name", "/days", "/a~1b"]);
    }

    #[actix_web::test]
    async fn what_is_no_json_object_is_refused_with_its_place() {
        for (kind, text) in [
            ("application/json", "[1]"),
            ("application/json", "{\"a\":"),
            ("text/plain", "{}"),
            ("application/json", "\u{feff}{}"),
        ] {
            let Err(Problem(trouble)) = read(kind, text).await else { panic!("{text} was taken") };
            assert!(trouble.what.starts_with("The body is no JSON object"), "{}", trouble.what);
        }
    }
}
