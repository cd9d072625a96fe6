//! Handing over what was made for a deployment: to one of its people, once, within its time.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::audit::{Actor, Note};
use domain::ids::{DeploymentId, PersonId, SecretId};
use domain::moment::written;
use domain::person::Principal;
use domain::secret::{Handover, HandoverState, SecretText, Taken};
use domain::trouble::{Kind, Trouble};
use serde_json::json;
use store::Reads;

use crate::{App, audit, database, deployment};

/// A secret of a deployment as its people see it: how its handover stands, never what it says.
#[derive(Clone, Debug)]
pub struct Shown {
    pub handover: Handover,
    pub state: HandoverState,
    /// Who took it.
    pub taken_by: Option<String>,
}

/// A secret in the clear, on its way to the one who took it.
#[derive(Debug)]
pub struct HandedOver {
    /// What people call it.
    pub name: String,
    /// The name of its deployment.
    pub deployment: String,
    pub text: SecretText,
    pub taken_at: DateTime<Utc>,
}

/// How the secrets of a deployment that are in force stand, in the order in which they were made.
pub(crate) async fn of_deployment(app: &App, deployment: DeploymentId) -> Result<Vec<Shown>, Trouble> {
    let mut handovers = store::secret::of_deployment(&app.store, deployment).await.map_err(database)?;
    handovers.retain(|it| !it.replaced);
    let takers: Vec<PersonId> = handovers.iter().filter_map(|it| Some(it.taken?.by)).collect();
    let names = names(&app.store, &takers).await?;
    let now = app.clock.now();
    let shown = |handover: Handover| Shown {
        state: handover.state(now),
        taken_by: handover.taken.and_then(|taken| names.get(&taken.by).cloned()),
        handover,
    };
    Ok(handovers.into_iter().map(shown).collect())
}

/// Takes a secret: it is noted who takes it before anybody sees it, so that it is seen once. Whoever may act on the
/// deployment may.
pub async fn take(
    app: &App,
    who: &Principal,
    deployment: DeploymentId,
    id: SecretId,
    via: &str,
) -> Result<HandedOver, Trouble> {
    let deployment = deployment::to_take_from(app, who, deployment).await?;
    let found = store::secret::find(&app.store, deployment.id, id).await.map_err(database)?;
    let (handover, sealed) = found.ok_or_else(|| Trouble::not_found("secret"))?;
    let now = app.clock.now();
    if handover.state(now) != HandoverState::Open {
        return Err(over(app, &handover).await?);
    }
    // Before it is noted: what does not open is not taken.
    let text = app.sealing.open(id, &sealed).map_err(|cause| unopened(&handover).because(cause))?;
    let tx = app.store.begin().await.map_err(database)?;
    if !store::secret::take(&tx, id, who.person, now).await.map_err(database)? {
        tx.roll_back().await.map_err(database)?;
        let now_as = store::secret::find(&app.store, deployment.id, id).await.map_err(database)?;
        return Err(over(app, &now_as.ok_or_else(|| Trouble::not_found("secret"))?.0).await?);
    }
    let note = Note {
        actor: Actor::person(who, via),
        action: "secret.taken",
        subject: format!("deployment {}", deployment.name),
        project: Some(deployment.project),
        data: json!({ "secret": id, "name": handover.name }),
    };
    audit::note(app, &tx, note).await?;
    tx.commit().await.map_err(database)?;
    Ok(HandedOver { name: handover.name, deployment: deployment.name, text, taken_at: now })
}

/// Why it can't be taken any more.
async fn over(app: &App, handover: &Handover) -> Result<Trouble, Trouble> {
    let name = &handover.name;
    if handover.replaced {
        let what = format!("{name} has been replaced by a new one, and opens nothing any more.");
        return Ok(Trouble::new(Kind::Gone, what, "Look at the deployment's page; take the new one there."));
    }
    let Some(Taken { by, at }) = handover.taken else {
        let what = format!("{name} could be taken until {}. Nobody did, and now nobody can.", written(handover.until));
        return Ok(Trouble::new(Kind::Gone, what, "Set a new one, or order anew; nobody can open this one for you."));
    };
    let taker = names(&app.store, &[by]).await?.remove(&by).unwrap_or_else(|| "Somebody".to_owned());
    let what = format!("{name} can be taken once. {taker} took it on {}.", written(at));
    Ok(Trouble::new(Kind::Gone, what, "Ask who took it. If nobody has it any more, set a new one."))
}

/// What is said of a secret that another key sealed.
pub(super) fn unopened(handover: &Handover) -> Trouble {
    Trouble::new(
        Kind::Unavailable,
        format!("{} can't be opened: it was sealed with another key.", handover.name),
        "Nobody has taken it by asking. Tell the operators: `gatehouse doctor` says what helps.",
    )
}

async fn names(on: &impl Reads, people: &[PersonId]) -> Result<BTreeMap<PersonId, String>, Trouble> {
    if people.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = store::person::find_many(on, people).await.map_err(database)?;
    Ok(found.into_iter().map(|(id, person)| (id, person.name)).collect())
}
