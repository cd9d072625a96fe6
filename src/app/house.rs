//! A house for tests: a new database, a clock that is wound by hand, two tenants.

pub(crate) mod machines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use domain::ci::{Cause, CiChange, Source};
use domain::ids::{DeploymentId, OrganisationId, ProjectId};
use domain::organisation::Organisation;
use domain::person::{Principal, Role};
use domain::ports::clock::Clock;
use domain::project::Project;
use domain::site::{SIMULATED, Sites};
use engine::Engine;
use store::Store;
use test_database::TestDatabase;

use crate::App;
use crate::catalog::Catalog;
use crate::consequences::House as Consequences;
use crate::secret::SealingKey;

/// A clock that stands still until a test winds it.
pub(crate) struct Wound(Mutex<DateTime<Utc>>);

impl Wound {
    pub(crate) fn wind(&self, by: TimeDelta) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for Wound {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open house with its own database, removed with it.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) clock: Arc<Wound>,
    /// A project of each of two organisations.
    pub(crate) shop: ProjectId,
    pub(crate) website: ProjectId,
    pub(crate) database: TestDatabase,
}

impl House {
    pub(crate) async fn open() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database opens");
        let noon = DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant");
        let clock = Arc::new(Wound(Mutex::new(noon)));
        let consequences = Arc::new(Consequences { base_url: String::new(), mailer: None });
        let no_actions = BTreeMap::from([(SIMULATED.to_owned(), Vec::new())]);
        let engine = Engine::new(store.clone(), clock.clone(), no_actions, consequences, engine::Settings::default())
            .await
            .expect("an engine without actions starts");
        let (shop, website) = (project(&store, "shop").await, project(&store, "website").await);
        let app = App {
            store,
            clock: clock.clone(),
            base_url: String::new(),
            sites: Sites::new(Vec::new()),
            catalog: Catalog::new(Vec::new(), || Ok(Vec::new())),
            engine,
            demo: false,
            mailer: None,
            datacenter: None,
            connectors: Default::default(),
            press: Default::default(),
            node_servers: Default::default(),
            sealing: SealingKey::read(&SealingKey::fresh()).expect("a fresh key is one"),
        };
        Self { app, clock, shop, website, database }
    }

    /// Tells the CMDB, as a step of a run would, for a project.
    pub(crate) async fn tell(&self, project: ProjectId, changes: &[CiChange]) {
        self.tell_of(project, None, changes).await;
    }

    /// The same, of a deployment.
    pub(crate) async fn tell_of(&self, project: ProjectId, deployment: Option<DeploymentId>, changes: &[CiChange]) {
        let cause = Cause {
            source: Source::Workflow,
            project,
            deployment,
            run: None,
            step: Some("node[1]".into()),
            platform: Some("ops-containers".into()),
            application: Some("shop-team".into()),
            at: self.clock.now(),
        };
        let tx = self.app.store.begin().await.expect("a transaction");
        store::ci::apply(&tx, changes, &cause).await.expect("it is written");
        tx.commit().await.expect("it commits");
    }
}

async fn project(store: &Store, name: &str) -> ProjectId {
    let organisation: OrganisationId = store::fresh_id();
    let project = Project {
        id: store::fresh_id(),
        organisation,
        organisation_name: format!("org-{name}"),
        name: name.into(),
        title: name.into(),
        team: format!("{name}-team"),
    };
    let owner = Organisation { id: organisation, name: format!("org-{name}"), title: name.into() };
    let tx = store.begin().await.expect("a transaction");
    store::organisation::insert(&tx, &owner).await.expect("it is written");
    store::project::insert(&tx, &project).await.expect("it is written");
    tx.commit().await.expect("it commits");
    project.id
}

/// Somebody who sees everything.
pub(crate) fn auditor() -> Principal {
    Principal { everywhere: BTreeSet::from([Role::Auditor]), ..nobody() }
}

/// Somebody who orders in one project.
pub(crate) fn requester(project: ProjectId) -> Principal {
    Principal { by_project: BTreeMap::from([(project, BTreeSet::from([Role::Requester]))]), ..nobody() }
}

/// Somebody who may do nothing.
pub(crate) fn nobody() -> Principal {
    Principal {
        person: store::fresh_id(),
        name: "Somebody".into(),
        email: "somebody@example.org".into(),
        groups: BTreeSet::new(),
        everywhere: BTreeSet::new(),
        by_project: BTreeMap::new(),
    }
}
