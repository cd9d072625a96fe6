//! The audit log: each use case puts on record what it did, in the transaction in which it did it.

use domain::audit::{Broken, Head, Note, Verifier};
use domain::trouble::Trouble;
use store::Tx;

use crate::{App, database};

/// How many rows are read at once while the chain is walked.
const STRIDE: u64 = 2_000;

/// Puts something on record; it stands or falls with the rest of the transaction.
pub async fn note(app: &App, tx: &Tx, note: Note) -> Result<(), Trouble> {
    store::audit::append(tx, note, app.clock.now()).await.map_err(database)
}

/// Walks the whole chain with flat memory: its end when it is whole, else the first row that gives it away.
pub async fn verify(app: &App) -> Result<Result<Head, Broken>, Trouble> {
    // The head first: rows written while we walk only make the chain longer than the head says.
    let head = store::audit::head(&app.store).await.map_err(database)?;
    let mut verifier = Verifier::default();
    let mut number = 0;
    while number < head.rows {
        let rows = store::audit::after(&app.store, number, STRIDE).await.map_err(database)?;
        let within = rows.iter().take_while(|entry| entry.number <= head.rows);
        let mut any = false;
        for entry in within {
            if let Err(broken) = verifier.next(entry) {
                return Ok(Err(broken));
            }
            (number, any) = (entry.number, true);
        }
        if !any {
            break;
        }
    }
    Ok(verifier.finish(&head))
}
