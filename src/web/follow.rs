//! Parts of a page that follow what they show: while something is under way the browser asks for the part again, and
//! gets it when it reads otherwise than what it has. Without scripts the page comes again as a whole.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::Hasher;

use actix_web::http::header::{ContentType, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use domain::trouble::Trouble;

/// A part as it reads now. Templates print it as it is.
pub struct Followed {
    html: String,
    /// Whether it may still change by itself.
    goes_on: bool,
}

impl Followed {
    /// Renders a part; `goes_on` says whether something is under way that it shows.
    pub fn of(part: &impl Template, goes_on: bool) -> Result<Self, Trouble> {
        Ok(Self { html: part.render().map_err(Trouble::bug)?, goes_on })
    }

    /// Whether the browser shall ask again.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Changes with every letter of the part.
    pub fn version(&self) -> String {
        let mut version = DefaultHasher::new();
        version.write(self.html.as_bytes());
        format!("\"{:016x}\"", version.finish())
    }

    /// The part alone, or "not modified" to a browser that has it. The last one bears no version: it stays as it is.
    pub fn answer(self, request: &HttpRequest) -> HttpResponse {
        let version = self.version();
        let held = request.headers().get(IF_NONE_MATCH).is_some_and(|held| held.as_bytes() == version.as_bytes());
        match (self.goes_on, held) {
            (true, true) => HttpResponse::NotModified().finish(),
            (true, false) => {
                HttpResponse::Ok().insert_header((ETAG, version)).content_type(ContentType::html()).body(self.html)
            }
            (false, _) => HttpResponse::Ok().content_type(ContentType::html()).body(self.html),
        }
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.html)
    }
}

/// Its texts were escaped when it was rendered.
impl askama::filters::HtmlSafe for Followed {}

#[cfg(test)]
mod tests {
    use actix_web::http::header::IF_NONE_MATCH;
    use actix_web::test::TestRequest;

    use super::Followed;

    fn part(goes_on: bool) -> Followed {
        Followed { html: "<p>Building</p>".to_owned(), goes_on }
    }

    #[test]
    fn a_part_is_sent_when_it_reads_otherwise_and_has_no_version_once_it_is_over() {
        let fresh = TestRequest::default().to_http_request();
        let holds = TestRequest::default().insert_header((IF_NONE_MATCH, part(true).version())).to_http_request();
        assert_eq!(part(true).answer(&fresh).status(), 200);
        assert_eq!(part(true).answer(&holds).status(), 304);
        let last = part(false).answer(&holds);
        assert_eq!(last.status(), 200);
        assert!(!last.headers().contains_key("etag"));
    }
}
