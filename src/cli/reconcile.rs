//! `gatehouse reconcile`: the ledger, the sources and the CMDB side by side, now.

use std::process::ExitCode;

use app::App;
use app::reconcile;
use clap::Args;
use domain::audit::Actor;
use domain::ci::CiClass;
use domain::reconcile::run::{Run, Summary};
use domain::reconcile::totals::ClassTotals;
use serde_json::json;

use super::table::table;
use super::{Failure, print};

#[derive(Args)]
pub struct Arguments {
    /// Print what it came to as JSON
    #[arg(long)]
    json: bool,
    /// Let through first what the brake holds back of this class
    #[arg(long, value_name = "CLASS", requires = "because", value_parser = class)]
    release: Option<CiClass>,
    /// Why so much may vanish or change
    #[arg(long, value_name = "REASON", requires = "release")]
    because: Option<String>,
}

fn class(word: &str) -> Result<CiClass, String> {
    let known = || CiClass::ALL.iter().map(|class| class.word()).collect::<Vec<_>>().join(", ");
    CiClass::from_word(word).ok_or_else(|| format!("there is no such class; there are {}", known()))
}

/// Reconciles; fails when the brake holds something back.
pub async fn run(app: &App, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let (Some(class), Some(reason)) = (arguments.release, &arguments.because) {
        reconcile::release_as(app, Actor::command_line(), class, reason).await?;
    }
    let busy = "another process is reconciling; try again in a moment";
    let done = reconcile::run_as(app, &Actor::command_line()).await?.ok_or(busy)?;
    let outcome = done.outcome.clone().unwrap_or_default();
    if arguments.json {
        say!("{}", json!({ "state": done.state, "rules": done.rules, "outcome": outcome }))?;
    } else {
        print(&told(&done, &outcome)?)?;
    }
    Ok(if outcome.braked.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(done: &Run, outcome: &Summary) -> Result<String, Failure> {
    let head = ["class", "seen", "CIs", "matched", "missing", "ambiguous", "ghost", "not evaluated", "excluded"];
    let row = |name: &str, of: &ClassTotals| {
        let counts =
            [of.reality, of.cmdb, of.matched, of.missing, of.ambiguous, of.ghost, of.not_evaluated, of.excluded];
        std::iter::once(name.to_owned()).chain(counts.iter().map(u64::to_string)).collect::<Vec<_>>()
    };
    let classes = outcome.totals.0.iter().map(|(class, of)| row(class.word(), of));
    let rows = classes.chain([row("all", &outcome.totals.sum())]).collect();
    let mut text = format!("Reconciled by rules {:.12}\n", done.rules);
    table(&mut text, &head, rows)?;
    for look in outcome.looks.iter().filter(|look| look.why.is_some()) {
        let why = look.why.as_deref().unwrap_or_default();
        text.push_str(&format!("Not evaluated, {} of {}: {why}\n", look.class.word(), look.title));
    }
    for braked in &outcome.braked {
        text.push_str(&format!(
            "Held back: of {} CIs of the class {}, {} would vanish and {} would change. Look at them \
             (/api/v1/findings?state=held), then let them through with --release {} --because …\n",
            braked.cis,
            braked.class.word(),
            braked.would_vanish,
            braked.would_change,
            braked.class.word()
        ));
    }
    let tally = outcome.tally;
    text.push_str(&format!(
        "{} found: {} new, {} again, {} changed, {} held back; {} fixed.",
        tally.found,
        tally.opened,
        tally.opened_again + tally.waivers_over,
        tally.changed,
        tally.held,
        tally.fixed
    ));
    Ok(text)
}
