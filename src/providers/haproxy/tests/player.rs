//! A HAProxy that is played: it reads the files of its folder when it is told to reload, and answers on two sockets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use domain::address::AddressRange;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use super::super::{HaproxySettings, Socket};

#[derive(Clone, Default)]
struct Server {
    address: String,
    weight: u16,
    admin: u32,
    is_up: Option<bool>,
    sessions: u64,
}

#[derive(Default)]
struct State {
    pools: BTreeMap<String, BTreeMap<String, Server>>,
    asked: Vec<String>,
    worker: u64,
    failed: u64,
    refused: Option<String>,
    unloadable: Option<String>,
}

pub(super) struct Player {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Player {
    pub(super) async fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-haproxy-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let state = Arc::new(Mutex::new(State::default()));
        for socket in ["runtime", "master"] {
            let listener = UnixListener::bind(folder.join(socket)).expect("a socket");
            let (folder, state) = (folder.clone(), Arc::clone(&state));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (mut stream, mut line) = (BufReader::new(stream), String::new());
                    // A client that has gone hears nothing.
                    let _ = stream.read_line(&mut line).await;
                    let answer = held(&state).answer(&folder, line.trim());
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
        Self { folder, state }
    }

    pub(super) fn settings(&self) -> HaproxySettings {
        HaproxySettings {
            files: Vec::new(),
            folder: self.folder.clone(),
            program: "/bin/true".into(),
            runtime: Socket::Unix(self.file("runtime")),
            master: Socket::Unix(self.file("master")),
            addresses: AddressRange::within("127.20.0.0/24", None, &[]).expect("a range"),
            drain: TimeDelta::minutes(5),
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The files of pools in the folder.
    pub(super) fn files(&self) -> Vec<String> {
        let listed = std::fs::read_dir(&self.folder).expect("the folder");
        let names = listed.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("zz-")).collect()
    }

    pub(super) fn reloads(&self) -> u64 {
        held(&self.state).worker
    }

    pub(super) fn asked(&self) -> Vec<String> {
        held(&self.state).asked.clone()
    }

    pub(super) fn members(&self, pool: &str) -> Vec<String> {
        held(&self.state).pools.get(pool).map(|pool| pool.keys().cloned().collect()).unwrap_or_default()
    }

    /// A section that the site has of its own.
    pub(super) fn knows(&self, name: &str) {
        held(&self.state).pools.insert(name.to_owned(), BTreeMap::new());
    }

    pub(super) fn checks(&self, pool: &str, member: &str, is_up: bool) {
        self.server(pool, member, |server| server.is_up = Some(is_up));
    }

    pub(super) fn serves(&self, pool: &str, member: &str, sessions: u64) {
        self.server(pool, member, |server| server.sessions = sessions);
    }

    pub(super) fn refuses(&self, command: &str) {
        held(&self.state).refused = Some(command.to_owned());
    }

    /// Reloads fail while there is a file of this pool.
    pub(super) fn fails_to_load(&self, pool: &str) {
        held(&self.state).unloadable = Some(pool.to_owned());
    }

    fn server(&self, pool: &str, member: &str, change: impl FnOnce(&mut Server)) {
        let mut state = held(&self.state);
        change(state.pools.get_mut(pool).and_then(|pool| pool.get_mut(member)).expect("such a member"));
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // What can't be removed stays in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn held(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&mut self, folder: &Path, line: &str) -> String {
        self.asked.push(line.to_owned());
        if let Some(refused) = &self.refused
            && line.starts_with(refused.as_str())
        {
            return "not today.\n".to_owned();
        }
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["reload"] => self.reload(folder),
            ["show", "proc"] => self.processes(),
            ["show", "servers", "state", pool] => self.states(pool),
            ["show", "stat", pool, ..] => self.stat(pool),
            ["add", "server", place, address, .., weight] => {
                let server = Server { admin: 1, ..read(address, weight) };
                self.place(place).map_or_else(unknown, |(pool, name)| {
                    pool.insert(name, server);
                    "New server registered.\n".to_owned()
                })
            }
            ["del", "server", place] => match self.place(place) {
                Some((pool, name)) if pool.get(&name).is_some_and(|server| server.admin & 1 != 0) => {
                    pool.remove(&name);
                    "Server deleted.\n".to_owned()
                }
                _ => unknown(),
            },
            ["set", "server", place, "state", state] => {
                let admin = match *state {
                    "maint" => 1,
                    "drain" => 8,
                    _ => 0,
                };
                self.set(place, |server| server.admin = admin)
            }
            ["set", "server", place, "weight", weight] => {
                let weight = weight.parse().expect("a weight");
                self.set(place, |server| server.weight = weight)
            }
            ["shutdown", "sessions", "server", place] => self.set(place, |server| server.sessions = 0),
            ["enable", "health", _] => "\n".to_owned(),
            _ => "Unknown command.\n".to_owned(),
        }
    }

    fn reload(&mut self, folder: &Path) -> String {
        let mut pools = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("the folder").flatten() {
            if entry.path().extension().is_none_or(|extension| extension != "cfg") {
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("a file");
            let mut name = String::new();
            for line in text.lines().map(str::trim) {
                match line.split(' ').collect::<Vec<_>>().as_slice() {
                    ["listen", pool] => {
                        name = (*pool).to_owned();
                        pools.insert(name.clone(), BTreeMap::new());
                    }
                    ["server", server, address, .., weight] => {
                        let pool = pools.get_mut(&name).expect("a section");
                        pool.insert((*server).to_owned(), read(address, weight));
                    }
                    _ => {}
                }
            }
        }
        if self.unloadable.as_ref().is_some_and(|name| pools.contains_key(name)) {
            self.failed += 1;
        } else {
            (self.pools, self.worker, self.failed) = (pools, self.worker + 1, 0);
        }
        String::new()
    }

    fn processes(&self) -> String {
        format!("#<PID> <type>\n1 master 0 [failed: {}] x\n# workers\n{} worker 0 x\n", self.failed, 100 + self.worker)
    }

    fn states(&self, pool: &str) -> String {
        let Some(servers) = self.pools.get(pool) else { return "Can't find backend.\n".to_owned() };
        let one = |(name, server): (&String, &Server)| {
            format!("{name} {} {} {}\n", server.address, server.admin, server.weight)
        };
        let lines: String = servers.iter().map(one).collect();
        format!("1\n# srv_name srv_addr srv_admin_state srv_uweight\n{lines}\n")
    }

    fn stat(&self, pool: &str) -> String {
        let Some(servers) = self.pools.get(pool) else { return "No such proxy.\n".to_owned() };
        let one = |(name, server): (&String, &Server)| {
            let status = if server.is_up == Some(false) { "DOWN" } else { "UP" };
            let check = if server.is_up.is_some() { "L7OK" } else { "INI" };
            format!("{pool},{name},{},{status},{check},\n", server.sessions)
        };
        let lines: String = servers.iter().map(one).collect();
        format!("# pxname,svname,scur,status,check_status,\n{lines}\n")
    }

    fn place(&mut self, place: &str) -> Option<(&mut BTreeMap<String, Server>, String)> {
        let (pool, name) = place.split_once('/')?;
        Some((self.pools.get_mut(pool)?, name.to_owned()))
    }

    fn set(&mut self, place: &str, change: impl FnOnce(&mut Server)) -> String {
        let found = self.place(place).and_then(|(pool, name)| pool.get_mut(&name));
        found.map_or_else(unknown, |server| {
            change(server);
            "\n".to_owned()
        })
    }
}

fn read(address: &str, weight: &str) -> Server {
    let (address, _) = address.split_once(':').expect("an address with a port");
    Server { address: address.to_owned(), weight: weight.parse().expect("a weight"), ..Server::default() }
}

fn unknown() -> String {
    "No such server.\n".to_owned()
}
