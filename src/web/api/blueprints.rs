//! The files of the catalog, for those who run the platform: what is published, and why a file was refused.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use app::App;
use app::catalog;
use chrono::{DateTime, Utc};
use domain::blueprint::Edition;
use domain::ids::BlueprintId;
use domain::token::TokenScope;
use domain::trouble::Trouble;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use super::caller::Caller;
use super::endpoint::Endpoint;

/// One version of a blueprint, or a file that was refused.
#[derive(Serialize, ToSchema)]
pub struct EditionEntry {
    id: String,
    file: String,
    /// The blueprint's name; the file's where the text names none.
    name: String,
    /// Empty where a refused file names none.
    version: String,
    /// Of the text.
    sha256: String,
    /// `published` or `refused`.
    state: String,
    /// Why it was refused, each with its place in the file.
    problems: Vec<String>,
    read_at: DateTime<Utc>,
}

/// Every version that was ever published, and every file that is refused.
#[derive(Serialize, ToSchema)]
pub struct Editions {
    items: Vec<EditionEntry>,
}

/// A version with its text.
#[derive(Serialize, ToSchema)]
pub struct EditionDetails {
    #[serde(flatten)]
    edition: EditionEntry,
    /// The YAML as it was read.
    source: String,
}

/// What there is.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/blueprints", index)
            .is("Catalog", "Every version that was published, and every file that is refused")
            .needs(TokenScope::Read)
            .gives::<Editions>(),
        Endpoint::get("/blueprints/{id}", show)
            .is("Catalog", "A version of a blueprint with its text")
            .needs(TokenScope::Read)
            .gives::<EditionDetails>(),
    ]
}

async fn index(house: Data<App>, caller: Caller) -> Reply {
    let editions = catalog::editions(&house, caller.may(TokenScope::Read)?).await?;
    Ok(HttpResponse::Ok().json(Editions { items: editions.into_iter().map(|it| EditionEntry::of(it).0).collect() }))
}

async fn show(house: Data<App>, caller: Caller, id: Path<BlueprintId>) -> Reply {
    let editions = catalog::editions(&house, caller.may(TokenScope::Read)?).await?;
    let found = editions.into_iter().find(|edition| edition.id == *id);
    let (edition, source) = EditionEntry::of(found.ok_or_else(|| Trouble::not_found("version of a blueprint"))?);
    Ok(HttpResponse::Ok().json(EditionDetails { edition, source }))
}

impl EditionEntry {
    /// The entry, and the text apart from it.
    fn of(edition: Edition) -> (Self, String) {
        let entry = Self {
            id: edition.id.to_string(),
            file: edition.file,
            name: edition.name,
            version: edition.version,
            sha256: edition.sha256,
            state: edition.state.word().to_owned(),
            problems: edition.problems,
            read_at: edition.read_at,
        };
        (entry, edition.source)
    }
}
