//! Following container engines: each is asked when something happens on it, and from time to time all the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ids::CiId;
use domain::ports::container_host::ContainerHost;
use domain::trouble::Trouble;
use store::workload::{Answer, Engine};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::{note, observe};
use crate::{App, database};

/// How often it is seen which engines there are.
const ENGINES: Duration = Duration::from_secs(5);
/// An engine on which nothing happens is asked so often.
const SWEEP: Duration = Duration::from_secs(30);
/// Several things happen at once, as when Compose starts an application: they are looked at together.
const SETTLE: Duration = Duration::from_secs(2);
/// The pause before an engine that did not answer is asked again; it doubles each time.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So many engines are asked at a time.
const AT_A_TIME: usize = 8;

/// The systems that know the container engines, by site.
pub type Hosts = BTreeMap<String, Arc<dyn ContainerHost>>;

/// Follows every operational container engine for as long as it is awaited. One that fails keeps nobody from following
/// the others.
pub async fn follow(app: &App, hosts: Hosts) -> Result<(), Trouble> {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut followed: HashMap<CiId, (Engine, AbortHandle)> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let engines = store::workload::engines(&app.store).await.map_err(database)?;
        let mut there: HashMap<CiId, Engine> = engines.into_iter().map(|engine| (engine.ci, engine)).collect();
        followed.retain(|ci, (engine, task)| {
            let stays = there.get(ci) == Some(engine);
            if !stays {
                task.abort();
            }
            stays
        });
        there.retain(|ci, _| !followed.contains_key(ci));
        for (ci, engine) in there {
            // One that is of no deployment is asked for at the first site.
            let host = engine.site.as_ref().map_or_else(|| hosts.values().next(), |site| hosts.get(site));
            let task = match host {
                Some(host) => tasks.spawn(follow_one(app.clone(), host.clone(), engine.clone(), Arc::clone(&places))),
                None => tasks.spawn(leave_alone(app.clone(), engine.clone())),
            };
            followed.insert(ci, (engine, task));
        }
        sleep(ENGINES).await;
        while let Some(ended) = tasks.try_join_next() {
            match ended {
                Ok(trouble) => return Err(trouble),
                Err(stopped) if stopped.is_cancelled() => {}
                Err(panicked) => return Err(Trouble::bug(panicked)),
            }
        }
    }
}

/// Notes why an engine can't be asked: its site is not there. Ends only when that can't be recorded.
async fn leave_alone(app: App, engine: Engine) -> Trouble {
    let site = engine.site.as_deref().unwrap_or_default();
    let why = format!("The site `{site}`, where this engine is, is not in the settings. Put `[sites.{site}]` back.");
    match note(&app, &engine, Answer::Failed(why)).await {
        Ok(()) => std::future::pending().await,
        Err(trouble) => trouble,
    }
}

/// Asks one engine over and over; ends only when its answers can't be recorded.
async fn follow_one(app: App, hosts: Arc<dyn ContainerHost>, engine: Engine, places: Arc<Semaphore>) -> Trouble {
    let mut pause = PAUSE;
    loop {
        let observed = {
            let _place = places.acquire().await;
            observe(&app, hosts.as_ref(), &engine).await
        };
        match observed.map(|observed| observed.told_at) {
            Ok(Some(told_at)) => {
                pause = PAUSE;
                wait_for_change(hosts.as_ref(), &engine, told_at).await;
            }
            Ok(None) => {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            Err(trouble) => return trouble,
        }
    }
}

/// Waits until it is worth while to ask the engine again.
async fn wait_for_change(hosts: &dyn ContainerHost, engine: &Engine, since: DateTime<Utc>) {
    tokio::select! {
        changed = hosts.changed(&engine.fqdn, since) => match changed {
            Ok(()) => sleep(SETTLE).await,
            Err(error) => {
                tracing::debug!(engine = engine.fqdn, %error, "an engine can't be listened to");
                sleep(PAUSE).await;
            }
        },
        () = sleep(SWEEP) => {}
    }
}
