//! What happens to a run, told to its page as it happens (server-sent events). The page then asks for its part anew,
//! so an event says no more than its number.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{CacheControl, CacheDirective, ContentEncoding};
use actix_web::web::{Bytes, Data, Path, Query};
use app::App;
use app::run::{Told, Watch};
use domain::trouble::Trouble;
use futures::stream::{Stream, unfold};
use serde::Deserialize;

use super::run_id;
use crate::problem::Problem;
use crate::visitor::Visitor;

/// A stream is ended after this; the browser comes back by itself and is asked again who it is.
const LONGEST: Duration = Duration::from_secs(15 * 60);

#[derive(Deserialize)]
pub(super) struct From {
    after: Option<i64>,
}

/// The stream. A browser that lost it goes on after the last event that it saw.
pub(super) async fn events(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    from: Query<From>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = seen.or(from.after).unwrap_or(0);
    let watch = app::run::watch(&app, &visitor.principal, run_id(&id)?, after).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(CacheControl(vec![CacheDirective::NoStore]))
        // Compression would hold events back until enough of them came together.
        .insert_header(ContentEncoding::Identity)
        .streaming(stream(watch)))
}

fn stream(watch: Watch) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let until = Instant::now() + LONGEST;
    unfold(Some(watch), move |watch| async move {
        let mut watch = watch.filter(|_| Instant::now() < until)?;
        match chunk(&mut watch).await {
            Ok((bytes, goes_on)) => Some((Ok(bytes), goes_on.then_some(watch))),
            Err(trouble) => {
                tracing::error!(error = ?trouble, "a live page ends; its browser comes back by itself");
                None
            }
        }
    })
}

/// The next piece of the stream, and whether more will come.
async fn chunk(watch: &mut Watch) -> Result<(Bytes, bool), Trouble> {
    let mut text = match watch.next().await? {
        Told::Events(_) => format!("id: {0}\nevent: change\ndata: {0}\n\n", watch.told),
        // Nothing new, but the times that the page shows have moved on.
        Told::Nothing => "event: change\ndata: tick\n\n".to_owned(),
    };
    let ended = watch.has_ended().await?;
    if ended {
        text.push_str("event: end\ndata: end\n\n");
    }
    Ok((text.into(), !ended))
}
