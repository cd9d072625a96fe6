//! Whether another process has written to the file of SQLite. PostgreSQL tells by itself; a file has to be looked at.

use std::path::PathBuf;
use std::time::SystemTime;

use sea_orm::sqlx::{self, SqlitePool};
use sea_orm::{DbErr, RuntimeErr};

/// What this process last saw of the file that others may write to as well.
pub struct Neighbour {
    /// The one connection that this process writes through.
    writer: SqlitePool,
    journal: PathBuf,
    /// Size and time of the journal.
    seen: Option<(u64, SystemTime)>,
    version: Option<i64>,
}

impl Neighbour {
    /// Looks at the file of this writer from now on.
    pub fn of(writer: &SqlitePool) -> Self {
        let mut journal = writer.connect_options().get_filename().as_os_str().to_owned();
        journal.push("-wal");
        Self { writer: writer.clone(), journal: journal.into(), seen: None, version: None }
    }

    /// Whether another process has written since this was asked last. It costs a statement only when somebody has
    /// written, this process included.
    pub async fn has_written(&mut self) -> Result<bool, DbErr> {
        let journal = std::fs::metadata(&self.journal).and_then(|it| Ok((it.len(), it.modified()?))).ok();
        if self.version.is_some() && journal == self.seen {
            return Ok(false);
        }
        // To the one connection that this process writes through, only what others commit is news.
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&self.writer)
            .await
            .map_err(|cause| DbErr::Query(RuntimeErr::SqlxError(cause.into())))?;
        self.seen = journal;
        Ok(self.version.replace(version) != Some(version))
    }
}

#[cfg(test)]
mod tests {
    use test_database::TestDatabase;

    use super::Neighbour;
    use crate::{Pool, Store};

    async fn write(store: &Store) {
        let tx = store.begin().await.expect("a transaction");
        let organisation = domain::organisation::Organisation {
            id: crate::fresh_id(),
            name: crate::fresh_id::<uuid::Uuid>().to_string(),
            title: "Northwind".to_owned(),
        };
        crate::organisation::insert(&tx, &organisation).await.expect("it is written");
        tx.commit().await.expect("it commits");
    }

    #[tokio::test]
    async fn what_another_process_writes_is_seen_and_what_this_one_writes_is_no_news() {
        let database = TestDatabase::create().await;
        let (ours, theirs) = (Store::open(database.address()).await, Store::open(database.address()).await);
        let (ours, theirs) = (ours.expect("it opens"), theirs.expect("it opens twice"));
        let Pool::Sqlite(writer) = ours.pool() else { return };
        let mut neighbour = Neighbour::of(writer);
        neighbour.has_written().await.expect("it answers");
        assert!(!neighbour.has_written().await.expect("it answers"));
        write(&ours).await;
        assert!(!neighbour.has_written().await.expect("it answers"), "it was this process");
        for _ in 0..3 {
            write(&theirs).await;
            assert!(neighbour.has_written().await.expect("it answers"));
            assert!(!neighbour.has_written().await.expect("it answers"), "it is told once");
        }
    }
}
