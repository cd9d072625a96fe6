//! The journal of runs: what a run comes to in one move, as data, and how the moves of many runs are written in one transaction: a statement
//! for each table, whatever their number.

use chrono::{DateTime, Utc};
use domain::ci::{Cause, CiChange, Source};
use domain::mail::Notice;
use domain::resource::{LedgerChange, Resource};
use domain::run::{EventKind, Run, RunEvent};
use domain::step::Step;
use domain::task::Wanted;
use store::Tx;

use crate::draft::Line;
use crate::drive::DriveError;
use crate::gate::{Asked, Consequences, Told};
use crate::queue;

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
    /// The job that is done with it.
    pub(crate) job: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

/// Writes these moves. Answers for each what happened; nothing for a run that is no longer as its worker knows it, of
/// which nothing was written.
pub(crate) async fn write_all(
    tx: &Tx,
    house: &dyn Consequences,
    entries: &[&Entry],
) -> Result<Vec<Option<Vec<RunEvent>>>, DriveError> {
    let runs: Vec<&Run> = entries.iter().map(|entry| &entry.run).collect();
    let held = store::run::save_held(tx, &runs).await?;
    let mut events = Vec::with_capacity(entries.len());
    for entry in entries {
        events.push(if held.contains(&entry.run.id) { Some(entry.events(tx, house).await?) } else { None });
    }
    let entries: Vec<&Entry> = entries.iter().filter(|entry| held.contains(&entry.run.id)).copied().collect();
    store::run_event::append(tx, &events.iter().flatten().flatten().collect::<Vec<_>>()).await?;
    store::step::save(tx, &of_each(&entries, |entry| &entry.steps)).await?;
    store::resource::intend(tx, &of_each(&entries, |entry| &entry.intents)).await?;
    store::resource::lean(tx, &of_each(&entries, |entry| &entry.leaning)).await?;
    for entry in &entries {
        entry.write_what_follows(tx, house).await?;
    }
    let done: Vec<&str> = entries.iter().filter_map(|entry| entry.job.as_deref()).collect();
    queue::forget(tx, &done).await?;
    Ok(events)
}

fn of_each<'t, T>(entries: &[&'t Entry], rows: fn(&Entry) -> &Vec<T>) -> Vec<&'t T> {
    entries.iter().flat_map(|entry| rows(entry)).collect()
}

impl Entry {
    /// How many events it writes at the most.
    pub(crate) fn count(&self) -> usize {
        self.lines.len() + self.notices.len() + self.asks.len()
    }

    async fn events(&self, tx: &Tx, house: &dyn Consequences) -> Result<Vec<RunEvent>, DriveError> {
        let first = self.run.next_event - i64::try_from(self.count()).unwrap_or_default();
        let told = self.told(tx, house).await?;
        let lines = self.lines.iter().chain(&told);
        Ok((first..).zip(lines).map(|(number, line)| line.numbered(number, &self.run)).collect())
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
