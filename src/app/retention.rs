//! What is over is kept for as long as the settings say, and then forgotten, a little at a time. The audit log, requests,
//! runs with their steps, and the ledger are kept for ever.

use chrono::TimeDelta;
use domain::trouble::Trouble;

use crate::{App, database};

/// Runs or mails that are forgotten in one transaction, so that nobody waits long for it.
const AT_ONCE: u64 = 50;
/// Transactions of each kind in one call; the rest comes with the next.
const TURNS: usize = 200;

/// How long what is over is kept; none: for ever.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// What happened to a run, once the run has ended.
    pub run_events: Option<TimeDelta>,
    /// Mails that are sent, given up, or kept to be read here.
    pub mails: Option<TimeDelta>,
}

/// Forgets what was kept for long enough.
pub async fn forget(app: &App, retention: Retention) -> Result<(), Trouble> {
    if let Some(kept) = retention.run_events {
        forget_run_events(app, kept).await?;
    }
    if let Some(kept) = retention.mails {
        forget_mails(app, kept).await?;
    }
    Ok(())
}

async fn forget_run_events(app: &App, kept: TimeDelta) -> Result<(), Trouble> {
    for _ in 0..TURNS {
        let now = app.clock.now();
        let tx = app.store.begin_step().await.map_err(database)?;
        let runs = store::run_event::forget(&tx, now - kept, now, AT_ONCE).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        if runs < AT_ONCE {
            break;
        }
    }
    Ok(())
}

async fn forget_mails(app: &App, kept: TimeDelta) -> Result<(), Trouble> {
    for _ in 0..TURNS {
        let tx = app.store.begin_step().await.map_err(database)?;
        let mails = store::mail::forget(&tx, app.clock.now() - kept, AT_ONCE).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        if mails < AT_ONCE {
            break;
        }
    }
    Ok(())
}
