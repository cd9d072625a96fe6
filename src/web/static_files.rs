//! What `static/` holds, served from the binary.
//!
//! [`address`] adds the file's version, so a browser keeps it for a year and still sees a change at once.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

/// A file of `static/`.
struct Asset {
    /// Its path below `static/`.
    name: &'static str,
    content_type: &'static str,
    /// Changes with the content.
    version: &'static str,
    body: &'static [u8],
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The address of a file of `static/` with its version, for templates.
pub fn address(name: &str) -> String {
    match find(name) {
        Some(asset) => format!("/static/{name}?v={}", asset.version),
        None => format!("/static/{name}"),
    }
}

pub(crate) fn configure(service: &mut ServiceConfig) {
    service.route("/static/{name:.*}", web::get().to(show)).route("/robots.txt", web::get().to(show_robots));
}

async fn show(name: Path<String>, request: HttpRequest) -> HttpResponse {
    answer(&name, &request)
}

async fn show_robots(request: HttpRequest) -> HttpResponse {
    answer("robots.txt", &request)
}

fn answer(name: &str, request: &HttpRequest) -> HttpResponse {
    let Some(asset) = find(name) else { return HttpResponse::NotFound().finish() };
    let tag = format!("\"{}\"", asset.version);
    let asked_by_version = request.query_string() == format!("v={}", asset.version);
    let lifetime = if asked_by_version { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    let unchanged = request.headers().get(IF_NONE_MATCH).is_some_and(|held| held.as_bytes() == tag.as_bytes());
    let mut answer = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((CACHE_CONTROL, lifetime)).insert_header((ETAG, tag));
    if unchanged { answer.finish() } else { answer.insert_header((CONTENT_TYPE, asset.content_type)).body(asset.body) }
}

fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::{ASSETS, address, configure};

    #[actix_web::test]
    async fn a_versioned_file_is_kept_for_a_year_and_an_unchanged_one_is_not_sent_twice() {
        let portal = init_service(actix_web::App::new().configure(configure)).await;
        let asset = &ASSETS[0];
        let first = call_service(&portal, TestRequest::with_uri(&address(asset.name)).to_request()).await;
        assert!(first.headers().get(CACHE_CONTROL).unwrap().to_str().unwrap().contains("immutable"));
        let tag = first.headers().get(ETAG).unwrap().clone();
        let again = TestRequest::with_uri(&address(asset.name)).insert_header((IF_NONE_MATCH, tag)).to_request();
        assert_eq!(call_service(&portal, again).await.status(), 304);
    }

    #[actix_web::test]
    async fn nothing_outside_the_folder_is_served() {
        let portal = init_service(actix_web::App::new().configure(configure)).await;
        for path in ["/static/../Cargo.toml", "/static/..%2fCargo.toml", "/static/", "/static/none.css"] {
            assert_eq!(call_service(&portal, TestRequest::with_uri(path).to_request()).await.status(), 404, "{path}");
        }
    }
}
