//! `gatehouse check`: every mistake of blueprint files and of rules of reconcile, before they are published; and with `--connect`, what is missing
//! at the sites before anything is ordered.

mod connect;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use app::catalog::File;
use clap::Args;
use domain::action::Signature;
use domain::blueprint::{Blueprint, file_schema};
use domain::reconcile::rules::Rules;

use super::{Failure, complain, print};
use crate::settings::Settings;
use crate::workflows;

#[derive(Args)]
pub struct Arguments {
    /// Blueprint files, or folders of them [default: what the settings' catalog offers]
    paths: Vec<PathBuf>,
    /// Print the JSON Schema of a blueprint file instead, for editors
    #[arg(long, conflicts_with = "paths")]
    schema: bool,
    /// Sign in to the systems of every site instead, and tell what is missing there; nothing is changed
    #[arg(long, conflicts_with_all = ["paths", "schema"])]
    connect: bool,
}

/// Prints every mistake as `file:line:column`; fails when there is one.
pub async fn run(settings: &Settings, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.connect {
        return connect::run(settings).await;
    }
    let actions = actions::signatures();
    if arguments.schema {
        print(&serde_json::to_string_pretty(&file_schema(&actions))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut seen = Seen::default();
    for file in files(settings, &arguments.paths)? {
        if let Some(text) = rules_of(&file) {
            match Rules::read(&file.name, text) {
                Ok(_) => seen.rules(&file.name)?,
                Err(mistakes) => seen.bad(&mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()),
            }
            continue;
        }
        match told(&file, &actions) {
            Ok(blueprint) => seen.good(&file.name, &blueprint)?,
            Err(mistakes) => seen.bad(&mistakes),
        }
    }
    seen.close()
}

fn files(settings: &Settings, paths: &[PathBuf]) -> Result<Vec<File>, String> {
    if paths.is_empty() {
        return workflows::read(settings.catalog.folder.as_deref());
    }
    // A path that leads nowhere is one mistake among those of the others.
    Ok(paths
        .iter()
        .flat_map(|path| workflows::read(Some(path)).unwrap_or_else(|_| vec![workflows::file(path)]))
        .collect())
}

/// The text of a file that holds no blueprint but the rules of reconcile.
fn rules_of(file: &File) -> Option<&str> {
    let text = file.text.as_ref().ok()?;
    text.lines().any(|line| line.starts_with("rules:")).then_some(text)
}

fn told(file: &File, actions: &[Signature]) -> Result<Blueprint, Vec<String>> {
    let text = file.text.as_ref().map_err(|mistake| vec![mistake.to_string()])?;
    let checked = Blueprint::parse_checked(&file.name, text, actions);
    checked.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// What the files came to so far.
#[derive(Default)]
struct Seen {
    files: usize,
    refused: usize,
    mistakes: usize,
    /// The file of each name and version.
    editions: BTreeMap<(String, String), String>,
}

impl Seen {
    fn good(&mut self, file: &str, blueprint: &Blueprint) -> Result<(), Failure> {
        let (name, version) = (&blueprint.name, blueprint.version.to_string());
        if let Some(other) = self.editions.insert((name.clone(), version.clone()), file.to_owned()) {
            let told = format!("{file}:1:1: {other} is {name} {version}, too; only one of them can be published");
            self.bad(&[told]);
            return Ok(());
        }
        self.files += 1;
        say!("{file}: {name} {version} is in order")
    }

    fn rules(&mut self, file: &str) -> Result<(), Failure> {
        self.files += 1;
        say!("{file}: the rules of reconcile are in order")
    }

    fn bad(&mut self, mistakes: &[String]) {
        self.files += 1;
        self.refused += 1;
        self.mistakes += mistakes.len();
        mistakes.iter().for_each(|mistake| complain(mistake));
    }

    /// Says how it stands, in one line.
    fn close(&self) -> Result<ExitCode, Failure> {
        let Self { files, refused, mistakes, .. } = self;
        match (files, refused) {
            (0, _) => complain("There is no blueprint here; its file's name ends in .yaml or .yml."),
            (_, 0) => {
                say!("{} in order.", counted(*files, "blueprint is", "blueprints are"))?;
                return Ok(ExitCode::SUCCESS);
            }
            _ => complain(&format!(
                "{} in {refused} of {}; what has a mistake is not published.",
                counted(*mistakes, "mistake", "mistakes"),
                counted(*files, "file", "files")
            )),
        }
        Ok(ExitCode::FAILURE)
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
