//! Who stands behind the runs of a deployment: who ordered each, and who said yes to it.

use std::collections::BTreeMap;

use domain::approval::{Approval, ApprovalState};
use domain::ids::{DeploymentId, PersonId, RequestId};
use domain::request::{Request, RequestState};
use domain::trouble::Trouble;

use crate::{App, database};

/// The order behind a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The request's number.
    pub number: i32,
    pub title: String,
    pub state: RequestState,
    /// Who has to decide before it is carried out, while somebody has to.
    pub waits_for: Vec<String>,
    /// Who ordered it.
    pub requester: String,
    /// Who approved what was built, in the order of asking; nobody where nobody had to be asked.
    pub approvers: Vec<String>,
}

impl Ordered {
    /// Whether somebody has to decide, or its run has not begun yet.
    pub const fn is_ahead(&self) -> bool {
        matches!(self.state, RequestState::AwaitingApproval | RequestState::Approved)
    }
}

/// The orders about a deployment, in three statements whatever their number.
pub(super) async fn orders(app: &App, id: DeploymentId) -> Result<BTreeMap<RequestId, Ordered>, Trouble> {
    let on = &app.store;
    let requests = store::request::of_deployment(on, id).await.map_err(database)?;
    let ids: Vec<RequestId> = requests.iter().map(|request| request.id).collect();
    let mut approvals = store::approval::of_requests(on, &ids).await.map_err(database)?;
    approvals.retain(|approval| matches!(approval.state, ApprovalState::Approved | ApprovalState::Open));
    let mut people: Vec<PersonId> = requests.iter().map(|request| request.requester).collect();
    people.extend(approvals.iter().map(|approval| approval.approver));
    let people = store::person::find_many(on, &people).await.map_err(database)?;
    let name = |id: &PersonId| people.get(id).map(|person| person.name.clone()).unwrap_or_default();
    Ok(requests.iter().map(|request| (request.id, ordered(request, &approvals, name))).collect())
}

/// A yes to an earlier revision is no yes to what was built.
fn ordered(request: &Request, approvals: &[Approval], name: impl Fn(&PersonId) -> String) -> Ordered {
    let its_own = |state| {
        let its_own = approvals.iter().filter(|it| it.request == request.id && it.revision == request.revision);
        let mut names: Vec<String> = Vec::new();
        for approver in its_own.filter(|it| it.state == state).map(|approval| name(&approval.approver)) {
            if !names.contains(&approver) {
                names.push(approver);
            }
        }
        names
    };
    Ordered {
        number: request.number,
        title: request.title.clone(),
        state: request.state,
        waits_for: its_own(ApprovalState::Open),
        requester: name(&request.requester),
        approvers: its_own(ApprovalState::Approved),
    }
}
