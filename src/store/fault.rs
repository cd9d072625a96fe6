//! What is wrong with a database that does not do what it is asked, where somebody can do something about it.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// A fault of the database, not of what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its server does not answer, or ended the session.
    Away,
    /// Its disk has no room left.
    Full,
}

impl Fault {
    /// The fault of which a failure speaks, if it speaks of one.
    pub fn of(failure: &DbErr) -> Option<Self> {
        match failure {
            DbErr::ConnectionAcquire(_) => Some(Self::Away),
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::said(cause),
            _ => None,
        }
    }

    /// Whether the same may well succeed the next time: a fault, or a collision with what others do.
    pub fn passes(failure: &DbErr) -> bool {
        let collided = match failure {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause.as_database_error().and_then(|said| said.code()),
            _ => None,
        };
        // PostgreSQL's transaction_rollback, a deadlock among them, and invalid_transaction_state.
        collided.is_some_and(|code| code.starts_with("40") || code.starts_with("25")) || Self::of(failure).is_some()
    }

    fn said(cause: &SqlxError) -> Option<Self> {
        match cause {
            SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => {
                Some(Self::Away)
            }
            SqlxError::Database(said) => match said.code().as_deref() {
                // SQLITE_FULL; PostgreSQL's disk_full.
                Some("13" | "53100") => Some(Self::Full),
                // PostgreSQL has no place left, or stops, died, starts, or ended the session:
                // <https://www.postgresql.org/docs/current/errcodes-appendix.html>
                Some("53300") => Some(Self::Away),
                Some(code) if code.starts_with("57P") => Some(Self::Away),
                _ => None,
            },
            _ => None,
        }
    }
}
