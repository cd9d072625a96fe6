//! `gatehouse demo`: everything in one process and one folder, nothing to set up.

mod lab;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use lab::Lab;
use providers::clock::SystemClock;

use super::{Failure, complain, stop};
use crate::boot::{self, House, Process};
use crate::settings::{Secret, Settings};

#[derive(Args)]
pub struct Arguments {
    /// The folder the demo keeps its data in [default: gatehouse-data, or demo in the lab's folder]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Build on the real systems of the lab that `tests/live/up FOLDER` started, instead of a simulated datacenter
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["reset", "sample_deployments"])]
    lab: Option<PathBuf>,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Forget everything that was done in this folder's demo before
    #[arg(long)]
    reset: bool,
    /// Add this many sample deployments, ten CIs each, for measurements; they exist in no datacenter
    #[arg(long, value_name = "NUMBER")]
    sample_deployments: Option<u32>,
}

/// Serves the demo until the process is asked to stop; the next start goes on with the same data.
pub async fn run(settings: Settings, arguments: Arguments) -> Result<(), Failure> {
    let data = arguments.data();
    let mut settings = for_demo(settings, arguments.port, &data);
    let lab = arguments.lab.as_deref().map(Lab::read).transpose()?;
    if let Some(lab) = &lab {
        settings.sites = lab.sites(&data)?;
    }
    if arguments.reset {
        reset(&data)?;
    }
    let listener = boot::listen(&settings.server)?;
    let url = settings.server.url(listener.local_addr()?.port());
    let _announced = lab.map(|lab| lab.announce(&settings.sites, &url)).transpose()?;
    let house = House::open(&settings, Arc::new(SystemClock), url.clone(), true).await?;
    house.publish().await?;
    app::demo::people(&house.app).await?;
    if let Some(number) = arguments.sample_deployments {
        app::sample::fill(&house.app, number, |done| complain(&format!("{done} of {number} sample deployments")))
            .await?;
    }
    let stop = stop::asked();
    introduce(&url)?;
    Process { portal: Some(listener), worker: true }.run(house, &settings.server, stop).await?;
    Ok(())
}

/// Says who is there to be played, then where; whoever waits for the address has read the rest by then.
fn introduce(url: &str) -> Result<(), Failure> {
    say!("The people of the demo, and what they sign in with:")?;
    say!("")?;
    for person in app::demo::PEOPLE {
        say!("  {:<18} {:<52} {:<20} {}", person.name, person.part, person.email, person.password)?;
    }
    say!("\nGatehouse's demo is open at {url}")
}

impl Arguments {
    /// The folder of the demo's data.
    fn data(&self) -> PathBuf {
        let usual = || self.lab.as_ref().map_or_else(|| PathBuf::from("gatehouse-data"), |lab| lab.join("demo"));
        self.data.clone().unwrap_or_else(usual)
    }
}

/// The settings with everything that reaches outside turned to the demo's own folder.
fn for_demo(mut settings: Settings, port: u16, data: &Path) -> Settings {
    settings.server.port = port;
    settings.server.public_url = String::new();
    settings.database.url = Secret::from(format!("sqlite:{}", data.join("gatehouse.db").display()).as_str());
    settings.database.url_file = None;
    settings.datacenter.file = data.join("datacenter.json");
    settings.secrets.key_file = None;
    settings.mail.host = String::new();
    settings.sites.retain(|_, site| site.simulated.is_some());
    settings
}

/// Removes the demo's own files, and nothing else that may stand in the folder.
fn reset(folder: &Path) -> Result<(), Failure> {
    for name in ["gatehouse.db", "gatehouse.db-wal", "gatehouse.db-shm", "secrets.key", "datacenter.json"] {
        let file = folder.join(name);
        if file.exists() {
            fs::remove_file(&file).map_err(|cause| format!("`{}` can't be removed: {cause}", file.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Datacenter, Docker, Site};

    #[test]
    fn nothing_that_the_settings_name_is_reached_from_a_demo() {
        let simulated = Site { simulated: Some(Datacenter { file: "dc1.json".into() }), ..Site::default() };
        let real = Site { docker: Some(Docker::default()), ..Site::default() };
        let sites = [("dc1".to_owned(), simulated), ("dc2".to_owned(), real)].into();
        let mut settings = Settings { sites, ..Settings::default() };
        settings.mail.host = "mail.example.org".to_owned();
        let demo = for_demo(settings, 8080, Path::new("data"));
        assert_eq!(demo.sites.keys().collect::<Vec<_>>(), ["dc1"]);
        assert!(demo.mail.host.is_empty() && demo.database.url.expose() == "sqlite:data/gatehouse.db");
    }
}
