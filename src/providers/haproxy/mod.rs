//! HAProxy (2.6 or later) as the balancer: a file for each pool in the folder of configuration files that it reads, and
//! its sockets.
//!
//! The files are the truth. What is done at run time makes a change work at once, without a reload: members come, drain
//! and go that way; only a new pool, or one that goes, takes a reload, which loses no connection. Whoever looks at a
//! pool first has HAProxy do what its file says, so that a crash at any point is mended by the next look. The folder is
//! a path on the machine of Gatehouse, in this version: HAProxy runs there too, or the folder is shared.

mod client;
mod folder;
mod master;
mod pool_file;
mod runtime;
mod validate;
mod word;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::address::AddressRange;
use domain::ports::balancer::{Balancer, MemberHealth, MemberOrder, Pool, PoolMember, PoolOrder};
use domain::ports::clock::Clock;
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::{Line, Survey};
use tokio::net::TcpListener;

pub use client::Socket;
use folder::{Entry, Folder};
use pool_file::{Member, PoolFile};
use runtime::Server;
use word::{Key, MemberName, PoolName};

/// Where HAProxy is, and what it may be given.
#[derive(Clone, Debug)]
pub struct HaproxySettings {
    /// The files that it reads before the folder, where it was started with `-f FILE -f FOLDER`.
    pub files: Vec<PathBuf>,
    /// The folder of configuration files that it was started with. Ours are one a pool, beside those of the site.
    pub folder: PathBuf,
    /// The program that checks the files, `haproxy`.
    pub program: PathBuf,
    /// The socket of the runtime API (`stats socket … level admin`).
    pub runtime: Socket,
    /// The socket of the master process (`haproxy -W -S …`).
    pub master: Socket,
    /// Addresses of the machine that pools get, one each.
    pub addresses: AddressRange,
    /// How long a member that leaves may take to end its last connections.
    pub drain: TimeDelta,
}

/// An HAProxy with its pools.
pub struct Haproxy {
    settings: HaproxySettings,
    clock: Arc<dyn Clock>,
}

impl Haproxy {
    /// Nothing is opened before the first call.
    pub fn new(settings: HaproxySettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock }
    }

    async fn folder(&self) -> Result<Folder<'_>, ProviderError> {
        Folder::lock(&self.settings).await
    }

    /// The pool after HAProxy does what its file says, without members that have ended their last connection.
    async fn tend(&self, folder: &Folder<'_>, mut pool: PoolFile) -> Result<Pool, ProviderError> {
        let mut servers = self.follow(&pool).await?;
        let parted = self.parted(&pool, &servers).await?;
        if !parted.is_empty() {
            pool.members.retain(|member| !parted.contains(&member.name));
            folder.put(&pool).await?;
            servers = self.follow(&pool).await?;
        }
        Ok(seen(&pool, &servers))
    }

    /// Has HAProxy do what the file says: at run time if that is enough, else by a reload.
    async fn follow(&self, pool: &PoolFile) -> Result<Vec<Server>, ProviderError> {
        let HaproxySettings { runtime: socket, master, .. } = &self.settings;
        match runtime::servers(socket, &pool.name).await? {
            None => master::reload(master).await?,
            Some(servers) => {
                let moves = runtime::moves(pool, &servers);
                if moves.is_empty() {
                    return Ok(servers);
                }
                if let Err(refused) = runtime::tell(socket, &moves).await {
                    tracing::info!(pool = %pool.name, %refused, "what can't be done at run time is done by a reload");
                    master::reload(master).await?;
                }
            }
        }
        runtime::servers(socket, &pool.name).await?.ok_or_else(|| {
            ProviderError::permanent(
                format!("HAProxy reloaded its configuration and does not know the pool {} from it.", pool.name),
                format!("Check that it was started with `-f {}`.", self.settings.folder.display()),
            )
        })
    }

    /// Members that leave and have ended their last connection, or had time enough to.
    async fn parted(&self, pool: &PoolFile, servers: &[Server]) -> Result<BTreeSet<MemberName>, ProviderError> {
        if !pool.members.iter().any(Member::leaves) {
            return Ok(BTreeSet::new());
        }
        let (now, former) = (self.clock.now(), master::former_sessions(&self.settings.master, &pool.name).await?);
        let is_idle = |name: &MemberName| {
            let serves = servers.iter().any(|server| server.name == *name && server.sessions > 0);
            !serves && former.get(name.as_ref()).is_none_or(|sessions| *sessions == 0)
        };
        let is_over = |member: &&Member| member.leaves_by.is_some_and(|at| at <= now || is_idle(&member.name));
        Ok(pool.members.iter().filter(is_over).map(|member| member.name.clone()).collect())
    }

    /// Makes the change of a file work. When HAProxy can't work by it, what was there before is put back.
    async fn change(
        &self,
        folder: &Folder<'_>,
        before: Option<&PoolFile>,
        after: PoolFile,
    ) -> Result<Pool, ProviderError> {
        folder.put(&after).await?;
        test_boundary::pass("after a call");
        let name = after.name.clone();
        let outcome = self.tend(folder, after).await;
        let Err(error) = &outcome else { return outcome };
        if error.kind == ProviderErrorKind::Transient {
            return outcome;
        }
        match before {
            Some(before) => folder.put(before).await?,
            None => {
                folder.set_aside(&name).await?;
                folder.forget(&name).await?;
            }
        }
        if let Err(worse) = master::reload(&self.settings.master).await {
            tracing::error!(pool = %name, %worse, "HAProxy can't serve by the files that it had before, either");
        }
        outcome
    }

    /// A pool for the order, at the first address that no other has.
    async fn planned(&self, key: &Key, order: &PoolOrder, all: &[Entry]) -> Result<PoolFile, ProviderError> {
        let name = PoolName::read(&order.name)?;
        let is_taken =
            all.iter().any(|entry| entry.pool.name == name) || runtime::is_known(&self.settings.runtime, &name).await?;
        if is_taken {
            return Err(ProviderError::refused(
                format!("HAProxy has a section {name} already, and it is not this order's."),
                "Choose another name, or find out whose it is.",
            ));
        }
        let taken = all.iter().map(|entry| entry.pool.address).collect();
        let address = self.settings.addresses.free(&taken).ok_or_else(|| all_taken(&self.settings.addresses))?;
        check_address(address, order.port).await?;
        PoolFile::new(key, order, address)
    }

    /// Takes out what is left of a pool whose file was set aside.
    async fn finish_removal(&self, folder: &Folder<'_>, name: &PoolName) -> Result<(), ProviderError> {
        if runtime::is_known(&self.settings.runtime, name).await? {
            master::reload(&self.settings.master).await?;
        }
        folder.forget(name).await
    }

    /// The pool of this name, if it stands and may be changed by this key.
    async fn ours(&self, folder: &Folder<'_>, id: &str, key: &str) -> Result<Option<Entry>, ProviderError> {
        let found = folder.pools().await?.into_iter().find(|entry| entry.pool.name.as_ref() == id);
        let Some(entry) = found else { return Ok(None) };
        if entry.pool.key.as_ref() != key {
            return Err(ProviderError::not_ours(
                format!("The pool {id} carries another key than {key}."),
                "Find out whose it is; nothing was changed.",
            ));
        }
        if entry.is_untouched { Ok(Some(entry)) } else { Err(folder.touched(&entry.pool.name)) }
    }
}

#[async_trait]
impl Balancer for Haproxy {
    async fn create(&self, key: &str, order: &PoolOrder) -> Result<Pool, ProviderError> {
        let key = Key::read(key)?;
        let folder = self.folder().await?;
        for entry in folder.pools().await? {
            let is_it = entry.pool.key == key || entry.pool.name.as_ref() == order.name;
            if is_it && entry.is_removed {
                self.finish_removal(&folder, &entry.pool.name).await?;
            } else if entry.pool.key == key {
                return self.tend(&folder, entry.pool).await;
            }
        }
        let planned = self.planned(&key, order, &folder.pools().await?).await?;
        self.change(&folder, None, planned).await
    }

    async fn find(&self, key: &str) -> Result<Option<Pool>, ProviderError> {
        let folder = self.folder().await?;
        let found = folder.pools().await?.into_iter().find(|entry| entry.pool.key.as_ref() == key);
        let Some(entry) = found else { return Ok(None) };
        if entry.is_removed {
            return self.finish_removal(&folder, &entry.pool.name).await.map(|()| None);
        }
        self.tend(&folder, entry.pool).await.map(Some)
    }

    async fn describe(&self, id: &str) -> Result<Pool, ProviderError> {
        let folder = self.folder().await?;
        let stands = |entry: &Entry| !entry.is_removed && entry.pool.name.as_ref() == id;
        let found = folder.pools().await?.into_iter().find(stands).ok_or_else(|| missing(id))?;
        self.tend(&folder, found.pool).await
    }

    async fn set_members(&self, id: &str, key: &str, members: &[MemberOrder]) -> Result<Pool, ProviderError> {
        let folder = self.folder().await?;
        let standing = self.ours(&folder, id, key).await?.filter(|entry| !entry.is_removed);
        let before = standing.ok_or_else(|| missing(id))?.pool;
        let mut after = before.clone();
        after.members = self.turned_over(&before.members, members)?;
        if after == before {
            return self.tend(&folder, before).await;
        }
        self.change(&folder, Some(&before), after).await
    }

    async fn delete(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let folder = self.folder().await?;
        let Some(entry) = self.ours(&folder, id, key).await? else { return Ok(()) };
        if !entry.is_removed {
            folder.set_aside(&entry.pool.name).await?;
            test_boundary::pass("after a call");
        }
        self.finish_removal(&folder, &entry.pool.name).await
    }
}

impl Haproxy {
    /// The members that are wanted, and those that leave for them.
    fn turned_over(&self, present: &[Member], wanted: &[MemberOrder]) -> Result<Vec<Member>, ProviderError> {
        let staying: Vec<Member> =
            wanted.iter().map(|member| Member::read(&member.name, &member.address)).collect::<Result<_, _>>()?;
        let until = self.clock.now() + self.settings.drain;
        let leaves = |member: &&Member| !staying.iter().any(|other| other.name == member.name);
        let leave = |member: &Member| Member { leaves_by: member.leaves_by.or(Some(until)), ..member.clone() };
        let leaving: Vec<Member> = present.iter().filter(leaves).map(leave).collect();
        Ok([staying, leaving].concat())
    }
}

#[async_trait]
impl Survey for Haproxy {
    async fn survey(&self, _: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let folder = self.folder().await?;
        let pools = folder.pools().await?;
        let files = folder.check().await;
        let taken = pools.iter().map(|entry| entry.pool.address).collect();
        let next = match self.settings.addresses.free(&taken) {
            Some(address) => check_address(address, 0).await.map(|()| format!("{address} is the next")),
            None => Err(all_taken(&self.settings.addresses)),
        };
        let nobody = PoolName::read("nobody")?;
        let known = runtime::is_known(&self.settings.runtime, &nobody).await.map(|_| "it answers".to_owned());
        let master = master::former_sessions(&self.settings.master, &nobody).await.map(|_| "it answers".to_owned());
        Ok(vec![
            line("HAProxy's runtime socket", known),
            line("HAProxy's master socket", master),
            line("HAProxy's configuration", files.map(|()| format!("it is valid, with {} pools of ours", pools.len()))),
            line("addresses of pools", next),
        ])
    }
}

fn line(what: &str, outcome: Result<String, ProviderError>) -> Line {
    outcome.map_or_else(|error| Line::missing(what, error.to_string()), |told| Line::there(what, told))
}

/// The pool in our words: what leaves drains, the others are as their last check went.
fn seen(pool: &PoolFile, servers: &[Server]) -> Pool {
    let member = |member: &Member| {
        let is_up = servers.iter().any(|server| server.name == member.name && server.is_up);
        let health = match (member.leaves(), is_up) {
            (true, _) => MemberHealth::Draining,
            (false, true) => MemberHealth::Up,
            (false, false) => MemberHealth::Down,
        };
        PoolMember { name: member.name.to_string(), address: member.address.to_string(), health }
    };
    Pool {
        id: pool.name.to_string(),
        key: pool.key.to_string(),
        name: pool.name.to_string(),
        address: pool.address.to_string(),
        port: pool.port,
        check: pool.check.to_string(),
        members: pool.members.iter().map(member).collect(),
    }
}

/// Whether somebody on this machine could listen there. To find out by a reload would cost the other pools: see
/// [`master::reload`].
async fn check_address(address: Ipv4Addr, port: u16) -> Result<(), ProviderError> {
    let bound = match TcpListener::bind((address, port)).await {
        // Only the port is not for us: whether the machine has the address shows at any other.
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => TcpListener::bind((address, 0)).await,
        bound => bound,
    };
    bound.map(drop).map_err(|cause| {
        ProviderError::refused(
            format!("Nobody could listen on {address}:{port}, which the pool would get: {cause}."),
            "Give the machine of HAProxy all addresses of the site's range, and keep them free of others.",
        )
    })
}

fn all_taken(addresses: &AddressRange) -> ProviderError {
    ProviderError::refused(
        format!("All addresses of pools ({addresses}) are taken."),
        "Retire what is no longer needed, or give the site a larger range.",
    )
}

fn missing(id: &str) -> ProviderError {
    ProviderError::not_found(format!("HAProxy has no pool {id} of ours."), "Look whether it was removed by hand.")
}
