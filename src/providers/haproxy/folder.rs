//! The folder of configuration files, of which ours are one a pool. A file is written beside the others, checked
//! together with all of them, and only then put in its place, so that the folder never holds one that is not valid.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ports::provider_error::ProviderError;
use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::HaproxySettings;
use super::pool_file::PoolFile;
use super::validate::validate;
use super::word::PoolName;

/// Our files come after those with `defaults`, which hold for what follows them.
const PREFIX: &str = "zz-gatehouse-";
/// How HAProxy's files end, and how ours ends once its pool shall go.
const SERVED: &str = "cfg";
const REMOVED: &str = "removed";
/// HAProxy overlooks files whose names begin with a dot.
const LOCK: &str = ".gatehouse.lock";
const STAGED: &str = ".gatehouse.staged";
/// Whoever changes the folder is done sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder, held by this process alone until it is dropped.
pub(super) struct Folder<'s> {
    path: &'s Path,
    settings: &'s HaproxySettings,
    _lock: std::fs::File,
}

/// A pool that a file of ours tells of.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pool: PoolFile,
    /// Whether the file is as we wrote it.
    pub(super) is_untouched: bool,
    /// Whether the pool shall go, and perhaps has gone already.
    pub(super) is_removed: bool,
}

impl<'s> Folder<'s> {
    /// Waits until nobody else changes the folder, be it in this process or another one.
    pub(super) async fn lock(settings: &'s HaproxySettings) -> Result<Self, ProviderError> {
        let path = settings.folder.as_path();
        let file = path.join(LOCK);
        let locked = tokio::task::spawn_blocking(move || {
            let file = std::fs::OpenOptions::new().create(true).write(true).truncate(false).open(file)?;
            file.lock().map(|()| file)
        });
        match timeout(PATIENCE, locked).await {
            Ok(Ok(locked)) => Ok(Self { path, settings, _lock: locked.map_err(|cause| unusable(path, &cause))? }),
            Ok(Err(stopped)) => Err(unusable(path, &io::Error::other(stopped))),
            Err(_) => Err(ProviderError::transient(
                format!("Somebody else has changed HAProxy's folder {} for a minute.", path.display()),
                "It is tried again in a moment; if that lasts, find out which process holds its lock file.",
            )),
        }
    }

    /// All pools of ours.
    pub(super) async fn pools(&self) -> Result<Vec<Entry>, ProviderError> {
        let mut found = Vec::new();
        for path in self.files(&[SERVED, REMOVED]).await? {
            let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
            if !is_ours {
                continue;
            }
            let text = fs::read_to_string(&path).await.map_err(|cause| unusable(&path, &cause))?;
            let (pool, is_untouched) = PoolFile::read(&text).ok_or_else(|| touched(&path))?;
            let is_removed = path.extension().is_some_and(|extension| extension == REMOVED);
            found.push(Entry { pool, is_untouched, is_removed });
        }
        Ok(found)
    }

    /// Writes the pool's file, unless HAProxy would not have it. The whole folder is checked with it.
    pub(super) async fn put(&self, pool: &PoolFile) -> Result<(), ProviderError> {
        let (staged, place) = (self.path.join(STAGED), self.place(&pool.name, SERVED));
        let text = pool.text().map_err(|cause| unusable(&place, &io::Error::other(cause)))?;
        write(&staged, &text).await.map_err(|cause| unusable(&staged, &cause))?;
        let mut files = self.files(&[SERVED]).await?;
        files.retain(|file| *file != place);
        files.push(place.clone());
        files.sort();
        let with_it = files.into_iter().map(|file| if file == place { staged.clone() } else { file });
        self.validate(with_it).await?;
        test_boundary::pass("before a call");
        self.rename(&staged, &place).await
    }

    /// Takes the pool's file out of HAProxy's sight; it is kept until [`Self::forget`], so that whoever comes after a
    /// crash knows that the pool shall go.
    pub(super) async fn set_aside(&self, name: &PoolName) -> Result<(), ProviderError> {
        let place = self.place(name, SERVED);
        let mut files = self.files(&[SERVED]).await?;
        files.retain(|file| *file != place);
        self.validate(files).await?;
        test_boundary::pass("before a call");
        self.rename(&place, &self.place(name, REMOVED)).await
    }

    /// The pool is gone.
    pub(super) async fn forget(&self, name: &PoolName) -> Result<(), ProviderError> {
        let place = self.place(name, REMOVED);
        match fs::remove_file(&place).await {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(unusable(&place, &cause)),
            _ => Ok(()),
        }
    }

    /// Checks the folder as it is.
    pub(super) async fn check(&self) -> Result<(), ProviderError> {
        self.validate(self.files(&[SERVED]).await?).await
    }

    /// Checks what HAProxy would read if these were the files of the folder.
    async fn validate(&self, files: impl IntoIterator<Item = PathBuf>) -> Result<(), ProviderError> {
        validate(&self.settings.program, self.settings.files.iter().cloned().chain(files).collect()).await
    }

    /// The error of a file that was changed by hand, and which nobody overwrites therefore.
    pub(super) fn touched(&self, name: &PoolName) -> ProviderError {
        touched(&self.place(name, SERVED))
    }

    /// Puts a file in its place so that it survives a loss of power.
    async fn rename(&self, from: &Path, to: &Path) -> Result<(), ProviderError> {
        let renamed = async {
            fs::rename(from, to).await?;
            fs::File::open(self.path).await?.sync_all().await
        };
        renamed.await.map_err(|cause| unusable(to, &cause))
    }

    /// The files with these endings that HAProxy reads, or would, in its order.
    async fn files(&self, endings: &[&str]) -> Result<Vec<PathBuf>, ProviderError> {
        let listed = async {
            let (mut found, mut folder) = (Vec::new(), fs::read_dir(self.path).await?);
            while let Some(entry) = folder.next_entry().await? {
                let path = entry.path();
                let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
                let fits = path.extension().is_some_and(|extension| endings.iter().any(|ending| extension == *ending));
                if fits && !is_hidden {
                    found.push(path);
                }
            }
            found.sort();
            Ok(found)
        };
        listed.await.map_err(|cause| unusable(self.path, &cause))
    }

    fn place(&self, name: &PoolName, ending: &str) -> PathBuf {
        self.path.join(format!("{PREFIX}{name}.{ending}"))
    }
}

async fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path).await?;
    file.write_all(text.as_bytes()).await?;
    file.sync_all().await
}

fn unusable(path: &Path, cause: &io::Error) -> ProviderError {
    ProviderError::permanent(
        format!("HAProxy's file {} can't be used: {cause}.", path.display()),
        "Check that Gatehouse may read and write the folder, and that its disk has room.",
    )
}

fn touched(path: &Path) -> ProviderError {
    ProviderError::permanent(
        format!("The file {} was changed by hand, so it is not overwritten.", path.display()),
        "Put your own lines into another file, undo the change of this one, and retry.",
    )
}
