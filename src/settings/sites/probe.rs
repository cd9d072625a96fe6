//! `[sites.<name>.probe]`: where services are looked at as their users do.

use std::path::PathBuf;

use serde::Deserialize;

use super::super::mistake::Objection;
use super::tls::unread;

/// Looks at services over HTTP, in these networks and nowhere else.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// The networks in which services of the site answer, `10.20.0.0/16`.
    pub networks: Vec<String>,
    /// Certificates (PEM) that a service's may come from, beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// How long a service may take to answer.
    pub timeout_seconds: u64,
}

impl Default for Probe {
    fn default() -> Self {
        Self { networks: Vec::new(), ca_file: None, timeout_seconds: 10 }
    }
}

impl Probe {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let networks = format!("{section}.networks");
        let none = self.networks.is_empty().then(|| {
            Objection::new(
                networks.clone(),
                "names none, so that nothing could be looked at: write `[\"10.20.0.0/16\"]`",
            )
        });
        let wrong = self.networks.iter().filter_map(|text| text.parse::<providers::http::Network>().err());
        let wrong = wrong.map(|cause| Objection::new(networks.clone(), format!("are wrong: {cause}")));
        let unread = self.ca_file.as_ref().and_then(|file| unread(format!("{section}.ca_file"), file));
        none.into_iter().chain(wrong).chain(unread).collect()
    }
}
