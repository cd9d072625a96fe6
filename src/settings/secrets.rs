//! `[secrets]`: the key with which passwords that Gatehouse makes for deployments are sealed.

use std::io;
use std::path::{Path, PathBuf};

use app::secret::SealingKey;
use serde::Deserialize;

use super::mistake::Objection;
use super::{Database, Secret};

/// Where the key stands that seals what Gatehouse makes for deployments, such as passwords of databases.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// A file with 32 bytes in Base64 on its first line. Without it: `secrets.key` beside an embedded database, made at
    /// the first start; a database on a server needs one that every process of Gatehouse reads.
    pub key_file: Option<PathBuf>,
}

impl Secrets {
    /// The file of the key, and whether it is made where there is none.
    pub fn file(&self, database: &Database) -> Option<(PathBuf, bool)> {
        let beside = || Some((database.file()?.with_file_name("secrets.key"), true));
        self.key_file.clone().map(|file| (file, false)).or_else(beside)
    }

    pub(super) fn objections(&self, database: &Database) -> Vec<Objection> {
        let why = match &self.key_file {
            Some(file) => sealing_key(file).err().map(|why| format!("`{}` {why}", file.display())),
            None => database.is_on_server().then(|| {
                "is not set: with the database on a server, name a file that every process of Gatehouse reads; \
                 `openssl rand -base64 32` prints what it has to say"
                    .to_owned()
            }),
        };
        why.into_iter().map(|why| Objection::new("secrets.key_file", why)).collect()
    }
}

/// The key in this file, or what is wrong with it: "can't be read: …".
pub fn sealing_key(file: &Path) -> Result<SealingKey, String> {
    let line = Secret::from_file(file).map_err(|cause: io::Error| format!("can't be read: {cause}"))?;
    SealingKey::read(line.expose()).map_err(|cause| format!("holds no key: {cause}"))
}
