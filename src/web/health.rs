//! Whether the process lives, and whether it can serve: for load balancers and orchestrators.

use actix_web::HttpResponse;
use actix_web::web::Data;
use app::App;

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// `GET /readyz`: the database answers too, so people can be sent here.
pub(crate) async fn ready(house: Data<App>) -> HttpResponse {
    match house.check_ready().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n"),
        Err(trouble) => {
            tracing::warn!(error = ?trouble, "not ready");
            HttpResponse::ServiceUnavailable().content_type("text/plain; charset=utf-8").body(format!("{trouble}\n"))
        }
    }
}
