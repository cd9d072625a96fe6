//! Orders and work in processes of their own, as the portal and its workers may be.

use engine::{Engine, NewRun};
use store::Store;
use tokio::task::JoinSet;

use crate::{Failure, Load};

/// Orders so many runs, which a worker of any process carries.
pub async fn order(engine: &Engine, store: &Store, load: &Load, runs: usize) -> Result<(), Failure> {
    let mut lanes = JoinSet::new();
    for lane in 0..load.in_flight {
        let (engine, store, new) = (engine.clone(), store.clone(), load.run());
        let share = (lane..runs).step_by(load.in_flight).count();
        lanes.spawn(async move {
            for _ in 0..share {
                let tx = store.begin_step().await?;
                let new = NewRun { deployment: store::fresh_id(), ..new.clone() };
                let run = engine.enqueue(&tx, new).await.map_err(|trouble| trouble.what)?;
                tx.commit().await?;
                engine.wake(run);
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    Ok(())
}

/// Says that the worker is up, and comes back when whoever started this process closes its standard input.
pub async fn until_told() -> Result<(), Failure> {
    println!("works");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}
