//! `gatehouse doctor`: whether a live database is as it must be, and what to do where it is not.

use std::process::ExitCode;

use app::App;
use app::ailment::{self, Case, Found};
use clap::Args;
use domain::ailment::Ailment;
use serde_json::{Value, json};

use super::Failure;

#[derive(Args)]
pub struct Arguments {
    /// Mend first what can be mended without a person's knowledge; what was done is put on record
    #[arg(long)]
    mend: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Note first that an object of a deployment that is over is gone, by its key
    #[arg(long, value_name = "KEY", requires = "because")]
    gone: Option<String>,
    /// How you know that it is gone
    #[arg(long, value_name = "REASON", requires = "gone")]
    because: Option<String>,
}

/// Looks, and mends if asked to; fails when something is wrong, or stays so.
pub async fn run(app: &App, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let (Some(key), Some(reason)) = (&arguments.gone, &arguments.because) {
        ailment::declare_gone_from_command_line(app, key, reason).await?;
    }
    let mended = if arguments.mend { ailment::mend_from_command_line(app).await? } else { Vec::new() };
    let found = ailment::examine(app).await?;
    if arguments.json {
        let list = |all: &[Found]| all.iter().map(|found| document(app, found)).collect::<Vec<_>>();
        say!("{}", json!({ "found": list(&found), "mended": list(&mended) }))?;
    } else {
        tell(app, &mended, &found)?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn document(app: &App, found: &Found) -> Value {
    let case = |case: &Case| {
        json!({
            "id": case.id, "name": case.name, "note": case.note, "at": case.at, "page": found.page(app, case),
        })
    };
    json!({
        "ailment": found.ailment.word(),
        "what": found.ailment.what(),
        "number": found.number,
        "cases": found.cases.iter().map(case).collect::<Vec<_>>(),
        "remedy": found.ailment.remedy(),
    })
}

fn tell(app: &App, mended: &[Found], found: &[Found]) -> Result<(), Failure> {
    for mended in mended {
        say!("Mended: {} ({})", mended.ailment.what(), mended.number)?;
    }
    if !mended.is_empty() {
        say!("")?;
    }
    for found in found {
        tell_one(app, found)?;
    }
    if found.is_empty() {
        return say!("All is well: of {} things that must never be so, none is.", Ailment::ALL.len());
    }
    let things = if found.len() == 1 { "1 thing is".to_owned() } else { format!("{} things are", found.len()) };
    say!("{things} not as it must be.")
}

fn tell_one(app: &App, found: &Found) -> Result<(), Failure> {
    say!("{}: {}", found.ailment.what(), found.number)?;
    for case in &found.cases {
        let note = case.note.as_deref().map(|note| format!(", {note}")).unwrap_or_default();
        let until = if found.ailment == Ailment::LeaseFromFuture { "until" } else { "since" };
        let at = case.at.map(|at| format!(", {until} {}", at.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
        say!("  {}{note}{at}", case.name)?;
        if let Some(page) = found.page(app, case) {
            say!("    {page}")?;
        }
    }
    let more = found.number.saturating_sub(found.cases.len() as u64);
    if more > 0 {
        say!("  and {more} more")?;
    }
    say!("  {}", found.ailment.remedy())?;
    say!("")
}
