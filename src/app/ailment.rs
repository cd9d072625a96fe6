//! What ails a live database, for whoever has a shell on the server: found, told with what to do about it, and mended
//! where that takes no more than the database knows.

use domain::ailment::Ailment;
use domain::audit::{Actor, Note};
use domain::ids::RequestId;
use domain::resource::LedgerChange;
use domain::trouble::Trouble;
use serde_json::json;
use store::Tx;
pub use store::ailment::Case;
use store::ailment::Measure;

use crate::{App, audit, database};

/// Cases of each ailment that are shown.
const SHOWN: u64 = 20;
/// Cases of an ailment that are put on record when it is mended, and requests that one call ends at most.
const AT_ONCE: u64 = 200;

/// An ailment that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub ailment: Ailment,
    /// How many cases there are.
    pub number: u64,
    /// The first of them.
    pub cases: Vec<Case>,
}

impl Found {
    /// The address of the page that shows a case.
    pub fn page(&self, app: &App, case: &Case) -> Option<String> {
        Some(format!("{}/{}/{}", app.base_url, place(self.ailment), case.id?))
    }
}

/// What ails the database now; nothing when all is well.
pub async fn examine(app: &App) -> Result<Vec<Found>, Trouble> {
    let measure = measure(app);
    let mut found = Vec::new();
    for ailment in Ailment::ALL {
        let (number, cases) = store::ailment::find(&app.store, ailment, &measure, SHOWN).await.map_err(database)?;
        if number > 0 {
            found.push(Found { ailment, number, cases });
        }
    }
    Ok(found)
}

/// Mends what can be mended without a person's knowledge; says what it mended. Each ailment is a transaction of its
/// own, and put on record.
pub async fn mend_from_command_line(app: &App) -> Result<Vec<Found>, Trouble> {
    let mut mended = Vec::new();
    for ailment in Ailment::ALL.into_iter().filter(|ailment| ailment.is_mended_by_itself()) {
        let tx = app.store.begin().await.map_err(database)?;
        let measure = measure(app);
        let (number, cases) = store::ailment::find(&tx, ailment, &measure, AT_ONCE).await.map_err(database)?;
        if number == 0 {
            continue;
        }
        match ailment {
            Ailment::RequestWithoutRun => end_requests(app, &tx, &cases).await?,
            _ => drop(store::ailment::mend(&tx, ailment, &measure).await.map_err(database)?),
        }
        audit::note(app, &tx, on_record(ailment, number, &cases)).await?;
        tx.commit().await.map_err(database)?;
        mended.push(Found { ailment, number, cases });
    }
    Ok(mended)
}

/// By what it is judged now.
fn measure(app: &App) -> Measure {
    Measure { sealing_key: Some(app.sealing.id()), ..app.engine.measure() }
}

fn on_record(ailment: Ailment, number: u64, cases: &[Case]) -> Note {
    let first: Vec<_> =
        cases.iter().map(|case| json!({ "id": case.id, "name": case.name, "note": case.note })).collect();
    Note {
        actor: Actor::command_line(),
        action: "ailment.mended",
        subject: ailment.word().to_owned(),
        project: None,
        data: json!({ "number": number, "cases": first }),
    }
}

/// Ends approved requests that no run carries out, and gives back what they reserved.
async fn end_requests(app: &App, tx: &Tx, cases: &[Case]) -> Result<(), Trouble> {
    for id in cases.iter().filter_map(|case| case.id) {
        end_request(app, tx, id.into()).await?;
    }
    Ok(())
}

async fn end_request(app: &App, tx: &Tx, id: RequestId) -> Result<(), Trouble> {
    let now = app.clock.now();
    let Some(request) = store::request::lock(tx, id).await.map_err(database)? else { return Ok(()) };
    let (read_as, deployment) = ((request.state, request.revision), request.deployment);
    let why = "Its run was lost, so that nothing was built. Order it again if it is still wanted.".to_owned();
    let Ok(ended) = request.failed(why, now) else { return Ok(()) };
    store::request::save(tx, &ended, read_as).await.map_err(database)?;
    store::allocation::release(tx, id, now).await.map_err(database)?;
    let Some(deployment) = store::deployment::lock(tx, deployment).await.map_err(database)? else { return Ok(()) };
    let stands = !store::resource::standing(tx, deployment.id).await.map_err(database)?.is_empty();
    store::deployment::update(tx, &deployment.run_gave_up(stands, now)).await.map_err(database)
}

/// Notes that an object of a deployment that is over is gone, by its key: somebody looked, and removed it where it was.
pub async fn declare_gone_from_command_line(app: &App, key: &str, reason: &str) -> Result<(), Trouble> {
    if reason.trim().is_empty() {
        return Err(Trouble::field("because", "Say how you know that it is gone: it is put on record."));
    }
    let tx = app.store.begin().await.map_err(database)?;
    let row = store::resource::standing_with_key(&tx, key).await.map_err(database)?;
    let row = row.ok_or_else(|| Trouble::field("gone", format!("The ledger has no object with the key `{key}`.")))?;
    let deployment = store::deployment::find(&tx, row.deployment).await.map_err(database)?;
    if let Some(deployment) = deployment.filter(|it| !it.state.is_over()) {
        let why = format!(
            "{} belongs to {}, which is not over: retire that on its page, and the object is taken down with it.",
            row.name, deployment.name
        );
        return Err(Trouble::field("gone", why));
    }
    let gone = [LedgerChange::Gone { key: key.to_owned() }];
    store::resource::apply(&tx, row.deployment, &gone, app.clock.now()).await.map_err(database)?;
    let note = Note {
        actor: Actor::command_line(),
        action: "resource.declared_gone",
        subject: format!("resource {key}"),
        project: None,
        data: json!({ "name": row.name, "provider": row.provider, "deployment": row.deployment, "reason": reason }),
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)
}

/// Where the portal shows what an ailment is about.
const fn place(ailment: Ailment) -> &'static str {
    match ailment {
        Ailment::RunForgotten
        | Ailment::RunOverdue
        | Ailment::LeaseFromFuture
        | Ailment::StepOfEndedRun
        | Ailment::JobWithoutRun
        | Ailment::JobOfSilentWorker => "runs",
        Ailment::ObjectUnsettled
        | Ailment::ObjectOfEndedDeployment
        | Ailment::DeploymentEmpty
        | Ailment::SecretUnopened => "deployments",
        Ailment::QuotaHeld
        | Ailment::RequestUnasked
        | Ailment::RequestWithoutRun
        | Ailment::ApprovalOfDecidedRequest => "requests",
        Ailment::TaskForNothing => "tasks",
        Ailment::MailOverdue | Ailment::MailRefused => "operations/mail",
        Ailment::DutiesUndone => "operations",
    }
}
