use chrono::TimeDelta;
use domain::allocation::{Allocation, AllocationState, CENTS_PER_MONTH};
use domain::ids::OrganisationId;
use sea_orm::ConnectionTrait;
use test_database::TestDatabase;

use super::*;
use crate::page::Turn;
use crate::{Store, allocation, fresh_id};

/// A database of its own with two projects, swept when the test ends.
struct House {
    store: Store,
    _database: TestDatabase,
    shop: ProjectId,
    billing: ProjectId,
}

impl House {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.unwrap();
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
        Self { store, _database: database, shop, billing }
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
            site: "dc1".into(),
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
        let window = Window { sort: SortBy::Name, descending: false, turn: Turn::First, limit: 50 };
        let rows = list(&self.store, scope, &filter, window).await.unwrap().rows;
        let counted = count(&self.store, scope, &filter).await.unwrap();
        assert_eq!(counted, Counted { number: rows.len() as u64, more: false });
        rows.into_iter().map(|row| row.name).collect()
    }
}

/// One more project, of somebody else.
async fn fresh_project(house: &House) -> ProjectId {
    let id: ProjectId = fresh_id();
    let tx = house.store.begin().await.unwrap();
    let like = "insert into project (id, organisation_id, name, title, team) \
                select $1, organisation_id, 'other', '', '' from project where id = $2";
    let values = [id.0.into(), house.shop.0.into()];
    let statement = sea_orm::Statement::from_sql_and_values(tx.0.get_database_backend(), like, values);
    tx.0.execute_raw(statement).await.unwrap();
    tx.commit().await.unwrap();
    id
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
async fn pages_of_several_projects_follow_one_another_forth_and_back() {
    let house = House::new().await;
    for number in 0..7 {
        let project = if number % 2 == 0 { house.shop } else { house.billing };
        house.deploy(project, &format!("node-{number}"), DeploymentState::Live).await;
    }
    let foreign = house.deploy(fresh_project(&house).await, "zebra", DeploymentState::Live).await;
    let scope = Scope::Projects(vec![house.shop, house.billing]);
    let page = async |sort, descending, turn| {
        let window = Window { sort, descending, turn, limit: 3 };
        list(&house.store, &scope, &Filter::default(), window).await.unwrap()
    };
    for (sort, descending) in [(SortBy::Name, false), (SortBy::Created, true), (SortBy::Lease, true)] {
        let (mut forth, mut turn) = (Vec::new(), Turn::First);
        loop {
            let part = page(sort, descending, turn).await;
            assert_eq!(part.earlier, !forth.is_empty());
            turn = Turn::After(part.rows.last().unwrap().id);
            forth.extend(part.rows.into_iter().map(|row| row.name));
            if !part.later {
                break;
            }
        }
        let mut expected: Vec<String> = (0..7).map(|number| format!("node-{number}")).collect();
        if descending {
            // They were made at one moment: then the newest id comes first.
            expected.reverse();
        }
        assert_eq!(forth, expected);
    }
    let second = page(SortBy::Name, false, Turn::After(page(SortBy::Name, false, Turn::First).await.rows[2].id)).await;
    let back = page(SortBy::Name, false, Turn::Before(second.rows[0].id)).await;
    let names: Vec<&str> = back.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names, back.earlier, back.later), (vec!["node-0", "node-1", "node-2"], false, true));
    let beyond = page(SortBy::Name, false, Turn::Before(foreign.id)).await;
    assert!(beyond.rows.is_empty(), "a foreign row says nothing of its place");
}

#[tokio::test]
async fn a_list_of_very_many_projects_is_still_one_statement() {
    let house = House::new().await;
    house.deploy(house.shop, "shop-test", DeploymentState::Live).await;
    let strangers = (0..700).map(|_| fresh_id::<ProjectId>());
    let scope = Scope::Projects(strangers.chain([house.shop]).collect());
    assert_eq!(house.names(&scope, Filter::default()).await, ["shop-test"]);
}

#[tokio::test]
async fn counting_stops_at_a_thousand() {
    let house = House::new().await;
    let one = house.deploy(house.shop, "node", DeploymentState::Live).await;
    let tx = house.store.begin().await.unwrap();
    for _ in 0..1_000 {
        insert(&tx, &Deployment { id: fresh_id(), ..one.clone() }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let counted = count(&house.store, &Scope::Everything, &Filter::default()).await.unwrap();
    assert_eq!(counted, Counted { number: 1_000, more: true });
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
