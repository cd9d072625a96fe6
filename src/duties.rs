//! What has to be done again and again: sending mails, reminding people, ending leases, following machines and what runs in
//! containers.
//!
//! Each process that drives runs may do the duties, and one at a time does ([`app::duty`]): when that stops, another one
//! takes over within five seconds; when it dies, within twice the lease of a run and five seconds.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::connector::Connector;
use app::duty::{self, OnDuty};
use app::retention::Retention;
use app::sighting::Hypervisors;
use app::workload::Hosts;
use chrono::TimeDelta;
use domain::audit::Actor;
use domain::trouble::Trouble;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often a process that does not do the duties looks whether another one still does.
const LOOK: Duration = Duration::from_secs(5);
/// Nobody waits for the duties as for a run: they are held for so many leases of a run.
const LEASES: u32 = 2;
/// How often the lease is renewed before it would be over.
const RENEWALS: u32 = 2;
/// How long after a failure lasting work is taken up again.
const AGAIN: Duration = Duration::from_secs(5);

/// How often it is looked whether something is to be carried to the company's CMDBs, or compared with them.
const CARRY: Duration = Duration::from_secs(1);
const COMPARE: Duration = Duration::from_secs(10);

type Work = Box<dyn Fn(App) -> Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>> + Send + Sync>;

/// One thing that has to be done again and again.
pub struct Duty {
    /// What the log calls it.
    name: String,
    every: Duration,
    /// Whether the work has no end of its own: it is taken up again only when it failed, and broken off when the process
    /// has to stop.
    lasts: bool,
    work: Work,
}

impl Duty {
    fn new<F>(name: impl Into<String>, every: Duration, work: impl Fn(App) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        Self { name: name.into(), every, lasts: false, work: Box::new(move |app| Box::pin(work(app))) }
    }

    /// Work that goes on for as long as the duties are held.
    fn lasting<F>(name: impl Into<String>, work: impl Fn(App) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        Self { lasts: true, ..Self::new(name, AGAIN, work) }
    }
}

/// Every duty of the house. `process` names this process to the others.
pub fn all(process: &str, hypervisors: Hypervisors, container_hosts: Hosts, retention: Retention) -> Vec<Duty> {
    let sender = process.to_owned();
    vec![
        Duty::new("send mails", Duration::from_secs(5), move |app| {
            let sender = sender.clone();
            async move { app::mail::send_due(&app, &sender).await.map(drop) }
        }),
        Duty::new("remind approvers and end what nobody decided", Duration::from_secs(60), |app| async move {
            app::approval::keep_time(&app).await.map(drop)
        }),
        Duty::new("remind people of their tasks", Duration::from_secs(60), |app| async move {
            app::task::keep_time(&app).await.map(drop)
        }),
        Duty::new(
            "watch leases",
            Duration::from_secs(60),
            |app| async move { app::deployment::keep_leases(&app).await },
        ),
        Duty::new("forget sessions that are over", Duration::from_secs(3600), |app| async move {
            app::session::sweep(&app).await
        }),
        Duty::new("forget what was kept for long enough", Duration::from_secs(3600), move |app| async move {
            app::retention::forget(&app, retention).await
        }),
        Duty::lasting("follow the machines", move |app| {
            let hypervisors = hypervisors.clone();
            async move { app::sighting::follow(&app, hypervisors).await }
        }),
        Duty::lasting("follow what runs in containers", move |app| {
            let hosts = container_hosts.clone();
            async move { app::workload::follow(&app, hosts).await }
        }),
    ]
}

/// Reconciles so often.
pub fn to_reconcile(every: Duration) -> Duty {
    Duty::new("reconcile", every, |app| async move { app::reconcile::run_as(&app, &Actor::clock()).await.map(drop) })
}

/// What carries the CMDB to the company's: a duty for each connector, so that one that does not answer holds up no other.
pub fn of_connectors(connectors: &[Connector]) -> Vec<Duty> {
    if connectors.is_empty() {
        return Vec::new();
    }
    let mut duties = vec![Duty::new("hand out what changed in the CMDB", CARRY, |app| async move {
        app::connector::hand_out(&app).await.map(drop)
    })];
    for connector in connectors {
        let (carried, compared) = (connector.clone(), connector.clone());
        duties.push(Duty::new(format!("carry the CMDB to {}", connector.name), CARRY, move |app| {
            let connector = carried.clone();
            async move { app::connector::carry(&app, &connector).await.map(drop) }
        }));
        duties.push(Duty::new(format!("compare the CMDB with {}", connector.name), COMPARE, move |app| {
            let connector = compared.clone();
            async move { app::connector::keep_comparing(&app, &connector).await.map(drop) }
        }));
    }
    duties
}

/// Does the duties whenever no other process does, until `stop` says so.
pub async fn keep(duties: Vec<Duty>, app: App, process: String, lease: Duration, mut stop: watch::Receiver<bool>) {
    let duties: Vec<Arc<Duty>> = duties.into_iter().map(Arc::new).collect();
    let lease = lease * LEASES;
    let term = TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(15));
    while !*stop.borrow() {
        match duty::take_up(&app, &process, term).await {
            Ok(Some(on_duty)) => tend(&duties, on_duty, lease / RENEWALS, stop.clone()).await,
            Ok(None) => {}
            Err(trouble) => tracing::error!(error = ?trouble, "it can't be seen who does the duties"),
        }
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            () = sleep(LOOK) => {}
        }
    }
}

/// Does the duties until the process has to stop, or another one has taken them over; what is under way is finished.
async fn tend(duties: &[Arc<Duty>], on_duty: OnDuty, heartbeat: Duration, mut stop: watch::Receiver<bool>) {
    tracing::info!("this process does the duties");
    let (ender, ending) = watch::channel(false);
    let on_duty = Arc::new(on_duty);
    let mut kept = JoinSet::new();
    for duty in duties {
        kept.spawn(keep_one(Arc::clone(duty), Arc::clone(&on_duty), ending.clone()));
    }
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            () = sleep(heartbeat) => {}
        }
        match on_duty.stay().await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("another process has taken over the duties: this one was silent for too long");
                break;
            }
            Err(trouble) => tracing::error!(error = ?trouble, "the process could not show that it does the duties"),
        }
    }
    ender.send_replace(true);
    kept.join_all().await;
    let Ok(on_duty) = Arc::try_unwrap(on_duty) else { return };
    if let Err(trouble) = on_duty.lay_down().await {
        tracing::error!(error = ?trouble, "the duties are taken over when their lease is over");
    }
}

async fn keep_one(duty: Arc<Duty>, on_duty: Arc<OnDuty>, mut ending: watch::Receiver<bool>) {
    let mut ticks = interval(duty.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ending.wait_for(|ends| *ends) => return,
            _ = ticks.tick() => {}
        }
        let work = (duty.work)(on_duty.app().clone());
        let done = tokio::select! {
            _ = ending.wait_for(|ends| *ends), if duty.lasts => return,
            done = work => done,
        };
        let Err(trouble) = done else { continue };
        match on_duty.is_over().await {
            Ok(true) => tracing::info!(duty = %duty.name, "a duty was left to the process that has taken it over"),
            _ => tracing::error!(duty = %duty.name, error = ?trouble, "a duty failed and is tried again"),
        }
    }
}
