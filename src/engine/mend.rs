//! What a person may do about a run: do what a step asks for, try a step again with other input, skip it, take
//! everything back, cancel. Each is checked against where the run stands, recorded with who and why, and commits in the caller's transaction;
//! call [`Engine::wake`] after the commit.

use chrono::{DateTime, Utc};
use domain::blueprint::schema::plain;
use domain::ci::CiChange;
use domain::ids::RunId;
use domain::resource::LedgerChange;
use domain::run::{Cancel, EventKind, Run, RunEvent, RunKind, RunState};
use domain::step::{Step, StepState};
use domain::trouble::{FieldError, Trouble};
use serde_json::{Map, Value, json};
use store::Tx;
use store::job::Rank;

use crate::Engine;
use crate::advance::LARGEST_OUTPUT;
use crate::journal::cause;

/// Who mends, and why; both are kept with the run.
#[derive(Clone, Debug)]
pub struct By<'a> {
    pub name: &'a str,
    pub reason: &'a str,
}

/// A run that is being mended, with its steps.
struct Patient {
    run: Run,
    steps: Vec<Step>,
    /// Places of the steps that changed.
    changed: Vec<usize>,
    events: Vec<Told>,
}

/// What is told of a mending.
struct Told {
    at: Option<usize>,
    kind: EventKind,
    line: String,
    detail: Option<Value>,
}

impl Engine {
    /// Tries a failed or waiting step again: with this input, or the one it had. On a stuck run, tries again to take
    /// the step back.
    pub async fn retry(
        &self,
        tx: &Tx,
        run: RunId,
        key: &str,
        input: Option<Value>,
        by: &By<'_>,
    ) -> Result<(), Trouble> {
        let mut patient = Patient::read(tx, run).await?;
        let at = patient.step(key)?;
        if patient.run.state == RunState::Stuck {
            return self.retry_undo(tx, patient, at, by).await;
        }
        if let Some(input) = &input {
            self.check_input(&patient.run, at, input)?;
        }
        let before = patient.steps[at].input.clone();
        if input.is_some() {
            self.withdraw(tx, &patient, at, "An operator changed what is asked for.").await?;
        }
        let detail = input.as_ref().map(|after| json!({ "before": before, "after": after }));
        let what = input.as_ref().map_or_else(
            || "tries again".to_owned(),
            |after| format!("changed the input and tries again. {}", changes(before.as_ref(), after)),
        );
        patient.change(at, |step| step.tried_again(input))?;
        patient.tell(Some(at), by, what.trim_end_matches(['.', ' ']), detail);
        patient.run = patient.run.resumed().map_err(refused)?;
        self.write_mended(tx, patient).await
    }

    async fn retry_undo(&self, tx: &Tx, mut patient: Patient, at: usize, by: &By<'_>) -> Result<(), Trouble> {
        patient.change(at, Step::undo_started)?;
        patient.tell(Some(at), by, "tries again to take it back", None);
        patient.run = patient.run.compensating(None).map_err(refused)?;
        self.write_mended(tx, patient).await
    }

    /// Skips a failed or waiting step; `output` is what it would have returned, for the steps that read it. On a
    /// stuck run, declares the step taken back by hand; so does skipping a step that takes back.
    pub async fn skip(
        &self,
        tx: &Tx,
        run: RunId,
        key: &str,
        output: Option<Value>,
        by: &By<'_>,
    ) -> Result<(), Trouble> {
        let mut patient = Patient::read(tx, run).await?;
        let at = patient.step(key)?;
        let now = self.0.clock.now();
        let why = format!("{}: {}", by.name, by.reason);
        if patient.run.state == RunState::Stuck {
            patient.change(at, |step| step.undone(Some(why), now))?;
            patient.tell(Some(at), by, "declares it taken back by hand", None);
            gone(tx, &patient, at, now).await?;
            patient.run = patient.run.compensating(None).map_err(refused)?;
            return self.write_mended(tx, patient).await;
        }
        if !matches!(patient.steps[at].state, StepState::Failed | StepState::Waiting | StepState::Retrying) {
            return Err(wrong_state(&patient.steps[at]));
        }
        self.check_output(&patient, at, output.as_ref())?;
        self.withdraw(tx, &patient, at, &format!("Skipped by {why}")).await?;
        let detail = output.as_ref().map(|output| json!({ "output": output }));
        patient.change(at, |step| step.skipped(why, output, now))?;
        if patient.run.workflow[at].takes_back.is_some() {
            patient.tell(Some(at), by, "declares it taken back by hand", detail);
            gone(tx, &patient, at, now).await?;
        } else {
            patient.tell(Some(at), by, "skips the step", detail);
        }
        patient.run = patient.run.resumed().map_err(refused)?;
        self.write_mended(tx, patient).await
    }

    /// Tries every failed step of a paused run again; on a stuck run, every step that could not be taken back.
    pub async fn resume(&self, tx: &Tx, run: RunId, by: &By<'_>) -> Result<(), Trouble> {
        let mut patient = Patient::read(tx, run).await?;
        let stuck = patient.run.state == RunState::Stuck;
        if !patient.run.state.needs_a_person() {
            return Err(Trouble::conflict(
                format!("The run is {}, so there is nothing to resume.", patient.run.state.word()),
                "Reload the page to see where it stands.",
            ));
        }
        for at in 0..patient.steps.len() {
            match patient.steps[at].state {
                StepState::Failed if !stuck => patient.change(at, |step| step.tried_again(None))?,
                StepState::UndoFailed if stuck => patient.change(at, Step::undo_started)?,
                _ => {}
            }
        }
        patient.tell(None, by, "resumes the run", None);
        patient.run = if stuck { patient.run.compensating(None) } else { patient.run.resumed() }.map_err(refused)?;
        self.write_mended(tx, patient).await
    }

    /// Takes back everything that a paused run built.
    pub async fn compensate(&self, tx: &Tx, run: RunId, by: &By<'_>) -> Result<(), Trouble> {
        let mut patient = Patient::read(tx, run).await?;
        let failed = patient.run.why.clone().map(|why| format!("{why} ")).unwrap_or_default();
        let (what, done) = match patient.run.kind {
            RunKind::Retire => ("leaves the rest standing", "left the rest standing"),
            RunKind::Provision | RunKind::Action => ("takes back what was built", "took back what was built"),
        };
        let why = format!("{failed}{} {done}: {}", by.name, sentence(by.reason));
        patient.run = patient.run.compensating(Some(why)).map_err(refused)?;
        patient.tell(None, by, what, None);
        self.write_mended(tx, patient).await
    }

    /// Cancels a run: calls that are under way are waited for, nothing new is started, and what was built is taken
    /// back or stays, as wished.
    pub async fn cancel(&self, tx: &Tx, run: RunId, wish: Cancel, by: &By<'_>) -> Result<(), Trouble> {
        let mut patient = Patient::read(tx, run).await?;
        let (what, left) = match wish {
            _ if patient.run.kind == RunKind::Retire => ("cancels the run; the rest stays", "The rest stays."),
            Cancel::TakeBack => ("cancels the run; what was built is taken back", "What was built is taken back."),
            Cancel::Stop => ("stops the run; what was built stays", "What was built stays."),
        };
        let why = format!("Cancelled by {}: {} {left}", by.name, sentence(by.reason));
        patient.run = patient.run.cancelling(wish, why).map_err(refused)?;
        patient.tell(None, by, what, None);
        self.write_mended(tx, patient).await
    }

    /// Ends a step that asked people for something: this is what it leaves.
    pub async fn fulfil(&self, tx: &Tx, run: RunId, key: &str, output: Value, who: &str) -> Result<(), Trouble> {
        let mut patient = Patient::read(tx, run).await?;
        if patient.run.state.has_ended() {
            return Err(Trouble::conflict(
                "The run that waited for this is over, so nothing waits for it any more.",
                "Look at the run to see what became of it.",
            ));
        }
        let at = patient.step(key)?;
        self.check_output(&patient, at, Some(&output))?;
        let now = self.0.clock.now();
        patient.change(at, |step| step.fulfilled(output, now))?;
        patient.events.push(Told {
            at: Some(at),
            kind: EventKind::Step,
            line: format!("Done by {who}."),
            detail: None,
        });
        self.write_mended(tx, patient).await
    }

    async fn withdraw(&self, tx: &Tx, patient: &Patient, at: usize, why: &str) -> Result<(), Trouble> {
        let (run, key, now) = (patient.run.id, &patient.steps[at].key, self.0.clock.now());
        self.0.consequences.withdraw(tx, run, key, why, now).await.map_err(Trouble::bug)
    }

    fn check_input(&self, run: &Run, at: usize, input: &Value) -> Result<(), Trouble> {
        let Ok(known) = self.known(run, at) else { return Ok(()) };
        if run.workflow[at].takes_back.is_some() {
            return Err(Trouble::conflict(
                "This step takes something back, so its input can't be changed.",
                "Try it again, or skip it when it was taken back by hand.",
            ));
        }
        fits("input", known.input.mistakes(input))
    }

    /// An output by hand has to be what the action promises; none is right only when no other step needs it.
    fn check_output(&self, patient: &Patient, at: usize, output: Option<&Value>) -> Result<(), Trouble> {
        let step = &patient.run.workflow[at];
        if let Some(output) = output {
            if output.to_string().len() > LARGEST_OUTPUT {
                let most = LARGEST_OUTPUT / 1024;
                return Err(Trouble::field("output", format!("An output has {most} KB at most; this one is larger.")));
            }
            let Ok(known) = self.known(&patient.run, at) else { return Ok(()) };
            return fits("output", known.output.mistakes(output));
        }
        let readers = patient.readers(at);
        if step.takes_back.is_some() || readers.is_empty() {
            return Ok(());
        }
        let list = readers.join(", ");
        Err(Trouble::field(
            "output",
            format!("What this step returns is read by {list}: give it here, as it would have been."),
        ))
    }

    async fn write_mended(&self, tx: &Tx, mut patient: Patient) -> Result<(), Trouble> {
        let now = self.0.clock.now();
        let events = patient.numbered_events(now);
        if patient.run.state.can_be_driven() && patient.run.lease_until.is_none() {
            patient.run.wake_at = Some(now + self.0.settings.look_again);
        }
        if !store::run::save_from_outside(tx, &patient.run).await.map_err(Trouble::bug)? {
            return Err(Trouble::conflict(
                "The run has moved on while you decided.",
                "Look at where it stands now, and decide again.",
            ));
        }
        let changed: Vec<_> = patient.changed.iter().map(|&at| &patient.steps[at]).collect();
        store::step::save(tx, &changed).await.map_err(Trouble::bug)?;
        store::run_event::append(tx, &events.iter().collect::<Vec<_>>()).await.map_err(Trouble::bug)?;
        self.0.consequences.run_changed(tx, &patient.run, now).await.map_err(Trouble::bug)?;
        self.push(tx, patient.run.id, patient.run.project, Rank::Urgent).await.map_err(Trouble::bug)
    }
}

impl Patient {
    async fn read(tx: &Tx, id: RunId) -> Result<Self, Trouble> {
        store::run::lock(tx, id).await.map_err(Trouble::bug)?;
        let run = store::run::find(tx, id).await.map_err(Trouble::bug)?.ok_or_else(|| Trouble::not_found("run"))?;
        let steps = store::step::of_run(tx, &run).await.map_err(Trouble::bug)?;
        Ok(Self { run, steps, changed: Vec::new(), events: Vec::new() })
    }

    fn step(&self, key: &str) -> Result<usize, Trouble> {
        self.steps.iter().position(|step| step.key == key).ok_or_else(|| Trouble::not_found("step of this run"))
    }

    /// The keys of the steps still to come that read what this one returns.
    fn readers(&self, at: usize) -> Vec<&str> {
        let planned = &self.run.workflow[at].planned;
        let steps = self.run.workflow.iter().zip(&self.steps);
        // An input by hand reads nothing.
        let open = steps.filter(|(_, step)| !step.state.lets_others_go_on() && !step.edited);
        open.filter(|(other, _)| other.planned.reads(planned)).map(|(_, step)| step.key.as_str()).collect()
    }

    fn change(
        &mut self,
        at: usize,
        transition: impl FnOnce(Step) -> Result<Step, domain::step::InvalidTransition>,
    ) -> Result<(), Trouble> {
        let changed = transition(self.steps[at].clone()).map_err(|_| wrong_state(&self.steps[at]))?;
        self.steps[at] = changed;
        self.changed.push(at);
        Ok(())
    }

    fn tell(&mut self, at: Option<usize>, by: &By<'_>, what: &str, detail: Option<Value>) {
        let reason = if by.reason.is_empty() { String::new() } else { format!(" Reason: {}", by.reason) };
        let line = format!("{} {what}.{reason}", by.name);
        self.events.push(Told { at, kind: EventKind::Mended, line, detail });
    }

    fn numbered_events(&mut self, now: DateTime<Utc>) -> Vec<RunEvent> {
        let (run, steps) = (&self.run, &self.steps);
        let events: Vec<_> = (run.next_event..)
            .zip(std::mem::take(&mut self.events))
            .map(|(number, Told { at, kind, line, detail })| RunEvent {
                run: run.id,
                number,
                at: now,
                step_key: at.map(|at| steps[at].key.clone()),
                kind,
                line,
                detail,
            })
            .collect();
        self.run.next_event += i64::try_from(events.len()).unwrap_or_default();
        events
    }
}

/// A person says that what the step takes back is gone: the ledger and the CMDB say so too.
async fn gone(tx: &Tx, patient: &Patient, at: usize, now: DateTime<Utc>) -> Result<(), Trouble> {
    let (run, object) = (&patient.run, patient.run.workflow[at].object_key());
    let standing = store::resource::standing(tx, run.deployment).await.map_err(Trouble::bug)?;
    let rows = standing.into_iter().filter(|row| row.step_key == object);
    let changes: Vec<_> = rows.map(|row| LedgerChange::Gone { key: row.key }).collect();
    store::resource::apply(tx, run.deployment, &changes, now).await.map_err(Trouble::bug)?;
    let key = run.object_key(at);
    let cis = store::ci::standing_below(tx, run.deployment, &key).await.map_err(Trouble::bug)?;
    let retired: Vec<_> = cis.into_iter().map(|key| CiChange::Retire { key }).collect();
    store::ci::apply(tx, &retired, &cause(run, &patient.steps[at].key, now)).await.map_err(Trouble::bug)?;
    Ok(())
}

fn fits(field: &str, mistakes: Vec<FieldError>) -> Result<(), Trouble> {
    if mistakes.is_empty() {
        return Ok(());
    }
    let at = |mistake: FieldError| match mistake.field.trim_start_matches('/') {
        "" => mistake.message,
        place => format!("{place}: {}", mistake.message),
    };
    Err(Trouble::field(field, mistakes.into_iter().map(at).collect::<Vec<_>>().join(" ")))
}

/// What an operator changed of an input: `size: small, now large`.
fn changes(before: Option<&Value>, after: &Value) -> String {
    const SHOWN: usize = 4;
    let none = Map::new();
    let (was, is) = (before.and_then(Value::as_object).unwrap_or(&none), after.as_object().unwrap_or(&none));
    let new = is.keys().filter(|key| !was.contains_key(*key));
    let changed: Vec<&String> = was.keys().chain(new).filter(|key| was.get(*key) != is.get(*key)).collect();
    let one = |key: &&String| format!("{key}: {}, now {}", said(was.get(*key)), said(is.get(*key)));
    let mut list: Vec<String> = changed.iter().take(SHOWN).map(one).collect();
    if changed.len() > SHOWN {
        list.push(format!("{} more", changed.len() - SHOWN));
    }
    list.join("; ")
}

/// A value as a line of a log bears it.
fn said(value: Option<&Value>) -> String {
    const LONGEST: usize = 80;
    let text = value.map_or_else(|| "nothing".to_owned(), plain);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A reason as a sentence.
fn sentence(reason: &str) -> String {
    format!("{}.", reason.trim_end_matches('.'))
}

fn refused(cause: domain::run::InvalidTransition) -> Trouble {
    Trouble::conflict(format!("This can't be done: {cause}."), "Reload the page to see where the run stands.")
}

fn wrong_state(step: &Step) -> Trouble {
    Trouble::conflict(
        format!("The step {} is {}, so this can't be done with it.", step.key, step.state.reads().label.to_lowercase()),
        "Reload the page to see where it stands.",
    )
}
