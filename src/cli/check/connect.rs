//! `gatehouse check --connect`: whether the systems of every site are there, and what orders need of them. It signs in,
//! reads, and changes nothing.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::clock::Clock;
use domain::ports::survey::{Line, Standing};
use futures::future::join_all;
use providers::clock::SystemClock;

use super::counted;
use crate::cli::{Failure, complain, print, table};
use crate::settings::Settings;
use crate::systems::{self, Surveyed};
use crate::{boot, sealing};

/// A system that has told nothing by then is not there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints a table by site and system; fails when something is missing.
pub async fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = boot::open_store(&settings.database).await?;
    let sealing = sealing::key(settings, &store).await?;
    let surveys = systems::open(settings, &store, &clock, &sealing)?.surveys;
    if surveys.is_empty() {
        say!("There is nothing to connect to: all is simulated. `[sites.…]` in the settings names real systems.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines = join_all(surveys.iter().map(|system| lines_of(system, clock.now()))).await;
    let found: Vec<(&Surveyed, &Line)> =
        surveys.iter().zip(&lines).flat_map(|(system, lines)| lines.iter().map(move |line| (system, line))).collect();
    let mut text = String::new();
    table(&mut text, &["Site", "System", "What", "", "Found"], found.iter().map(row).collect())?;
    print(&text)?;
    let missing = found.iter().filter(|(_, line)| line.standing == Standing::Missing).count();
    if missing == 0 {
        say!("\nEverything that orders need is there.")?;
        return Ok(ExitCode::SUCCESS);
    }
    complain(&format!("{} missing.", counted(missing, "thing is", "things are")));
    Ok(ExitCode::FAILURE)
}

/// What a system says of itself; of one that can't be reached, why.
async fn lines_of(system: &Surveyed, now: DateTime<Utc>) -> Vec<Line> {
    match tokio::time::timeout(PATIENCE, system.survey.survey(now)).await {
        Ok(Ok(lines)) => lines,
        Ok(Err(error)) => vec![Line::missing("connection", error.to_string())],
        Err(_) => {
            vec![Line::missing("connection", format!("It told nothing within {} s.", PATIENCE.as_secs()))]
        }
    }
}

fn row((system, line): &(&Surveyed, &Line)) -> Vec<String> {
    let standing = match line.standing {
        Standing::There => "there",
        Standing::Missing => "MISSING",
    };
    let cells = [&system.site, system.system, &line.what, standing, &line.told];
    cells.into_iter().map(|cell| cell.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use domain::ports::provider_error::ProviderError;
    use domain::ports::survey::Survey;

    use super::*;

    /// A system that says this of itself.
    struct Says(Result<Vec<Line>, ProviderError>);

    #[async_trait]
    impl Survey for Says {
        async fn survey(&self, _now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
            self.0.clone()
        }
    }

    fn system(says: Result<Vec<Line>, ProviderError>) -> Surveyed {
        Surveyed { site: "dc1".to_owned(), system: "vsphere", survey: Arc::new(Says(says)) }
    }

    #[tokio::test]
    async fn a_system_that_lets_nobody_in_is_one_thing_that_is_missing() {
        let refused = ProviderError::refused("vCenter refused the password.", "Correct it.");
        let lines = lines_of(&system(Err(refused)), DateTime::UNIX_EPOCH).await;
        assert_eq!(lines, [Line::missing("connection", "vCenter refused the password. Correct it.")]);
    }

    #[tokio::test]
    async fn each_thing_is_a_row_of_its_own_on_one_line() {
        let system = system(Ok(vec![Line::there("template debian-12", "two\nlines")]));
        let lines = lines_of(&system, DateTime::UNIX_EPOCH).await;
        assert_eq!(row(&(&system, &lines[0])), ["dc1", "vsphere", "template debian-12", "there", "two lines"]);
    }
}
