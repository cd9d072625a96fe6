//! The outside systems that actions work on, put together from the providers that are configured.

use std::sync::Arc;

use actions::Systems;
use app::cmdb::BuiltIn;
use providers::simulated::Datacenter;
use store::Store;

/// The simulated datacenter in every part, with the built-in CMDB.
pub fn simulated(datacenter: &Datacenter, store: &Store) -> Systems {
    Systems::one(Arc::new(datacenter.clone()), vec![Arc::new(BuiltIn { store: store.clone() })])
}
