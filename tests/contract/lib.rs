//! What every implementation of a port must do alike, the simulated datacenter's and the real systems': the same key
//! means the same object, what carries another key is not touched, and what is gone can be removed again.
//!
//! A contract is told with objects of its own names and keys, so that it can be told twice at once, and takes away what
//! it made. What a system needs to know of the objects (an image that it has, an address that is free) comes as orders.

// All of it is tests: what fails here fails them.
#![allow(clippy::unwrap_used)]

mod balancer;
mod configuration;
mod machines;
mod names;
mod spaces;

use std::fmt::Debug;
use std::time::Duration;

use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use uuid::Uuid;

pub use balancer::balancer;
pub use configuration::configuration;
pub use machines::machines;
pub use names::names;
pub use spaces::spaces;

/// How long something may take to come about, and how long to wait between two looks: a port tells nobody by itself.
const PATIENCE: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A key that nobody else has, and a word that makes names unique.
struct Own {
    word: String,
}

impl Own {
    fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Self { word: id[..8].to_owned() }
    }

    fn key(&self, what: &str) -> String {
        format!("contract-{}-{what}", self.word)
    }

    fn name(&self, what: &str) -> String {
        format!("{what}-{}", self.word)
    }
}

/// Looks until there is something to see.
async fn seen<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>, ProviderError>) -> T {
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            match look().await {
                Ok(Some(found)) => return found,
                Ok(None) => tokio::time::sleep(BETWEEN_LOOKS).await,
                Err(error) => panic!("{what}: {error}"),
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("{what}: not within {} s", PATIENCE.as_secs()))
}

/// The outcome is a "no" of this kind, in words that a person can use.
#[track_caller]
fn denied<T: Debug>(outcome: Result<T, ProviderError>, kind: ProviderErrorKind, when: &str) {
    let error = outcome.expect_err(when);
    assert_eq!(error.kind, kind, "{when}: {error}");
    for sentence in [&error.what, &error.next] {
        assert!(sentence.ends_with('.') && sentence.len() > 10, "{when} is told in whole sentences: {error}");
    }
}
