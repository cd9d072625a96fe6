//! `gatehouse worker`: drives runs and keeps the duties, serves nobody.

use std::sync::Arc;

use clap::Args;
use providers::clock::SystemClock;

use super::{Failure, stop};
use crate::boot::{House, Process};
use crate::settings::Settings;

#[derive(Args)]
pub struct Arguments {
    /// Runs driven side by side, over what the settings say
    #[arg(long, value_name = "RUNS", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
}

/// Works until the process is asked to stop.
pub async fn run(mut settings: Settings, arguments: &Arguments) -> Result<(), Failure> {
    settings.worker.concurrency = arguments.concurrency.map_or(settings.worker.concurrency, usize::from);
    let url = settings.server.url(settings.server.port);
    let house = House::open(&settings, Arc::new(SystemClock), url, false).await?;
    house.publish().await?;
    say!("This worker drives up to {} runs.", settings.worker.concurrency)?;
    Process { portal: None, worker: true }.run(house, &settings.server, stop::asked()).await?;
    Ok(())
}
