//! `gatehouse migrate`: the tables, without serving anybody.

use super::Failure;
use crate::boot::open_store;
use crate::settings::Settings;

/// Brings the tables up to date.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    open_store(&settings.database).await?;
    say!("The database's tables are up to date.")
}
