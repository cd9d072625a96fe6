//! Projects and the organisations they belong to.

use std::collections::BTreeMap;

use domain::audit::{Actor, Note};
use domain::blueprint::QUOTA_KINDS;
use domain::ids::OrganisationId;
use domain::organisation::Organisation;
use domain::person::{Principal, Scope};
use domain::project::Project;
use domain::trouble::Trouble;
use serde_json::json;
use store::Tx;

use crate::{App, audit, database};

/// A project that is to be.
pub struct NewProject {
    /// The organisation's word; made when there is none.
    pub organisation: String,
    pub name: String,
    pub title: String,
    /// Who answers for the project's applications.
    pub team: String,
}

/// The projects that the person may see, by title.
pub async fn list(app: &App, who: &Principal) -> Result<Vec<Project>, Trouble> {
    store::project::list(&app.store, &who.scope()).await.map_err(database)
}

/// Opens a project; whoever has a shell on the server may.
pub async fn add_from_command_line(app: &App, new: NewProject) -> Result<(), Trouble> {
    check_word("organisation", &new.organisation)?;
    check_word("project", &new.name)?;
    check_said("title", &new.title, "Say the project's title, which people read.")?;
    check_said("team", &new.team, "Say the team that answers for the project's applications.")?;
    let tx = app.store.begin().await.map_err(database)?;
    let organisation = organisation(&tx, &new.organisation).await?;
    let projects = store::project::list(&tx, &Scope::Everything).await.map_err(database)?;
    if projects.iter().any(|project| project.organisation == organisation && project.name == new.name) {
        let message = format!("{} has a project `{}` already.", new.organisation, new.name);
        return Err(Trouble::field("project", message));
    }
    let data = json!({ "organisation": new.organisation, "name": new.name, "title": new.title, "team": new.team });
    let project = Project {
        id: store::fresh_id(),
        organisation,
        organisation_name: new.organisation,
        name: new.name,
        title: new.title,
        team: new.team,
    };
    store::project::insert(&tx, &project).await.map_err(database)?;
    let note = Note {
        actor: Actor::command_line(),
        action: "project.added",
        subject: format!("project {}", project.id),
        project: Some(project.id),
        data,
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)
}

/// Every project; whoever has a shell on the server may look.
pub async fn list_from_command_line(app: &App) -> Result<Vec<Project>, Trouble> {
    store::project::list(&app.store, &Scope::Everything).await.map_err(database)
}

/// Sets what a project may use, and says all its limits; whoever has a shell on the server may.
pub async fn set_quota_from_command_line(
    app: &App,
    organisation: &str,
    name: &str,
    limits: &[(String, i64)],
) -> Result<BTreeMap<String, i64>, Trouble> {
    limits.iter().try_for_each(|(kind, amount)| check_limit(kind, *amount))?;
    let tx = app.store.begin().await.map_err(database)?;
    let projects = store::project::list(&tx, &Scope::Everything).await.map_err(database)?;
    let mut named = projects.iter().filter(|it| it.organisation_name == organisation && it.name == name);
    let gone = || Trouble::field("project", format!("There is no project `{organisation}/{name}`."));
    let project = named.next().ok_or_else(gone)?.id;
    for (kind, amount) in limits {
        store::allocation::set_limit(&tx, project, kind, *amount).await.map_err(database)?;
    }
    let after = store::allocation::limits(&tx, project).await.map_err(database)?;
    if !limits.is_empty() {
        let note = Note {
            actor: Actor::command_line(),
            action: "project.quota_set",
            subject: format!("project {project}"),
            project: Some(project),
            data: json!({ "limits": after }),
        };
        audit::note(app, &tx, note).await?;
    }
    tx.commit().await.map_err(database)?;
    Ok(after)
}

fn check_limit(kind: &str, amount: i64) -> Result<(), Trouble> {
    let mut kinds = QUOTA_KINDS.iter().map(|(kind, _)| *kind);
    if amount >= 0 && kinds.any(|known| known == kind) {
        return Ok(());
    }
    let kinds: Vec<&str> = QUOTA_KINDS.iter().map(|(kind, _)| *kind).collect();
    let message = format!("`{kind}={amount}` is no limit: it takes one of {} and 0 or more.", kinds.join(", "));
    Err(Trouble::field("quota", message))
}

async fn organisation(tx: &Tx, name: &str) -> Result<OrganisationId, Trouble> {
    if let Some(found) = store::organisation::find_by_name(tx, name).await.map_err(database)? {
        return Ok(found.id);
    }
    let organisation = Organisation { id: store::fresh_id(), name: name.to_owned(), title: name.to_owned() };
    store::organisation::insert(tx, &organisation).await.map_err(database)?;
    Ok(organisation.id)
}

fn check_said(field: &str, text: &str, otherwise: &str) -> Result<(), Trouble> {
    if text.trim().is_empty() { Err(Trouble::field(field, otherwise)) } else { Ok(()) }
}

/// Words in addresses, names of machines and settings.
fn check_word(field: &str, word: &str) -> Result<(), Trouble> {
    let fits = word.len() <= 40
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits {
        return Ok(());
    }
    Err(Trouble::field(field, format!("`{word}` is no {field}'s name: use small letters, digits and dashes.")))
}
