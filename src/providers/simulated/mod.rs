//! A datacenter that exists only in a file: machines, names, configuration runs, pools, container hosts and spaces,
//! with the manners of real ones.
//!
//! It takes time, says no, loses answers, and keeps what it made through restarts of the portal. Every port of
//! `domain::ports` that a blueprint needs is implemented here, one a file; each goes through [`Datacenter::call`],
//! where time passes and faults strike.

mod balancer;
mod configuration;
mod container_host;
mod controls;
mod deeds;
mod journal;
mod machines;
mod names;
mod pace;
mod probe;
mod roles;
mod spaces;
mod table;
mod workloads;
mod world;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use domain::ports::clock::Clock;
use domain::ports::datacenter::{Activity, Fault, Operation};
use domain::ports::provider_error::ProviderError;

use journal::Journal;
use pace::Moment;
use world::World;

/// The simulated datacenter. Clones share it; other processes share it through its file.
#[derive(Clone)]
pub struct Datacenter {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    held: Arc<Mutex<(Journal, World)>>,
}

/// A call that is about to be answered.
struct Asked {
    operation: Operation,
    object: String,
    fault: Option<Fault>,
    moment: Moment,
}

/// What a call did.
struct Done<T> {
    answer: T,
    /// The id of the object it was about.
    object: Option<String>,
    /// What happened, for the activity log; reads say nothing.
    note: Option<String>,
}

impl<T> Done<T> {
    /// A read, which leaves no trace.
    fn read(answer: T) -> Self {
        Self { answer, object: None, note: None }
    }

    /// A change of the object `id`.
    fn changed(answer: T, id: &str, note: impl Into<String>) -> Self {
        Self { answer, object: Some(id.to_owned()), note: Some(note.into()) }
    }

    /// A change that found its work done already.
    fn unchanged(answer: T, id: &str) -> Self {
        Self { answer, object: Some(id.to_owned()), note: None }
    }
}

impl Datacenter {
    /// Opens the datacenter that is kept in the file at `path`; an empty one if there is no such file.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let mut journal = Journal::open(path)?;
        let mut world = World::default();
        journal.with(&mut world, |_| ())?;
        Ok(Self { path: path.to_owned(), clock, held: Arc::new(Mutex::new((journal, world))) })
    }

    /// Carries out `operation` on `object` as an outside system would: after a while, and only if no fault strikes.
    async fn call<T, W>(&self, operation: Operation, object: &str, work: W) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        W: FnOnce(&mut World, &Moment) -> Result<Done<T>, ProviderError> + Send + 'static,
    {
        let asked = self.ask(operation, object).await?;
        test_boundary::pass("before a call");
        let answer = self.answer(asked, work).await;
        test_boundary::pass("after a call");
        answer
    }

    /// The same for what no step of a run does.
    async fn look<T, W>(&self, operation: Operation, object: &str, work: W) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        W: FnOnce(&mut World, &Moment) -> Result<Done<T>, ProviderError> + Send + 'static,
    {
        let asked = self.ask(operation, object).await?;
        self.answer(asked, work).await
    }

    /// Waits for as long as an answer takes.
    async fn ask(&self, operation: Operation, object: &str) -> Result<Asked, ProviderError> {
        let (fault, pace) = self.change(move |world| (world.strike(operation), world.pace())).await?;
        let delay = pace::answer_time(&pace, operation, object, fault);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let moment = Moment::new(self.clock.now(), &pace, operation, object, fault);
        Ok(Asked { operation, object: object.to_owned(), fault, moment })
    }

    async fn answer<T, W>(&self, asked: Asked, work: W) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        W: FnOnce(&mut World, &Moment) -> Result<Done<T>, ProviderError> + Send + 'static,
    {
        let Asked { operation, object, fault, moment } = asked;
        let answer =
            move |world: &mut World| struck(world, operation, &object, fault, moment.now, |world| work(world, &moment));
        self.change(answer).await?
    }

    /// Lets `work` change the world, alone, and keeps what it changed.
    async fn change<T, W>(&self, work: W) -> Result<T, ProviderError>
    where
        T: Send + 'static,
        W: FnOnce(&mut World) -> T + Send + 'static,
    {
        let held = Arc::clone(&self.held);
        let outcome = tokio::task::spawn_blocking(move || {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let (journal, world) = &mut *held;
            journal.with(world, work)
        })
        .await
        .unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        outcome.map_err(|error| {
            ProviderError::permanent(
                format!("The simulated datacenter can't use its file {}: {error}.", self.path.display()),
                "Check that the disk has room and that the file may be written, then retry.",
            )
        })
    }
}

/// Does the work as the fault allows, and notes it.
fn struck<T>(
    world: &mut World,
    operation: Operation,
    object: &str,
    fault: Option<Fault>,
    at: DateTime<Utc>,
    work: impl FnOnce(&mut World) -> Result<Done<T>, ProviderError>,
) -> Result<T, ProviderError> {
    let outcome = match fault {
        Some(Fault::Refuse) => Err(refusal(operation, object)),
        Some(Fault::TimeOut) => Err(silence(operation, object)),
        _ => work(world),
    };
    let mut say = |what: String, went_well: bool| {
        world.note(Activity { at, operation: Some(operation), object: object.to_owned(), what, went_well });
    };
    let done = match outcome {
        Ok(done) => done,
        Err(error) => {
            say(error.what.clone(), false);
            return Err(error);
        }
    };
    if let Some(note) = done.note {
        say(note, true);
    }
    match (fault, &done.object) {
        (Some(Fault::LoseAnswer), _) => {
            say(format!("The answer about {object} was lost on its way."), false);
            Err(silence(operation, object))
        }
        (Some(Fault::LoseObject), Some(id)) => {
            say(format!("{object} vanished."), false);
            world.lose(id);
            Ok(done.answer)
        }
        _ => Ok(done.answer),
    }
}

fn refusal(operation: Operation, object: &str) -> ProviderError {
    ProviderError::refused(
        format!("The datacenter refused {operation} for {object}: it was told to refuse."),
        "Clear the fault on the datacenter's page, then retry.",
    )
}

fn silence(operation: Operation, object: &str) -> ProviderError {
    ProviderError::transient(
        format!("The datacenter did not answer {operation} for {object} in time."),
        "It may have done the work all the same; asking again finds out.",
    )
}

/// The error for an object whose key is not ours.
fn not_ours(what: &str, name: &str, key: &str) -> ProviderError {
    ProviderError::not_ours(
        format!("The {what} {name} does not carry the key {key}: it belongs to somebody else."),
        "Nothing was changed. Find out whose it is before anything is done by hand.",
    )
}

/// The error for an object that is not there.
fn missing(what: &str, id: &str) -> ProviderError {
    ProviderError::not_found(
        format!("The datacenter has no {what} {id}."),
        "It was removed outside the portal, or never made; look for its key.",
    )
}
