//! Programs of this machine that are run to their end, or stopped when they take too long.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

/// So much of what a program says is heard; the rest is thrown away.
const HEARD: u64 = 16 * 1024;

/// How a program ended.
pub(super) struct Ended {
    /// What it ended with; none where a signal ended it.
    pub(super) code: Option<i32>,
    /// What it said, of either kind.
    said: String,
}

impl Ended {
    pub(super) fn says(&self, words: &str) -> bool {
        self.said.contains(words)
    }

    /// Its last words, without the full stop.
    pub(super) fn last_line(&self) -> &str {
        let mut lines = self.said.lines().map(|line| line.trim().trim_end_matches('.'));
        lines.rfind(|line| !line.is_empty()).unwrap_or("it does not say why")
    }
}

/// Runs a program with these arguments, without a shell and without input; nothing when it was stopped for taking
/// longer.
pub(super) async fn run(program: &Path, arguments: Vec<String>, patience: Duration) -> io::Result<Option<Ended>> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = Arc::new(Mutex::new(command.spawn()?));
    let told = tokio::task::spawn_blocking({
        let child = Arc::clone(&child);
        move || hear(&child)
    });
    match timeout(patience, told).await {
        Ok(told) => told.unwrap_or_else(|stopped| Err(io::Error::other(stopped))).map(Some),
        Err(_) => {
            // One that has ended in the meantime can't be killed, and need not be. The listener waits for its end.
            let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
            Ok(None)
        }
    }
}

fn hear(child: &Mutex<Child>) -> io::Result<Ended> {
    let (out, err) = {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        (child.stdout.take(), child.stderr.take())
    };
    // What it says on one pipe must not keep it from going on while the other is read.
    let out = std::thread::spawn(move || said(out));
    let mut told = said(err)?;
    let printed = out.join().unwrap_or_else(|_| Ok(Vec::new()))?;
    told.splice(0..0, printed);
    let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait()?;
    Ok(Ended { code: status.code(), said: String::from_utf8_lossy(&told).into_owned() })
}

fn said(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut told = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.by_ref().take(HEARD).read_to_end(&mut told)?;
        io::copy(&mut pipe, &mut io::sink())?;
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(words: &str, patience: Duration) -> Option<Ended> {
        run(Path::new("/bin/sh"), vec!["-c".to_owned(), words.to_owned()], patience).await.expect("a shell is there")
    }

    #[tokio::test]
    async fn a_program_is_heard_to_its_end_however_much_it_says() {
        let ended = shell("yes | head -n 150000; echo No way. >&2; exit 7", Duration::from_secs(20));
        let ended = ended.await.expect("it ends");
        assert_eq!((ended.code, ended.last_line()), (Some(7), "No way"));
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_stopped() {
        assert!(shell("exec sleep 60", Duration::from_millis(50)).await.is_none());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told() {
        let none = run(Path::new("/nowhere/ssh"), Vec::new(), Duration::from_secs(1)).await;
        assert_eq!(none.err().map(|cause| cause.kind()), Some(io::ErrorKind::NotFound));
    }
}
