use std::path::PathBuf;

use chrono::TimeDelta;
use domain::allocation::{Allocation, AllocationState, CENTS_PER_MONTH};
use domain::ids::OrganisationId;
use sea_orm::ConnectionTrait;

use super::*;
use crate::{Store, allocation, fresh_id};

/// A database of its own with two projects, swept when the test ends.
struct House {
    store: Store,
    file: PathBuf,
    shop: ProjectId,
    billing: ProjectId,
}

impl House {
    async fn new() -> Self {
        let file = std::env::temp_dir().join(format!("gatehouse-deployment-{}.db", fresh_id::<Uuid>()));
        let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
        let (organisation, shop, billing) = (fresh_id::<OrganisationId>(), fresh_id(), fresh_id());
        let tx = store.begin().await.unwrap();
        let backend = tx.0.get_database_backend();
        let statement = |sql: &str, ids: &[Uuid]| {
            sea_orm::Statement::from_sql_and_values(backend, sql, ids.iter().map(|id| (*id).into()))
        };
        let of = organisation.0;
        let insert = "insert into organisation (id, name, title) values ($1, 'northwind', 'Northwind')";
        tx.0.execute_raw(statement(insert, &[of])).await.unwrap();
        for (project, name) in [(shop, "shop"), (billing, "billing")] {
            let ProjectId(id) = project;
            let insert = format!(
                "insert into project (id, organisation_id, name, title, team) values ($1, $2, '{name}', '', '')"
            );
            tx.0.execute_raw(statement(&insert, &[id, of])).await.unwrap();
        }
        tx.commit().await.unwrap();
        Self { store, file, shop, billing }
    }

    async fn deploy(&self, project: ProjectId, name: &str, state: DeploymentState) -> Deployment {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let lease = Lease {
            until: start + TimeDelta::days(90),
            longest_until: start + TimeDelta::days(365),
            grace_days: 7,
            warned_at: None,
        };
        let deployment = Deployment {
            id: fresh_id(),
            project,
            request: fresh_id(),
            owner: fresh_id(),
            name: name.to_owned(),
            blueprint: "linux-vm".to_owned(),
            version: "1.0.0".to_owned(),
            title: "Linux VM".to_owned(),
            params: Map::new(),
            next_params: None,
            platform: "ops-platform".to_owned(),
            application: "team-shop".to_owned(),
            state,
            lease,
            created_at: start,
            built_at: None,
            ended_at: None,
        };
        let tx = self.store.begin().await.unwrap();
        insert(&tx, &deployment).await.unwrap();
        tx.commit().await.unwrap();
        deployment
    }

    async fn names(&self, scope: &Scope, filter: Filter) -> Vec<String> {
        let window = Window { sort: SortBy::Name, descending: false, offset: 0, limit: 50 };
        let rows = list(&self.store, scope, &filter, window).await.unwrap();
        assert_eq!(rows.len() as u64, count(&self.store, scope, &filter).await.unwrap());
        rows.into_iter().map(|row| row.name).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for ending in ["db", "db-wal", "db-shm"] {
            std::fs::remove_file(self.file.with_extension(ending)).ok();
        }
    }
}

#[tokio::test]
async fn a_list_shows_what_is_in_scope_and_not_over_unless_asked() {
    let house = House::new().await;
    house.deploy(house.shop, "shop-test", DeploymentState::Live).await;
    house.deploy(house.shop, "shop_100%", DeploymentState::Building).await;
    house.deploy(house.shop, "old-shop", DeploymentState::Retired).await;
    let foreign = house.deploy(house.billing, "billing", DeploymentState::Live).await;
    let scope = Scope::Projects(vec![house.shop]);

    assert_eq!(house.names(&scope, Filter::default()).await, ["shop-test", "shop_100%"]);
    let text = |text: &str| Filter { text: text.to_owned(), ..Filter::default() };
    assert_eq!(house.names(&scope, text("SHOP-T")).await, ["shop-test"]);
    assert_eq!(house.names(&scope, text("0%")).await, ["shop_100%"]);
    assert_eq!(house.names(&scope, text("p_1")).await, ["shop_100%"]);
    let retired = Filter { states: vec![DeploymentState::Retired], ..Filter::default() };
    assert_eq!(house.names(&scope, retired).await, ["old-shop"]);
    assert_eq!(house.names(&Scope::Everything, Filter::default()).await.len(), 3);
    assert!(house.names(&Scope::Projects(Vec::new()), Filter::default()).await.is_empty());
    assert_eq!(find_in(&house.store, foreign.id, &scope).await.unwrap(), None);
    assert_eq!(find_in(&house.store, foreign.id, &Scope::Everything).await.unwrap(), Some(foreign));
}

#[tokio::test]
async fn a_deployment_is_kept_as_it_was_written() {
    let house = House::new().await;
    let built = house
        .deploy(house.shop, "shop-test", DeploymentState::Building)
        .await
        .run_succeeded(false, DateTime::<Utc>::UNIX_EPOCH);
    let tx = house.store.begin().await.unwrap();
    update(&tx, &built).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(&house.store, built.id).await.unwrap(), Some(built.clone()));
    let soon = built.lease.until + TimeDelta::days(1);
    assert_eq!(lease_ends_before(&house.store, soon).await.unwrap(), std::slice::from_ref(&built));
    assert!(lease_ends_before(&house.store, built.lease.until).await.unwrap().is_empty());
}

#[tokio::test]
async fn usage_counts_what_is_promised_and_gives_back_only_what_is_gone() {
    let house = House::new().await;
    let deployment = house.deploy(house.shop, "shop-test", DeploymentState::Live).await;
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let row = |request: RequestId, key: &str, amount: i64| Allocation {
        project: house.shop,
        request,
        deployment: deployment.id,
        key: key.to_owned(),
        amount,
        state: AllocationState::Reserved,
        reserved_at: now,
        live_at: None,
        released_at: None,
    };
    let shrink = fresh_id();
    let tx = house.store.begin().await.unwrap();
    allocation::reserve(&tx, &[row(deployment.request, "machines", 4), row(deployment.request, CENTS_PER_MONTH, 900)])
        .await
        .unwrap();
    assert_eq!(allocation::usage(&tx, house.shop).await.unwrap()["machines"], 4);
    allocation::make_live(&tx, deployment.request, now).await.unwrap();
    allocation::reserve(&tx, &[row(shrink, "machines", -1)]).await.unwrap();
    assert_eq!(allocation::usage(&tx, house.shop).await.unwrap()["machines"], 4);
    allocation::make_live(&tx, shrink, now).await.unwrap();
    assert_eq!(allocation::usage(&tx, house.shop).await.unwrap()["machines"], 3);
    assert!(allocation::usage(&tx, house.billing).await.unwrap().is_empty());
    allocation::release_deployment(&tx, deployment.id, now).await.unwrap();
    assert!(allocation::usage(&tx, house.shop).await.unwrap().is_empty());
    assert_eq!(allocation::of_deployments(&tx, &[deployment.id]).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_limit_is_set_once_per_key() {
    let house = House::new().await;
    let tx = house.store.begin().await.unwrap();
    allocation::set_limit(&tx, house.shop, "machines", 10).await.unwrap();
    allocation::set_limit(&tx, house.shop, "machines", 20).await.unwrap();
    assert_eq!(allocation::limits(&tx, house.shop).await.unwrap()["machines"], 20);
    assert!(allocation::limits(&tx, house.billing).await.unwrap().is_empty());
}
