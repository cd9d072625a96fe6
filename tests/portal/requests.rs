//! Ordering: what is refused at the counter and says why, and what is ordered once however often it is sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use app::idempotency::Sent;
use app::page::{Turn, Window};
use app::request::{Filter, NewTerms, Order, SortBy, What, submit};
use domain::blueprint::Period;
use domain::deployment::DeploymentState;
use domain::ids::ProjectId;
use domain::person::Principal;
use domain::request::Request;
use domain::trouble::{Kind, Trouble};
use providers::clock::SystemClock;
use serde_json::{Value, json};

use crate::door;
use crate::house::House;

async fn project(house: &House, who: &Principal, name: &str) -> ProjectId {
    let projects = app::catalog::projects(&house.app, who).await.unwrap();
    projects.iter().find(|project| project.name == name).unwrap().id
}

fn tomcat(project: ProjectId, parameters: Value) -> What {
    let parameters = parameters.as_object().cloned().unwrap();
    What::Provision {
        project,
        site: None,
        blueprint: "scale-out-tomcat".into(),
        version: None,
        parameters,
        lease: None,
    }
}

async fn send(house: &House, who: &Principal, what: What, key: &str) -> Result<Request, Trouble> {
    submit(&house.app, who, Order { what, reason: String::new(), via: "portal", key: key.to_owned() }).await
}

#[actix_web::test]
async fn a_request_bears_the_name_of_what_it_is_for_and_is_found_by_it() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let ordered = house.order(&rita, "scale-out-tomcat", json!({ "application": "intranet" })).await;
    assert_eq!(ordered.title, "Scale Out Tomcat intranet-test");
    let terms = NewTerms {
        revision: 1,
        site: None,
        parameters: json!({ "application": "extranet" }).as_object().cloned().unwrap(),
        lease: None,
        reason: String::new(),
    };
    let changed = app::request::change(&house.app, &rita, ordered.id, terms, &Sent::PORTAL).await.unwrap();
    assert_eq!(changed.title, "Scale Out Tomcat extranet-test", "another name, another title");

    let visitor = door::session(&door::sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    for (address, finds) in
        [("/search?q=extranet", true), ("/requests?q=extranet", true), ("/requests?q=intranet", false)]
    {
        let page = door::send(&house, TestRequest::get().uri(address).cookie(visitor.clone())).await;
        let page = String::from_utf8(read_body(page).await.to_vec()).unwrap();
        assert_eq!(page.contains("Scale Out Tomcat extranet-test"), finds, "{address}: {page}");
    }

    house.approve("Adam").await;
    let built = house.when(&rita, ordered.deployment, DeploymentState::Live).await;
    assert_eq!(
        (built.deployment.name.as_str(), built.deployment.title.as_str()),
        ("extranet-test", "Scale Out Tomcat")
    );
    assert_eq!(built.runs[0].title, "Scale Out Tomcat extranet-test (R-1)");
    let parameters = json!({ "nodes": 3 }).as_object().cloned().unwrap();
    let scale = What::Action { deployment: ordered.deployment, action: "scale".to_owned(), parameters, seen: None };
    assert_eq!(house.ask(&rita, scale).await.title, "Add or remove machines of extranet-test");
    house.close().await;
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
async fn a_key_orders_what_it_came_with_first_and_nothing_else() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let (rita, carlo) = (house.person("Rita").await, house.person("Carlo").await);
    let shop = project(&house, &rita, "shop").await;
    let key = "form-0123456789";
    let first = send(&house, &rita, tomcat(shop, json!({ "application": "shop", "nodes": 2 })), key).await.unwrap();
    let again = send(&house, &rita, tomcat(shop, json!({ "nodes": 2, "application": "shop" })), key).await.unwrap();
    assert_eq!(again.id, first.id, "the order of the fields says nothing");

    let others = [
        tomcat(shop, json!({ "application": "shop", "nodes": 3 })),
        tomcat(shop, json!({ "application": "shop" })),
        What::Retire { deployment: first.deployment },
    ];
    for other in others {
        let refused = send(&house, &rita, other.clone(), key).await.expect_err("it is another order");
        assert_eq!(refused.kind, Kind::Invalid, "{other:?}");
        assert!(refused.what.contains("sent before with other content"), "{}", refused.what);
    }
    let his = project(&house, &carlo, "website").await;
    let parameters = json!({ "application": "mine" }).as_object().cloned().unwrap();
    let what = What::Provision {
        project: his,
        site: None,
        blueprint: "linux-vm".into(),
        version: None,
        parameters,
        lease: None,
    };
    let of_carlo = send(&house, &carlo, what, key).await.unwrap();
    assert_ne!(of_carlo.id, first.id, "a key is each person's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_that_race_with_one_key_one_is_filed() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    // Each round hits upon another moment of the others.
    for round in 0..20 {
        let racers = (0..4).map(|racer| {
            let (app, rita) = (house.app.clone(), rita.clone());
            let what = tomcat(shop, json!({ "application": "shop" }));
            let key = format!("form-0123456789-{round}");
            let order = Order { what, reason: format!("For racer {racer}."), via: "portal", key };
            tokio::spawn(async move { submit(&app, &rita, order).await })
        });
        let sent = futures::future::join_all(racers).await.into_iter().map(Result::unwrap);
        let (filed, refused): (Vec<_>, Vec<_>) = sent.partition(Result::is_ok);
        assert_eq!(filed.len(), 1, "round {round}");
        for trouble in refused.into_iter().filter_map(Result::err) {
            assert!(trouble.what.contains("sent before with other content"), "{}", trouble.what);
        }
        let filed = filed.into_iter().next().unwrap().unwrap();
        app::request::withdraw(&house.app, &rita, filed.id, &Sent::PORTAL).await.unwrap();
    }
}

#[actix_web::test]
async fn a_form_sent_again_with_other_values_comes_back_with_them_and_orders_nothing() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let who = house.person("Rita").await;
    let shop = project(&house, &who, "shop").await.to_string();
    let session = app::session::sign_in(&house.app, "rita@example.org", "rita-orders-machines", "test").await.unwrap();
    let csrf = app::session::resume(&house.app, &session).await.unwrap().unwrap().csrf;
    let form = |name: &str| {
        let fields = [("csrf", csrf.as_str()), ("key", "form-0123456789"), ("project", &shop), ("lease", "30")];
        let fields: Vec<(&str, &str)> =
            fields.into_iter().chain([("application", name), ("version", "1.1.0"), ("nodes", "2")]).collect();
        let form = TestRequest::post().uri("/catalog/scale-out-tomcat").set_form(&fields);
        form.cookie(Cookie::new("gatehouse", session.clone())).insert_header(("Sec-Fetch-Site", "same-origin"))
    };
    assert_eq!(door::send(&house, form("shop")).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(door::send(&house, form("shop")).await.status(), StatusCode::SEE_OTHER, "a double click");
    let refused = door::send(&house, form("another")).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = String::from_utf8(to_bytes(refused.into_body()).await.ok().unwrap().to_vec()).unwrap();
    assert!(page.contains("sent before with other content") && page.contains("value=\"another\""), "{page}");
    assert!(!page.contains("form-0123456789"), "sent once more, it is another order");
    let window = Window { sort: SortBy::Number, descending: false, turn: Turn::First, limit: 10 };
    let filed = app::request::list(&house.app, &who, &Filter::default(), window).await.unwrap();
    assert_eq!(filed.part.rows.len(), 1);
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
async fn all_that_is_wrong_with_an_order_and_with_its_change_is_told_at_once() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let parameters = json!({ "application": "shop", "nodes": 99, "colour": "red" }).as_object().cloned().unwrap();
    let (lease, reason) = (Some(Period::of_days(5_000)), "because ".repeat(300));
    let told = |refused: Trouble| {
        assert_eq!(refused.kind, Kind::Invalid, "{refused}");
        refused.fields.into_iter().map(|wrong| wrong.field).collect::<BTreeSet<_>>()
    };
    let everything = BTreeSet::from(["colour", "nodes", "lease", "reason"].map(str::to_owned));

    let what = What::Provision {
        project: project(&house, &rita, "shop").await,
        site: None,
        blueprint: "scale-out-tomcat".into(),
        version: None,
        parameters: parameters.clone(),
        lease,
    };
    let order = Order { what, reason: reason.clone(), via: "portal", key: app::secret::fresh() };
    assert_eq!(told(submit(&house.app, &rita, order).await.expect_err("four things are wrong")), everything);

    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let terms = NewTerms { revision: request.revision, site: None, parameters, lease, reason };
    let refused = app::request::change(&house.app, &rita, request.id, terms, &Sent::PORTAL).await;
    assert_eq!(told(refused.expect_err("the same four")), everything);
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
    let fields: Vec<_> = refused.fields.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["application", "environment"], "the name is made of these, and says so at both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_refused_at_the_field_it_was_typed_in() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    house.order(&rita, "container-space", json!({ "name": "web" })).await;
    let parameters = json!({ "name": "web" }).as_object().cloned().unwrap();
    let again = What::Provision {
        project: shop,
        site: None,
        blueprint: "container-space".into(),
        version: None,
        parameters,
        lease: None,
    };
    let refused = send(&house, &rita, again, &app::secret::fresh()).await.expect_err("the name is taken");
    assert_eq!((refused.kind, refused.fields.len()), (Kind::Conflict, 1));
    assert_eq!(refused.fields[0].field, "name");
    assert!(refused.fields[0].message.contains("The name web is taken."), "{refused:?}");
    assert!(refused.next.contains("another name") && !refused.next.contains("environment"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_a_name_at_once_one_gets_it() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let shop = project(&house, &rita, "shop").await;
    let keys: Vec<String> = (0..6).map(|_| app::secret::fresh()).collect();
    let sent = keys.iter().map(|key| send(&house, &rita, tomcat(shop, json!({ "application": "shop" })), key));
    let outcomes = futures::future::join_all(sent).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.into_iter().filter_map(Result::err).all(|trouble| trouble.what.contains("is taken")));
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
            site: None,
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
    let taken =
        app::request::withdraw(&house.app, &carlo, request.id, &Sent::PORTAL).await.expect_err("not his either");
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

/// Somebody of the demo at the portal's pages.
pub struct Browser<'h> {
    house: &'h House,
    session: Cookie<'static>,
}

impl<'h> Browser<'h> {
    pub async fn of(house: &'h House, email: &str, password: &str) -> Self {
        Self { house, session: door::session(&door::sign_in(house, email, password).await) }
    }

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        self.send(TestRequest::get().uri(path)).await
    }

    /// Sends a form as the page at `path` has it, with these fields filled in.
    pub async fn send_form(&self, path: &str, csrf: &str, fields: &[(&str, &str)]) -> (StatusCode, String) {
        let fields: Vec<(&str, &str)> = [("csrf", csrf)].into_iter().chain(fields.iter().copied()).collect();
        self.send(TestRequest::post().uri(path).insert_header(("Sec-Fetch-Site", "same-origin")).set_form(fields)).await
    }

    async fn send(&self, request: TestRequest) -> (StatusCode, String) {
        let answer = door::send(self.house, request.cookie(self.session.clone())).await;
        let status = answer.status();
        (status, String::from_utf8(read_body(answer).await.to_vec()).unwrap())
    }
}

/// The hidden field of the page's forms.
pub fn csrf(page: &str) -> String {
    hidden(page, "csrf")
}

/// What a hidden field of the page's form says.
pub fn hidden(page: &str, name: &str) -> String {
    let value = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    value.split('"').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_request_is_changed_on_its_page_and_everybody_is_asked_again() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop", "nodes": 3 })).await;
    let browser = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    let address = format!("/requests/{}/change", request.id);

    let (status, form) = browser.get(&address).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        form.contains("value=\"3\"") && form.contains("0 → 3 of 24"),
        "filled, and its own promise is not counted twice"
    );
    let csrf = csrf(&form);
    let fields =
        [("application", "shop"), ("environment", "test"), ("nodes", "4"), ("size", "small"), ("tomcat", "10.1")];
    let with = |revision: &'static str, nodes: &'static str| {
        let changed = fields.map(|(name, value)| (name, if name == "nodes" { nodes } else { value }));
        [&changed[..], &[("lease", "30"), ("reason", "more load"), ("revision", revision)]].concat()
    };

    let (status, page) = browser.send_form(&address, &csrf, &with("1", "99")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "99 machines are too many");
    assert!(page.contains("value=\"99\"") && page.contains("id=\"errors\""));

    let (status, _) = browser.send_form(&address, &csrf, &with("1", "4")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let changed = app::request::show(&house.app, &rita, request.id).await.unwrap().request;
    assert_eq!((changed.revision, changed.reason.as_str()), (2, "more load"));
    assert_eq!(changed.plan.unwrap().lease.days(), 30);

    let checked = [&with("1", "5")[..], &[("check", "yes")]].concat();
    let (_, page) = browser.send_form(&address, &csrf, &checked).await;
    assert!(page.contains("name=\"revision\" value=\"1\""), "nobody was told yet that it has changed");
    let (status, page) = browser.send_form(&address, &csrf, &with("1", "5")).await;
    assert_eq!(status, StatusCode::CONFLICT, "the form was opened before the change");
    assert!(page.contains("name=\"revision\" value=\"2\""), "who was told may send it again");
    assert!(page.contains("is at revision 2") && page.contains("value=\"5\""), "what was typed is kept");
    let unchanged = app::request::show(&house.app, &rita, request.id).await.unwrap().request;
    assert_eq!(unchanged.parameters["nodes"], json!(4));
}

#[actix_web::test]
async fn a_request_is_changed_by_nobody_else_and_not_once_it_is_decided() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let address = format!("/requests/{}/change", request.id);
    let carlo = Browser::of(&house, "carlo@example.org", "carlo-sees-his-own").await;
    let adam = Browser::of(&house, "adam@example.org", "adam-decides-orders").await;
    let browser = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    let csrf = csrf(&browser.get(&address).await.1);

    assert_eq!(carlo.get(&address).await.0, StatusCode::NOT_FOUND);
    assert_eq!(adam.get(&address).await.0, StatusCode::FORBIDDEN);
    house.approve("Adam").await;
    assert_eq!(browser.get(&address).await.0, StatusCode::CONFLICT);
    let fields = [("application", "shop"), ("revision", "1")];
    assert_eq!(browser.send_form(&address, &csrf, &fields).await.0, StatusCode::CONFLICT, "decided meanwhile");
}

#[actix_web::test]
async fn the_page_of_a_request_follows_it_until_it_is_over() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    let browser = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    let page = format!("/requests/{}", request.id);

    let (_, waiting) = browser.get(&page).await;
    assert!(waiting.contains("data-follow=") && waiting.contains("http-equiv=\"refresh\""));
    let (_, part) = browser.get(&format!("{page}/part")).await;
    assert!(part.contains("Waits for Adam Approver") && !part.contains("<html"));
    app::request::withdraw(&house.app, &rita, request.id, &Sent::PORTAL).await.unwrap();
    let (_, over) = browser.get(&page).await;
    assert!(!over.contains("data-follow=") && !over.contains("http-equiv=\"refresh\""));
}
