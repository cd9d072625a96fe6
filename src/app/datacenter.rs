//! The controls of the simulated datacenter: how quick it is, what shall fail, what is done past Gatehouse. Only where there is one, only for operators.

use domain::audit::{Actor, Note};
use domain::person::{Principal, Role};
use domain::ports::datacenter::{ArmedFault, DatacenterControls, Deed, Fault, Operation, Overview, Pace};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::trouble::{Kind, Trouble};
use serde_json::{Value, json};

use crate::{App, audit, database};

/// The slowest that a datacenter may be told to be, as a factor on usual times.
pub const SLOWEST: f64 = 20.0;
/// How often a fault may strike at most, unless it strikes until it is cleared.
pub const MOST_STRIKES: u32 = 1_000;

/// The datacenter at a glance.
pub async fn overview(app: &App, who: &Principal) -> Result<Overview, Trouble> {
    controls(app, who)?.overview().await.map_err(silent)
}

/// Sets how quick the datacenter answers and works from now on: 1 is usual, 0 is at once.
pub async fn set_pace(app: &App, who: &Principal, answers: f64, work: f64) -> Result<(), Trouble> {
    let controls = controls(app, who)?;
    for (field, factor) in [("answers", answers), ("work", work)] {
        if !(0.0..=SLOWEST).contains(&factor) {
            return Err(Trouble::field(field, format!("Give a number from 0 (at once) to {SLOWEST}.")));
        }
    }
    controls.set_pace(Pace { answers, work, operations: Vec::new() }).await.map_err(silent)?;
    record(app, who, "datacenter.paced", json!({ "answers": answers, "work": work })).await
}

/// Lets a fault strike the next `times` calls of an operation, or all until it is cleared.
pub async fn arm(
    app: &App,
    who: &Principal,
    operation: &str,
    fault: &str,
    times: Option<u32>,
) -> Result<ArmedFault, Trouble> {
    let controls = controls(app, who)?;
    let unknown = |field: &str| Trouble::field(field, "Choose one from the list.");
    let operation = Operation::from_word(operation).ok_or_else(|| unknown("operation"))?;
    let fault = Fault::from_word(fault).ok_or_else(|| unknown("fault"))?;
    if times.is_some_and(|times| !(1..=MOST_STRIKES).contains(&times)) {
        return Err(Trouble::field("times", format!("Give a number from 1 to {MOST_STRIKES}, or leave it empty.")));
    }
    let armed = controls.arm(operation, fault, times).await.map_err(silent)?;
    let told = json!({ "operation": operation.word(), "fault": fault.word(), "times": times });
    record(app, who, "datacenter.fault_armed", told).await?;
    Ok(armed)
}

/// Disarms a fault.
pub async fn clear(app: &App, who: &Principal, fault: u64) -> Result<(), Trouble> {
    controls(app, who)?.clear(fault).await.map_err(silent)?;
    record(app, who, "datacenter.fault_cleared", json!({ "fault": fault })).await
}

/// Does something to one of its machines as somebody would who works on the hypervisor itself, past Gatehouse.
pub async fn by_hand(app: &App, who: &Principal, machine: &str, deed: &str) -> Result<(), Trouble> {
    let controls = controls(app, who)?;
    let deed = Deed::from_word(deed).ok_or_else(|| Trouble::field("deed", "Choose one from the list."))?;
    controls.by_hand(machine, deed, &who.name).await.map_err(|error| match error.kind {
        ProviderErrorKind::NotFound => Trouble::field("deed", format!("{} {}", error.what, error.next)),
        _ => silent(error),
    })?;
    record(app, who, "datacenter.done_by_hand", json!({ "machine": machine, "deed": deed.word() })).await
}

fn controls<'a>(app: &'a App, who: &Principal) -> Result<&'a dyn DatacenterControls, Trouble> {
    let may = who.has_everywhere(Role::Operator) || who.has_everywhere(Role::Administrator);
    app.datacenter.as_deref().filter(|_| may).ok_or_else(|| Trouble::not_found("page"))
}

async fn record(app: &App, who: &Principal, action: &'static str, data: Value) -> Result<(), Trouble> {
    let tx = app.store.begin().await.map_err(database)?;
    let actor = Actor::person(who, "portal");
    audit::note(app, &tx, Note { actor, action, subject: "datacenter".to_owned(), project: None, data }).await?;
    tx.commit().await.map_err(database)
}

fn silent(error: ProviderError) -> Trouble {
    Trouble::new(Kind::Unavailable, error.what, error.next)
}
