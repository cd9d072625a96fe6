//! The manners of the datacenter, told as stories. Each port keeps the same contract: same key, same object.

mod contract;
mod deeds;
mod faults;
mod file;
mod ports;
mod times;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use domain::first_boot::FirstBoot;
use domain::ports::datacenter::{DatacenterControls, Pace};
use domain::ports::machines::MachineOrder;

use super::Datacenter;
use crate::clock::ManualClock;

/// A datacenter in a folder of its own, which is swept when the test ends.
struct House {
    datacenter: Datacenter,
    clock: Arc<ManualClock>,
    file: PathBuf,
}

impl House {
    /// One where everything is done at once.
    async fn at_once() -> Self {
        Self::paced(0.0).await
    }

    /// One where answers come at once and work takes `work` times as long as usual.
    async fn paced(work: f64) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = format!("gatehouse-datacenter-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let file = std::env::temp_dir().join(folder).join("datacenter.jsonl");
        let clock = Arc::new(ManualClock::at(DateTime::<Utc>::UNIX_EPOCH));
        let datacenter = Datacenter::open(&file, clock.clone()).unwrap();
        datacenter.set_pace(Pace { answers: 0.0, work, operations: Vec::new() }).await.unwrap();
        Self { datacenter, clock, file }
    }

    /// The same file, opened as another process would.
    fn reopened(&self) -> Datacenter {
        Datacenter::open(&self.file, self.clock.clone()).unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(folder) = self.file.parent() {
            std::fs::remove_dir_all(folder).ok();
        }
    }
}

/// A small machine at the first address that the datacenter gives out.
fn small(name: &str) -> MachineOrder {
    let fqdn = format!("{name}.dc1.example.org");
    MachineOrder {
        name: name.to_owned(),
        fqdn: fqdn.clone(),
        address: [10, 20, 0, 1].into(),
        image: "debian-12".to_owned(),
        cpu: 2,
        memory_gb: 4,
        disk_gb: 20,
        first_boot: FirstBoot { fqdn, agent: None },
    }
}
