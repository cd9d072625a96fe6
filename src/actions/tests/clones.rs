//! A hypervisor that is at something of which nobody heard how it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::ports::machines::{Machine, MachineOrder, MachineState, Machines};
use domain::ports::provider_error::ProviderError;
use serde_json::json;

use super::stage::Stage;

/// A clone that a dead process began. It stands when it was asked for twice.
#[derive(Default)]
struct MidClone {
    asked: AtomicU32,
    destroyed: AtomicU32,
}

impl MidClone {
    fn stands(&self) -> bool {
        self.asked.load(Ordering::Relaxed) >= 2 && self.destroyed.load(Ordering::Relaxed) == 0
    }
}

#[async_trait]
impl Machines for MidClone {
    async fn create(&self, _key: &str, order: &MachineOrder) -> Result<Machine, ProviderError> {
        Err(ProviderError::transient(format!("The answer about {} was lost.", order.name), "It is asked again."))
    }

    async fn find(&self, key: &str) -> Result<Option<Machine>, ProviderError> {
        if !self.stands() {
            return Ok(None);
        }
        self.describe("vm-1").await.map(|machine| Some(Machine { key: key.to_owned(), ..machine }))
    }

    async fn describe(&self, id: &str) -> Result<Machine, ProviderError> {
        Ok(Machine {
            id: id.to_owned(),
            key: String::new(),
            name: "shop-1".to_owned(),
            fqdn: "shop-1.example.org".to_owned(),
            address: "10.20.0.9".to_owned(),
            image: "debian-12".to_owned(),
            cpu: 2,
            memory_gb: 4,
            disk_gb: 20,
            cluster: String::new(),
            host: "host-1".to_owned(),
            datastore: String::new(),
            folder: String::new(),
            snapshots: 0,
            state: MachineState::Stopped,
            ready_at: Default::default(),
        })
    }

    async fn list(&self) -> Result<Vec<Machine>, ProviderError> {
        Ok(Vec::new())
    }

    async fn is_coming(&self, _key: &str, name: &str) -> Result<bool, ProviderError> {
        assert_eq!(name, "shop-1");
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    async fn destroy(&self, _id: &str, _key: &str) -> Result<(), ProviderError> {
        self.destroyed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn taking_back_waits_for_a_clone_of_which_nobody_heard_and_leaves_nothing_of_it() {
    let mut stage = Stage::ready().await;
    let hypervisor = Arc::new(MidClone::default());
    stage.hypervisor = Some(hypervisor.clone());
    let name = stage.run("naming.reserve", "name", json!({ "pattern": "shop-{n}" })).await.unwrap();
    let size = json!({ "cpu": 2, "memory_gb": 4, "disk_gb": 20 });
    let input = json!({ "name": name["name"], "size": size, "image": "debian-12" });
    stage.run("machine.create", "node", input).await.unwrap_err();
    stage.undo("machine.create", "node").await.unwrap();
    assert_eq!(hypervisor.destroyed.load(Ordering::Relaxed), 1);
}
