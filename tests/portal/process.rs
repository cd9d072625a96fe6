//! A process of the house that a story starts, listens to and sends signals.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use tokio::sync::mpsc;

use crate::house::PATIENCE;

/// A process that is killed when the story drops it.
pub struct Process {
    child: Child,
    said: mpsc::UnboundedReceiver<String>,
}

/// Where signals for a process are sent.
#[derive(Clone, Copy)]
pub struct Signals(u32);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let (say, said) = mpsc::unbounded_channel();
        let lines = BufReader::new(child.stderr.take().expect("it is heard")).lines().map_while(Result::ok);
        std::thread::spawn(move || {
            for line in lines {
                // For whoever reads why a story failed.
                eprintln!("{line}");
                // A story that has ended hears no more.
                let _ = say.send(line);
            }
        });
        Self { child, said }
    }

    /// What it prints, for a story that had that piped.
    pub fn takes_out(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("it is piped")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signals(&self) -> Signals {
        Signals(self.child.id())
    }

    /// The next line with these words in it.
    pub async fn says(&mut self, words: &str) -> String {
        let heard = async {
            loop {
                let line = self.said.recv().await.unwrap_or_else(|| panic!("it ended and never said `{words}`"));
                if line.contains(words) {
                    return line;
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("it never said `{words}`"))
    }

    /// How it ended, as soon as it has.
    pub async fn ends(mut self) -> ExitStatus {
        // When its last words are heard, it is about to be gone.
        let silent = async { while self.said.recv().await.is_some() {} };
        tokio::time::timeout(PATIENCE, silent).await.expect("it never ended");
        self.child.wait().expect("it can be waited for")
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(self) {
        self.signals().send("TERM");
        let ended = self.ends().await;
        assert!(ended.success(), "{ended}");
    }
}

impl Signals {
    /// Sends one; a process that has just ended needs none.
    pub fn send(self, signal: &str) {
        Command::new("kill").args([format!("-{signal}"), self.0.to_string()]).output().expect("signals can be sent");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is no trouble.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
