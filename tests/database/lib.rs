//! A database of its own for each test: a SQLite file, or, where `GATEHOUSE_TEST_POSTGRES` names a server, a database
//! on that PostgreSQL. The same tests run on both stores, and leave nothing behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use migrations::Migrator;
use sea_orm::sqlx::{self, Row, SqlitePool};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use sea_orm_migration::MigratorTrait;

/// Names a PostgreSQL server and a database on it that may make others: `postgres://user@host/postgres`.
pub const SERVER: &str = "GATEHOUSE_TEST_POSTGRES";
/// Tests that come at the same time make the template one after the other.
const TEMPLATE_LOCK: i64 = 0x6761_7465;

/// An empty database with every table; gone when it is dropped.
pub struct TestDatabase {
    address: String,
    home: Home,
}

enum Home {
    File(PathBuf),
    Server { address: String, name: String },
}

impl TestDatabase {
    /// Makes one on the store that this test run is for.
    ///
    /// # Panics
    /// When the server can't be reached or refuses: no test could go on.
    pub async fn create() -> Self {
        match std::env::var(SERVER) {
            Ok(server) => Self::on(server).await,
            Err(_) => Self::in_folder(&std::env::temp_dir()),
        }
    }

    /// Makes a SQLite file in this folder, whichever store the test run is for.
    pub fn in_folder(folder: &Path) -> Self {
        let file = folder.join(fresh_name()).with_extension("db");
        Self { address: format!("sqlite:{}", file.display()), home: Home::File(file) }
    }

    /// Makes one on this PostgreSQL server, whichever store the test run is for.
    ///
    /// # Panics
    /// When the server can't be reached or refuses: no test could go on.
    pub async fn on(server: String) -> Self {
        Self::on_server(server, fresh_name()).await.expect("the PostgreSQL of the tests makes a database")
    }

    /// What `database.url` says for it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Changes rows as somebody might who has no business in the tables.
    ///
    /// # Panics
    /// When the database refuses the statement.
    pub async fn tamper(&self, statement: &str) {
        let hand = connect(&self.address).await.expect("the database of the test opens");
        hand.execute_unprepared(statement).await.unwrap_or_else(|cause| panic!("{statement}: {cause}"));
        hand.close().await.expect("it closes");
    }

    /// Whether it takes a write within a second: nobody keeps it to himself.
    pub async fn takes_writes(&self) -> bool {
        let written = async {
            let hand = connect(&self.address).await.expect("the database of the test opens");
            let written = hand.execute_unprepared("UPDATE run SET wake_at = wake_at").await;
            hand.close().await.expect("it closes");
            written.is_ok()
        };
        tokio::time::timeout(Duration::from_secs(1), written).await.unwrap_or(false)
    }

    /// Leaves a SQLite file no room, as a full disk does, until one that meets it makes its connection anew.
    ///
    /// # Panics
    /// When the database refuses something else.
    pub async fn fill(connections: &SqlitePool) {
        let asked = "CREATE TABLE IF NOT EXISTS filler (filling BLOB); PRAGMA page_count";
        // The bound is the connection's own.
        let mut one = connections.acquire().await.expect("nobody keeps the writer");
        let row = sqlx::raw_sql(asked).fetch_one(&mut *one).await.expect("its pages are counted");
        let pages: i64 = row.get(0);
        let bounded = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(bounded).execute(&mut *one).await.expect("it is bounded");
        let refused = loop {
            let filling = sqlx::raw_sql("INSERT INTO filler VALUES (zeroblob(3000))").execute(&mut *one).await;
            if let Err(refused) = filling {
                break refused;
            }
        };
        assert!(refused.to_string().contains("full"), "{refused}");
    }

    /// Leaves a SQLite file no room for anything, whoever writes, until [`Self::make_room`].
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn keep_full(&self) {
        // A table whose numbers have come to their end refuses a row with the very error of a full disk.
        self.tamper("DROP TABLE IF EXISTS brim").await;
        self.tamper("CREATE TABLE brim (number INTEGER PRIMARY KEY AUTOINCREMENT)").await;
        self.tamper(&format!("INSERT INTO brim VALUES ({})", i64::MAX)).await;
        for table in self.tables().await {
            for change in ["INSERT", "UPDATE"] {
                let refused = "BEGIN INSERT INTO brim VALUES (NULL); END";
                self.tamper(&format!("CREATE TRIGGER full_{change}_{table} BEFORE {change} ON {table} {refused}"))
                    .await;
            }
        }
    }

    /// The disk has room again.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn make_room(&self) {
        for table in self.tables().await {
            for change in ["INSERT", "UPDATE"] {
                self.tamper(&format!("DROP TRIGGER full_{change}_{table}")).await;
            }
        }
    }

    /// The tables that are written to.
    async fn tables(&self) -> Vec<String> {
        let hand = connect(&self.address).await.expect("the database of the test opens");
        let asked =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'brim'";
        let rows = hand.query_all_raw(sea_orm::Statement::from_string(hand.get_database_backend(), asked)).await;
        let rows = rows.expect("its tables are named");
        hand.close().await.expect("it closes");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a name")).collect()
    }

    /// What SQLite finds wrong with the file; `ok` when nothing is.
    ///
    /// # Panics
    /// When it can't be read at all.
    pub async fn integrity(connections: &SqlitePool) -> String {
        sqlx::raw_sql("PRAGMA integrity_check").fetch_one(connections).await.expect("it can be read").get(0)
    }

    /// Whether it is on a PostgreSQL server.
    pub fn is_postgres(&self) -> bool {
        matches!(self.home, Home::Server { .. })
    }

    async fn on_server(server: String, name: String) -> Result<Self, DbErr> {
        let admin = connect(&server).await?;
        let template = template(&server, &admin).await?;
        admin.execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        admin.close().await?;
        Ok(Self { address: named(&server, &name), home: Home::Server { address: server, name } })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match &self.home {
            Home::File(file) => {
                for ending in ["", "-wal", "-shm"] {
                    // What can't be removed stays in the folder for temporary files.
                    let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
                }
            }
            Home::Server { address, name } => {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                let address = address.clone();
                // The test's own runtime is ending, so the server is told from another.
                let told = std::thread::spawn(move || tell(&address, &drop)).join();
                if !matches!(told, Ok(Ok(()))) {
                    eprintln!("the database {name} stays on the PostgreSQL of the tests");
                }
            }
        }
    }
}

fn fresh_name() -> String {
    format!("gatehouse_test_{}", uuid::Uuid::now_v7().simple())
}

fn tell(address: &str, statement: &str) -> Result<(), DbErr> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| DbErr::Custom(cause.to_string()))?;
    runtime.block_on(async {
        let admin = connect(address).await?;
        admin.execute_unprepared(statement).await?;
        admin.close().await
    })
}

async fn connect(address: &str) -> Result<DatabaseConnection, DbErr> {
    Database::connect(ConnectOptions::new(address).max_connections(1).sqlx_logging(false).to_owned()).await
}

/// A database with all tables, made once for each set of migrations: copying it is faster than making them anew.
async fn template(server: &str, admin: &DatabaseConnection) -> Result<String, DbErr> {
    let newest = Migrator::migrations().last().map(|migration| migration.name().to_owned()).unwrap_or_default();
    let name = format!("gatehouse_template_{}", newest.replace(|sign: char| !sign.is_ascii_alphanumeric(), "_"));
    admin.execute_unprepared(&format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await?;
    let there = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    let statement = sea_orm::Statement::from_string(admin.get_database_backend(), there);
    if admin.query_one_raw(statement).await?.is_none() {
        let draft = format!("{name}_draft");
        admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {draft}")).await?;
        admin.execute_unprepared(&format!("CREATE DATABASE {draft}")).await?;
        let database = connect(&named(server, &draft)).await?;
        Migrator::up(&database, None).await?;
        database.close().await?;
        admin.execute_unprepared(&format!("ALTER DATABASE {draft} RENAME TO {name}")).await?;
    }
    admin.execute_unprepared(&format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await?;
    Ok(name)
}

/// The address of another database on the same server.
fn named(server: &str, name: &str) -> String {
    let (path, options) = server.split_once('?').map_or((server, None), |(path, options)| (path, Some(options)));
    let server = path.rsplit_once('/').map_or(path, |(server, _)| server);
    match options {
        Some(options) => format!("{server}/{name}?{options}"),
        None => format!("{server}/{name}"),
    }
}
