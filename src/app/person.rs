//! People: who has an account, which roles he holds, which groups he is in.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::audit::{Actor, Note};
use domain::ids::{OrganisationId, PersonId, ProjectId};
use domain::organisation::Organisation;
use domain::person::{Grant, Person, Place, Principal, Role, Scope};
use domain::project::Project;
use domain::trouble::Trouble;
use serde_json::json;
use store::Tx;
pub use store::person::{Filter, SortBy};

use crate::page::{Counted, Part, Window};
use crate::{App, audit, database, secret};

/// How many managers above somebody are looked at; it also ends a circle of managers.
const HIGHEST_RUNG: usize = 10;

/// Somebody who is to have an account.
#[derive(Clone, Debug)]
pub struct NewPerson {
    pub name: String,
    pub email: String,
    /// None: the account waits for a password.
    pub password: Option<String>,
    pub grants: Vec<Grant>,
    pub groups: Vec<String>,
}

/// A person with what he holds.
#[derive(Clone, Debug)]
pub struct Entry {
    pub person: Person,
    pub grants: Vec<Grant>,
    pub groups: BTreeSet<String>,
}

/// Everybody with an account, and the places where roles can be held.
pub struct Directory {
    pub people: Vec<Entry>,
    pub places: Places,
}

/// The places where roles can be held, besides everywhere.
pub struct Places {
    pub organisations: Vec<Organisation>,
    pub projects: Vec<Project>,
}

impl Places {
    async fn of(app: &App) -> Result<Self, Trouble> {
        let organisations = store::organisation::list(&app.store).await.map_err(database)?;
        let projects = store::project::list(&app.store, &Scope::Everything).await.map_err(database)?;
        Ok(Self { organisations, projects })
    }

    /// A role and where it is held, in words: `requester in Northwind`.
    pub fn in_words(&self, grant: &Grant) -> String {
        format!("{} {}", grant.role.word(), self.held_at(grant.place))
    }

    fn held_at(&self, place: Place) -> String {
        match place {
            Place::Everywhere => "everywhere".to_owned(),
            Place::Organisation(id) => {
                let found = self.organisations.iter().find(|organisation| organisation.id == id);
                found.map_or_else(String::new, |organisation| format!("in {}", organisation.title))
            }
            Place::Project(id) => {
                let found = self.projects.iter().find(|project| project.id == id);
                found.map_or_else(String::new, |project| format!("in {}/{}", project.organisation_name, project.title))
            }
        }
    }
}

/// A line of the list of people.
#[derive(Clone, Debug)]
pub struct Listed {
    pub person: Person,
    /// What he holds and where, in words.
    pub roles: Vec<String>,
    pub groups: BTreeSet<String>,
}

/// A part of the people, for administrators: five statements whatever their number.
pub async fn list(
    app: &App,
    who: &Principal,
    filter: &Filter,
    window: Window<SortBy, PersonId>,
) -> Result<Part<Listed>, Trouble> {
    only_administrators(who)?;
    let on = &app.store;
    let part = store::person::list(on, filter, window).await.map_err(database)?;
    let ids: Vec<PersonId> = part.rows.iter().map(|person| person.id).collect();
    let grants = store::person::grants(on, Some(&ids)).await.map_err(database)?;
    let mut groups = store::person::groups(on, Some(&ids)).await.map_err(database)?;
    let places = Places::of(app).await?;
    Ok(part.map(|person| Listed {
        roles: grants.get(&person.id).into_iter().flatten().map(|grant| places.in_words(grant)).collect(),
        groups: groups.remove(&person.id).unwrap_or_default(),
        person,
    }))
}

/// How many people the filter leaves, up to a thousand; for administrators.
pub async fn count(app: &App, who: &Principal, filter: &Filter) -> Result<Counted, Trouble> {
    only_administrators(who)?;
    store::person::count(&app.store, filter).await.map_err(database)
}

/// The places where roles can be held, for administrators.
pub async fn places(app: &App, who: &Principal) -> Result<Places, Trouble> {
    only_administrators(who)?;
    Places::of(app).await
}

/// Everybody, for administrators.
pub async fn directory(app: &App, who: &Principal) -> Result<Directory, Trouble> {
    only_administrators(who)?;
    directory_from_command_line(app).await
}

/// Everybody; whoever has a shell on the server may see the list.
pub async fn directory_from_command_line(app: &App) -> Result<Directory, Trouble> {
    let on = &app.store;
    let mut grants = store::person::grants(on, None).await.map_err(database)?;
    let mut groups = store::person::groups(on, None).await.map_err(database)?;
    let people = store::person::everybody(on).await.map_err(database)?;
    let entry = |person: Person| Entry {
        grants: grants.remove(&person.id).unwrap_or_default(),
        groups: groups.remove(&person.id).unwrap_or_default(),
        person,
    };
    Ok(Directory { people: people.into_iter().map(entry).collect(), places: Places::of(app).await? })
}

/// Gives somebody an account, as an administrator.
pub async fn add(app: &App, who: &Principal, new: NewPerson) -> Result<PersonId, Trouble> {
    only_administrators(who)?;
    add_as(app, Actor::person(who, "portal"), new).await
}

/// Gives somebody an account; whoever has a shell on the server may.
pub async fn add_from_command_line(app: &App, new: NewPerson) -> Result<PersonId, Trouble> {
    add_as(app, Actor::command_line(), new).await
}

async fn add_as(app: &App, actor: Actor, new: NewPerson) -> Result<PersonId, Trouble> {
    let hash = match &new.password {
        Some(password) => Some(secret::hash_password(acceptable(password)?).await?),
        None => None,
    };
    let tx = app.store.begin().await.map_err(database)?;
    let id = insert(app, &tx, &new, hash).await?;
    let data = json!({ "email": email_of(&new)?, "roles": roles_of(&new), "groups": new.groups });
    let note = Note { actor, action: "person.added", subject: format!("person {id}"), project: None, data };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    Ok(id)
}

/// Writes an account with its roles and groups.
pub(crate) async fn insert(app: &App, tx: &Tx, new: &NewPerson, hash: Option<String>) -> Result<PersonId, Trouble> {
    let email = email_of(new)?;
    if new.name.trim().is_empty() {
        return Err(Trouble::field("name", "Say the person's name."));
    }
    if store::person::find_by_email(tx, &email).await.map_err(database)?.is_some() {
        return Err(Trouble::field("email", format!("{email} has an account already.")));
    }
    let id: PersonId = store::fresh_id();
    let person = Person {
        id,
        email,
        name: new.name.trim().to_owned(),
        active: true,
        manager: None,
        created_at: app.clock.now(),
    };
    store::person::insert(tx, &person, hash).await.map_err(database)?;
    for grant in &new.grants {
        store::person::grant(tx, id, *grant).await.map_err(database)?;
    }
    for group in &new.groups {
        store::person::join_group(tx, id, group).await.map_err(database)?;
    }
    Ok(id)
}

fn roles_of(new: &NewPerson) -> Vec<&'static str> {
    new.grants.iter().map(|grant| grant.role.word()).collect()
}

/// The address in the one form in which it is stored, so that nobody has two accounts by writing it in two ways.
fn email_of(new: &NewPerson) -> Result<String, Trouble> {
    let email = new.email.trim().to_lowercase();
    let is_address = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
        && !email.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
    if is_address { Ok(email) } else { Err(Trouble::field("email", "This is no email address, name@example.org.")) }
}

fn acceptable(password: &str) -> Result<&str, Trouble> {
    if password.chars().count() < secret::PASSWORD_MIN {
        let message = format!("A password has at least {} characters.", secret::PASSWORD_MIN);
        return Err(Trouble::field("password", message));
    }
    if password.len() > secret::PASSWORD_MAX {
        return Err(Trouble::field("password", "This password is too long; 256 letters are plenty."));
    }
    Ok(password)
}

/// What an administrator changes about an account.
#[derive(Clone, Debug)]
pub enum Change {
    /// The person may come in again.
    Enable,
    /// The person may not come in; every session and token of his ends at once.
    Disable,
    /// A new password; every session ends, and no token is valid any more.
    Password(String),
    Grant(Grant),
    Revoke(Grant),
    Join(String),
    Leave(String),
    /// To whom unanswered approvals go on.
    Manager(Option<PersonId>),
}

/// Changes an account, as an administrator.
pub async fn change(app: &App, who: &Principal, id: PersonId, change: Change) -> Result<(), Trouble> {
    only_administrators(who)?;
    if id == who.person && matches!(change, Change::Disable) {
        return Err(Trouble::conflict(
            "You can't close your own account.",
            "Ask another administrator, so that somebody is left who can open it again.",
        ));
    }
    change_as(app, Actor::person(who, "portal"), id, change).await
}

/// Changes the account with this email; whoever has a shell on the server may.
pub async fn change_from_command_line(app: &App, email: &str, change: Change) -> Result<(), Trouble> {
    let email = email.trim().to_lowercase();
    let found = store::person::find_by_email(&app.store, &email).await.map_err(database)?;
    let (person, _) = found.ok_or_else(|| Trouble::field("email", format!("Nobody has an account as {email}.")))?;
    change_as(app, Actor::command_line(), person.id, change).await
}

async fn change_as(app: &App, actor: Actor, id: PersonId, change: Change) -> Result<(), Trouble> {
    let hash = match &change {
        Change::Password(password) => Some(secret::hash_password(acceptable(password)?).await?),
        _ => None,
    };
    let tx = app.store.begin().await.map_err(database)?;
    store::person::find(&tx, id).await.map_err(database)?.ok_or_else(|| Trouble::not_found("person"))?;
    let (action, data) = write(&tx, id, change, hash, app.clock.now()).await.map_err(database)?;
    let note = Note { actor, action, subject: format!("person {id}"), project: None, data };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)
}

async fn write(
    tx: &Tx,
    id: PersonId,
    change: Change,
    hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<(&'static str, serde_json::Value), store::DbErr> {
    let on_record = |grant: Grant| json!({ "role": grant.role.word(), "place": format!("{:?}", grant.place) });
    Ok(match change {
        Change::Enable => {
            store::person::set_active(tx, id, true).await?;
            ("person.enabled", json!({}))
        }
        Change::Disable => {
            store::person::set_active(tx, id, false).await?;
            shut_out(tx, id, now).await?;
            ("person.disabled", json!({}))
        }
        Change::Password(_) => {
            store::person::set_password(tx, id, hash.unwrap_or_default()).await?;
            shut_out(tx, id, now).await?;
            ("person.password_set", json!({}))
        }
        Change::Grant(grant) => {
            store::person::revoke(tx, id, grant).await?;
            store::person::grant(tx, id, grant).await?;
            ("person.role_granted", on_record(grant))
        }
        Change::Revoke(grant) => {
            store::person::revoke(tx, id, grant).await?;
            ("person.role_revoked", on_record(grant))
        }
        Change::Join(group) => {
            store::person::join_group(tx, id, &group).await?;
            ("person.group_joined", json!({ "group": group }))
        }
        Change::Leave(group) => {
            store::person::leave_group(tx, id, &group).await?;
            ("person.group_left", json!({ "group": group }))
        }
        Change::Manager(manager) => {
            store::person::set_manager(tx, id, manager).await?;
            ("person.manager_set", json!({ "manager": manager }))
        }
    })
}

/// Ends everything that a person, or a program in his name, is in with.
async fn shut_out(tx: &Tx, id: PersonId, now: DateTime<Utc>) -> Result<(), store::DbErr> {
    store::session::delete_all(tx, id).await?;
    store::token::revoke_all(tx, id, now).await
}

fn only_administrators(who: &Principal) -> Result<(), Trouble> {
    if who.has_everywhere(Role::Administrator) {
        return Ok(());
    }
    Err(Trouble::forbidden("People are managed by administrators.", "Ask one of them."))
}

/// Where a role is held, by the words of a form or the command line: `everywhere`, `northwind`, `northwind/shop`.
pub async fn place(app: &App, words: &str) -> Result<Place, Trouble> {
    let unknown = |what: &str| Trouble::field("place", format!("There is no {what}."));
    if words == "everywhere" {
        return Ok(Place::Everywhere);
    }
    let (organisation, project) = words.split_once('/').map_or((words, None), |(o, p)| (o, Some(p)));
    let found = store::organisation::find_by_name(&app.store, organisation).await.map_err(database)?;
    let found: OrganisationId = found.ok_or_else(|| unknown(&format!("organisation `{organisation}`")))?.id;
    let Some(project) = project else { return Ok(Place::Organisation(found)) };
    let projects = store::project::list(&app.store, &Scope::Everything).await.map_err(database)?;
    let place = projects.into_iter().find(|candidate| candidate.organisation == found && candidate.name == project);
    place.map(|project| Place::Project(project.id)).ok_or_else(|| unknown(&format!("project `{words}`")))
}

/// The next one above somebody who may see the project, and as whom he stands there. Whoever is out, or may not, is
/// passed by.
pub(crate) async fn next_above(
    tx: &Tx,
    person: &Person,
    project: ProjectId,
    is_out: impl Fn(&Person) -> bool,
) -> Result<Option<(Person, String)>, Trouble> {
    let mut below = person.clone();
    for _ in 0..HIGHEST_RUNG {
        let Some(id) = below.manager else { return Ok(None) };
        let Some(manager) = store::person::find(tx, id).await.map_err(database)? else { return Ok(None) };
        let principal = store::person::principal(tx, id).await.map_err(database)?;
        let may = principal.is_some_and(|principal| principal.scope().covers(project));
        if may && !is_out(&manager) {
            let above = if below.id == person.id { String::new() } else { format!(", above {}", person.name) };
            return Ok(Some((manager, format!("manager of {}{above}", below.name))));
        }
        below = manager;
    }
    Ok(None)
}
