//! `gatehouse audit`: proof, without a browser.

use std::process::ExitCode;

use app::App;
use app::audit_report::{AuditReport, filing};
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use clap::{Args, Subcommand};
use domain::audit::Actor;

use super::{Failure, complain};

#[derive(Subcommand)]
pub enum Command {
    /// Prove that no row of the audit log and no filed report was changed, removed or slipped in
    Verify,
    /// Print the CMDB audit report's figures, or all of them as JSON
    Report(Report),
    /// File the CMDB audit report as it stands now: it is kept with its evidence, chained to the one filed before
    File,
    /// Judge a filed report again from its evidence; fails when it comes to something else
    Rerun {
        /// The number of the report
        number: i64,
    },
}

#[derive(Args)]
pub struct Report {
    /// As of the end of this day, 2026-11-22 [default: now]
    #[arg(long, value_name = "DAY", value_parser = day)]
    as_of: Option<NaiveDate>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "this is no day; write year, month and day, as in 2026-11-22".to_owned())
}

/// Does what was asked; fails when the log was tampered with.
pub async fn run(app: &App, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Verify => verify(app).await,
        Command::Report(arguments) => report(app, &arguments).await,
        Command::File => file(app).await,
        Command::Rerun { number } => rerun(app, number).await,
    }
}

/// Prints the figures of the report with its hash; fails when its control totals do not add up.
async fn report(app: &App, arguments: &Report) -> Result<ExitCode, Failure> {
    let end_of_day = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1);
    let report = app::audit_report::of_everything(app, arguments.as_of.map(end_of_day)).await?;
    if arguments.json {
        say!("{}", serde_json::json!({ "figures": report.figures, "sha256": report.sha256 }))?;
    } else {
        tell(&report)?;
    }
    Ok(if report.figures.adds_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(report: &AuditReport) -> Result<(), Failure> {
    let figures = &report.figures;
    say!("CMDB audit report as of {}", figures.as_of.format("%Y-%m-%d %H:%M:%S UTC"))?;
    say!("  {} CIs on record: {} current, {} retired", figures.total, figures.current, figures.retired)?;
    for (name, ratio) in [
        ("live objects with a CI", figures.registered),
        ("CIs with all required attributes", figures.complete),
        ("CIs without a finding against them", figures.correct),
        ("CIs with both responsibles", figures.owned),
        ("CIs with their order on record", figures.traced),
    ] {
        say!("  {:<36} {:>8}  ({} of {})", name, ratio.percent(), ratio.part, ratio.whole)?;
    }
    for (kind, number) in figures.findings.iter().filter(|(_, number)| **number > 0) {
        say!("  finding {:<28} {number:>8}", kind.replace('_', " "))?;
    }
    say!("  SHA-256 {}", report.sha256)
}

async fn file(app: &App) -> Result<ExitCode, Failure> {
    let filing = filing::file_as(app, Actor::command_line()).await?;
    say!("Report {} is filed, with {} CIs.", filing.number, filing.cis)?;
    say!("  SHA-256 {}", filing.sha256)?;
    say!("  sealed  {}", filing.hash)?;
    Ok(ExitCode::SUCCESS)
}

async fn rerun(app: &App, number: i64) -> Result<ExitCode, Failure> {
    let rerun = filing::judge_again(app, number).await?;
    let filed = &rerun.filing;
    if rerun.is_same() {
        say!("Report {number} comes to the very same: {} CIs, SHA-256 {}.", filed.cis, rerun.sha256)?;
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("gatehouse: report {number} comes to something else: {}", filed.sha256));
    say!("  SHA-256 now {}", rerun.sha256)?;
    say!("  filed by rules {}, judged again by rules {}", filed.rules, rerun.rules)?;
    if !rerun.whole {
        say!("  what is kept of it is not what was filed")?;
    }
    if !rerun.drawn {
        say!("  its sample is not what its seed draws")?;
    }
    say!("  {} CIs have other findings", rerun.differing)?;
    for (id, name) in &rerun.named {
        say!("    {name} ({id})")?;
    }
    Ok(ExitCode::FAILURE)
}

async fn verify(app: &App) -> Result<ExitCode, Failure> {
    let log = app::audit::verify(app).await?;
    match &log {
        Ok(head) => say!("The audit log is whole: {} rows, ending with {}.", head.rows, head.hash)?,
        Err(broken) => complain(&format!("gatehouse: {broken}")),
    }
    let filed = filing::verify(app).await?;
    match &filed {
        Ok(None) => {}
        Ok(Some(last)) => say!("The {} filed reports are whole, ending with {}.", last.number, last.hash)?,
        Err(broken) => complain(&format!("gatehouse: {broken}")),
    }
    Ok(if log.is_ok() && filed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
