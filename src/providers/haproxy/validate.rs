//! HAProxy's own opinion of its configuration: `haproxy -c`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ports::provider_error::ProviderError;
use tokio::time::timeout;

/// Longer than the largest configuration takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Faults that are told; the first ones cause the others, mostly.
const FAULTS: usize = 5;

/// Checks the files together, in this order. What is wrong is told with file and line.
pub(super) async fn validate(program: &Path, files: Vec<PathBuf>) -> Result<(), ProviderError> {
    let (program, asked) = (program.display().to_string(), program.to_owned());
    let unusable = |cause: io::Error| {
        ProviderError::permanent(
            format!("HAProxy's configuration can't be checked by `{program} -c`: {cause}."),
            "Install HAProxy on Gatehouse's machine, or name the program in the site's settings.",
        )
    };
    let child = start(&asked, &files).map_err(unusable)?;
    let child = Arc::new(Mutex::new(child));
    let told = tokio::task::spawn_blocking({
        let child = Arc::clone(&child);
        move || hear(&child)
    });
    let Ok(told) = timeout(PATIENCE, told).await else {
        // One that has ended in the meantime can't be killed, and need not be.
        let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        return Err(unusable(io::ErrorKind::TimedOut.into()));
    };
    let (is_valid, told) = told.unwrap_or_else(|stopped| Err(io::Error::other(stopped))).map_err(unusable)?;
    if is_valid {
        return Ok(());
    }
    Err(ProviderError::permanent(
        format!("HAProxy does not accept its configuration: {}. Nothing was changed.", faults(&told).join("; ")),
        "Mend that file, and retry.",
    ))
}

fn start(program: &Path, files: &[PathBuf]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.arg("-c").args(files.iter().flat_map(|file| [Path::new("-f"), file]));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

/// Waits for what it says; whether it is content, and what it said.
fn hear(child: &Mutex<Child>) -> io::Result<(bool, String)> {
    let said = child.lock().unwrap_or_else(PoisonError::into_inner).stderr.take();
    let mut told = Vec::new();
    if let Some(mut said) = said {
        said.read_to_end(&mut told)?;
    }
    let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait()?;
    Ok((status.success(), String::from_utf8_lossy(&told).into_owned()))
}

/// The faults in `[ALERT]    (123) : config : parsing [conf.d/60-b.cfg:3] : unknown keyword 'foo' in 'listen' section`.
fn faults(told: &str) -> Vec<String> {
    let alerts = told.lines().filter_map(|line| line.strip_prefix("[ALERT]"));
    let words = alerts.map(|line| line.split_once(" : config : ").map_or(line, |(_, words)| words).trim());
    let summed_up = |words: &&str| words.starts_with("Error(s) found") || words.starts_with("Fatal errors found");
    words.filter(|words| !summed_up(words)).take(FAULTS).map(|words| words.trim_end_matches('.').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_its_file_and_line() {
        let told = "[NOTICE]   (7) : haproxy version is 2.6.12\n\
                    [ALERT]    (7) : config : parsing [conf.d/60-b.cfg:3] : unknown keyword 'foo' in 'listen' section\n\
                    [ALERT]    (7) : config : Error(s) found in configuration file : conf.d/60-b.cfg\n\
                    [ALERT]    (7) : config : Fatal errors found in configuration.\n";
        assert_eq!(faults(told), ["parsing [conf.d/60-b.cfg:3] : unknown keyword 'foo' in 'listen' section"]);
    }
}
