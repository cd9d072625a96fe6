//! Deployments: what was ordered and stands now, what it costs, and what may be done with it.

mod action;
mod follow;
mod history;
mod lease;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::allocation::{Allocation, agreed_cents, cents_so_far, monthly_cents};
use domain::ci::Ci;
use domain::deployment::Deployment;
use domain::finding::Finding;
use domain::hold::Hold;
use domain::ids::{DeploymentId, PersonId, ProjectId, RequestId};
use domain::money::Money;
use domain::person::{Principal, Role, Scope};
use domain::project::Project;
use domain::reading::Reading;
use domain::resource::Resource;
use domain::run::RunState;
use domain::trouble::Trouble;
use store::ci::{CiQuery, CiSort};
use store::run::RunSummary;

pub(crate) use action::refuse_unless_live;
pub use action::{ActionForm, Offered, action_draft, action_form, to_change};
pub(crate) use follow::{begin, run_ended};
pub use history::Ordered;
pub use lease::{keep_leases, prolong};
pub use store::deployment::{Filter, SortBy};

use crate::ci::{self, Running};
use crate::page::{Counted, List, Turn, Window};
use crate::secret::Shown;
use crate::sighting::{self, ByHand};
use crate::{App, catalog, database, hold, run, secret, site};

/// CIs that a deployment's page lists; the CMDB has the others.
const CIS_SHOWN: u64 = 200;

/// A line of the list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub deployment: Deployment,
    /// The project's title.
    pub project: String,
    pub owner: String,
    /// What it costs at present.
    pub monthly: Money,
    pub reads: Reading,
}

/// Everything about one deployment.
#[derive(Clone, Debug)]
pub struct Details {
    pub deployment: Deployment,
    pub reads: Reading,
    pub project: Project,
    /// Who ordered it.
    pub owner: String,
    /// Its parameters as they stand: title and value in words.
    pub ordered: Vec<(String, String)>,
    /// Its ledger, objects that are gone included.
    pub resources: Vec<Resource>,
    /// Newest first.
    pub runs: Vec<RunSummary>,
    /// The one of them that has not ended, if one has not.
    pub under_way: Option<run::Listed>,
    /// The orders behind its runs.
    pub orders: BTreeMap<RequestId, Ordered>,
    pub cis: Vec<Ci>,
    /// What others made of its machines, and why that may not be all.
    pub by_hand: Vec<OnMachine>,
    pub not_evaluated: Option<String>,
    /// What runs in its containers; nothing for one that holds none.
    pub running: Option<Running>,
    pub monthly: Money,
    /// What it will cost per month once what is ordered is there.
    pub agreed: Money,
    pub so_far: Money,
    /// What was made for it and is handed over.
    pub secrets: Vec<Shown>,
    /// Whether the person may change it.
    pub may_act: bool,
    /// What its blueprint offers to do with it.
    pub actions: Vec<Offered>,
    pub now: DateTime<Utc>,
}

/// A finding about one of its machines.
#[derive(Clone, Debug)]
pub struct OnMachine {
    pub ci: Ci,
    pub finding: Finding,
}

impl OnMachine {
    /// Whether it is about the object with this key.
    pub fn is_about(&self, key: &str) -> bool {
        ci::describes(&self.ci.key, key)
    }
}

/// A part of the deployments that the person may see, in a few statements whatever their number.
pub async fn list(
    app: &App,
    who: &Principal,
    filter: &Filter,
    window: Window<SortBy, DeploymentId>,
) -> Result<List<Listed>, Trouble> {
    let scope = who.scope();
    let part = store::deployment::list(&app.store, &scope, filter, window).await.map_err(database)?;
    let owners: Vec<PersonId> = part.rows.iter().map(|deployment| deployment.owner).collect();
    let owners = store::person::find_many(&app.store, &owners).await.map_err(database)?;
    let projects = store::project::list(&app.store, &scope).await.map_err(database)?;
    let titles: BTreeMap<ProjectId, &str> = projects.iter().map(|it| (it.id, it.title.as_str())).collect();
    let mut taken = taken(app, &part.rows).await?;
    let mut reads = readings(app, &part.rows).await?;
    let part = part.map(|deployment| Listed {
        project: titles.get(&deployment.project).copied().unwrap_or_default().to_owned(),
        owner: owners.get(&deployment.owner).map(|owner| owner.name.clone()).unwrap_or_default(),
        monthly: Money::from_cents(monthly_cents(&taken.remove(&deployment.id).unwrap_or_default())),
        reads: reads.remove(&deployment.id).unwrap_or_else(|| deployment.state.reads(None)),
        deployment,
    });
    Ok(List { part, projects })
}

/// How each of these reads that a run works on: a few statements, and none where nothing is under way.
pub(crate) async fn readings(
    app: &App,
    deployments: &[Deployment],
) -> Result<BTreeMap<DeploymentId, Reading>, Trouble> {
    let under_way = deployments.iter().filter(|deployment| deployment.state.is_under_way());
    let ids: Vec<DeploymentId> = under_way.clone().map(|deployment| deployment.id).collect();
    let runs = store::run::open_of_deployments(&app.store, &ids).await.map_err(database)?;
    let holds = hold::of_runs(app, &runs.values().cloned().collect::<Vec<_>>()).await?;
    let of = |deployment: &Deployment| {
        let run = runs.get(&deployment.id).map(|run| (run.state, holds.get(&run.id)));
        (deployment.id, reads(deployment, run))
    };
    Ok(under_way.map(of).collect())
}

/// How a deployment reads by the run that works on it, and by what that waits for in line.
fn reads(deployment: &Deployment, run: Option<(RunState, Option<&Hold>)>) -> Reading {
    let reads = deployment.state.reads(run.map(|(state, _)| state));
    let hold = run.and_then(|(_, hold)| hold).filter(|_| deployment.state.is_under_way());
    hold.map_or(reads, |hold| hold.reads(reads))
}

/// How many deployments the person may see and the filter leaves, up to a thousand.
pub async fn count(app: &App, who: &Principal, filter: &Filter) -> Result<Counted, Trouble> {
    store::deployment::count(&app.store, &who.scope(), filter).await.map_err(database)
}

/// One deployment; one of another tenant's does not exist for the person.
pub async fn show(app: &App, who: &Principal, id: DeploymentId) -> Result<Details, Trouble> {
    let scope = who.scope();
    let deployment = find(app, &scope, id).await?;
    let project = store::project::find(&app.store, deployment.project).await.map_err(database)?;
    let project = project.ok_or_else(|| Trouble::not_found("deployment"))?;
    let owner = store::person::find(&app.store, deployment.owner).await.map_err(database)?;
    let resources = store::resource::of_deployment(&app.store, id).await.map_err(database)?;
    let runs = store::run::of_deployment(&app.store, id).await.map_err(database)?;
    let of_it = CiQuery { deployment: Some(id), ..CiQuery::default() };
    let shown = Window { sort: CiSort::Name, descending: false, turn: Turn::First, limit: CIS_SHOWN };
    let cis = store::ci::list(&app.store, &scope, &of_it, shown).await.map_err(database)?.rows;
    let allocations = store::allocation::of_deployments(&app.store, &[id]).await.map_err(database)?;
    let blueprint = catalog::pinned(app, &deployment.blueprint, &deployment.version).await?;
    let now = app.clock.now();
    let under_way = runs.iter().find(|run| !run.state.has_ended());
    let under_way = match under_way.cloned() {
        Some(run) => Some(run::Listed { hold: hold::of_run(app, run.id, run.state, &run.blueprint).await?, run }),
        None => None,
    };
    let seen = sighting::seen_of(app, &[id], now).await?;
    let of_cis: Vec<(&Ci, ByHand)> = cis.iter().map(|ci| (ci, seen.of(ci, &deployment.site))).collect();
    let words = blueprint.in_words(None, &deployment.params);
    Ok(Details {
        reads: reads(&deployment, under_way.as_ref().map(|it| (it.run.state, it.hold.as_ref()))),
        under_way,
        ordered: site::fact(app, &deployment.site).into_iter().chain(words).collect(),
        owner: owner.map(|owner| owner.name).unwrap_or_default(),
        monthly: Money::from_cents(monthly_cents(&allocations)),
        agreed: Money::from_cents(agreed_cents(&allocations)),
        so_far: Money::from_cents(cents_so_far(&allocations, now)),
        may_act: may_act(who, deployment.project),
        actions: action::offered(&blueprint),
        deployment,
        project,
        resources,
        runs,
        orders: history::orders(app, id).await?,
        secrets: secret::of_deployment(app, id).await?,
        not_evaluated: of_cis.iter().find_map(|(_, seen)| seen.not_evaluated.clone()),
        by_hand: of_cis.into_iter().flat_map(|(ci, seen)| on_machine(ci, seen)).collect(),
        running: ci::running(app, &cis).await?,
        cis,
        now,
    })
}

fn on_machine(ci: &Ci, seen: ByHand) -> impl Iterator<Item = OnMachine> {
    seen.findings.into_iter().map(|finding| OnMachine { ci: ci.clone(), finding })
}

/// The deployment whose secrets somebody wants to take.
pub(crate) async fn to_take_from(app: &App, who: &Principal, id: DeploymentId) -> Result<Deployment, Trouble> {
    let deployment = find(app, &who.scope(), id).await?;
    if may_act(who, deployment.project) {
        return Ok(deployment);
    }
    Err(Trouble::forbidden(
        format!("What was made for {} is for the people who may change it.", deployment.name),
        format!("Ask {}, who answers for the application.", deployment.application),
    ))
}

async fn find(app: &App, scope: &Scope, id: DeploymentId) -> Result<Deployment, Trouble> {
    let found = store::deployment::find_in(&app.store, id, scope).await.map_err(database)?;
    found.ok_or_else(|| Trouble::not_found("deployment"))
}

fn may_act(who: &Principal, project: ProjectId) -> bool {
    who.has(Role::Requester, project)
}

async fn taken(app: &App, deployments: &[Deployment]) -> Result<BTreeMap<DeploymentId, Vec<Allocation>>, Trouble> {
    let ids: Vec<DeploymentId> = deployments.iter().map(|deployment| deployment.id).collect();
    let mut by_deployment: BTreeMap<DeploymentId, Vec<Allocation>> = BTreeMap::new();
    for row in store::allocation::of_deployments(&app.store, &ids).await.map_err(database)? {
        by_deployment.entry(row.deployment).or_default().push(row);
    }
    Ok(by_deployment)
}
