//! Sightings: what the hypervisor of a site shows of the ledger's machines, and what others than Gatehouse made of them.
//!
//! A machine is judged by a look at all machines of its site, and only when no run works on its deployment. Whatever
//! could not be looked at is not evaluated; it is never taken for gone.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::finding::{Finding, FindingKind};
use crate::ids::{DeploymentId, ResourceId};
use crate::moment::written;
use crate::ports::machine_change::{MachineChange, MachineEvent};
use crate::ports::machines::{Machine, MachineState};

/// How long after the last look a site counts as unseen, although nobody was told that it can't be looked at.
const STALE_AFTER: TimeDelta = TimeDelta::minutes(15);

/// A live machine of the ledger, as it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerMachine {
    pub resource: ResourceId,
    pub deployment: DeploymentId,
    pub key: String,
    pub name: String,
    /// Its id on the hypervisor.
    pub native_id: Option<String>,
    /// Virtual processors and memory; nothing where the step that built it did not tell.
    pub cpu: Option<u32>,
    pub memory_gb: Option<u32>,
    /// Whether a run works on its deployment: what happens to it is our own doing, and is judged when the run is over.
    pub under_way: bool,
}

/// How a machine of the ledger stood when its site was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What it is called there.
    pub name: String,
    pub state: MachineState,
    /// The host on which it stands.
    pub host: String,
    /// The folder in which it stands, and the one in which it was first seen, by the hypervisor's ids.
    pub folder: String,
    pub home: String,
    pub cpu: u32,
    pub memory_gb: u32,
    pub snapshots: u32,
    /// Whether it was not there any more; the rest then says how it last stood.
    pub absent: bool,
}

impl Sighting {
    fn of(machine: &Machine, before: Option<&Self>) -> Self {
        Self {
            name: machine.name.clone(),
            state: machine.state,
            host: machine.host.clone(),
            folder: machine.folder.clone(),
            home: before.map_or_else(|| machine.folder.clone(), |before| before.home.clone()),
            cpu: machine.cpu,
            memory_gb: machine.memory_gb,
            snapshots: machine.snapshots,
            absent: false,
        }
    }

    /// Whether it ran, in a word.
    pub fn power(&self) -> &'static str {
        match (self.absent, self.state) {
            (true, _) => "Gone",
            (false, MachineState::Stopped) => "Off",
            (false, MachineState::Building) => "Starting",
            (false, MachineState::Running) => "On",
        }
    }
}

/// Something that others made of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// [`FindingKind::Gone`], [`FindingKind::SwitchedOff`] or [`FindingKind::ChangedByHand`].
    pub kind: FindingKind,
    /// How it stands instead of as built: a sentence.
    pub what: String,
    /// Who did it, by the hypervisor's own log.
    pub by: Option<String>,
}

/// How the sentence begins that tells another number of processors or amount of memory.
const SHAPE: &str = "It has ";

impl Deviation {
    /// Whether it is of attributes, which a reconcile compares one by one.
    pub fn is_of_attributes(&self) -> bool {
        self.what.starts_with(SHAPE)
    }
}

/// A deviation with the time for which it was so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    pub deviation: Deviation,
    /// When it was first seen.
    pub since: DateTime<Utc>,
    /// When it was no longer so; nothing while it is.
    pub until: Option<DateTime<Utc>>,
}

impl Episode {
    /// What is so, since when, and who did it.
    pub fn told(&self) -> String {
        let Deviation { what, by, .. } = &self.deviation;
        let who = match by {
            Some(by) => format!("{by} did it, says the hypervisor's log"),
            None => "the hypervisor does not say who did it".to_owned(),
        };
        format!("{what} First seen on {}; {who}.", written(self.since))
    }
}

/// One finding of each kind among these.
pub fn findings_of(episodes: &[Episode]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for episode in episodes {
        let (kind, told) = (episode.deviation.kind, episode.told());
        match findings.iter_mut().find(|finding| finding.kind == kind) {
            Some(finding) => finding.detail = format!("{} {told}", finding.detail),
            None => findings.push(Finding { kind, detail: told }),
        }
    }
    findings
}

/// What is on record of a site's machines before a look.
#[derive(Clone, Debug, Default)]
pub struct OnRecord {
    pub sightings: HashMap<ResourceId, Sighting>,
    /// The deviations that are not over, by the id of their row.
    pub open: Vec<(Uuid, ResourceId, Deviation)>,
}

/// What a look at a site changes on record; empty when all is as it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// Machines that stand otherwise than on record.
    pub seen: Vec<(ResourceId, Sighting)>,
    pub found: Vec<(ResourceId, Deviation)>,
    /// Rows of deviations that are over.
    pub over: Vec<Uuid>,
    /// Rows of deviations of which it has become known who did it.
    pub named: Vec<(Uuid, String)>,
}

/// Compares the ledger's machines at a site with all machines that stand there; `site` is what people call it, `news`
/// what the hypervisor told of since the last look.
pub fn review(
    site: &str,
    ledger: &[LedgerMachine],
    there: &[Machine],
    news: &[MachineChange],
    record: &OnRecord,
) -> Review {
    let by_key: HashMap<&str, &Machine> = there.iter().map(|machine| (machine.key.as_str(), machine)).collect();
    let by_id: HashMap<&str, &Machine> = there.iter().map(|machine| (machine.id.as_str(), machine)).collect();
    let mut news_of: HashMap<&str, Vec<&MachineChange>> = HashMap::new();
    for change in news {
        news_of.entry(change.key.as_str()).or_default().push(change);
    }
    let mut open: HashMap<ResourceId, Vec<(Uuid, &Deviation)>> = HashMap::new();
    for (row, resource, deviation) in &record.open {
        open.entry(*resource).or_default().push((*row, deviation));
    }
    let mut review = Review::default();
    for machine in ledger {
        let known = record.sightings.get(&machine.resource);
        let seen = by_key.get(machine.key.as_str()).copied();
        review.see(machine, seen, known);
        let before = open.remove(&machine.resource).unwrap_or_default();
        if machine.under_way {
            continue;
        }
        let same_id = machine.native_id.as_deref().and_then(|id| by_id.get(id)).filter(|other| other.key.is_empty());
        let home = known.map_or("", |known| known.home.as_str());
        let differences = match (seen, same_id) {
            (Some(seen), _) => differences(machine, seen, home),
            (None, Some(_)) => vec![keyless()],
            (None, None) => vec![gone(site)],
        };
        let of_it = news_of.get(machine.key.as_str()).map_or(&[][..], Vec::as_slice);
        let deviations = differences.into_iter().map(|(difference, what)| Deviation {
            kind: difference.finding(),
            what,
            by: difference.by(of_it),
        });
        review.settle(machine.resource, deviations.collect(), before);
    }
    // What is no longer in the ledger was taken back by a run.
    review.over.extend(open.into_values().flatten().map(|(row, _)| row));
    review.over.sort_unstable();
    review
}

impl Review {
    fn see(&mut self, machine: &LedgerMachine, seen: Option<&Machine>, known: Option<&Sighting>) {
        let now = match (seen, known) {
            (Some(seen), _) => Sighting::of(seen, known),
            (None, Some(known)) => Sighting { absent: true, ..known.clone() },
            (None, None) => return,
        };
        if known != Some(&now) {
            self.seen.push((machine.resource, now));
        }
    }

    /// Puts down what is new among the deviations of a machine, and what is over.
    fn settle(&mut self, resource: ResourceId, now: Vec<Deviation>, before: Vec<(Uuid, &Deviation)>) {
        let same = |one: &Deviation, other: &Deviation| (one.kind, &one.what) == (other.kind, &other.what);
        for (row, known) in &before {
            match now.iter().find(|deviation| same(deviation, known)) {
                None => self.over.push(*row),
                Some(deviation) if known.by.is_none() => {
                    self.named.extend(deviation.by.clone().map(|by| (*row, by)));
                }
                Some(_) => {}
            }
        }
        let is_new = |deviation: &Deviation| !before.iter().any(|(_, known)| same(deviation, known));
        self.found.extend(now.into_iter().filter(is_new).map(|deviation| (resource, deviation)));
    }
}

/// In what a machine differs from how it was built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Difference {
    Gone,
    Off,
    Name,
    Folder,
    Shape,
    Key,
    Snapshots,
}

impl Difference {
    const fn finding(self) -> FindingKind {
        match self {
            Self::Gone => FindingKind::Gone,
            Self::Off => FindingKind::SwitchedOff,
            Self::Name | Self::Folder | Self::Shape | Self::Key | Self::Snapshots => FindingKind::ChangedByHand,
        }
    }

    /// Whether it may come of this.
    const fn may_come_of(self, event: &MachineEvent) -> bool {
        matches!(
            (self, event),
            (Self::Gone, MachineEvent::Vanished)
                | (Self::Off, MachineEvent::Stopped)
                | (Self::Name, MachineEvent::Renamed { .. })
                | (Self::Folder, MachineEvent::Moved)
                | (Self::Shape | Self::Key, MachineEvent::Reshaped)
                | (Self::Snapshots, MachineEvent::Snapshots { .. })
        )
    }

    /// Who did it: whoever made the last change of which it may come.
    fn by(self, news: &[&MachineChange]) -> Option<String> {
        news.iter().rev().find(|change| self.may_come_of(&change.event)).and_then(|change| change.by.clone())
    }
}

fn gone(site: &str) -> (Difference, String) {
    (Difference::Gone, format!("No machine with its key stands at {site} any more."))
}

fn keyless() -> (Difference, String) {
    (Difference::Key, "It does not carry the key of its order any more.".to_owned())
}

/// In what a machine stands otherwise than it was built, each with a sentence that says how.
fn differences(machine: &LedgerMachine, seen: &Machine, home: &str) -> Vec<(Difference, String)> {
    let mut all = Vec::new();
    if seen.state == MachineState::Stopped {
        all.push((Difference::Off, "It is switched off.".to_owned()));
    }
    if seen.name != machine.name {
        all.push((Difference::Name, format!("It is called {} there instead of {}.", seen.name, machine.name)));
    }
    if !home.is_empty() && seen.folder != home {
        all.push((Difference::Folder, "It stands in another folder than it was built in.".to_owned()));
    }
    let built = (machine.cpu.unwrap_or(seen.cpu), machine.memory_gb.unwrap_or(seen.memory_gb));
    if (seen.cpu, seen.memory_gb) != built {
        let (cpu, memory) = built;
        let what = format!(
            "{SHAPE}{} CPU and {} GB of memory instead of {cpu} CPU and {memory} GB.",
            seen.cpu, seen.memory_gb
        );
        all.push((Difference::Shape, what));
    }
    match seen.snapshots {
        0 => {}
        1 => all.push((Difference::Snapshots, "A snapshot of it was taken, and is kept.".to_owned())),
        count => all.push((Difference::Snapshots, format!("{count} snapshots of it are kept."))),
    }
    all
}

/// The keys of the machines that are judged later, as a run works on their deployments.
pub fn judged_later(ledger: &[LedgerMachine]) -> HashSet<&str> {
    ledger.iter().filter(|machine| machine.under_way).map(|machine| machine.key.as_str()).collect()
}

/// A time during which a site's machines were followed without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The first look.
    pub began_at: DateTime<Utc>,
    /// The last look that saw everything.
    pub heard_at: DateTime<Utc>,
    /// When the site could no longer be looked at; nothing while it can.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it could not, and what to do about it.
    pub why: Option<String>,
}

/// That a site's machines were not evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseen {
    /// Since when; nothing where they never were.
    pub since: Option<DateTime<Utc>>,
    pub why: String,
}

impl Watch {
    /// Whether, and since when, the machines of a site with this last watch were not evaluated then.
    pub fn unseen(watch: Option<&Self>, at: DateTime<Utc>) -> Option<Unseen> {
        let Some(watch) = watch else {
            return Some(Unseen { since: None, why: "Nobody has looked at them yet.".to_owned() });
        };
        let why = || watch.why.clone().unwrap_or_else(|| "Nobody has looked at them since.".to_owned());
        match watch.ended_at {
            // It never answered: there was no look before.
            Some(ended) if ended == watch.began_at => Some(Unseen { since: None, why: why() }),
            Some(ended) if ended <= at => Some(Unseen { since: Some(ended), why: why() }),
            _ if watch.is_stale(at) => Some(Unseen { since: Some(watch.heard_at), why: why() }),
            _ => None,
        }
    }

    /// Whether the last look was too long ago to speak for the instant.
    pub fn is_stale(&self, at: DateTime<Utc>) -> bool {
        at - self.heard_at > STALE_AFTER
    }
}

impl Unseen {
    /// What people are told about the machines of a site.
    pub fn told(&self, site: &str) -> String {
        match self.since {
            Some(since) => format!("Not evaluated since {}: {site} can't be looked at. {}", written(since), self.why),
            None => format!("Not evaluated: {site} was never looked at. {}", self.why),
        }
    }
}

#[cfg(test)]
mod tests;
