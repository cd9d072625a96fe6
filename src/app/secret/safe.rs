//! The safe of steps, in our own database: what they have made is sealed before it is written.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ports::clock::Clock;
use domain::ports::provider_error::ProviderError;
use domain::ports::secrets::{SecretOrder, Secrets};
use domain::secret::{Handover, SecretText};
use store::{DbErr, Store};

use super::SealingKey;

/// The safe in our own database.
pub struct Safe {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub sealing: SealingKey,
}

#[async_trait]
impl Secrets for Safe {
    async fn generate(&self, order: &SecretOrder) -> Result<Handover, ProviderError> {
        let id = store::fresh_id();
        let sealed = self.sealing.seal(id, &SecretText::generate(rand::random::<u8>)).map_err(|_| unsealed(order))?;
        let tx = self.store.begin().await.map_err(silent)?;
        store::secret::insert(&tx, id, order, sealed, self.clock.now()).await.map_err(silent)?;
        let kept = store::secret::by_key(&tx, &order.key).await.map_err(silent)?;
        tx.commit().await.map_err(silent)?;
        kept.ok_or_else(|| unsealed(order))
    }

    async fn forget(&self, key: &str) -> Result<(), ProviderError> {
        let tx = self.store.begin().await.map_err(silent)?;
        store::secret::forget(&tx, key).await.map_err(silent)?;
        tx.commit().await.map_err(silent)
    }
}

fn silent(cause: DbErr) -> ProviderError {
    ProviderError::transient(format!("Gatehouse's own safe did not answer: {cause}."), "It is asked again in a moment.")
}

fn unsealed(order: &SecretOrder) -> ProviderError {
    ProviderError::permanent(
        format!("{} could not be sealed, so it was not kept.", order.name),
        "Check `secrets.key_file` in the settings, then retry the step.",
    )
}
