//! The key that seals secrets: read from its file, or made beside a new embedded database.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use app::secret::SealingKey;
use store::Store;

use crate::boot::BootError;
use crate::settings::{Settings, sealing_key};

/// The key, made where the settings leave it to Gatehouse and nothing is sealed yet. What another key sealed is named in
/// the log: it does not open, and all else works.
pub async fn key(settings: &Settings, store: &Store) -> Result<SealingKey, BootError> {
    let (file, is_ours) = settings.secrets.file(&settings.database).ok_or_else(|| unnamed(settings))?;
    let told = |why: String| BootError::Key { file: file.clone(), why };
    if is_ours && !file.exists() {
        let kept = store::secret::count(store).await.map_err(|cause| told(format!("can't be checked: {cause}")))?;
        if kept > 0 {
            return Err(told(lost(kept)));
        }
        make(&file).map_err(|cause| told(format!("can't be made: {cause}")))?;
    }
    let key = sealing_key(&file).map_err(told)?;
    let others = store::secret::sealed_by_others(store, key.id()).await;
    match others.map_err(|cause| told(format!("can't be checked: {cause}")))? {
        0 => {}
        number => tracing::error!(
            file = %file.display(),
            key = %key.id(),
            number,
            "secrets were sealed with another key and can't be opened; `gatehouse doctor` names them"
        ),
    }
    Ok(key)
}

fn unnamed(settings: &Settings) -> BootError {
    let file = settings.secrets.key_file.clone().unwrap_or_default();
    BootError::Key { file, why: "is not named: set `secrets.key_file`".to_owned() }
}

fn lost(kept: u64) -> String {
    format!(
        "is gone, and {kept} secrets were sealed with it: put it back from its copy. If there is none, a new one \
         (`openssl rand -base64 32`) lets Gatehouse start, those stay closed, and `gatehouse doctor` names them"
    )
}

/// Writes a new key for the service alone to read. Where another process was first, its key stands.
fn make(file: &Path) -> std::io::Result<()> {
    let half = file.with_extension(format!("key-{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&half)?;
    writeln!(written, "{}", SealingKey::fresh())?;
    written.sync_all()?;
    // A link is there whole or not at all, and takes no one else's place.
    let linked = fs::hard_link(&half, file);
    fs::remove_file(&half)?;
    match linked {
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}
