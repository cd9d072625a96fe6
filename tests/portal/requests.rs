//! Ordering: what is refused at the counter and says why, and what is ordered once however often it is sent.

use app::request::{Order, What, submit};
use domain::ids::ProjectId;
use domain::person::Principal;
use domain::request::Request;
use domain::trouble::{Kind, Trouble};
use serde_json::{Value, json};

use crate::house::House;
use std::sync::Arc;

use providers::clock::SystemClock;

async fn project(house: &House, who: &Principal, name: &str) -> ProjectId {
    let projects = app::catalog::projects(&house.app, who).await.unwrap();
    projects.iter().find(|project| project.name == name).unwrap().id
}

fn tomcat(project: ProjectId, parameters: Value) -> What {
    let parameters = parameters.as_object().cloned().unwrap();
    What::Provision { project, blueprint: "scale-out-tomcat".into(), version: None, parameters, lease: None }
}

async fn send(house: &House, who: &Principal, what: What, key: &str) -> Result<Request, Trouble> {
    submit(&house.app, who, Order { what, reason: String::new(), via: "portal", key: key.to_owned() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_orders_once() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let what = tomcat(project(&house, &rita, "shop").await, json!({ "application": "shop" }));
    let clicks = (0..8).map(|_| send(&house, &rita, what.clone(), "form-0123456789"));
    let sent = futures::future::join_all(clicks).await;
    let numbers: Vec<i32> = sent.into_iter().map(|request| request.unwrap().number).collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    let mails = store::mail::list(&house.app.store, None, 100).await.unwrap();
    assert_eq!(mails.len(), 1, "and Adam is asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_order_says_what_is_wrong_at_its_place() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    for (parameters, field) in [
        (json!({ "application": "shop", "colour": "red" }), "colour"),
        (json!({ "application": 7 }), "application"),
        (json!({ "application": "shop", "nodes": 99 }), "nodes"),
        (json!({}), "application"),
    ] {
        let refused = send(&house, &rita, tomcat(shop, parameters), &app::secret::fresh()).await.expect_err(field);
        assert_eq!(refused.kind, Kind::Invalid, "{field}");
        assert!(refused.fields.iter().any(|error| error.field.contains(field)), "{field}: {:?}", refused.fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_promised_once() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let again = tomcat(shop, json!({ "application": "shop" }));
    let refused = send(&house, &rita, again, &app::secret::fresh()).await.expect_err("the name is taken");
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.what.contains("shop-test"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_is_reserved_with_the_order_and_never_oversold() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    let tx = house.app.store.begin().await.unwrap();
    store::allocation::set_limit(&tx, shop, "machines", 5).await.unwrap();
    tx.commit().await.unwrap();
    let orders: Vec<What> =
        (0..5).map(|n| tomcat(shop, json!({ "application": format!("shop{n}"), "nodes": 2 }))).collect();
    let keys: Vec<String> = (0..5).map(|_| app::secret::fresh()).collect();
    let sent = orders.into_iter().zip(&keys).map(|(what, key)| send(&house, &rita, what, key));
    let outcomes = futures::future::join_all(sent).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2, "two by two fit in five");
    assert!(outcomes.into_iter().filter_map(Result::err).all(|trouble| trouble.what.contains("quota")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_an_older_version_and_a_blueprint_that_is_gone_are_refused() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    let parameters = json!({ "application": "shop" }).as_object().cloned().unwrap();
    for (blueprint, version, kind) in
        [("scale-out-tomcat", Some("0.9.0"), Kind::Conflict), ("mainframe", None, Kind::NotFound)]
    {
        let what = What::Provision {
            project: shop,
            blueprint: blueprint.into(),
            version: version.map(str::to_owned),
            parameters: parameters.clone(),
            lease: None,
        };
        let refused = send(&house, &rita, what, &app::secret::fresh()).await.expect_err(blueprint);
        assert_eq!(refused.kind, kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_finds_nothing_and_orders_nothing() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let (rita, carlo) = (house.person("Rita").await, house.person("Carlo").await);
    let shop = project(&house, &rita, "shop").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let seen = app::request::show(&house.app, &carlo, request.id).await.err().expect("it is not his");
    let taken = app::request::withdraw(&house.app, &carlo, request.id, "portal").await.expect_err("not his either");
    let what = tomcat(shop, json!({ "application": "mine" }));
    let ordered = send(&house, &carlo, what, &app::secret::fresh()).await.expect_err("nor the project");
    assert_eq!([seen.kind, taken.kind, ordered.kind], [Kind::NotFound; 3], "404, never 403");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_orders_nothing() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let (rita, audrey) = (house.person("Rita").await, house.person("Audrey").await);
    let shop = project(&house, &rita, "shop").await;
    let what = tomcat(shop, json!({ "application": "shop" }));
    let refused = send(&house, &audrey, what, &app::secret::fresh()).await.expect_err("auditors change nothing");
    assert_eq!(refused.kind, Kind::Forbidden);
}
