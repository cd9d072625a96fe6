//! The runtime API: what HAProxy does at this moment, and telling it to do otherwise without a reload
//! (<https://docs.haproxy.org/2.6/management.html#9.3>).

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use domain::ports::provider_error::ProviderError;

use super::client::Socket;
use super::pool_file::{Member, PoolFile};
use super::word::{MemberName, PoolName};

/// Bits of `srv_admin_state`: set to maintenance, and set to drain, at run time.
const MAINTENANCE: u32 = 0x01;
const DRAIN: u32 = 0x08;

/// What HAProxy is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Add(PoolName, Member, u16),
    /// Begins to check a member that was added at run time.
    Check(PoolName, MemberName),
    /// Lets it serve.
    Ready(PoolName, MemberName),
    /// Gives it nothing new.
    Drain(PoolName, MemberName),
    /// Takes it out.
    Maintain(PoolName, MemberName),
    Weigh(PoolName, MemberName, u16),
    /// Ends the connections that it still has.
    Part(PoolName, MemberName),
    Remove(PoolName, MemberName),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(pool, member, port) => {
                write!(f, "add server {pool}/{} {}", member.name, member.parameters(*port))
            }
            Self::Check(pool, member) => write!(f, "enable health {pool}/{member}"),
            Self::Ready(pool, member) => write!(f, "set server {pool}/{member} state ready"),
            Self::Drain(pool, member) => write!(f, "set server {pool}/{member} state drain"),
            Self::Maintain(pool, member) => write!(f, "set server {pool}/{member} state maint"),
            Self::Weigh(pool, member, weight) => write!(f, "set server {pool}/{member} weight {weight}"),
            Self::Part(pool, member) => write!(f, "shutdown sessions server {pool}/{member}"),
            Self::Remove(pool, member) => write!(f, "del server {pool}/{member}"),
        }
    }
}

/// A member as HAProxy has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Server {
    pub(super) name: MemberName,
    pub(super) address: Ipv4Addr,
    pub(super) weight: u16,
    pub(super) drains: bool,
    pub(super) is_maintained: bool,
    /// Whether its last check went well; before the first one, nobody knows.
    pub(super) is_up: bool,
    /// Connections that it serves.
    pub(super) sessions: u64,
}

/// The members of a pool as HAProxy has them; none when it has no such pool.
pub(super) async fn servers(socket: &Socket, pool: &PoolName) -> Result<Option<Vec<Server>>, ProviderError> {
    let state = socket.ask(&format!("show servers state {pool}")).await?;
    if state.trim() == "Can't find backend." {
        return Ok(None);
    }
    let state = Table::read(&state, ' ').ok_or_else(|| not_understood("show servers state", &state))?;
    let told = socket.ask(&format!("show stat {pool} 4 -1")).await?;
    let stat = Table::read(&told, ',').ok_or_else(|| not_understood("show stat", &told))?;
    let by_name: BTreeMap<&str, Row<'_>> = stat.rows().filter_map(|row| Some((row.text("svname")?, row))).collect();
    let one = |row: Row<'_>| server(row, by_name.get(row.text("srv_name")?).copied());
    let servers: Option<Vec<Server>> = state.rows().map(one).collect();
    servers.map(Some).ok_or_else(|| not_understood("show servers state", &told))
}

/// Whether HAProxy has a section of this name, whoever made it.
pub(super) async fn is_known(socket: &Socket, name: &PoolName) -> Result<bool, ProviderError> {
    let answer = socket.ask(&format!("show stat {name} -1 -1")).await?;
    Ok(answer.starts_with('#'))
}

/// Connections that the members of a pool serve, by name, as a table of `show stat` tells.
pub(super) fn sessions(answer: &str) -> BTreeMap<String, u64> {
    let table = Table::read(answer, ',');
    let one = |row: Row<'_>| Some((row.text("svname")?.to_owned(), row.number("scur")?));
    table.map(|table| table.rows().filter_map(one).collect()).unwrap_or_default()
}

/// What HAProxy must be told so that it does what the pool's file says. The file is the truth: a state that somebody
/// set by hand at run time ends here.
pub(super) fn moves(pool: &PoolFile, servers: &[Server]) -> Vec<Command> {
    let stays = |server: &&Server| {
        pool.members.iter().any(|member| member.name == server.name && member.address == server.address)
    };
    let leave = servers.iter().filter(|server| !stays(server)).flat_map(|server| {
        let of = || (pool.name.clone(), server.name.clone());
        let ((a, b), (c, d), (e, f)) = (of(), of(), of());
        [Command::Maintain(a, b), Command::Part(c, d), Command::Remove(e, f)]
    });
    let stay = pool.members.iter().flat_map(|member| {
        match servers.iter().filter(stays).find(|server| server.name == member.name) {
            Some(server) => settled(pool, member, server),
            // Who leaves and is not there has left.
            None if member.leaves() => Vec::new(),
            None => vec![
                Command::Add(pool.name.clone(), member.clone(), pool.port),
                Command::Check(pool.name.clone(), member.name.clone()),
                Command::Ready(pool.name.clone(), member.name.clone()),
            ],
        }
    });
    leave.chain(stay).collect()
}

/// What a member must be told that HAProxy has.
fn settled(pool: &PoolFile, member: &Member, server: &Server) -> Vec<Command> {
    let of = || (pool.name.clone(), member.name.clone());
    let mut commands = Vec::new();
    if member.leaves() {
        if !server.drains && server.weight > 0 {
            let (pool, name) = of();
            commands.push(Command::Drain(pool, name));
        }
        return commands;
    }
    if server.is_maintained {
        let (pool, name) = of();
        commands.push(Command::Check(pool, name));
    }
    if server.is_maintained || server.drains {
        let (pool, name) = of();
        commands.push(Command::Ready(pool, name));
    }
    if server.weight != super::pool_file::WEIGHT {
        let (pool, name) = of();
        commands.push(Command::Weigh(pool, name, super::pool_file::WEIGHT));
    }
    commands
}

/// Tells HAProxy one thing after the other, as far as it agrees.
pub(super) async fn tell(socket: &Socket, commands: &[Command]) -> Result<(), ProviderError> {
    for command in commands {
        let answer = socket.ask(&command.to_string()).await?;
        let said = answer.trim();
        let agreed = ["", "New server registered.", "Server deleted."].contains(&said);
        if !agreed {
            return Err(ProviderError::refused(
                format!("HAProxy did not do `{command}`: {}.", said.trim_end_matches('.')),
                "Check that its socket is set up with `level admin`.",
            ));
        }
    }
    Ok(())
}

fn server(state: Row<'_>, stat: Option<Row<'_>>) -> Option<Server> {
    let admin = u32::try_from(state.number("srv_admin_state")?).ok()?;
    let is_up = |stat: Row<'_>| {
        let checked = stat.text("check_status").is_some_and(|status| status != "INI");
        checked && stat.text("status").is_some_and(|status| status.starts_with("UP") || status.starts_with("DRAIN"))
    };
    Some(Server {
        name: MemberName::read(state.text("srv_name")?).ok()?,
        address: state.text("srv_addr")?.parse().ok()?,
        weight: u16::try_from(state.number("srv_uweight")?).ok()?,
        drains: admin & DRAIN != 0,
        is_maintained: admin & MAINTENANCE != 0,
        is_up: stat.is_some_and(is_up),
        sessions: stat.and_then(|stat| stat.number("scur")).unwrap_or_default(),
    })
}

/// An answer in columns whose names stand in a line that begins with `#`.
struct Table<'t> {
    columns: Vec<&'t str>,
    lines: Vec<&'t str>,
    between: char,
}

#[derive(Clone, Copy)]
struct Row<'t> {
    table: &'t Table<'t>,
    line: &'t str,
}

impl<'t> Table<'t> {
    fn read(answer: &'t str, between: char) -> Option<Self> {
        // `show servers state` says the version of its format first.
        let mut lines = answer.lines().skip_while(|line| !line.starts_with("# "));
        let columns = lines.next()?.trim_start_matches("# ").split(between).collect();
        Some(Self { columns, lines: lines.filter(|line| !line.is_empty()).collect(), between })
    }

    fn rows(&'t self) -> impl Iterator<Item = Row<'t>> {
        self.lines.iter().map(|line| Row { table: self, line })
    }
}

impl<'t> Row<'t> {
    fn text(self, column: &str) -> Option<&'t str> {
        let at = self.table.columns.iter().position(|name| *name == column)?;
        self.line.split(self.table.between).nth(at)
    }

    fn number(self, column: &str) -> Option<u64> {
        self.text(column)?.parse().ok()
    }
}

fn not_understood(asked: &str, answer: &str) -> ProviderError {
    let said = answer.lines().next().unwrap_or_default();
    ProviderError::permanent(
        format!("HAProxy's answer to `{asked}` is not understood: {}.", said.trim_end_matches('.')),
        "Check that the socket is set up with `level admin` and that HAProxy is of version 2.6 or later.",
    )
}
