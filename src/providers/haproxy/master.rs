//! The master process: reloads the configuration without losing a connection, and knows the workers
//! (<https://docs.haproxy.org/2.6/management.html#9.4>).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::ports::provider_error::ProviderError;
use tokio::time::{Instant, sleep};

use super::client::Socket;
use super::runtime;
use super::word::PoolName;

/// A reload is done sooner.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until the master is asked again: while it starts anew, its socket lets nobody in.
const PAUSE: Duration = Duration::from_millis(50);

/// The processes of HAProxy.
#[derive(Debug, Default, PartialEq)]
struct Processes {
    /// Reloads that failed since the last one that did not.
    failed: u64,
    workers: BTreeSet<u64>,
    /// Those that only end their last connections.
    former: BTreeSet<u64>,
}

/// Has the configuration read anew, and waits until workers serve by it.
///
/// When they can't, the former workers stay. But HAProxy 2.6 leaves their listeners paused when a new worker found an
/// address on which it can't listen (measured), so whoever broke the configuration must mend it and reload at once.
pub(super) async fn reload(master: &Socket) -> Result<(), ProviderError> {
    let deadline = Instant::now() + PATIENCE;
    let before = patiently(master, deadline).await?;
    let said = master.ask("reload").await?;
    // From 2.7 on, the master says itself what came of it.
    if said.contains("Success=0") {
        return Err(refused(&said));
    }
    while Instant::now() < deadline {
        let now = patiently(master, deadline).await?;
        if now.failed > before.failed {
            return Err(refused(""));
        }
        if !now.workers.is_empty() && now.workers.is_disjoint(&before.workers) {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    Err(ProviderError::transient(
        "HAProxy was told to reload and has not done so for 20 s.",
        "It is looked at again in a moment; its log says what keeps it.",
    ))
}

/// The processes, as soon as the master lets somebody in.
async fn patiently(master: &Socket, deadline: Instant) -> Result<Processes, ProviderError> {
    loop {
        match processes(master).await {
            Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

/// Connections that former workers still serve, by the pool's member.
pub(super) async fn former_sessions(master: &Socket, pool: &PoolName) -> Result<BTreeMap<String, u64>, ProviderError> {
    let mut sum = BTreeMap::new();
    for worker in processes(master).await?.former {
        let told = master.ask(&format!("@!{worker} show stat {pool} 4 -1")).await?;
        for (member, sessions) in runtime::sessions(&told) {
            *sum.entry(member).or_default() += sessions;
        }
    }
    Ok(sum)
}

async fn processes(master: &Socket) -> Result<Processes, ProviderError> {
    Ok(read(&master.ask("show proc").await?))
}

/// Reads `show proc`: lines of a process each, below headings.
fn read(answer: &str) -> Processes {
    let (mut found, mut heading) = (Processes::default(), "");
    for line in answer.lines() {
        if line.starts_with('#') {
            heading = line.trim();
            continue;
        }
        let mut words = line.split_whitespace();
        let Some(id) = words.next().and_then(|id| id.parse().ok()) else { continue };
        match (heading, words.next()) {
            (_, Some("master")) => found.failed = failed(line),
            ("# workers", _) => drop(found.workers.insert(id)),
            ("# old workers", _) => drop(found.former.insert(id)),
            _ => {}
        }
    }
    found
}

/// The number in `3 [failed: 1]`.
fn failed(line: &str) -> u64 {
    let number = line.split_once("[failed: ").and_then(|(_, rest)| rest.split_once(']'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or_default()
}

fn refused(said: &str) -> ProviderError {
    let alerts: Vec<&str> = said.lines().filter(|line| line.starts_with("[ALERT]")).collect();
    let why = if alerts.is_empty() { "its log says why".to_owned() } else { alerts.join(" ") };
    ProviderError::permanent(
        format!("HAProxy read its configuration and can't serve by it: {why}."),
        "Most often another process listens on one of its addresses, or the machine does not have one of them.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_told_apart_by_what_they_are_for() {
        let answer = "#<PID>          <type>          <reloads>       <uptime>        <version>\n\
                      14982           master          2 [failed: 1]   0d00h02m00s     2.6.12\n\
                      # workers\n15177           worker          0               0d00h01m58s     2.6.12\n\
                      # old workers\n14989           worker          1               0d00h03m58s     2.6.12\n\
                      # programs\n\n";
        let expected = Processes { failed: 1, workers: [15_177].into(), former: [14_989].into() };
        assert_eq!(read(answer), expected);
    }
}
