//! What commits together, and what may be read where.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use crate::Store;
use crate::room::Doubt;
use crate::sql::Sql;

/// Something that rows can be read from: the [`Store`] itself, a [`Tx`] that sees its own writes, or a [`Snapshot`].
pub trait Reads: sealed::Connection {}

impl Reads for Store {}
impl Reads for Tx {}
impl Reads for Snapshot {}

/// What the database held at one instant.
pub struct Snapshot(pub(crate) DatabaseTransaction);

/// An open write transaction. Dropping it rolls back.
pub struct Tx(pub(crate) DatabaseTransaction, pub(crate) Arc<AtomicU64>, pub(crate) Doubt);

impl Tx {
    /// Makes everything written so far durable, at once.
    pub async fn commit(self) -> Result<(), DbErr> {
        test_boundary::pass("before a commit");
        self.0.commit().await.inspect_err(|_| self.2.raise())?;
        test_boundary::pass("after a commit");
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Takes everything back that was written, before anybody else goes on; whoever only drops it does so some time
    /// after.
    pub async fn roll_back(self) -> Result<(), DbErr> {
        self.0.rollback().await
    }
}

impl Tx {
    /// Nobody else who asks for this lock goes on before the transaction ends. SQLite has one writer, so that nobody
    /// else is there.
    pub(crate) async fn lock(&self, what: &str) -> Result<(), DbErr> {
        if self.0.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let mut sql = Sql::default();
        let name = sql.bind(what);
        sql.text = format!("SELECT pg_advisory_xact_lock(hashtextextended({name}, 0))");
        sql.execute(self).await.map(drop)
    }
}

pub(crate) mod sealed {
    use super::{ConnectionTrait, DatabaseTransaction, Snapshot, Store, Tx};

    /// How this room reaches the database behind a [`super::Reads`]; other rooms can't name it.
    pub trait Connection: Sync {
        type Db: ConnectionTrait;

        fn db(&self) -> &Self::Db;
    }

    impl Connection for Store {
        type Db = sea_orm::DatabaseConnection;

        fn db(&self) -> &Self::Db {
            self.readers()
        }
    }

    impl Connection for Snapshot {
        type Db = DatabaseTransaction;

        fn db(&self) -> &Self::Db {
            &self.0
        }
    }

    impl Connection for Tx {
        type Db = DatabaseTransaction;

        fn db(&self) -> &Self::Db {
            &self.0
        }
    }
}
