//! Prolonging a lease from the deployment's page.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use app::App;
use app::idempotency::Sent;
use domain::trouble::Trouble;
use serde::Deserialize;

use super::show::deployment_id;
use crate::csrf::Form;
use crate::problem::Problem;
use crate::visitor::{Visitor, flash_cookie};

#[derive(Deserialize)]
pub(super) struct Prolongation {
    days: String,
}

/// Prolongs and goes back to the deployment.
pub(super) async fn prolong(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    form: Form<Prolongation>,
) -> Result<HttpResponse, Problem> {
    let id = deployment_id(&id)?;
    let days = form.fields.days.trim().parse().unwrap_or_default();
    let deployment = app::deployment::prolong(&app, &visitor.principal, id, days, &Sent::PORTAL).await?;
    let until = crate::look::moment(&deployment.lease.until);
    let mut response =
        HttpResponse::SeeOther().insert_header((header::LOCATION, format!("/deployments/{id}"))).finish();
    let told = flash_cookie(&app, &format!("The lease of {} now lasts until {until}.", deployment.name));
    response.add_cookie(&told).map_err(Trouble::bug)?;
    Ok(response)
}
