//! Following hypervisors: each tells when something becomes of its machines, and is looked at then; and from time to
//! time all the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::machine_change::{Changes, MachineChange};
use domain::ports::machines::Machines;
use domain::ports::provider_error::ProviderError;
use domain::sighting::{LedgerMachine, judged_later};
use domain::trouble::Trouble;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{note, record};
use crate::{App, database};

/// A hypervisor at which nothing happens is looked at so often.
const SWEEP: Duration = Duration::from_secs(300);
/// The same for one that tells nothing by itself.
const POLL: Duration = Duration::from_secs(15);
/// Several things happen at once: they are looked at together.
const SETTLE: Duration = Duration::from_millis(500);
/// The pause before a hypervisor that did not answer is asked again; it doubles each time.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// News that is kept for machines that are judged when their run is over.
const MOST_NEWS: usize = 10_000;

/// The systems that know the machines, by site.
pub type Hypervisors = BTreeMap<String, Arc<dyn Machines>>;

/// Follows the machines of every site for as long as it is awaited. One that fails keeps nobody from following the others.
pub async fn follow(app: &App, hypervisors: Hypervisors) -> Result<(), Trouble> {
    let mut tasks = JoinSet::new();
    for (site, machines) in hypervisors {
        tasks.spawn(Following::new(app.clone(), site, machines).go_on());
    }
    match tasks.join_next().await {
        Some(Ok(trouble)) => Err(trouble),
        Some(Err(panicked)) => Err(Trouble::bug(panicked)),
        None => std::future::pending().await,
    }
}

/// A site that is being followed.
struct Following {
    app: App,
    site: String,
    machines: Arc<dyn Machines>,
    /// Up to where the hypervisor has told.
    cursor: Option<String>,
    /// What it told of that was not judged yet.
    news: Vec<MachineChange>,
    /// The ledger at the last look, and when that was; nothing where the next one can't wait.
    looked: Option<(Vec<LedgerMachine>, Instant)>,
    pause: Duration,
}

impl Following {
    fn new(app: App, site: String, machines: Arc<dyn Machines>) -> Self {
        Self { app, site, machines, cursor: None, news: Vec::new(), looked: None, pause: PAUSE }
    }

    /// Ends only when what was seen can't be recorded.
    async fn go_on(mut self) -> Trouble {
        loop {
            if let Err(trouble) = self.turn().await {
                return trouble;
            }
        }
    }

    /// Waits for news, and looks at the site if there is any, if the ledger has changed, or if it is time.
    async fn turn(&mut self) -> Result<(), Trouble> {
        match self.machines.changes(self.cursor.as_deref()).await {
            Ok(changes) => self.take(changes).await,
            Err(error) => return self.rest(&error).await,
        }
        let ledger = store::sighting::machines(&self.app.store, &self.site).await.map_err(database)?;
        if !self.is_due(&ledger) {
            return Ok(());
        }
        match self.machines.list().await {
            Ok(there) => {
                let ledger = record(&self.app, &self.site, &ledger, &there, &self.news).await?;
                let later = judged_later(&ledger);
                self.news.retain(|change| later.contains(change.key.as_str()));
                self.looked = Some((ledger, Instant::now()));
                self.pause = PAUSE;
                Ok(())
            }
            Err(error) => self.rest(&error).await,
        }
    }

    async fn take(&mut self, changes: Changes) {
        let tells_nothing = changes.cursor.is_none();
        if tells_nothing && self.looked.is_some() {
            sleep(POLL).await;
        }
        if !changes.complete || !changes.changes.is_empty() {
            self.looked = None;
            sleep(SETTLE).await;
        }
        self.cursor = changes.cursor;
        self.news.extend(changes.changes);
        let too_many = self.news.len().saturating_sub(MOST_NEWS);
        self.news.drain(..too_many);
    }

    fn is_due(&self, ledger: &[LedgerMachine]) -> bool {
        self.looked.as_ref().is_none_or(|(known, at)| known != ledger || at.elapsed() >= SWEEP)
    }

    /// Notes that the site can't be looked at, where anything stands there, and rests; afterwards all of it has to be
    /// looked at.
    async fn rest(&mut self, error: &ProviderError) -> Result<(), Trouble> {
        tracing::warn!(site = self.site, %error, "the machines of a site can't be followed");
        let ledger = store::sighting::machines(&self.app.store, &self.site).await.map_err(database)?;
        if !ledger.is_empty() {
            note(&self.app, &self.site, error).await?;
        }
        self.looked = None;
        sleep(self.pause).await;
        self.pause = LONGEST_PAUSE.min(self.pause * 2);
        Ok(())
    }
}
