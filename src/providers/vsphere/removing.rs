//! How a machine goes: its key is looked at first, its guest is asked to shut down, then it is switched off and destroyed.

use std::time::Duration;

use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use tokio::time::timeout;

use super::Vsphere;
use super::inventory::{Seen, TaskEnd};
use super::method::{CancelTask, Destroy, PowerOff, ShutdownGuest};
use super::vim::Moref;

/// How long a guest may take to shut down before it is switched off.
const SHUTDOWN: Duration = Duration::from_secs(30);

impl Vsphere {
    /// Destroys the machine if it carries `key`.
    pub(super) async fn remove(&self, id: &str, key: &str) -> Result<(), ProviderError> {
        let Some(seen) = self.ours(id, key).await? else { return Ok(()) };
        self.switch_off(id, &seen).await?;
        match self.destroy_now(id, &seen.name).await {
            // Somebody, or its own guest, switched it on again meanwhile.
            Err(error) if error.kind == ProviderErrorKind::Transient => {
                let Some(seen) = self.ours(id, key).await? else { return Ok(()) };
                self.switch_off(id, &seen).await?;
                self.destroy_now(id, &seen.name).await?;
            }
            Err(error) if error.kind != ProviderErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.followed().forget(id);
        Ok(())
    }

    /// Gives up the clone of the machine with `key`, if one is under way; answers the machine if it came about after all.
    pub(super) async fn give_up_clone(&self, key: &str) -> Result<Option<String>, ProviderError> {
        let Some(copying) = self.underway.of(key) else { return Ok(None) };
        let doing = format!("give up cloning {}", copying.order.name);
        if self.followed().task_end(&copying.task).is_none() {
            // It may end by itself at this moment; how it ended is seen below.
            if let Err(failure) = self.client.call(&CancelTask { this: &copying.task }).await {
                tracing::info!(?failure, task = %copying.task.id, "a clone could not be cancelled");
            }
        }
        let end = self.ended(&copying.task, self.limits.task).await.map_err(|failure| failure.told(&doing))?;
        match end {
            Some(TaskEnd::Success(machine)) => {
                self.underway.ended(key);
                Ok(machine.map(|machine| machine.id))
            }
            Some(TaskEnd::Error(_)) => {
                self.underway.ended(key);
                Ok(None)
            }
            None => Err(self.cancel(&copying.task, &doing, self.limits.task).await),
        }
    }

    /// The machine, if it stands and carries `key`; `NotOurs` when it carries another one.
    async fn ours(&self, id: &str, key: &str) -> Result<Option<Seen>, ProviderError> {
        match self.read(id).await? {
            None => Ok(None),
            Some(seen) if seen.key() == key => Ok(Some(seen)),
            Some(seen) => Err(ProviderError::not_ours(
                format!("The machine {} ({id}) does not carry our key {key}; it was left alone.", seen.name),
                "Find out whose it is; Gatehouse removes only what it made.",
            )),
        }
    }

    async fn switch_off(&self, id: &str, seen: &Seen) -> Result<(), ProviderError> {
        if !seen.running {
            return Ok(());
        }
        let machine = Moref::machine(id);
        if seen.tools && self.client.call(&ShutdownGuest { this: &machine }).await.is_ok() {
            let followed = self.followed();
            let off = followed.until(|inventory| match inventory.machines.get(id) {
                Some(seen) if seen.running => None,
                _ => Some(()),
            });
            if timeout(SHUTDOWN, off).await.is_ok() {
                return Ok(());
            }
        }
        let doing = format!("switch {} off", seen.name);
        let started = self.client.call(&PowerOff { this: &machine }).await;
        let task = started.map_err(|failure| failure.told(&doing))?.returnval;
        match self.finish(task, &doing).await {
            // It went off by itself meanwhile, or went away.
            Err(error) if self.read(id).await?.is_some_and(|seen| seen.running) => Err(error),
            _ => Ok(()),
        }
    }

    async fn destroy_now(&self, id: &str, name: &str) -> Result<(), ProviderError> {
        let doing = format!("destroy {name}");
        let started = self.client.call(&Destroy { this: &Moref::machine(id) }).await;
        let task = started.map_err(|failure| failure.told(&doing))?.returnval;
        self.finish(task, &doing).await.map(drop)
    }
}
