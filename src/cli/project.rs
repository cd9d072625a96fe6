//! `gatehouse project`: where orders, quota and machines belong.

use app::App;
use app::project::{self, NewProject};
use clap::{Args, Subcommand};

use super::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Open a project, and its organisation if there is none
    Add(Add),
    /// List every project
    List,
    /// Set what a project may use, or show what it may
    Quota {
        /// Organisation and project: northwind/shop
        #[arg(value_name = "ORGANISATION/PROJECT")]
        place: String,
        /// machines=20, cpu=60, memory_gb=240, disk_gb=2000, containers=100; others stay as they are
        #[arg(value_name = "KIND=AMOUNT", value_parser = limit)]
        limits: Vec<(String, i64)>,
    },
}

#[derive(Args)]
pub struct Add {
    /// Organisation and project: northwind/shop
    #[arg(value_name = "ORGANISATION/PROJECT")]
    place: String,
    /// What people read
    #[arg(long)]
    title: String,
    /// The group that answers for the project's applications
    #[arg(long)]
    team: String,
}

/// Does what was asked with the projects.
pub async fn run(app: &App, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(new) => add(app, new).await,
        Command::List => list(app).await,
        Command::Quota { place, limits } => {
            let (organisation, name) = parts(&place)?;
            let limits = project::set_quota_from_command_line(app, organisation, name, &limits).await?;
            if limits.is_empty() {
                say!("{place} has no limits.")?;
            }
            limits.iter().try_for_each(|(kind, amount)| say!("{kind}={amount}"))
        }
    }
}

/// Opens a project.
pub async fn add(app: &App, Add { place, title, team }: Add) -> Result<(), Failure> {
    let (organisation, name) = parts(&place)?;
    let new = NewProject { organisation: organisation.to_owned(), name: name.to_owned(), title, team };
    project::add_from_command_line(app, new).await?;
    say!("{place} is open.")
}

async fn list(app: &App) -> Result<(), Failure> {
    let projects = project::list_from_command_line(app).await?;
    if projects.is_empty() {
        say!("There is no project yet. Open the first one with `gatehouse project add`.")?;
    }
    for project in projects {
        let place = format!("{}/{}", project.organisation_name, project.name);
        say!("{place:<32} {:<24} {}", project.title, project.team)?;
    }
    Ok(())
}

fn parts(place: &str) -> Result<(&str, &str), Failure> {
    Ok(place.split_once('/').ok_or("write the project as ORGANISATION/PROJECT")?)
}

fn limit(text: &str) -> Result<(String, i64), String> {
    let (kind, amount) = text.split_once('=').ok_or("write it as KIND=AMOUNT, machines=20")?;
    let amount = amount.parse().map_err(|_| format!("`{amount}` is no whole number"))?;
    Ok((kind.to_owned(), amount))
}
