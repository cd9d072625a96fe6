//! What people are told when the database can't do what it is asked: what is wrong, and what helps.

use std::error::Error;

use domain::ports::provider_error::ProviderError;
use domain::trouble::{Kind, Trouble};
use store::{DbErr, Fault};

/// What to say instead of some trouble that came of a fault of the database; nothing for any other trouble.
pub fn told(trouble: &Trouble) -> Option<Trouble> {
    let mut cause = trouble.source();
    while let Some(error) = cause {
        match error.downcast_ref::<DbErr>().and_then(Fault::of) {
            Some(Fault::Away) => return Some(away()),
            Some(Fault::Full) => return Some(full()),
            None => cause = error.source(),
        }
    }
    None
}

/// Goes on without a note of when something was last used, where the disk has no room for it: what is there can still be
/// read.
pub(crate) fn unless_full(noted: Result<(), DbErr>) -> Result<(), Trouble> {
    match noted {
        Err(cause) if Fault::of(&cause) == Some(Fault::Full) => Ok(()),
        noted => noted.map_err(crate::database),
    }
}

pub(crate) fn away() -> Trouble {
    Trouble::new(Kind::Unavailable, "The database does not answer.", "Try again in a moment.")
}

pub(crate) fn full() -> Trouble {
    Trouble::new(
        Kind::Unavailable,
        "The disk of the database is full, so nothing can be written. What is there can still be read.",
        "Tell the operators to make room there; what is under way goes on by itself then. Then try again.",
    )
}

/// A failed statement of a register that is kept in the database, as actions are told of outside systems.
pub(crate) fn of_register(cause: DbErr) -> ProviderError {
    ProviderError::transient(
        format!("The register of names and addresses did not answer: {cause}."),
        "It is asked again in a moment.",
    )
}
