//! The door for configuration servers: what a node shall become, and reports of what became of it.
//!
//! `GET /puppet/nodes/{certname}` answers what an external node classifier prints; `POST /puppet/reports` takes what
//! the report processor `http` sends. Both need the token of the server's site, and look at nothing before it fits.

use actix_web::http::header;
use actix_web::web::{Data, Path, Payload, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::node::{self, Kept};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::trouble::{Kind, Trouble};

use crate::metrics::Metrics;
use crate::problem::Problem;

/// Where every path of this door begins.
pub const BASE: &str = "/puppet/";
/// Where reports are sent.
pub const REPORTS: &str = "/puppet/reports";
/// The largest report, in bytes: a machine of a thousand resources sends about one million.
pub const LARGEST_REPORT: usize = 16 * 1024 * 1024;

const YAML: &str = "application/x-yaml";

pub fn configure(service: &mut ServiceConfig) {
    service.route("/puppet/nodes/{certname}", get().to(classify)).route(REPORTS, post().to(report));
}

/// `GET /puppet/nodes/{certname}`
async fn classify(request: HttpRequest, certname: Path<String>, house: Data<App>) -> Result<HttpResponse, Problem> {
    let server = node::server(&house, token(&request).as_deref())?;
    let document = node::classify(&house, server, &certname).await?;
    Ok(HttpResponse::Ok().content_type(YAML).body(document))
}

/// `POST /puppet/reports`
async fn report(
    request: HttpRequest,
    body: Payload,
    house: Data<App>,
    metrics: Data<Metrics>,
) -> Result<HttpResponse, Problem> {
    let received = receive(&request, body, &house).await;
    metrics.count_node_report(outcome(&received));
    match received? {
        Kept::New => Ok(HttpResponse::Created().finish()),
        Kept::Known => Ok(HttpResponse::Ok().finish()),
    }
}

async fn receive(request: &HttpRequest, body: Payload, house: &App) -> Result<Kept, Trouble> {
    let server = node::server(house, token(request).as_deref())?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some(YAML) {
        let what = format!("A report comes as `{YAML}`, and this came as {kind:?}.");
        return Err(Trouble::new(Kind::WrongType, what, "Send reports with the report processor `http`."));
    }
    let read = body.to_bytes_limited(LARGEST_REPORT).await.map_err(|_| too_large())?;
    let sent = read.map_err(|cause| {
        let what = format!("The report broke off: {cause}.");
        Trouble::new(Kind::Malformed, what, "Nothing of it was kept; it may be sent again.")
    })?;
    node::report(house, server, sent.to_vec()).await
}

fn too_large() -> Trouble {
    let what = format!("This report is larger than the {} MB that Gatehouse takes.", LARGEST_REPORT / 1024 / 1024);
    Trouble::new(Kind::TooLarge, what, "Look at the node's run itself; nothing of its report was kept.")
}

fn outcome(received: &Result<Kept, Trouble>) -> &'static str {
    match received {
        Ok(Kept::New) => "kept",
        Ok(Kept::Known) => "known",
        Err(trouble) => match trouble.kind {
            Kind::NotFound => "unknown_node",
            Kind::SignInRequired => "without_token",
            Kind::Malformed | Kind::WrongType | Kind::TooLarge => "unreadable",
            _ => "failed",
        },
    }
}

/// The token of a bearer (RFC 6750), or the password of Basic (RFC 7617), whoever the user is.
fn token(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, shown) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(shown.trim().to_owned());
    }
    let pair = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(shown.trim()).ok())??;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(password.to_owned())
}
