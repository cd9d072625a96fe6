//! Retiring a deployment: what will be gone, said before it is asked for.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use app::deployment::Details;
use app::request::{Order, What};
use askama::Template;
use domain::ids::DeploymentId;
use domain::resource::{Resource, ResourceState};
use domain::trouble::{Kind, Trouble};
use serde::Deserialize;

use super::show::deployment_id;
use super::{called, objects};
use crate::csrf::Form;
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "deployments/retire.html")]
struct Retire {
    shell: Shell,
    it: Details,
    going: Vec<Resource>,
    reason: String,
    key: String,
    refusal: Option<Trouble>,
}

impl Retire {
    /// The page of the deployment.
    fn address(&self) -> String {
        format!("/deployments/{}", self.it.deployment.id)
    }
}

#[derive(Deserialize)]
pub(super) struct Farewell {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    key: String,
}

/// The question.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = deployment_id(&id)?;
    app::deployment::to_change(&app, &visitor.principal, id).await?;
    let said = Farewell { reason: String::new(), key: app::secret::fresh() };
    drawn(&app, &visitor, id, said, None).await
}

/// The yes.
pub(super) async fn retire(
    app: Data<App>,
    visitor: Visitor,
    id: Path<String>,
    form: Form<Farewell>,
) -> Result<HttpResponse, Problem> {
    let id = deployment_id(&id)?;
    let said = form.fields;
    let what = What::Retire { deployment: id };
    let order = Order { what, reason: said.reason.clone(), via: "portal", key: said.key.clone() };
    match app::request::submit(&app, &visitor.principal, order).await {
        Ok(_) => {
            let mut response = see_other(&format!("/deployments/{id}"));
            response.add_cookie(&flash_cookie(&app, "It is being retired.")).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if matches!(trouble.kind, Kind::Conflict | Kind::Invalid) => {
            let said = Farewell { key: app::secret::fresh(), ..said };
            drawn(&app, &visitor, id, said, Some(trouble)).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn drawn(
    app: &App,
    visitor: &Visitor,
    id: DeploymentId,
    said: Farewell,
    refusal: Option<Trouble>,
) -> Result<HttpResponse, Problem> {
    let it = app::deployment::show(app, &visitor.principal, id).await?;
    let status = refusal.as_ref().map_or(StatusCode::OK, |trouble| problem::status(trouble.kind));
    let retire = Retire {
        shell: visitor.shell(format!("Retire {}", it.deployment.name), Section::Deployments),
        going: objects(&it).into_iter().filter(|row| row.state != ResourceState::Gone).collect(),
        it,
        reason: said.reason,
        key: said.key,
        refusal,
    };
    Ok(page(status, &retire))
}
