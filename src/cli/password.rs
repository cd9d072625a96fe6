//! A password from the terminal or from standard input; never from an argument, which every user of the machine sees.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};
use std::process::{Command, Stdio};

use clap::Args;

use super::Failure;

#[derive(Args)]
pub struct Source {
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl Source {
    /// The password, typed twice at a terminal.
    pub fn read(&self) -> Result<String, Failure> {
        if self.password_stdin {
            return line();
        }
        if !stdin().is_terminal() {
            return Err("there is no terminal to ask for the password; use --password-stdin".into());
        }
        let _quiet = Quiet::begin();
        let first = ask("Password: ")?;
        let second = ask("Once more: ")?;
        if first == second { Ok(first) } else { Err("the two passwords differ; nothing was changed".into()) }
    }
}

fn ask(question: &str) -> Result<String, Failure> {
    write!(stderr(), "{question}")?;
    stderr().flush()?;
    let answer = line()?;
    writeln!(stderr())?;
    Ok(answer)
}

fn line() -> Result<String, Failure> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Keeps what is typed off the screen, as long as it lives.
struct Quiet;

impl Quiet {
    fn begin() -> Self {
        terminal("-echo");
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        terminal("echo");
    }
}

/// A system without `stty` shows what is typed, which is no reason to refuse.
fn terminal(mode: &str) {
    let _ = Command::new("stty").arg(mode).stdin(Stdio::inherit()).status();
}
