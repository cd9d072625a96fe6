//! What runs cost that wait: so many are brought to a wait of a year, and then nothing is done for a while.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use domain::action::Signature;
use domain::resource::Intent;
use domain::run::EventKind;
use engine::{Action, ActionError, Engine, Outcome, Record, Work};
use serde_json::{Value, json};
use store::Store;

use crate::{Failure, Load, apart, processor_ms};

/// How long nothing is done before and while it is measured.
const SETTLES: Duration = Duration::from_secs(75);
const MEASURED: Duration = Duration::from_secs(60);

/// Waits for a year.
pub struct Patience;

#[async_trait]
impl Action for Patience {
    fn signature(&self) -> Signature {
        let anything = json!({ "type": "object" });
        Signature {
            name: "bench.wait",
            title: "Wait",
            undo_title: "Leave as it is",
            summary: "Waits for a year.",
            input: anything.clone(),
            output: anything,
            provider: None,
            is_of_site: true,
        }
    }

    fn intend(&self, _: &Work) -> Result<Vec<Intent>, ActionError> {
        Ok(Vec::new())
    }

    async fn run(&self, work: &Work) -> Result<Outcome, ActionError> {
        let until = work.now + TimeDelta::days(365);
        Ok(Outcome::Wait { until, remember: Value::Null, why: "for people".to_owned() })
    }

    async fn undo(&self, _: &Work) -> Result<Outcome, ActionError> {
        Ok(Outcome::Done(Record::default()))
    }
}

/// Lets the runs of this load come to their wait, and says what they cost from then on.
pub async fn measure(engine: &Engine, store: &Store, load: &Arc<Load>) -> Result<(), Failure> {
    let mut events = engine.subscribe();
    let ordered = {
        let (engine, store, load) = (engine.clone(), store.clone(), Arc::clone(load));
        tokio::spawn(async move { apart::order(&engine, &store, &load, load.idle).await })
    };
    let mut waiting = 0;
    while waiting < load.idle {
        let event = events.recv().await?;
        waiting += usize::from(event.kind == EventKind::Step && event.line.starts_with("Waits"));
    }
    ordered.await??;
    tokio::time::sleep(SETTLES).await;
    let (processor, switches, reads) = (processor_ms()?, switches()?, store.reads());
    tokio::time::sleep(MEASURED).await;
    let seconds = MEASURED.as_secs_f64();
    let told = json!({
        "waiting": waiting,
        "wake_ups_per_second": (self::switches()? - switches) as f64 / seconds,
        "processor_percent": (processor_ms()? - processor) / seconds / 10.0,
        "statements_outside_transactions_per_second": (store.reads() - reads) as f64 / seconds,
        "memory_mb": status("/proc/self/status", "VmRSS:")? as f64 / 1024.0,
        "of_its_own_mb": status("/proc/self/status", "RssAnon:")? as f64 / 1024.0,
    });
    println!("{told}");
    Ok(())
}

/// How often a thread of this process has gone to sleep so far, and been woken for it.
fn switches() -> Result<u64, Failure> {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let status_of = thread?.path().join("status");
        sum += status(status_of.to_str().ok_or("an odd path")?, "voluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

fn status(path: &str, name: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}
