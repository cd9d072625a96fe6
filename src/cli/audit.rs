//! `gatehouse audit`: proof, without a browser.

use std::process::ExitCode;

use app::App;
use app::audit_report::AuditReport;
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use clap::{Args, Subcommand};

use super::{Failure, complain};

#[derive(Subcommand)]
pub enum Command {
    /// Prove that no row of the audit log was changed, removed or slipped in
    Verify,
    /// Print the CMDB audit report's figures, or all of them as JSON
    Report(Report),
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

async fn verify(app: &App) -> Result<ExitCode, Failure> {
    match app::audit::verify(app).await? {
        Ok(head) => {
            say!("The audit log is whole: {} rows, ending with {}.", head.rows, head.hash)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(broken) => {
            complain(&format!("gatehouse: {broken}"));
            Ok(ExitCode::FAILURE)
        }
    }
}
