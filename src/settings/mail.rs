//! `[mail]`: how mails leave the house.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;
use super::mistake::Objection;

/// How mails leave the house. Without a host they stay in the outbox, where the operations page shows them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// The SMTP server; empty sends nothing.
    pub host: String,
    /// Its port: usually 587 for `starttls`, 465 for `tls`.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
    /// The account to sign in with; empty signs in as nobody.
    pub username: String,
    /// The account's password.
    pub password: Option<Secret>,
    /// A file with the password on its first line, instead of `password`.
    pub password_file: Option<PathBuf>,
    /// A file (PEM) of certificates that the server's may come from, beside the public ones: the company's own.
    pub ca_file: Option<PathBuf>,
    /// Whom mails come from, `Gatehouse <gatehouse@example.org>`.
    pub from: String,
}

/// How the connection to the SMTP server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Plain at first, encrypted before anything is said; refused when the server can't.
    Starttls,
    /// Encrypted from the first byte.
    Tls,
    /// Not encrypted: only for a relay on the same machine.
    None,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            security: Security::Starttls,
            username: String::new(),
            password: None,
            password_file: None,
            ca_file: None,
            from: "Gatehouse <gatehouse@localhost>".into(),
        }
    }
}

impl Mail {
    /// The password of the account, from wherever it is kept.
    pub fn password(&self) -> Result<Option<Secret>, std::io::Error> {
        Secret::kept(self.password.as_ref(), self.password_file.as_ref())
    }

    pub(super) fn objections(&self) -> Vec<Objection> {
        let mut found = Secret::objections("mail.password", self.password.as_ref(), self.password_file.as_ref());
        if let Some(file) = &self.ca_file
            && let Err(cause) = std::fs::read(file)
        {
            found.push(Objection::new("mail.ca_file", format!("`{}` can't be read: {cause}", file.display())));
        }
        if !self.from.contains('@') {
            let why = format!("is `{}`: it needs an address, `Gatehouse <gatehouse@example.org>`", self.from);
            found.push(Objection::new("mail.from", why));
        }
        if self.security == Security::None && !self.username.is_empty() {
            let why = "is `none` and mail.username is set: the password would travel unencrypted, use `starttls`";
            found.push(Objection::new("mail.security", why));
        }
        found
    }
}
