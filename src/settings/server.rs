//! `[server]`: where the portal listens, and the address people reach it at.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::mistake::Objection;

/// Where the portal listens and how much it takes from one caller.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on.
    pub address: IpAddr,
    /// The port to listen on; 0 takes a free one and prints it.
    pub port: u16,
    /// What people type, without a trailing slash; links in mails begin with it. Empty: from address and port.
    pub public_url: String,
    /// Threads that answer requests.
    pub threads: usize,
    /// How long one request may take, in seconds; live pages are not bound by it.
    pub request_timeout_seconds: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            port: 8080,
            public_url: String::new(),
            threads: 2,
            request_timeout_seconds: 30,
        }
    }
}

impl Server {
    /// How long one request may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    /// The address that links begin with, once the port is known.
    pub fn url(&self, port: u16) -> String {
        if self.public_url.is_empty() {
            let host = if self.address.is_unspecified() { "localhost".to_owned() } else { self.address.to_string() };
            let host =
                if self.address.is_ipv6() && !self.address.is_unspecified() { format!("[{host}]") } else { host };
            return format!("http://{host}:{port}");
        }
        self.public_url.clone()
    }

    pub(super) fn objections(&self) -> Vec<Objection> {
        let mut found = Vec::new();
        let url = &self.public_url;
        if !(url.is_empty() || url.starts_with("http://") || url.starts_with("https://")) {
            let why = format!("is `{url}`: it starts with `https://` or `http://`");
            found.push(Objection::new("server.public_url", why));
        } else if url.ends_with('/') {
            found.push(Objection::new("server.public_url", format!("is `{url}`: leave the slash at its end out")));
        }
        if self.threads == 0 {
            found.push(Objection::new("server.threads", "is 0: the portal needs at least 1 thread to answer"));
        }
        if self.request_timeout_seconds == 0 {
            let why = "is 0: no request could ever finish, use 1 or more";
            found.push(Objection::new("server.request_timeout_seconds", why));
        }
        found
    }
}
