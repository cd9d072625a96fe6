//! Pages of long lists: a cursor that means "after what I have", and a Link (RFC 8288) to the next page.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use app::page::{self, Turn, Window};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::trouble::{FieldError, Trouble};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

const USUAL: u64 = 50;
const MOST: u64 = 200;
/// What a cursor of ours says before its place.
const MARK: &str = "after:";

/// Which page of a list is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// The `next` of the page before; the first page without it.
    after: Option<String>,
    /// How many at most: 1 to 200, usually 50.
    limit: Option<u64>,
}

/// How many to show, and after what.
pub struct Part {
    after: Option<String>,
    limit: u64,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last.
    pub next: Option<String>,
}

impl Paging {
    /// The part that is wanted.
    pub fn part(&self) -> Result<Part, Problem> {
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            return Err(refused("limit", "A page has 1 to 200 items."));
        }
        let after = match &self.after {
            Some(cursor) => Some(read(cursor).ok_or_else(not_ours)?),
            None => None,
        };
        Ok(Part { after, limit })
    }
}

impl Part {
    /// The part of a list that this is, in rising order.
    pub fn window<S, Id: FromStr>(&self, sort: S) -> Result<Window<S, Id>, Problem> {
        let turn = match &self.after {
            Some(place) => Turn::After(place.parse().map_err(|_| not_ours())?),
            None => Turn::First,
        };
        Ok(Window { sort, descending: false, turn, limit: self.limit })
    }

    /// The page with what was found; the next one begins after the last item's id.
    pub fn of<F, T: Serialize + ToSchema, Id: Display>(
        &self,
        request: &HttpRequest,
        found: page::Part<F>,
        id: impl Fn(&F) -> Id,
        item: impl Fn(F) -> T,
    ) -> HttpResponse {
        let last = found.rows.last().filter(|_| found.later);
        let next = last.map(|last| URL_SAFE_NO_PAD.encode(format!("{MARK}{}", id(last))));
        let mut answer = HttpResponse::Ok();
        if let Some(cursor) = &next {
            let link = format!("<{}?{}>; rel=\"next\"", request.path(), self.query(request, cursor));
            answer.insert_header((header::LINK, link));
        }
        answer.json(Page { items: found.rows.into_iter().map(item).collect(), next })
    }

    /// The caller's own filters with the next page's place.
    fn query(&self, request: &HttpRequest, cursor: &str) -> String {
        let filters = url::form_urlencoded::parse(request.query_string().as_bytes());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(filters.filter(|(name, _)| name != "after" && name != "limit"));
        query.append_pair("after", cursor).append_pair("limit", &self.limit.to_string()).finish()
    }
}

fn read(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    std::str::from_utf8(&bytes).ok()?.strip_prefix(MARK).map(str::to_owned)
}

fn not_ours() -> Problem {
    refused("after", "This is no cursor that a page of this list gave as `next`.")
}

fn refused(field: &str, message: &str) -> Problem {
    Problem(Trouble::invalid(vec![FieldError { field: field.to_owned(), message: message.to_owned() }]))
}

#[cfg(test)]
mod tests {
    use super::{MARK, Paging, Turn, URL_SAFE_NO_PAD};
    use base64::Engine;

    #[test]
    fn a_cursor_reads_back_and_anything_else_is_refused() {
        let ours = URL_SAFE_NO_PAD.encode(format!("{MARK}150"));
        let paging = |after: &str, limit| Paging { after: Some(after.to_owned()), limit };
        let window = paging(&ours, Some(200)).part().and_then(|part| part.window::<_, u64>(()));
        assert_eq!(window.ok().map(|window| window.turn), Some(Turn::After(150)));
        assert!(paging("150", None).part().is_err());
        assert!(paging(&ours, Some(0)).part().is_err());
        assert!(paging(&ours, Some(201)).part().is_err());
    }
}
