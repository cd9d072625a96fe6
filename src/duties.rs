//! What has to be done again and again: sending mails, reminding approvers, ending leases, looking at containers.
//!
//! Each process that drives runs also does the duties. Each duty claims its work in the database, so that two
//! processes never do the same piece of it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use app::App;
use app::retention::Retention;
use domain::ports::container_host::ContainerHost;
use domain::trouble::Trouble;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

type Work = Box<dyn Fn(App) -> Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>> + Send + Sync>;

/// One thing that has to be done again and again.
pub struct Duty {
    /// What the log calls it.
    name: &'static str,
    every: Duration,
    work: Work,
}

impl Duty {
    fn new<F>(name: &'static str, every: Duration, work: impl Fn(App) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        Self { name, every, work: Box::new(move |app| Box::pin(work(app))) }
    }
}

/// Every duty of the house. `process` names this process to the others.
pub fn all(process: &str, container_hosts: Arc<dyn ContainerHost>, retention: Retention) -> Vec<Duty> {
    let sender = process.to_owned();
    vec![
        Duty::new("send mails", Duration::from_secs(2), move |app| {
            let sender = sender.clone();
            async move { app::mail::send_due(&app, &sender).await.map(drop) }
        }),
        Duty::new("remind approvers and end what nobody decided", Duration::from_secs(30), |app| async move {
            app::approval::keep_time(&app).await.map(drop)
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
        Duty::new("look at containers", Duration::from_secs(30), move |app| {
            let hosts = container_hosts.clone();
            async move { app::workload::observe(&app, hosts.as_ref()).await.map(drop) }
        }),
    ]
}

/// Does the duties until `stop` says so; one that is under way is finished.
pub async fn keep(duties: Vec<Duty>, app: App, stop: watch::Receiver<bool>) {
    let mut kept = JoinSet::new();
    for duty in duties {
        kept.spawn(keep_one(duty, app.clone(), stop.clone()));
    }
    kept.join_all().await;
}

async fn keep_one(duty: Duty, app: App, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(duty.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            _ = ticks.tick() => {}
        }
        if let Err(trouble) = (duty.work)(app.clone()).await {
            tracing::error!(duty = duty.name, error = ?trouble, "a duty failed and is tried again");
        }
    }
}
