//! `gatehouse check`: every mistake of blueprint files, before they are published.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use domain::blueprint::Blueprint;

use super::Failure;
use crate::settings::Settings;
use crate::workflows;

#[derive(Args)]
pub struct Arguments {
    /// A blueprint file or a folder of them [default: what the settings' catalog offers]
    path: Option<PathBuf>,
}

/// Prints every mistake as `file:line:column`; fails when there is one.
pub fn run(settings: &Settings, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let files = workflows::read(arguments.path.as_deref().or(settings.catalog.folder.as_deref()))?;
    let actions = actions::signatures();
    let mut refused = 0;
    for file in &files {
        let text = match &file.text {
            Ok(text) => text,
            Err(why) => {
                refused += 1;
                eprintln!("{}:1:1: {why}", file.name);
                continue;
            }
        };
        match Blueprint::parse_checked(&file.name, text, &actions) {
            Ok(blueprint) => println!("{}: {} {} is in order", file.name, blueprint.name, blueprint.version),
            Err(mistakes) => {
                refused += 1;
                mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            }
        }
    }
    if files.is_empty() {
        eprintln!("gatehouse: there is no blueprint; its file's name ends in .yaml");
    }
    if refused > 0 {
        eprintln!("{refused} of {} blueprints can't be published.", files.len());
    }
    Ok(if refused == 0 && !files.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
