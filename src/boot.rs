//! The composition root: opens every part in order and puts them together. Nothing starts half.

use std::io::{self, IsTerminal};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as Application, HttpServer};
use app::App;
use app::audit_report::Press;
use app::catalog::{self, Catalog};
use app::consequences::House as Consequences;
use app::retention::Retention;
use app::sighting::Hypervisors;
use app::workload::Hosts;
use chrono::TimeDelta;
use domain::audit::Actor;
use domain::ports::clock::Clock;
use domain::ports::datacenter::DatacenterControls;
use domain::ports::mailer::Mailer;
use domain::trouble::Trouble;
use engine::{Engine, SetupError};
use providers::smtp::{Privacy, Smtp, SmtpSettings, SmtpSettingsError};
use store::{OpenError, Store};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use web::limits::Limits;
use web::metrics::Metrics;

use crate::duties;
use crate::settings::{Bounds, Database, Mail, Security, Server, Settings};
use crate::systems::{self, SystemsError};
use crate::{sealing, workflows};

/// How long answers that are under way may take when the process stops.
const GRACE_SECONDS: u64 = 5;

/// Why the house could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error(
        "there is no database at `{file}`: name yours with --config or GATEHOUSE_DATABASE__URL, or make one with \
         `gatehouse migrate`"
    )]
    NoDatabase { file: PathBuf },
    #[error("the folder `{folder}` for Gatehouse's data can't be made: name another, or allow it to be written")]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the file `{file}` can't be read")]
    File { file: PathBuf, source: io::Error },
    #[error("the systems of a site can't be opened")]
    Systems(#[from] SystemsError),
    #[error("`bounds.providers` names `{name}`, which nothing calls; there are {known}")]
    Provider { name: String, known: String },
    #[error("nobody can listen on {address}: {}", way_out(source))]
    Listen { address: String, source: io::Error },
    #[error("the key `{file}` that seals secrets {why}")]
    Key { file: PathBuf, why: String },
    #[error("mail can't be sent as `[mail]` says")]
    Mail(#[from] SmtpSettingsError),
    #[error("the blueprints can't be published")]
    Publish(#[source] Trouble),
    #[error("runs can't be carried")]
    Engine(#[from] SetupError),
    #[error("the portal stopped")]
    Serve(#[source] io::Error),
}

/// The open house: every part, ready to be used by a door or a worker.
pub struct House {
    pub app: App,
    /// Where machines and containers are looked at, by site.
    hypervisors: Hypervisors,
    container_hosts: Hosts,
    /// How long what is over is kept.
    retention: Retention,
    /// How long a silent process keeps the duties.
    lease: Duration,
    /// How often it is reconciled; nothing where that is asked for by hand alone.
    reconcile_every: Option<Duration>,
}

impl House {
    /// Opens the database (its tables brought up to date), the outside systems and the use cases.
    pub async fn open(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        base_url: String,
        demo: bool,
    ) -> Result<Self, BootError> {
        let store = open_store(&settings.database).await?;
        let sealing = sealing::key(settings, &store).await?;
        let mailer = open_mailer(&settings.mail)?;
        let opened = systems::open(settings, &store, &clock, &sealing)?;
        let consequences = Consequences { base_url: base_url.clone(), mailer: mailer.clone() };
        let engine = Engine::new(
            store.clone(),
            clock.clone(),
            opened.actions(),
            Arc::new(consequences),
            engine_settings(settings),
        )
        .await?;
        know_providers(&settings.bounds, &engine)?;
        let folder = settings.catalog.folder.clone();
        let catalog = Catalog::new(actions::signatures(), move || workflows::read(folder.as_deref()));
        let (hypervisors, container_hosts) = (opened.hypervisors(), opened.container_hosts());
        let datacenter = opened.datacenter.map(|it| Arc::new(it) as Arc<dyn DatacenterControls>);
        let app = App {
            store,
            clock,
            base_url,
            sites: opened.sites,
            catalog,
            engine,
            demo,
            mailer,
            datacenter,
            connectors: opened.connectors.into(),
            press: Press::default(),
            node_servers: opened.node_servers.into(),
            sealing,
        };
        let retention = Retention { run_events: settings.retention.run_events(), mails: settings.retention.mails() };
        let (lease, reconcile_every) = (settings.worker.lease(), settings.cmdb.reconcile_every());
        Ok(Self { app, hypervisors, container_hosts, retention, lease, reconcile_every })
    }

    /// Reads the catalog's files and offers what is good: for a process that serves people or drives runs.
    pub async fn publish(&self) -> Result<(), BootError> {
        publish(&self.app, None).await.map_err(BootError::Publish)
    }
}

/// A bound for a provider that nothing calls is a mistake in the settings.
fn know_providers(bounds: &Bounds, engine: &Engine) -> Result<(), BootError> {
    let known = engine.providers();
    let unknown = bounds.providers.keys().find(|name| !known.contains(name.as_str()));
    let told = |name: &String| BootError::Provider {
        name: name.clone(),
        known: known.iter().copied().collect::<Vec<_>>().join(", "),
    };
    unknown.map_or(Ok(()), |name| Err(told(name)))
}

fn engine_settings(settings: &Settings) -> engine::Settings {
    let lease = settings.worker.lease();
    let bounds = &settings.bounds;
    engine::Settings {
        runs_per_worker: settings.worker.concurrency,
        bounds: engine::Bounds { providers: bounds.providers.clone(), blueprints: bounds.blueprints.clone() },
        lease: TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(15)),
        heartbeat: lease / 4,
        ..engine::Settings::default()
    }
}

/// Publishes the catalog's files. One that is refused is named in the log and on the page of the blueprints; the others
/// are offered.
async fn publish(app: &App, actor: Option<Actor>) -> Result<(), Trouble> {
    let published = catalog::publish(app, actor).await?;
    for refused in &published.refused {
        tracing::error!(file = refused.file, problems = refused.problems.join("; "), "a blueprint was not published");
    }
    tracing::info!(offered = published.offered, new = published.new.join(", "), "the catalog's files were read");
    Ok(())
}

/// Reads the catalog's files again each time the process is sent a hang-up (`kill -HUP`), until told to stop. Where it
/// was started from a terminal, a hang-up says that the terminal is gone, and ends the process as ever.
#[cfg(unix)]
async fn publish_at_hangup(app: App, mut stopping: watch::Receiver<bool>) {
    if io::stdin().is_terminal() {
        return;
    }
    let Ok(mut hangups) = signal(SignalKind::hangup()) else {
        return tracing::error!("hang-ups can't be heard; the catalog's files are read again from their page alone");
    };
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = hangups.recv() => {}
        }
        if let Err(trouble) = publish(&app, Some(Actor::command_line())).await {
            tracing::error!(error = ?trouble, "the catalog's files could not be read again");
        }
    }
}

/// Opens the database, made when missing, its tables brought up to date.
pub async fn open_store(database: &Database) -> Result<Store, BootError> {
    let url_file = database.url_file.clone().unwrap_or_default();
    let url = database.url().map_err(|source| BootError::File { file: url_file, source })?;
    make_folder_of(url.expose().strip_prefix("sqlite:"))?;
    Ok(Store::open(url.expose()).await?)
}

/// Makes sure that the database is there; one that a server keeps is found when it is opened.
pub fn find_database(database: &Database) -> Result<(), BootError> {
    let url_file = database.url_file.clone().unwrap_or_default();
    let url = database.url().map_err(|source| BootError::File { file: url_file, source })?;
    let Some(file) = url.expose().strip_prefix("sqlite:").map(PathBuf::from) else { return Ok(()) };
    if file.exists() { Ok(()) } else { Err(BootError::NoDatabase { file }) }
}

/// Takes the address of the portal, so that its port is known before anything else is opened.
pub fn listen(server: &Server) -> Result<TcpListener, BootError> {
    let wanted = (server.address, server.port);
    TcpListener::bind(wanted)
        .map_err(|source| BootError::Listen { address: format!("{}:{}", wanted.0, wanted.1), source })
}

/// What to do when an address can't be listened on.
fn way_out(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::AddrInUse => "another program holds the port; choose another with --port",
        io::ErrorKind::PermissionDenied => "ports below 1024 are for the system; choose another with --port",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; change server.address",
        _ => "change server.address, or choose another port with --port",
    }
}

/// What one process does, until it is told to stop.
pub struct Process {
    /// Serves people and programs here.
    pub portal: Option<TcpListener>,
    /// Drives runs and keeps the duties.
    pub worker: bool,
}

impl Process {
    /// Works until `stop` resolves, then finishes what is under way.
    pub async fn run(
        self,
        house: House,
        server: &Server,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), BootError> {
        let (stopper, stopping) = watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            stopper.send_replace(true);
        });
        let mut background = JoinSet::new();
        #[cfg(unix)]
        background.spawn(publish_at_hangup(house.app.clone(), stopping.clone()));
        if self.worker {
            background.spawn(drive_runs(house.app.engine.clone(), stopping.clone()));
            let mut duties = duties::all(&name(), house.hypervisors.clone(), house.container_hosts, house.retention);
            duties.extend(duties::of_connectors(&house.app.connectors));
            duties.extend(house.reconcile_every.map(duties::to_reconcile));
            background.spawn(duties::keep(duties, house.app.clone(), name(), house.lease, stopping.clone()));
        }
        if let Some(listener) = self.portal {
            serve(house.app, server, listener, stopping).await?;
        }
        background.join_all().await;
        systems::sign_out(&house.hypervisors).await;
        Ok(())
    }
}

/// Drives runs until told to stop, then finishes the calls that are under way and hands the runs back.
async fn drive_runs(engine: Engine, mut stopping: watch::Receiver<bool>) {
    let worker = engine::Worker::start(&engine);
    // A dropped sender means that the process ends, too.
    let _ = stopping.wait_for(|stop| *stop).await;
    worker.stop().await;
}

/// Answers requests until told to stop, then finishes those that are under way.
async fn serve(
    app: App,
    server: &Server,
    listener: TcpListener,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), BootError> {
    let metrics = Metrics::default();
    let limits = Limits { time: server.request_timeout() };
    let portal = HttpServer::new(move || {
        Application::new().wrap(Compress::default()).wrap(from_fn(web::observe::observe)).configure(web::configure(
            app.clone(),
            metrics.clone(),
            limits,
        ))
    })
    .workers(server.threads)
    .shutdown_timeout(GRACE_SECONDS)
    .disable_signals()
    .client_request_timeout(server.request_timeout())
    .listen(listener)
    .map_err(BootError::Serve)?
    .run();
    let handle = portal.handle();
    tokio::spawn(async move {
        // A dropped sender means that the process ends, too.
        let _ = stopping.wait_for(|stop| *stop).await;
        handle.stop(true).await;
    });
    portal.await.map_err(BootError::Serve)
}

/// What other processes and the operations page call this one.
fn name() -> String {
    format!("{}-{}", engine::host(), std::process::id())
}

/// The mail server, if one is set.
fn open_mailer(mail: &Mail) -> Result<Option<Arc<dyn Mailer>>, BootError> {
    if mail.host.is_empty() {
        return Ok(None);
    }
    let file = mail.password_file.clone().unwrap_or_default();
    let password = mail.password().map_err(|source| BootError::File { file, source })?;
    let credentials = password.map(|password| (mail.username.clone(), password.expose().to_owned()));
    let privacy = match mail.security {
        Security::Starttls => Privacy::StartTls,
        Security::Tls => Privacy::Tls,
        Security::None => Privacy::Plain,
    };
    let ca = mail
        .ca_file
        .as_ref()
        .map(|file| std::fs::read(file).map_err(|source| BootError::File { file: file.clone(), source }));
    let settings = SmtpSettings {
        host: mail.host.clone(),
        port: Some(mail.port),
        privacy,
        credentials,
        ca: ca.transpose()?,
        from: mail.from.clone(),
    };
    Ok(Some(Arc::new(Smtp::new(settings)?)))
}

/// Makes the folder that a file will stand in.
fn make_folder_of(file: Option<&str>) -> Result<(), BootError> {
    let Some(folder) = file.map(PathBuf::from).and_then(|file| file.parent().map(PathBuf::from)) else { return Ok(()) };
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).map_err(|source| BootError::Folder { folder, source })
}
