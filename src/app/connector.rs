//! Connectors: carrying the built-in CMDB to the company's, and showing how that goes.
//!
//! Each connector is carried by a duty of its own, so that one that does not answer holds up no other. What is carried is
//! each CI as it stands, so that many changes become one write, and a CI's changes can't overtake one another.

mod carry;
mod compare;
mod show;

use std::sync::Arc;

pub use carry::{carry, hand_out};
pub use compare::{compare, keep_comparing};
use domain::person::{Principal, Role};
use domain::ports::cmdb_connector::CmdbConnector;
use domain::trouble::Trouble;
pub use show::{DeadLetter, Fares, Planned, carry_again, fares, index, plan};

use crate::App;

/// One of the company's CMDBs, as the settings name it.
#[derive(Clone)]
pub struct Connector {
    pub name: String,
    /// What kind of system it is, in the words of the settings: `webhook`.
    pub kind: &'static str,
    pub system: Arc<dyn CmdbConnector>,
}

/// The company's CMDBs.
pub type Connectors = Arc<[Connector]>;

fn find<'a>(app: &'a App, name: &str) -> Result<&'a Connector, Trouble> {
    app.connectors.iter().find(|it| it.name == name).ok_or_else(|| Trouble::not_found("connector"))
}

fn must_operate(who: &Principal) -> Result<(), Trouble> {
    if who.has_everywhere(Role::Operator) {
        return Ok(());
    }
    Err(Trouble::forbidden("Only operators carry CIs to other CMDBs again.", "Ask one of them."))
}

#[cfg(test)]
mod tests;
