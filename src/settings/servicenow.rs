//! `[cmdb.connectors.<name>.servicenow]`: a ServiceNow that the CMDB is carried to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::ci::CiClass;
use providers::servicenow::LifecycleFields;
use serde::Deserialize;

use super::Secret;
use super::mistake::Objection;
use super::sites::{empty, unread};

/// A ServiceNow instance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceNow {
    /// The instance, `https://example.service-now.com`.
    pub url: String,
    /// The choice of `discovery_source` that CIs of ours come from.
    pub source: String,
    /// What tells several Gatehouses of one source apart.
    pub feed: String,
    /// OAuth with client credentials.
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    /// A file with it on its first line, instead of `client_secret`.
    pub client_secret_file: Option<PathBuf>,
    /// A user, instead of a client.
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// A file with it on its first line, instead of `password`.
    pub password_file: Option<PathBuf>,
    /// Their classes for ours, where they are to be others; empty: not carried.
    pub classes: BTreeMap<CiClass, String>,
    /// The pair of fields that says where a CI stands in its life.
    pub lifecycle: LifecycleFields,
    /// The fields that name the group that answers for the platform.
    pub platform: Vec<String>,
    /// The fields that name the team that answers for the application.
    pub application: Vec<String>,
    /// What becomes of a group that they don't know.
    pub unknown_groups: UnknownGroups,
    /// The authorities (PEM) that its certificate has to come from, instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

/// What becomes of a group that they don't know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownGroups {
    /// The CI is a dead letter that names it.
    #[default]
    Refuse,
    /// The CI is sent without it.
    LeaveOut,
}

impl Default for ServiceNow {
    fn default() -> Self {
        Self {
            url: String::new(),
            source: "Gatehouse".to_owned(),
            feed: "cmdb".to_owned(),
            client_id: None,
            client_secret: None,
            client_secret_file: None,
            user: None,
            password: None,
            password_file: None,
            classes: BTreeMap::new(),
            lifecycle: LifecycleFields::default(),
            platform: vec!["managed_by_group".to_owned()],
            application: vec!["support_group".to_owned()],
            unknown_groups: UnknownGroups::default(),
            ca_file: None,
        }
    }
}

impl ServiceNow {
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let here = |setting: &str| format!("{section}.{setting}");
        let mut found = Vec::new();
        found.extend(empty(here("url"), &self.url, "https://example.service-now.com"));
        found.extend(empty(here("source"), &self.source, "Gatehouse"));
        let is_kept = |secret: &Option<Secret>, file: &Option<PathBuf>| secret.is_some() || file.is_some();
        match (&self.client_id, &self.user) {
            (Some(_), None) if !is_kept(&self.client_secret, &self.client_secret_file) => {
                found.push(Objection::new(
                    here("client_secret_file"),
                    "is missing: name a file with the client's secret",
                ));
            }
            (None, Some(_)) if !is_kept(&self.password, &self.password_file) => {
                found.push(Objection::new(here("password_file"), "is missing: name a file with the user's password"));
            }
            (Some(_), None) | (None, Some(_)) => {}
            _ => found.push(Objection::new(here("client_id"), "or user says who signs in: name one of them")),
        }
        let secrets = [
            ("client_secret", &self.client_secret, &self.client_secret_file),
            ("password", &self.password, &self.password_file),
        ];
        for (setting, secret, file) in secrets {
            found.extend(Secret::objections(&here(setting), secret.as_ref(), file.as_ref()));
        }
        found.extend(self.ca_file.as_ref().and_then(|file| unread(here("ca_file"), file)));
        found
    }
}
