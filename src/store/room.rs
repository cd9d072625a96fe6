//! Whether the database's disk has room. Nobody looks while all that is written is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};

use crate::{Fault, Store};

/// As much as an order with its plan takes, and more: a disk that is all but full still takes a few bytes.
const ENOUGH: usize = 64 * 1024;

/// Whether something was refused since room was last found.
#[derive(Clone, Default)]
pub(crate) struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// Something was refused; whatever it was.
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Raised by every statement of this connection that is refused.
    pub(crate) fn watch(&self, connection: &mut DatabaseConnection) {
        let doubt = self.clone();
        connection.set_metric_callback(move |statement| {
            if statement.failed {
                doubt.raise();
            }
        });
    }
}

impl Store {
    /// Whether what is written finds room on the disk: tried out, as long as there is a doubt.
    pub async fn has_room(&self) -> Result<bool, DbErr> {
        if !self.doubt.0.load(Ordering::Relaxed) {
            return Ok(true);
        }
        match self.try_room().await {
            Ok(()) => {
                self.doubt.0.store(false, Ordering::Relaxed);
                Ok(true)
            }
            Err(refused) if Fault::of(&refused) == Some(Fault::Full) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn try_room(&self) -> Result<(), DbErr> {
        let (writer, backend) = (self.writer(), self.writer().get_database_backend());
        let filling = [vec![0_u8; ENOUGH].into()];
        let taken = Statement::from_sql_and_values(backend, "INSERT INTO room (filling) VALUES ($1)", filling);
        writer.execute_raw(taken).await?;
        writer.execute_raw(Statement::from_string(backend, "DELETE FROM room")).await.map(drop)
    }
}
