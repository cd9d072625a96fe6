//! The duties of the house: sending mails, reminding approvers, ending leases, following machines and containers. One process at a
//! time does them. It holds a lease by the database's clock and a token that only grows; every transaction of a duty
//! asks for the token, so that a process that was silent for too long and goes on changes nothing any more.

use chrono::TimeDelta;
use domain::trouble::Trouble;
pub use store::duty::Duty;
use store::duty::{Token, Work};

use crate::{App, database};

/// A process that does the duties. Whoever drops it without [`OnDuty::lay_down`] holds them until the lease is over.
pub struct OnDuty {
    app: App,
    token: Token,
    lease: TimeDelta,
}

/// Takes the duties up for a process of this name, unless another one does them.
pub async fn take_up(app: &App, process: &str, lease: TimeDelta) -> Result<Option<OnDuty>, Trouble> {
    // Looked at first, so that those who wait write nothing.
    let duty = store::duty::find(&app.store, Work::House).await.map_err(database)?;
    if !duty.is_over {
        return Ok(None);
    }
    let tx = app.store.begin_step().await.map_err(database)?;
    let token = store::duty::take(&tx, Work::House, process, lease).await.map_err(database)?;
    tx.commit().await.map_err(database)?;
    let on_duty = |token| OnDuty { app: App { store: app.store.fenced(token), ..app.clone() }, token, lease };
    Ok(token.map(on_duty))
}

impl OnDuty {
    /// The use cases as long as the duties are held; then each of them fails before it writes anything.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Shows that the process lives. False when another one has taken the duties over.
    pub async fn stay(&self) -> Result<bool, Trouble> {
        let tx = self.app.store.unfenced().begin_step().await.map_err(database)?;
        let stays = store::duty::renew(&tx, self.token, self.lease).await.map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(stays)
    }

    /// Whether another process has taken the duties over.
    pub async fn is_over(&self) -> Result<bool, Trouble> {
        store::duty::is_held(&self.app.store, self.token).await.map(|held| !held).map_err(database)
    }

    /// Lays the duties down, so that another process takes them up at once.
    pub async fn lay_down(self) -> Result<(), Trouble> {
        let tx = self.app.store.unfenced().begin_step().await.map_err(database)?;
        store::duty::lay_down(&tx, self.token).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }
}
