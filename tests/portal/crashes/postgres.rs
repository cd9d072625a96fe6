//! A PostgreSQL server of a story's own, which it may kill.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A server on a socket in a folder of its own; gone when it is dropped.
pub struct Server {
    programs: PathBuf,
    folder: PathBuf,
    /// PostgreSQL refuses to run as root.
    as_root: bool,
}

impl Server {
    /// Starts one; nothing where PostgreSQL is not installed.
    pub async fn start() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Some(programs) = installed() else {
            assert!(std::env::var_os("GATEHOUSE_TEST_ALL").is_none(), "PostgreSQL is not installed");
            return None;
        };
        let name = format!("gatehouse-postgres-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let as_root = said(Command::new("id").arg("-u")).trim() == "0";
        if as_root {
            said(Command::new("chown").arg("postgres").arg(&folder));
        }
        let server = Self { programs, folder, as_root };
        said(server.program("initdb").args(["-U", "gate", "-A", "trust", "--no-sync", "-D"]).arg(server.data()));
        server.go_on().await;
        Some(server)
    }

    /// A database on it that may make others.
    pub fn address(&self) -> String {
        format!("postgres://gate@localhost/postgres?host={}", self.folder.display())
    }

    /// Kills the server at once, as a power cut would; its sessions end with it.
    pub fn dies(&self) {
        let written = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let process = written.lines().next().unwrap().to_owned();
        said(Command::new("kill").args(["-9", &process]));
    }

    /// Stops the server: sessions are ended, nobody gets in any more.
    pub fn stops(&self) {
        said(self.program("pg_ctl").args(["-w", "-m", "fast", "stop", "-D"]).arg(self.data()));
    }

    /// Starts it again, as soon as nothing is left of its life before.
    pub async fn go_on(&self) {
        let options = format!("-c listen_addresses='' -c fsync=off -k {}", self.folder.display());
        let mut start = self.program("pg_ctl");
        start
            .args(["-w", "-t", "10", "-o", &options, "-l"])
            .arg(self.folder.join("log"))
            .arg("-D")
            .arg(self.data())
            .arg("start");
        // The sessions of a server that was killed see only after a moment that it is gone.
        for _ in 0..50 {
            if start.output().unwrap().status.success() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("PostgreSQL does not start: {}", std::fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if self.as_root { Command::new("runuser") } else { Command::new(&path) };
        if self.as_root {
            command.args(["-u", "postgres", "--"]).arg(path);
        }
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is dead already is no trouble.
        let _ = self.program("pg_ctl").args(["-w", "-m", "immediate", "stop", "-D"]).arg(self.data()).output();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The folder of the newest PostgreSQL of this machine, where Debian puts it.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let programs = versions.map(|version| version.path().join("bin")).filter(|it| has_server(it));
    programs.max_by_key(|programs| version(programs))
}

fn has_server(programs: &Path) -> bool {
    programs.join("initdb").exists() && programs.join("pg_ctl").exists()
}

fn version(programs: &Path) -> u32 {
    let name = programs.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).unwrap_or_default()
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
