//! The journal of runs: what a run comes to in one move, as data, and how the moves of many runs are written in one transaction: a statement
//! for each table, whatever their number.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::ci::{Cause, CiChange, Source};
use domain::ids::RunId;
use domain::mail::Notice;
use domain::resource::{LedgerChange, Resource};
use domain::run::{EventKind, Run, RunEvent};
use domain::step::Step;
use domain::task::Wanted;
use store::journal::Move;
use store::{Store, Tx};

use crate::draft::Line;
use crate::drive::DriveError;
use crate::gate::{Asked, Consequences, Told};

/// One move of a run, as it is written.
pub(crate) struct Entry {
    /// As it will be, with its events counted.
    pub(crate) run: Run,
    /// It leaves the state in which it was.
    pub(crate) changes_state: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) lines: Vec<Line>,
    /// What people are told, by the step that tells it; each becomes a line after the others.
    pub(crate) notices: Vec<(usize, Notice)>,
    /// What people are asked for, by the step that asks; each may become a line.
    pub(crate) asks: Vec<(usize, Wanted)>,
    pub(crate) intents: Vec<Resource>,
    /// Ledger rows of which it changed what they lean on.
    pub(crate) leaning: Vec<Resource>,
    pub(crate) ledger: Vec<LedgerChange>,
    /// What the CMDB gets to know, by the step it comes from.
    pub(crate) cis: Vec<(usize, Vec<CiChange>)>,
    pub(crate) at: DateTime<Utc>,
}

/// Writes these moves. Answers for each what happened; nothing for a run that is no longer as its worker knows it.
///
/// People are told before that is known. When it turns out that nobody should have been, nothing must commit.
pub(crate) async fn write_all(
    tx: &Tx,
    house: &dyn Consequences,
    entries: &[&Entry],
) -> Result<Vec<Option<Vec<RunEvent>>>, DriveError> {
    let mut events = Vec::with_capacity(entries.len());
    for entry in entries {
        events.push(entry.events(entry.told(tx, house).await?));
    }
    let held = store::journal::write(tx, &moves(entries, &events)).await?;
    let written: Vec<&Entry> = entries.iter().filter(|entry| held.contains(&entry.run.id)).copied().collect();
    store::resource::intend(tx, &of_each(&written, |entry| &entry.intents)).await?;
    store::resource::lean(tx, &of_each(&written, |entry| &entry.leaning)).await?;
    for entry in &written {
        entry.write_what_follows(tx, house).await?;
    }
    Ok(of_held(entries, events, &held))
}

/// Writes moves that are all they write.
pub(crate) async fn write_bare(store: &Store, entries: &[&Entry]) -> Result<Vec<Option<Vec<RunEvent>>>, DriveError> {
    let events: Vec<_> = entries.iter().map(|entry| entry.events(Vec::new())).collect();
    let held = store.write_moves(&moves(entries, &events)).await?;
    Ok(of_held(entries, events, &held))
}

fn moves<'e>(entries: &[&'e Entry], events: &'e [Vec<RunEvent>]) -> Vec<Move<'e>> {
    let each = entries.iter().zip(events);
    each.map(|(entry, events)| Move { run: &entry.run, events, steps: &entry.steps }).collect()
}

fn of_held(entries: &[&Entry], events: Vec<Vec<RunEvent>>, held: &HashSet<RunId>) -> Vec<Option<Vec<RunEvent>>> {
    let each = entries.iter().zip(events);
    each.map(|(entry, events)| held.contains(&entry.run.id).then_some(events)).collect()
}

fn of_each<'t, T>(entries: &[&'t Entry], rows: fn(&Entry) -> &Vec<T>) -> Vec<&'t T> {
    entries.iter().flat_map(|entry| rows(entry)).collect()
}

impl Entry {
    /// How many events it writes at the most.
    pub(crate) fn count(&self) -> usize {
        self.lines.len() + self.notices.len() + self.asks.len()
    }

    /// Whether people are told or asked.
    pub(crate) fn tells(&self) -> bool {
        !self.notices.is_empty() || !self.asks.is_empty()
    }

    /// Whether its run, its steps and its events are all that it writes.
    pub(crate) fn is_bare(&self) -> bool {
        let nothing_follows = self.ledger.is_empty() && self.cis.is_empty();
        !self.changes_state && !self.tells() && self.intents.is_empty() && self.leaning.is_empty() && nothing_follows
    }

    fn events(&self, told: Vec<Line>) -> Vec<RunEvent> {
        let first = self.run.next_event - i64::try_from(self.count()).unwrap_or_default();
        let lines = self.lines.iter().chain(&told);
        (first..).zip(lines).map(|(number, line)| line.numbered(number, &self.run)).collect()
    }

    /// Tells people and asks them; a line for each says who they are.
    async fn told(&self, tx: &Tx, house: &dyn Consequences) -> Result<Vec<Line>, DriveError> {
        let line = |at: &usize, line| Line { at: self.at, step: Some(*at), kind: EventKind::Step, line, detail: None };
        let mut lines = Vec::new();
        for (at, notice) in &self.notices {
            let told = Told { run: &self.run, step: self.key(*at), notice };
            lines.push(line(at, house.tell(tx, told, self.at).await?));
        }
        for (at, wanted) in &self.asks {
            let asked = Asked { run: &self.run, step: self.key(*at), wanted };
            lines.extend(house.ask(tx, asked, self.at).await?.map(|who| line(at, who)));
        }
        Ok(lines)
    }

    async fn write_what_follows(&self, tx: &Tx, house: &dyn Consequences) -> Result<(), DriveError> {
        store::resource::apply(tx, self.run.deployment, &self.ledger, self.at).await?;
        for (at, changes) in &self.cis {
            store::ci::apply(tx, changes, &cause(&self.run, self.key(*at), self.at)).await?;
        }
        if self.changes_state {
            house.run_changed(tx, &self.run, self.at).await?;
        }
        Ok(())
    }

    fn key(&self, at: usize) -> &str {
        &self.run.workflow[at].planned.key
    }
}

/// Who tells the CMDB something: a step of a run.
pub(crate) fn cause(run: &Run, step_key: &str, now: DateTime<Utc>) -> Cause {
    Cause {
        source: Source::Workflow,
        project: run.project,
        deployment: Some(run.deployment),
        run: Some(run.id),
        step: Some(step_key.to_owned()),
        platform: Some(run.platform.clone()),
        application: Some(run.application.clone()),
        at: now,
    }
}
