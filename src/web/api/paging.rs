//! Pages of long lists: a cursor that means "after what I have", and a Link (RFC 8288) to the next page.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use app::page::{self, Turn, Window};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::trouble::Trouble;
use serde::Serialize;
use serde_json::json;
use utoipa::IntoParams;

use super::fields::Fields;
use crate::problem::Problem;

const USUAL: u64 = 50;
const MOST: u64 = 200;
/// What a cursor of ours says before its place.
const MARK: &str = "after:";

/// Which page of a list is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Paging {
    /// The `next` of the page before; the first page without it.
    after: Option<String>,
    /// How many at most, usually 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
}

/// How many to show, and after what.
pub struct Part {
    /// Who wants the next page asks as was asked for this one.
    asked: HttpRequest,
    after: Option<String>,
    limit: u64,
}

impl Part {
    /// The part that an address asks for.
    pub fn of(query: &mut Fields) -> Self {
        let limit = query.optional("limit").unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            query.refuse("limit", format!("A page has 1 to {MOST} items."));
        }
        let cursor = query.optional::<String>("after");
        let after = cursor.as_deref().and_then(read);
        if cursor.is_some() && after.is_none() {
            query.refuse("after", NOT_OURS);
        }
        Self { asked: query.request.clone(), after, limit }
    }

    /// The part of a list that this is, in rising order.
    pub fn window<S, Id: FromStr>(&self, sort: S) -> Result<Window<S, Id>, Problem> {
        let turn = self.after()?.map_or(Turn::First, Turn::After);
        Ok(Window { sort, descending: false, turn, limit: self.limit })
    }

    /// The id of the last item that the caller has.
    pub fn after<Id: FromStr>(&self) -> Result<Option<Id>, Problem> {
        let read = |place: &String| place.parse().map_err(|_| Problem(Trouble::field("?after", NOT_OURS)));
        self.after.as_ref().map(read).transpose()
    }

    /// How many to show.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The page with what was found; the next one begins after the last item's id.
    pub fn answer<F, T: Serialize, Id: Display>(
        &self,
        found: page::Part<F>,
        id: impl Fn(&F) -> Id,
        item: impl Fn(F) -> T,
    ) -> HttpResponse {
        let last = found.rows.last().filter(|_| found.later);
        let next = last.map(|last| URL_SAFE_NO_PAD.encode(format!("{MARK}{}", id(last))));
        let mut answer = HttpResponse::Ok();
        if let Some(cursor) = &next {
            let link = format!("<{}?{}>; rel=\"next\"", self.asked.path(), self.query(cursor));
            answer.insert_header((header::LINK, link));
        }
        let items: Vec<T> = found.rows.into_iter().map(item).collect();
        answer.json(json!({ "items": items, "next": next }))
    }

    /// The caller's own filters with the next page's place.
    fn query(&self, cursor: &str) -> String {
        let filters = url::form_urlencoded::parse(self.asked.query_string().as_bytes());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(filters.filter(|(name, _)| name != "after" && name != "limit"));
        query.append_pair("after", cursor).append_pair("limit", &self.limit.to_string()).finish()
    }
}

const NOT_OURS: &str = "This is no cursor that a page of this list gave as `next`.";

fn read(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix(MARK).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use actix_web::FromRequest;
    use actix_web::test::TestRequest;
    use base64::Engine;

    use super::{MARK, Part, URL_SAFE_NO_PAD};
    use crate::api::fields::Query;

    #[actix_web::test]
    async fn a_cursor_reads_back_and_anything_else_is_refused() {
        let ours = URL_SAFE_NO_PAD.encode(format!("{MARK}150"));
        let part = async |query: &str| {
            let request = TestRequest::with_uri(&format!("/?{query}")).to_http_request();
            let Query(mut query) = Query::extract(&request).await.unwrap();
            let part = Part::of(&mut query);
            query.finish(Some(part))
        };
        let good = part(&format!("after={ours}&limit=200")).await.ok().unwrap();
        assert_eq!((good.after::<u64>().ok(), good.limit()), (Some(Some(150)), 200));
        for wrong in ["after=150", "limit=0", "limit=201", "limit=many", "limit=-1", "offset=3"] {
            assert!(part(wrong).await.is_err(), "{wrong}");
        }
    }
}
