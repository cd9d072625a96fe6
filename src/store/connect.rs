//! Opening the database: SQLite embedded, or PostgreSQL by its address.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use migrations::Migrator;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection, PgConnection, PgPool, SqlitePool};
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, IsolationLevel, RuntimeErr,
    SqliteTransactionMode, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::room::Doubt;
use crate::{Fault, Snapshot, Tx, duty};

/// How many readers SQLite serves side by side; writes go through one connection, so nobody meets a lock.
const SQLITE_READERS: u32 = 4;
/// How many transactions of workers PostgreSQL gets side by side from one process: what many runs come to at the same
/// moment is one of them.
const POSTGRES_STEPS: u32 = 4;
/// The number of PostgreSQL's advisory lock that keeps use cases one after the other.
const USE_CASES: i64 = 0x6761_7465_0001;
/// And for processes that bring the tables up to date.
const UPGRADE: i64 = 0x6761_7465_0002;
/// How long a use case waits for its turn at the connection that writes.
const WRITER_PATIENCE: Duration = Duration::from_secs(60);
/// How long whoever reads waits for a connection to PostgreSQL, and whoever waits to write until he asks whether the
/// database answers at all.
const PATIENCE: Duration = Duration::from_secs(8);
/// After how long without a statement PostgreSQL ends a transaction; ours never rest.
const STANDS_STILL: &str = "15s";
/// What workers write they find by its key, or in a small table. A plan is kept as long as its connection; one that was
/// made while the tables were small would read all of them for ever. What is off costs so much by the server's count that
/// it would be compiled before it runs, were that not off, too.
const BY_KEY: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("jit", "off")];
/// What `PRAGMA synchronous` says when each commit is written through to the disk.
const SQLITE_FULL: i32 = 2;

/// The connections that the queue shares with us, so that a job commits with its reason.
#[derive(Clone)]
pub enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The open database.
#[derive(Clone)]
pub struct Store {
    readers: DatabaseConnection,
    writer: DatabaseConnection,
    /// Where steps are written: on SQLite the one writer, on PostgreSQL side by side.
    steps: DatabaseConnection,
    pool: Pool,
    commits: Arc<AtomicU64>,
    reads: Arc<AtomicU64>,
    pub(crate) doubt: Doubt,
    /// What each transaction asks for before it writes.
    fence: Option<duty::Token>,
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database address `{0}` starts with neither `sqlite:` nor `postgres:`")]
    UnknownKind(String),
    #[error("the database at `{address}` could not be opened")]
    Unreachable { address: String, source: DbErr },
    #[error(
        "the database at `{address}` belongs to a newer Gatehouse, which has changed its tables ({changes}): start that \
         version, or restore the backup from before the upgrade"
    )]
    Newer { address: String, changes: String },
    #[error("the database's tables could not be brought up to date")]
    Migration(#[source] DbErr),
}

impl Store {
    /// Opens the database at `sqlite:<path>` (made when missing) or `postgres://…`, and brings its tables up to date.
    pub async fn open(address: &str) -> Result<Self, OpenError> {
        let unreachable = |source| OpenError::Unreachable { address: without_password(address), source };
        let mut store = if address.starts_with("sqlite:") {
            Self::open_sqlite(address).await.map_err(|cause| unreachable(connection(cause)))?
        } else if address.starts_with("postgres:") || address.starts_with("postgresql:") {
            // A pool waits for a server that does not answer, and then says no more than that it waited.
            let first = PgConnection::connect(address).await.map_err(|cause| unreachable(connection(cause)))?;
            first.close().await.map_err(|cause| unreachable(connection(cause)))?;
            // Statements are not logged: their parameters are people's data.
            let mut options = ConnectOptions::new(address);
            options.sqlx_logging(false).acquire_timeout(PATIENCE);
            // A process that stands still in the middle of a transaction does not keep all others from writing.
            let stands_still = [("idle_in_transaction_session_timeout", STANDS_STILL)];
            options.map_sqlx_postgres_opts(move |server| server.options(stands_still));
            let readers = Database::connect(options.clone()).await.map_err(unreachable)?;
            // Use cases come one after the other: those that wait must not keep every connection from pages and steps.
            // Who begins a transaction sees by that whether its connection still stands: see `begin_at`.
            options.max_connections(1).acquire_timeout(WRITER_PATIENCE).test_before_acquire(false);
            let writer = Database::connect(options.clone()).await.map_err(unreachable)?;
            // Few, so that each knows the statements that steps are written with.
            options.max_connections(POSTGRES_STEPS);
            options.map_sqlx_postgres_opts(move |server| server.options(stands_still).options(BY_KEY));
            let steps = Database::connect(options).await.map_err(unreachable)?;
            let pool = Pool::Postgres(readers.get_postgres_connection_pool().clone());
            Self::of(readers, writer, steps, pool)
        } else {
            return Err(OpenError::UnknownKind(without_password(address)));
        };
        store.bring_up_to_date(address).await?;
        let reads = Arc::clone(&store.reads);
        store.readers.set_metric_callback(move |_| {
            reads.fetch_add(1, Ordering::Relaxed);
        });
        for connection in [&mut store.writer, &mut store.steps] {
            store.doubt.watch(connection);
        }
        Ok(store)
    }

    fn of(readers: DatabaseConnection, writer: DatabaseConnection, steps: DatabaseConnection, pool: Pool) -> Self {
        let (commits, reads, doubt) = Default::default();
        Self { readers, writer, steps, pool, commits, reads, doubt, fence: None }
    }

    /// Makes the changes of tables that are missing. On PostgreSQL processes that start at once do so one after the
    /// other, so that each change is made once.
    async fn bring_up_to_date(&self, address: &str) -> Result<(), OpenError> {
        let on_server = matches!(self.pool, Pool::Postgres(_));
        // There is one connection that writes, so that it is the same one that holds the lock and that lets go of it.
        let tell = async |lock: &str| match on_server {
            true => self.writer.execute_unprepared(&format!("SELECT {lock}({UPGRADE})")).await.map(drop),
            false => Ok(()),
        };
        tell("pg_advisory_lock").await.map_err(OpenError::Migration)?;
        let done = self.change_tables(address).await;
        tell("pg_advisory_unlock").await.map_err(OpenError::Migration)?;
        done
    }

    async fn change_tables(&self, address: &str) -> Result<(), OpenError> {
        let made = Migrator::get_migration_models(&self.writer).await.map_err(OpenError::Migration)?;
        let known = Migrator::migrations();
        let unknown = made.into_iter().filter(|made| known.iter().all(|known| known.name() != made.version));
        let changes: Vec<String> = unknown.map(|change| change.version).collect();
        if !changes.is_empty() {
            return Err(OpenError::Newer { address: without_password(address), changes: changes.join(", ") });
        }
        Migrator::up(&self.writer, None).await.map_err(OpenError::Migration)
    }

    /// Opens the transaction in which a use case writes. Such come one after the other on either store, so that what
    /// one has read is still so when it writes: two orders can't take the same quota, and two decisions not the same
    /// question.
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        self.begin_locked(&self.writer, "pg_advisory_xact_lock").await
    }

    /// Opens the transaction in which runs change their state, which means something for their requests and their
    /// deployments. On PostgreSQL such go side by side, since no two are about the same deployment; but not beside use
    /// cases.
    pub async fn begin_change(&self) -> Result<Tx, DbErr> {
        self.begin_locked(&self.steps, "pg_advisory_xact_lock_shared").await
    }

    async fn begin_locked(&self, connection: &DatabaseConnection, lock: &str) -> Result<Tx, DbErr> {
        let tx = self.begin_in_turn(connection).await?;
        if matches!(self.pool, Pool::Postgres(_)) {
            tx.0.execute_unprepared(&format!("SELECT {lock}({USE_CASES})")).await?;
        }
        self.keep_the_fence(&tx).await?;
        Ok(tx)
    }

    /// Opens the transaction in which a worker writes what steps of runs came to. On PostgreSQL such go side by side
    /// with all others: whatever they write must be guarded by the run's token or by a lock of its own. On SQLite
    /// the write lock is taken at once (`BEGIN IMMEDIATE`), so that a read followed by a write never fails half-way.
    pub async fn begin_step(&self) -> Result<Tx, DbErr> {
        let tx = self.begin_in_turn(&self.steps).await?;
        self.keep_the_fence(&tx).await?;
        Ok(tx)
    }

    /// What the database holds at this instant, for whoever reads much of it piece by piece: what others write meanwhile
    /// is not seen.
    pub async fn snapshot(&self) -> Result<Snapshot, DbErr> {
        let (isolation, access) = match self.pool {
            Pool::Postgres(_) => (Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)),
            // A transaction that reads sees the file as it was when it began to.
            Pool::Sqlite(_) => (None, None),
        };
        self.readers.begin_with_config(isolation, access).await.map(Snapshot)
    }

    /// The same database for whoever does work by this token: once another process has taken it over, no
    /// transaction is begun any more.
    pub fn fenced(&self, token: duty::Token) -> Self {
        Self { fence: Some(token), ..self.clone() }
    }

    /// The same database for work that stays with whoever claimed it, whoever does the duties by now.
    pub fn unfenced(&self) -> Self {
        Self { fence: None, ..self.clone() }
    }

    async fn keep_the_fence(&self, tx: &Tx) -> Result<(), DbErr> {
        match self.fence {
            Some(token) if !duty::is_held(tx, token).await? => {
                Err(DbErr::Custom("another process has taken this work over, so this one writes nothing".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Waits until others that write are done with the connection; not for one that the database does not give.
    async fn begin_in_turn(&self, connection: &DatabaseConnection) -> Result<Tx, DbErr> {
        let mut begun = std::pin::pin!(self.begin_at(connection));
        loop {
            tokio::select! {
                tx = &mut begun => return tx,
                () = tokio::time::sleep(PATIENCE) => self.ping().await?,
            }
        }
    }

    async fn begin_at(&self, connection: &DatabaseConnection) -> Result<Tx, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        // A server that was restarted has left none of its connections standing; each is found out once, and made anew.
        for _ in 0..POSTGRES_STEPS {
            match connection.begin_with_options(options).await {
                Err(cause) if is_lost(&cause) => {}
                begun => return Ok(Tx(begun?, Arc::clone(&self.commits), self.doubt.clone())),
            }
        }
        Ok(Tx(connection.begin_with_options(options).await?, Arc::clone(&self.commits), self.doubt.clone()))
    }

    /// The connections that the queue shares with us.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How many transactions this process has committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How many statements this process has sent outside of transactions: what a page costs the database.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether a commit survives a power cut, and not only a crash of the process. On PostgreSQL its administrator
    /// decides.
    pub async fn is_durable(&self) -> Result<bool, DbErr> {
        if matches!(self.pool, Pool::Postgres(_)) {
            return Ok(true);
        }
        let statement = Statement::from_string(self.writer.get_database_backend(), "PRAGMA synchronous");
        let row = self.writer.query_one_raw(statement).await?;
        let level: Option<i32> = row.map(|row| row.try_get("", "synchronous")).transpose()?;
        Ok(level == Some(SQLITE_FULL))
    }

    /// Whether the database answers; for readiness.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.readers.ping().await
    }

    /// Whether one statement may be a transaction of its own: it asks for no fence, and is not waited for on SQLite.
    pub(crate) fn is_unfenced_server(&self) -> bool {
        self.fence.is_none() && matches!(self.pool, Pool::Postgres(_))
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    pub(crate) fn steps(&self) -> &DatabaseConnection {
        &self.steps
    }

    pub(crate) fn count_commit(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn readers(&self) -> &DatabaseConnection {
        &self.readers
    }

    async fn open_sqlite(address: &str) -> Result<Self, sqlx::Error> {
        // FULL: an approval that was acknowledged survives a power cut, not only a crash of the process.
        let options = SqliteConnectOptions::from_str(address)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true);
        // A file does not hang up: asking before each statement whether it has would cost as much as the statement.
        let pool = SqlitePoolOptions::new().test_before_acquire(false);
        // When the disk is full, SQLite ends a transaction by itself, of which the connection does not know: what it
        // "committed" from then on would be in a transaction that nobody ends. Such a connection is made anew.
        let pool = pool.before_acquire(|idle, _| Box::pin(async move { Ok(!idle.is_in_transaction()) }));
        let writer =
            pool.clone().max_connections(1).acquire_timeout(WRITER_PATIENCE).connect_with(options.clone()).await?;
        let readers = pool.max_connections(SQLITE_READERS).connect_with(options.read_only(true)).await?;
        let one = SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.clone());
        let readers = SqlxSqliteConnector::from_sqlx_sqlite_pool(readers);
        Ok(Self::of(readers, one.clone(), one, Pool::Sqlite(writer)))
    }
}

/// Whether a connection turned out to be gone. What was just asked on it may have been done or not: a `BEGIN` comes to
/// the same, and a write has to bear being refused.
pub(crate) fn is_lost(cause: &DbErr) -> bool {
    !matches!(cause, DbErr::ConnectionAcquire(_)) && Fault::of(cause) == Some(Fault::Away)
}

fn connection(cause: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(cause.into()))
}

/// The address as it may be shown: the password of `scheme://user:password@host` replaced.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let Some((credentials, host)) = rest.rsplit_once('@') else { return address.to_owned() };
    let user = credentials.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{host}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use test_database::TestDatabase;

    use super::{Store, without_password};

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waits_to_write_keeps_no_page_from_being_read() {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database opens");
        let first = store.begin().await.expect("a transaction");
        let waiting: Vec<_> = (0..30)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.begin().await.map(drop) })
            })
            .collect();
        let read = async {
            for _ in 0..500 {
                store.ping().await.expect("it answers");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("a connection is left to read");
        drop(first);
        for waits in waiting {
            waits.await.expect("it ends").expect("its turn comes");
        }
    }

    #[tokio::test]
    async fn a_database_that_a_newer_version_has_changed_is_refused_and_left_as_it_is() {
        let database = TestDatabase::create().await;
        drop(Store::open(database.address()).await.expect("a new database opens"));
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9000_of_the_future', 0)";
        database.tamper(newer).await;
        let refused = Store::open(database.address()).await.err().expect("it is refused");
        let told = refused.to_string();
        assert!(told.contains("belongs to a newer Gatehouse") && told.contains("(m9000_of_the_future)"), "{told}");
        database.tamper("DELETE FROM seaql_migrations WHERE version = 'm9000_of_the_future'").await;
        Store::open(database.address()).await.expect("nothing was changed");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn processes_that_start_at_once_on_an_older_database_change_it_once() {
        let database = TestDatabase::create().await;
        if !database.is_postgres() {
            return;
        }
        drop(Store::open(database.address()).await.expect("a new database opens"));
        database.tamper("DROP TABLE duty").await;
        database.tamper("DELETE FROM seaql_migrations WHERE version = 'm0062_duty'").await;
        let open = || Store::open(database.address());
        let opened = tokio::join!(open(), open(), open(), open());
        for opened in [opened.0, opened.1, opened.2, opened.3] {
            opened.expect("each finds the tables as they must be");
        }
    }

    #[test]
    fn an_error_never_shows_the_password_of_the_database() {
        assert_eq!(without_password("postgres://gate:s3cr@t@db/gate"), "postgres://gate:***@db/gate");
        assert_eq!(without_password("sqlite:data/gatehouse.db"), "sqlite:data/gatehouse.db");
    }
}
