//! Waiting for vCenter's tasks, and cancelling those that outlast every limit.

use std::time::{Duration, Instant};

use domain::ports::provider_error::ProviderError;
use tokio::time::timeout;

use super::Vsphere;
use super::failure::Failure;
use super::inventory::{OF_TASKS, Task, TaskEnd};
use super::method::CancelTask;
use super::vim::Moref;

/// How long vCenter may be at something.
pub(super) struct Limits {
    /// How long a call waits for a clone; afterwards the machine is being built, and asked for again.
    pub patience: Duration,
    /// How long a clone may take at all.
    pub clone: Duration,
    /// How long anything else may take.
    pub task: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(20),
            clone: Duration::from_secs(60 * 60),
            task: Duration::from_secs(5 * 60),
        }
    }
}

/// A task that the follower says nothing of is asked for, soon at first and ever less often: the follower may have begun
/// anew meanwhile, or vCenter may have much else to tell.
const FIRST_LOOK: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_secs(15);

impl Vsphere {
    /// Waits until the task has ended well, and answers what came of it. `doing` says what it does.
    pub(super) async fn finish(&self, task: Moref, doing: &str) -> Result<Option<Moref>, ProviderError> {
        match self.ended(&task, self.limits.task).await.map_err(|failure| failure.told(doing))? {
            Some(TaskEnd::Success(result)) => Ok(result),
            Some(TaskEnd::Error(error)) => Err(Failure::of_task(&error).told(doing)),
            None => Err(self.cancel(&task, doing, self.limits.task).await),
        }
    }

    /// How the task ended, or `None` when it has not within `patience`.
    pub(super) async fn ended(&self, task: &Moref, patience: Duration) -> Result<Option<TaskEnd>, Failure> {
        let began = Instant::now();
        let mut look = FIRST_LOOK;
        loop {
            let left = patience.saturating_sub(began.elapsed());
            let told = self.followed().until(|inventory| inventory.tasks.get(&task.id).and_then(Task::end));
            if let Ok(end) = timeout(left.min(look), told).await {
                return Ok(Some(end));
            }
            if let Some(end) = self.look_at_task(task).await? {
                return Ok(Some(end));
            }
            if began.elapsed() >= patience {
                return Ok(None);
            }
            look = (look * 2).min(LAST_LOOK);
        }
    }

    /// Tells vCenter to give a task up, and says so.
    pub(super) async fn cancel(&self, task: &Moref, doing: &str, limit: Duration) -> ProviderError {
        let told = match self.client.call(&CancelTask { this: task }).await {
            Ok(_) => "it was told to give up".to_owned(),
            Err(failure) => format!("it was told to give up and does not ({})", failure.told("cancel the task").what),
        };
        ProviderError::transient(
            format!("vCenter did not {doing} within {} s; {told} (task {}).", limit.as_secs(), task.id),
            "Look at the task in vCenter and at the load of its hosts and datastores; Gatehouse asks again.",
        )
    }

    async fn look_at_task(&self, task: &Moref) -> Result<Option<TaskEnd>, Failure> {
        let mut read = Task::default();
        if let Some(content) = self.client.look(task, OF_TASKS).await? {
            content.prop_set.iter().for_each(|property| read.take(&property.name, Some(&property.val)));
        }
        Ok(read.end())
    }
}
