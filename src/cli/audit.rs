//! `gatehouse audit`: proof, without a browser.

use std::process::ExitCode;

use app::App;
use clap::Subcommand;

use super::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Prove that no row of the audit log was changed, removed or slipped in
    Verify,
}

/// Does what was asked; fails when the log was tampered with.
pub async fn run(app: &App, command: Command) -> Result<ExitCode, Failure> {
    let Command::Verify = command;
    match app::audit::verify(app).await? {
        Ok(head) => {
            println!("The audit log is whole: {} rows, ending with {}.", head.rows, head.hash);
            Ok(ExitCode::SUCCESS)
        }
        Err(broken) => {
            eprintln!("gatehouse: {broken}");
            Ok(ExitCode::FAILURE)
        }
    }
}
