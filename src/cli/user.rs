//! `gatehouse user`: accounts, for whoever has a shell on the server; above all the first administrator.

use app::App;
use app::person::{self, Change, Entry, NewPerson};
use clap::{Args, Subcommand};
use domain::person::{Grant, Place, Role};

use super::{Failure, password};

#[derive(Subcommand)]
pub enum Command {
    /// Give somebody an account
    Add(Add),
    /// List everybody with an account
    List,
    /// Close an account: it opens no door, and every session and token of it ends
    Disable {
        /// Whose account it is
        email: String,
    },
    /// Open a closed account again
    Enable {
        /// Whose account it is
        email: String,
    },
    /// Set a new password; every session of the account ends
    Password {
        /// Whose account it is
        email: String,
        #[command(flatten)]
        password: password::Source,
    },
}

#[derive(Args)]
pub struct Add {
    /// What the person signs in with
    email: String,
    /// The person's name
    #[arg(long)]
    name: String,
    /// A role and where it is held: administrator, or requester@northwind/shop; may be repeated
    #[arg(long = "role", value_name = "ROLE[@PLACE]", required = true)]
    roles: Vec<String>,
    /// A group that approval policies name, application-owners; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    password: password::Source,
}

/// Does what was asked with the accounts.
pub async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(new) => add(app, new).await,
        Command::List => list(app).await,
        Command::Disable { email } => {
            person::change_from_command_line(app, &email, Change::Disable).await?;
            say!("{email} can't come in any more.")
        }
        Command::Enable { email } => {
            person::change_from_command_line(app, &email, Change::Enable).await?;
            say!("{email} can come in again.")
        }
        Command::Password { email, password } => {
            person::change_from_command_line(app, &email, Change::Password(password.read()?)).await?;
            say!("{email} has a new password.")
        }
    }
}

/// Gives somebody an account.
pub async fn add(app: &App, add: Add) -> Result<(), Failure> {
    let mut grants = Vec::new();
    for role in &add.roles {
        grants.push(grant(app, role).await?);
    }
    let password = Some(add.password.read()?);
    let new = NewPerson { name: add.name, email: add.email.clone(), password, grants, groups: add.groups };
    person::add_from_command_line(app, new).await?;
    say!("{} can sign in now.", add.email)
}

/// Reads `administrator` or `requester@northwind/shop`.
async fn grant(app: &App, words: &str) -> Result<Grant, Failure> {
    let (word, place) = words.split_once('@').unwrap_or((words, "everywhere"));
    let known = Role::ALL.map(Role::word);
    let role =
        Role::from_word(word).ok_or_else(|| format!("there is no role `{word}`; there are {}", known.join(", ")))?;
    Ok(Grant { role, place: person::place(app, place).await? })
}

async fn list(app: &App) -> Result<(), Failure> {
    let directory = person::directory_from_command_line(app).await?;
    let place = |place: Place| match place {
        Place::Everywhere => String::new(),
        Place::Organisation(id) => directory
            .places
            .organisations
            .iter()
            .find(|one| one.id == id)
            .map_or_else(String::new, |one| format!("@{}", one.name)),
        Place::Project(id) => directory
            .places
            .projects
            .iter()
            .find(|one| one.id == id)
            .map_or_else(String::new, |one| format!("@{}/{}", one.organisation_name, one.name)),
    };
    if directory.people.is_empty() {
        say!("Nobody has an account yet. Give the first administrator one with `gatehouse user add`.")?;
    }
    for Entry { person, grants, groups } in &directory.people {
        let held = grants.iter().map(|grant| format!("{}{}", grant.role.word(), place(grant.place)));
        let held: Vec<String> = held.chain(groups.iter().map(|group| format!("group {group}"))).collect();
        let closed = if person.active { "" } else { " (closed)" };
        say!("{:<32} {:<24} {}{closed}", person.email, person.name, held.join(", "))?;
    }
    Ok(())
}
