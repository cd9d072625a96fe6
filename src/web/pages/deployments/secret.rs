//! Taking a secret of a deployment: the one answer that shows it. Nobody keeps the answer, and nobody gets it twice.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use app::secret::HandedOver;
use askama::Template;
use domain::ids::{DeploymentId, SecretId};
use domain::trouble::Trouble;

use super::show::deployment_id;
use crate::csrf::{AnyFields, Form};
use crate::pages::mail_link::without_referer;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "deployments/secret.html")]
struct Shown {
    shell: Shell,
    deployment: DeploymentId,
    it: HandedOver,
}

impl Shown {
    /// The page of the deployment.
    fn address(&self) -> String {
        format!("/deployments/{}", self.deployment)
    }
}

/// Takes it and shows it.
pub(super) async fn take(
    app: Data<App>,
    visitor: Visitor,
    place: Path<(String, String)>,
    _form: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let (deployment, secret) = place.into_inner();
    let deployment = deployment_id(&deployment)?;
    let secret: SecretId = secret.parse().map_err(|_| Trouble::not_found("secret"))?;
    let it = app::secret::take(&app, &visitor.principal, deployment, secret, "portal").await?;
    let shell = visitor.shell(it.name.as_str(), Section::Deployments);
    Ok(without_referer(page(StatusCode::OK, &Shown { shell, deployment, it })))
}
