//! Who we are to a system, and who it has to be: certificates and a key in files.

use std::path::PathBuf;

use serde::Deserialize;

use super::super::mistake::Objection;

/// Certificates and a key (PEM). All three together, or none.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The authorities that the system's certificate has to come from.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, with what leads to its authority.
    pub certificate_file: Option<PathBuf>,
    /// The certificate's private key.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// The files, if they are named: authorities, certificate, key.
    pub fn files(&self) -> Option<[&PathBuf; 3]> {
        Some([self.ca_file.as_ref()?, self.certificate_file.as_ref()?, self.key_file.as_ref()?])
    }

    /// What is wrong with it; `section` is where it stands, `sites.dc1.docker.tls`.
    pub(super) fn objections(&self, section: &str) -> Vec<Objection> {
        let files =
            [("ca_file", &self.ca_file), ("certificate_file", &self.certificate_file), ("key_file", &self.key_file)];
        let named = files.iter().filter(|(_, file)| file.is_some()).count();
        let missing = files.iter().filter(|(_, file)| file.is_none() && named > 0);
        let missing = missing.map(|(name, _)| {
            let why = "is missing: authorities, certificate and key go together";
            Objection::new(format!("{section}.{name}"), why)
        });
        let unread = files.iter().filter_map(|(name, file)| unread(format!("{section}.{name}"), file.as_ref()?));
        missing.chain(unread).collect()
    }
}

/// What is wrong with a file that a setting names.
pub(in crate::settings) fn unread(setting: String, file: &PathBuf) -> Option<Objection> {
    let cause = std::fs::File::open(file).err()?;
    Some(Objection::new(setting, format!("`{}` can't be read: {cause}", file.display())))
}

/// What is wrong with a text that has to be there.
pub(in crate::settings) fn empty(setting: String, text: &str, example: &str) -> Option<Objection> {
    text.trim().is_empty().then(|| Objection::new(setting, format!("is missing: write it as `{example}`")))
}
