//! Prolonging a lease from the deployment's page.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Path};
use app::App;
use app::idempotency::{Once, Sent};
use domain::deployment::Deployment;
use domain::ids::DeploymentId;
use domain::trouble::Trouble;
use serde::Deserialize;

use super::show::deployment_id;
use crate::csrf::Form;
use crate::problem::Problem;
use crate::visitor::{Visitor, flash_cookie};

#[derive(Deserialize)]
pub(super) struct Prolongation {
    days: String,
    key: String,
}

impl Prolongation {
    /// As it was sent; sent once more it is recognised.
    fn sent(&self, id: DeploymentId) -> Result<Sent, Trouble> {
        let once = Once::new(&self.key, &(id, &self.days))?;
        Ok(Sent { once: Some(once), ..Sent::PORTAL })
    }
}

/// The key of the form: the lease that it prolongs. It stays while the page follows a run, and is new with the lease.
pub(super) fn key(deployment: &Deployment) -> String {
    format!("prolong {} {}", deployment.id, deployment.lease.until.timestamp_micros())
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
    let sent = form.fields.sent(id)?;
    let deployment = app::deployment::prolong(&app, &visitor.principal, id, days, &sent).await?;
    let until = crate::look::moment(&deployment.lease.until);
    let mut response =
        HttpResponse::SeeOther().insert_header((header::LOCATION, format!("/deployments/{id}"))).finish();
    let told = flash_cookie(&app, &format!("The lease of {} now lasts until {until}.", deployment.name));
    response.add_cookie(&told).map_err(Trouble::bug)?;
    Ok(response)
}
