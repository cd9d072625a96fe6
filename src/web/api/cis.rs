//! The CMDB: what exists, where it belongs, who answers for it.

use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use app::App;
use app::ci::{self, CiQuery, CiSort, CiView, Hop};
use chrono::{DateTime, Utc};
use domain::ci::{Ci, CiClass};
use domain::ids::{CiId, DeploymentId};
use domain::token::TokenScope;
use domain::trouble::Trouble;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::openapi::ProblemDetails;
use super::paging::{Page, Paging};
use crate::problem::Problem;

/// Which CIs are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Beginnings of words that a CI must bear.
    text: Option<String>,
    /// A class, `virtual_machine`.
    class: Option<String>,
    /// The id of a deployment.
    #[param(value_type = Option<String>)]
    deployment: Option<DeploymentId>,
}

/// A configuration item.
#[derive(Serialize, ToSchema)]
pub struct CiEntry {
    id: String,
    /// The stable key of what it describes.
    key: String,
    class: String,
    name: String,
    /// `planned`, `building`, `operational` or `retired`.
    lifecycle: String,
    /// The project's id.
    project: String,
    deployment: Option<String>,
    platform_responsible: Option<String>,
    application_responsible: Option<String>,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

/// A configuration item with what is known of it.
#[derive(Serialize, ToSchema)]
pub struct CiDetails {
    #[serde(flatten)]
    ci: CiEntry,
    attributes: Vec<AttributeDetails>,
    findings: Vec<FindingDetails>,
    /// What it needs, and what needs that, to three steps.
    needs: Vec<NeighbourDetails>,
    /// What its trouble reaches, to three steps.
    affects: Vec<NeighbourDetails>,
}

/// An attribute, with who said so.
#[derive(Serialize, ToSchema)]
pub struct AttributeDetails {
    title: String,
    /// As people read it; empty when nobody told.
    value: String,
    #[schema(value_type = Option<String>)]
    source: Option<Value>,
    said_at: Option<DateTime<Utc>>,
}

/// Where the CMDB, the ledger and reality differ.
#[derive(Serialize, ToSchema)]
pub struct FindingDetails {
    kind: String,
    detail: String,
}

/// Another CI, and how far away it is.
#[derive(Serialize, ToSchema)]
pub struct NeighbourDetails {
    id: String,
    name: String,
    class: String,
}

/// The CIs that the caller may see, by name
#[utoipa::path(get, path = "/api/v1/cis", tag = "CMDB", params(Paging, Wanted), responses(
    (status = 200, body = Page<CiEntry>),
    (status = 422, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn index(
    house: Data<App>,
    caller: Caller,
    paging: Query<Paging>,
    wanted: Query<Wanted>,
    asked: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let part = paging.part()?;
    let window = part.window(CiSort::Name)?;
    let found = ci::list(&house, caller.may(TokenScope::Read)?, &wanted.query()?, window).await?;
    Ok(part.of(&asked, found, |ci| ci.id, CiEntry::from))
}

/// A CI
#[utoipa::path(get, path = "/api/v1/cis/{id}", tag = "CMDB",
    params(("id" = String, Path, description = "Its id")), responses(
    (status = 200, body = CiDetails),
    (status = 404, body = ProblemDetails, content_type = "application/problem+json"),
))]
pub async fn show(house: Data<App>, caller: Caller, id: Path<CiId>) -> Result<HttpResponse, Problem> {
    let view = ci::show(&house, caller.may(TokenScope::Read)?, *id, None).await?;
    Ok(HttpResponse::Ok().json(CiDetails::from(view)))
}

impl Wanted {
    fn query(&self) -> Result<CiQuery, Problem> {
        let known = |word: &String| {
            CiClass::from_word(word)
                .ok_or_else(|| Problem(Trouble::field("class", format!("There is no class `{word}`."))))
        };
        Ok(CiQuery {
            words: ci::words(self.text.as_deref().unwrap_or_default()),
            class: self.class.as_ref().map(known).transpose()?,
            deployment: self.deployment,
            ..CiQuery::default()
        })
    }
}

impl From<Ci> for CiEntry {
    fn from(ci: Ci) -> Self {
        Self {
            id: ci.id.to_string(),
            key: ci.key,
            class: ci.class.word().to_owned(),
            name: ci.name,
            lifecycle: ci.lifecycle.word().to_owned(),
            project: ci.project.to_string(),
            deployment: ci.deployment.map(|deployment| deployment.to_string()),
            platform_responsible: ci.platform,
            application_responsible: ci.application,
            created_at: ci.created_at,
            changed_at: ci.changed_at,
        }
    }
}

impl From<CiView> for CiDetails {
    fn from(view: CiView) -> Self {
        let attributes = view.attributes.into_iter().map(|told| AttributeDetails {
            title: told.title,
            value: told.value,
            source: told.said.as_ref().map(|said| serde_json::json!(said.source)),
            said_at: told.said.as_ref().map(|said| said.at),
        });
        let findings = view.findings.into_iter();
        Self {
            attributes: attributes.collect(),
            findings: findings
                .map(|one| FindingDetails { kind: one.kind.word().to_owned(), detail: one.detail })
                .collect(),
            needs: view.needs.into_iter().map(NeighbourDetails::from).collect(),
            affects: view.affects.into_iter().map(NeighbourDetails::from).collect(),
            ci: CiEntry::from(view.ci),
        }
    }
}

impl From<Hop> for NeighbourDetails {
    fn from(hop: Hop) -> Self {
        Self { id: hop.ci.to_string(), name: hop.name, class: hop.class.word().to_owned() }
    }
}
