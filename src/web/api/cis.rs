//! The CMDB: what exists, where it belongs, who answers for it.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::ci::{self, CiQuery, CiSort, CiView, Hop};
use chrono::{DateTime, Utc};
use domain::ci::Ci;
use domain::finding::Finding;
use domain::ids::CiId;
use domain::token::TokenScope;
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use super::audit::AsOf;
use super::caller::Caller;
use super::endpoint::Endpoint;
use super::fields::Query;
use super::kinds::Instant;
use super::paging::Part;

/// Which CIs are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the address, which is read field by field")]
pub struct Wanted {
    /// Beginnings of words that a CI must bear.
    text: Option<String>,
    /// A class, `virtual_machine`.
    class: Option<String>,
    /// The id of a deployment.
    deployment: Option<String>,
    /// The id of a project.
    project: Option<String>,
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
    /// Since when and why nobody knows whether its machine stands as it was built; nothing where that is known.
    not_evaluated: Option<String>,
    /// What it needs, and what that needs, to three steps.
    needs: Vec<NeighbourDetails>,
    /// Whether it needs more than is told: so many stand beside it that not all are followed.
    needs_more: bool,
    /// What its trouble reaches, to three steps.
    affects: Vec<NeighbourDetails>,
    /// Whether its trouble reaches more than is told.
    affects_more: bool,
}

/// An attribute, with who said so.
#[derive(Serialize, ToSchema)]
pub struct AttributeDetails {
    /// The name that blueprints and files use, `fqdn`.
    name: String,
    /// What people read.
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
    /// `high`, `medium` or `low`.
    severity: String,
    detail: String,
}

/// Another CI, and how far away it is.
#[derive(Serialize, ToSchema)]
pub struct NeighbourDetails {
    id: String,
    name: String,
    class: String,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/cis", index)
            .is("CMDB", "The CIs that the caller may see, by name")
            .needs(TokenScope::Read)
            .lists::<CiEntry>()
            .asks::<Wanted>(),
        Endpoint::get("/cis/{id}", show)
            .is("CMDB", "A CI, now or as it was")
            .needs(TokenScope::Read)
            .asks::<AsOf>()
            .gives::<CiDetails>(),
    ]
}

async fn index(house: Data<App>, caller: Caller, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let part = Part::of(&mut query);
    let wanted = CiQuery {
        words: ci::words(&query.optional::<String>("text").unwrap_or_default()),
        class: query.optional("class"),
        deployment: query.optional("deployment"),
        project: query.optional("project"),
        ..CiQuery::default()
    };
    let wanted = query.finish(Some(wanted))?;
    let found = ci::list(&house, who, &wanted, part.window(CiSort::Name)?).await?;
    Ok(part.answer(found, |ci| ci.id, CiEntry::from))
}

async fn show(house: Data<App>, caller: Caller, id: Path<CiId>, Query(mut query): Query) -> Reply {
    let who = caller.may(TokenScope::Read)?;
    let as_of = query.optional::<Instant>("as_of").map(|Instant(at)| at);
    let as_of = query.finish(Some(as_of))?;
    Ok(HttpResponse::Ok().json(CiDetails::from(ci::show(&house, who, *id, as_of).await?)))
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
            name: told.name,
            title: told.title,
            value: told.value,
            source: told.said.as_ref().map(|said| serde_json::json!(said.source)),
            said_at: told.said.as_ref().map(|said| said.at),
        });
        let findings = view.findings.into_iter();
        Self {
            attributes: attributes.collect(),
            findings: findings.map(FindingDetails::from).collect(),
            not_evaluated: view.not_evaluated,
            needs: view.needs.hops.into_iter().map(NeighbourDetails::from).collect(),
            needs_more: view.needs.is_cut,
            affects: view.affects.hops.into_iter().map(NeighbourDetails::from).collect(),
            affects_more: view.affects.is_cut,
            ci: CiEntry::from(view.ci),
        }
    }
}

impl From<Finding> for FindingDetails {
    fn from(finding: Finding) -> Self {
        let Finding { kind, detail } = finding;
        Self { kind: kind.word().to_owned(), severity: kind.severity().word().to_owned(), detail }
    }
}

impl From<Hop> for NeighbourDetails {
    fn from(hop: Hop) -> Self {
        Self { id: hop.ci.to_string(), name: hop.name, class: hop.class.word().to_owned() }
    }
}
