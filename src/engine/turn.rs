//! Bounds on how many runs of a blueprint are at work side by side, whichever workers carry them. Who would be one too
//! many is held up and costs nothing; when a run is let go, the next one is let in, and the projects take turns.

use domain::ids::RunId;
use store::{DbErr, Tx};

use crate::Engine;

impl Engine {
    /// Holds a run up that would be one too many of its blueprint.
    pub(crate) async fn hold_up(&self, tx: &Tx, run: RunId) -> Result<bool, DbErr> {
        let bounds = &self.0.settings.bounds.blueprints;
        if bounds.is_empty() {
            return Ok(false);
        }
        store::turn::hold_up(tx, run, bounds, self.0.clock.now()).await
    }

    /// Lets in what may be driven now of those that are held up.
    pub(crate) async fn let_in(&self) -> Result<(), DbErr> {
        for (blueprint, bound) in &self.0.settings.bounds.blueprints {
            if !store::turn::is_awaited(&self.0.store, blueprint).await? {
                continue;
            }
            let tx = self.0.store.begin_step().await?;
            let let_in = store::turn::let_in(&tx, blueprint, *bound, self.0.clock.now()).await?;
            tx.commit().await?;
            if let_in {
                self.0.rested.notify_one();
            }
        }
        Ok(())
    }
}
