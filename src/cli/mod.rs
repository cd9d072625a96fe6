//! What people type: one file a command.
//!
//! Exit codes: 0 all is well, 1 it could not be done (the reason is on standard error), 2 it was not understood.

/// Prints a line, as `println!` does, and fails where it would panic.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::print(&format!($($words)*)) };
}

mod audit;
mod check;
mod demo;
mod doctor;
mod logs;
mod migrate;
mod password;
mod plan;
mod project;
mod reconcile;
mod serve;
mod stop;
mod table;
mod token;
mod user;
mod worker;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use app::App;
use clap::{Parser, Subcommand};
use domain::trouble::Trouble;
use providers::clock::SystemClock;

use table::table;

use crate::boot::{self, House};
use crate::settings::{self, Mistake, Settings};

/// Read when no other file is named and it is there.
const USUAL_FILE: &str = "gatehouse.toml";

/// The self-service portal of a private cloud: order, approve, build, register, and know what runs where.
#[derive(Parser)]
#[command(name = "gatehouse", version, about, after_help = "Try it: gatehouse demo")]
struct Arguments {
    /// The settings file, named here or in GATEHOUSE_CONFIG [default: gatehouse.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "GATEHOUSE_CONFIG", hide_env = true)]
    config: Option<PathBuf>,
    /// Log what happens, as `[logging]` says; `serve`, `worker` and `demo` always do
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try Gatehouse: its own data, people, mail and datacenter, nothing to set up
    Demo(demo::Arguments),
    /// Serve the portal, and drive runs in the same process
    Serve(serve::Arguments),
    /// Drive runs, for portals that were started with --no-worker
    Worker(worker::Arguments),
    /// Find every mistake in blueprint files, or what is missing at the sites
    Check(check::Arguments),
    /// Show what an order would do, without ordering it
    Plan(plan::Arguments),
    /// Give people accounts, above all the first administrator
    #[command(subcommand)]
    User(user::Command),
    /// Open the projects that people order in
    #[command(subcommand)]
    Project(project::Command),
    /// Give programs bearer tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Prove what was done
    #[command(subcommand)]
    Audit(audit::Command),
    /// Compare the ledger, what the sources saw and the CMDB, and keep what differs as findings
    Reconcile(reconcile::Arguments),
    /// Look for what must never be so in a live database, and say what to do about it
    Doctor(doctor::Arguments),
    /// Bring the database's tables up to date, and stop
    Migrate,
}

impl Command {
    /// Whether it works on until it is stopped; the others answer and are done.
    fn goes_on(&self) -> bool {
        matches!(self, Self::Demo(_) | Self::Serve(_) | Self::Worker(_))
    }
}

/// Why a command could not do what it was asked to.
type Failure = Box<dyn Error + Send + Sync>;

/// Prints; whoever reads may have had enough, as `head` has.
fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed.map_err(|cause| format!("the answer can't be written: {cause}"))?),
    }
}

/// Says on standard error what is wrong, or what comes beside the answer.
fn complain(text: &str) {
    // Where even this can't be written there is nowhere left to say so; the exit code still does.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Does what the arguments say.
pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    // ring is the only crypto provider in the house; a second call would find it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match obey(arguments).await {
        Ok(code) => code,
        Err(failure) => {
            complain(&in_full(failure.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn obey(arguments: Arguments) -> Result<ExitCode, Failure> {
    let settings = match read_settings(arguments.config.as_deref()) {
        Ok(settings) => settings,
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| complain(&format!("gatehouse: {mistake}")));
            return Ok(ExitCode::from(2));
        }
    };
    logs::start(&settings.logging, arguments.verbose || arguments.command.goes_on())?;
    match arguments.command {
        Command::Demo(arguments) => demo::run(settings, arguments).await?,
        Command::Serve(arguments) => serve::run(settings, &arguments).await?,
        Command::Worker(arguments) => worker::run(settings, &arguments).await?,
        Command::Check(arguments) => return check::run(&settings, &arguments).await,
        Command::Plan(arguments) => plan::run(&settings, &arguments)?,
        Command::User(user::Command::Add(add)) => user::add(&open(&settings).await?, add).await?,
        Command::User(command) => user::run(&open_what_is_there(&settings).await?, command).await?,
        Command::Project(project::Command::Add(add)) => project::add(&open(&settings).await?, add).await?,
        Command::Project(command) => project::run(&open_what_is_there(&settings).await?, command).await?,
        Command::Token(command) => token::run(&open_what_is_there(&settings).await?, command).await?,
        Command::Audit(command) => return audit::run(&open_what_is_there(&settings).await?, command).await,
        Command::Reconcile(arguments) => {
            return reconcile::run(&open_what_is_there(&settings).await?, &arguments).await;
        }
        Command::Doctor(arguments) => return doctor::run(&open_what_is_there(&settings).await?, &arguments).await,
        Command::Migrate => migrate::run(&settings).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The use cases over a database that must be there: nothing is made for whoever only wants to look.
async fn open_what_is_there(settings: &Settings) -> Result<App, Failure> {
    boot::find_database(&settings.database)?;
    open(settings).await
}

/// The use cases over the same database that the portal has, made when missing.
async fn open(settings: &Settings) -> Result<App, Failure> {
    let url = settings.server.url(settings.server.port);
    Ok(House::open(settings, Arc::new(SystemClock), url, false).await?.app)
}

fn read_settings(named: Option<&Path>) -> Result<Settings, Vec<Mistake>> {
    let usual = Path::new(USUAL_FILE);
    let file = named.or_else(|| usual.exists().then_some(usual));
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    settings::read(file, variables)
}

/// The failure with what caused it, each on a line; of input that does not fit, what is wrong with each part.
fn in_full(failure: &(dyn Error + 'static)) -> String {
    let wrong = failure.downcast_ref::<Trouble>().map(|trouble| trouble.fields.as_slice()).unwrap_or_default();
    if !wrong.is_empty() {
        let lines: Vec<String> = wrong.iter().map(|wrong| format!("gatehouse: {}", wrong.message)).collect();
        return lines.join("\n");
    }
    let mut text = format!("gatehouse: {failure}");
    let mut cause = failure.source();
    while let Some(deeper) = cause {
        let told = deeper.to_string();
        // Some say again what the next one says.
        if !text.ends_with(&told) {
            text.push_str(&format!("\n  because: {told}"));
        }
        cause = deeper.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }
}
