//! `gatehouse project`: where orders, quota and machines belong.

use app::App;
use app::project::{self, NewProject};
use clap::Subcommand;

use super::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Open a project, and its organisation if there is none
    Add {
        /// Organisation and project: northwind/shop
        #[arg(value_name = "ORGANISATION/PROJECT")]
        place: String,
        /// What people read
        #[arg(long)]
        title: String,
        /// The group that answers for the project's applications
        #[arg(long)]
        team: String,
    },
}

/// Does what was asked with the projects.
pub async fn run(app: &App, command: Command) -> Result<(), Failure> {
    let Command::Add { place, title, team } = command;
    let (organisation, name) = place.split_once('/').ok_or("write the project as ORGANISATION/PROJECT")?;
    let new = NewProject { organisation: organisation.to_owned(), name: name.to_owned(), title, team };
    project::add_from_command_line(app, new).await?;
    println!("{place} is open.");
    Ok(())
}
