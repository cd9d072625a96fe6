//! The one error that use cases return: what happened, to what, why, and what to do next.
//!
//! A door (page, API, command line) turns it into its own form; nobody below a door formats an answer.

use std::error::Error;
use std::fmt;

/// What sort of trouble it is; a door maps it to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request can't be read at all: broken text, a form that is no form.
    Malformed,
    /// The input does not fit; `fields` says where.
    Invalid,
    /// There is no such thing, or it belongs to somebody else: the two look alike from outside.
    NotFound,
    /// The person may see the thing but not do this with it.
    Forbidden,
    /// Nobody is signed in.
    SignInRequired,
    /// The thing changed, is taken, or is in a state in which this can't be done.
    Conflict,
    /// It was there once and can't be used any more (a link that expired or was used).
    Gone,
    /// More than is accepted at once.
    TooLarge,
    /// Sent in another format than the one that is read.
    WrongType,
    /// The address is known, and not for this.
    NotAllowed,
    /// Too often; try later.
    TooMany,
    /// A system that is needed does not answer.
    Unavailable,
    /// Our own mistake.
    Bug,
}

/// What is wrong with one field of a form or of a JSON body.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// The field's name as it was sent.
    pub field: String,
    /// A sentence for the person who filled it in.
    pub message: String,
}

/// An error in people's words, with the technical cause kept apart for the log.
#[derive(Debug)]
pub struct Trouble {
    pub kind: Kind,
    /// What happened, to what, and why: one sentence.
    pub what: String,
    /// What the person can do now.
    pub next: String,
    pub fields: Vec<FieldError>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Trouble {
    pub fn new(kind: Kind, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind, what: what.into(), next: next.into(), fields: Vec::new(), cause: None }
    }

    /// There is no such `thing` for the person who asks.
    pub fn not_found(thing: &str) -> Self {
        Self::new(
            Kind::NotFound,
            format!("There is no such {thing}, or it is not yours to see."),
            "Check the address, or look for it in the list.",
        )
    }

    /// The person may not do `what`; `next` names who may.
    pub fn forbidden(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, what, next)
    }

    /// The thing is in a state in which this can't be done.
    pub fn conflict(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, what, next)
    }

    /// Some fields do not fit; each says why at its place.
    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let what = match fields.len() {
            1 => "One field needs another look.".to_owned(),
            n => format!("{n} fields need another look."),
        };
        Self { fields, ..Self::new(Kind::Invalid, what, "Correct what is marked and send it again.") }
    }

    /// One field does not fit.
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError { field: field.to_owned(), message: message.into() }])
    }

    /// Both, or all that is wrong with either: fields that do not fit are told together.
    pub fn both<A, B>(one: Result<A, Self>, other: Result<B, Self>) -> Result<(A, B), Self> {
        match (one, other) {
            (Ok(one), Ok(other)) => Ok((one, other)),
            (Err(one), Err(other)) if one.kind == Kind::Invalid && other.kind == Kind::Invalid => {
                Err(Self::invalid(one.fields.into_iter().chain(other.fields).collect()))
            }
            // What is not about fields comes first: there may be nothing that the fields could be of.
            (Err(fields), Err(other)) if fields.kind == Kind::Invalid => Err(other),
            (Err(trouble), _) | (_, Err(trouble)) => Err(trouble),
        }
    }

    /// Something failed that never should; the cause goes to the log, not to the page.
    pub fn bug(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                Kind::Bug,
                "Gatehouse could not finish this because of a fault of its own.",
                "Try again; if it happens again, tell the operators, who find the cause in the log.",
            )
        }
    }

    /// The same trouble with its technical cause, for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.next)
    }
}

impl Error for Trouble {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as &(dyn Error + 'static))
    }
}
