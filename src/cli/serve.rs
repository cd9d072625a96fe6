//! `gatehouse serve`: the portal in production.

use std::sync::Arc;

use clap::Args;
use providers::clock::SystemClock;

use super::{Failure, stop};
use crate::boot::{self, House, Process};
use crate::settings::Settings;

#[derive(Args)]
pub struct Arguments {
    /// The port to listen on, over what the settings say; 0 takes a free one
    #[arg(long)]
    port: Option<u16>,
    /// Only serve people; runs are driven by `gatehouse worker` processes
    #[arg(long)]
    no_worker: bool,
}

/// Serves until the process is asked to stop.
pub async fn run(mut settings: Settings, arguments: &Arguments) -> Result<(), Failure> {
    settings.server.port = arguments.port.unwrap_or(settings.server.port);
    let listener = boot::listen(&settings.server)?;
    let url = settings.server.url(listener.local_addr()?.port());
    let house = House::open(&settings, Arc::new(SystemClock), url.clone(), false).await?;
    house.publish().await?;
    let stop = stop::asked();
    say!("Gatehouse is open at {url}")?;
    let process = Process { portal: Some(listener), worker: !arguments.no_worker };
    process.run(house, &settings.server, stop).await?;
    Ok(())
}
