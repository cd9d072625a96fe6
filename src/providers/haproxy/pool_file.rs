//! The file of a pool: what we know of it in comments, then the section that HAProxy makes of it.
//!
//! What we know is sealed together with the section, so that a file that somebody changed by hand is told from our own.

use std::fmt::Write;
use std::net::Ipv4Addr;

use chrono::{DateTime, Utc};
use domain::ports::balancer::PoolOrder;
use domain::ports::provider_error::ProviderError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::word::{Check, Key, MemberName, PoolName};

/// How a member is looked after: a check each second, out after two failures, in after one success.
pub(super) const CHECKED: &str = "check inter 1s fall 2 rise 1";
/// The weight of a member that serves; one that leaves has none.
pub(super) const WEIGHT: u16 = 100;

const GREETING: &str = "# Made by Gatehouse, which writes this file anew with each change: leave it as it is.";
const KEY: &str = "# gatehouse key=";
const POOL: &str = "# gatehouse pool=";
const SEAL: &str = "# gatehouse seal=";

/// A pool as its file keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PoolFile {
    pub(super) key: Key,
    pub(super) name: PoolName,
    pub(super) address: Ipv4Addr,
    pub(super) port: u16,
    pub(super) check: Check,
    pub(super) members: Vec<Member>,
}

/// A machine behind the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) name: MemberName,
    pub(super) address: Ipv4Addr,
    /// When a member that leaves goes, even if it has not ended its last connection.
    pub(super) leaves_by: Option<DateTime<Utc>>,
}

impl PoolFile {
    /// A new pool at an address.
    pub(super) fn new(key: &Key, order: &PoolOrder, address: Ipv4Addr) -> Result<Self, ProviderError> {
        let members = order.members.iter().map(|member| Member::read(&member.name, &member.address));
        Ok(Self {
            key: key.clone(),
            name: PoolName::read(&order.name)?,
            address,
            port: order.port,
            check: Check::read(&order.check)?,
            members: members.collect::<Result<_, _>>()?,
        })
    }

    /// The text of the file.
    pub(super) fn text(&self) -> Result<String, serde_json::Error> {
        let known = serde_json::to_string(self)?;
        let section = self.section();
        let head = format!("{GREETING}\n{KEY}{}\n{POOL}{known}\n", self.key);
        Ok(format!("{head}{SEAL}{}\n{section}", seal(&known, &section)))
    }

    /// What a file says, and whether it is as we wrote it. None when it is no file of ours.
    pub(super) fn read(text: &str) -> Option<(Self, bool)> {
        let mut lines = text.splitn(5, '\n');
        let (_, _) = (lines.next()?, lines.next()?.strip_prefix(KEY)?);
        let known = lines.next()?.strip_prefix(POOL)?;
        let sealed = lines.next()?.strip_prefix(SEAL)?;
        let pool = serde_json::from_str(known).ok()?;
        Some((pool, sealed == seal(known, lines.next()?)))
    }

    /// The section, in HAProxy's words: <https://docs.haproxy.org/2.6/configuration.html>
    fn section(&self) -> String {
        let mut text = format!(
            "listen {}\n  description gatehouse:{}\n  bind {}:{}\n  mode http\n  balance roundrobin\n  \
             option redispatch\n  option httpchk {}\n",
            self.name, self.key, self.address, self.port, self.check
        );
        for member in &self.members {
            // Writing to a text can't fail.
            let _ = writeln!(text, "  server {} {}", member.name, member.parameters(self.port));
        }
        text
    }
}

impl Member {
    /// A member as it is ordered.
    pub(super) fn read(name: &str, address: &str) -> Result<Self, ProviderError> {
        let parsed = address.parse().map_err(|_| {
            ProviderError::permanent(
                format!("`{}` is no IPv4 address of the member {name}.", address.escape_debug()),
                "Give the machine's IPv4 address.",
            )
        })?;
        Ok(Self { name: MemberName::read(name)?, address: parsed, leaves_by: None })
    }

    pub(super) fn leaves(&self) -> bool {
        self.leaves_by.is_some()
    }

    /// Where it is, how it is checked and how much it gets, alike in a file and at run time.
    pub(super) fn parameters(&self, port: u16) -> String {
        let weight = if self.leaves() { 0 } else { WEIGHT };
        format!("{}:{port} {CHECKED} weight {weight}", self.address)
    }
}

fn seal(known: &str, section: &str) -> String {
    hex::encode(Sha256::digest(format!("{known}\n{section}")))
}
