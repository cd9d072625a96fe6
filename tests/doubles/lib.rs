//! Doubles of systems that can't be started here: small servers with a state of their own, written from what their
//! vendors document, that keep the documented rules and can be told to fail.

// All of it is tests: what fails here fails them.
#![allow(clippy::unwrap_used)]

mod http;
mod servicenow;

pub use http::Fault;
pub use servicenow::ServiceNow;
