//! The password of a database: made and sealed by a step, shown once to one of its people, and in the clear nowhere else.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::dev::ServiceResponse;
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, read_body};
use app::App;
use app::deployment::Details;
use app::request::What;
use app::secret::{Safe, SealingKey, Shown, take};
use chrono::TimeDelta;
use domain::deployment::DeploymentState;
use domain::ids::{DeploymentId, SecretId};
use domain::person::Principal;
use domain::ports::clock::Clock;
use domain::ports::secrets::{SecretOrder, Secrets};
use domain::secret::{Handover, HandoverState};
use domain::trouble::Kind;
use gatehouse::boot;
use gatehouse::settings::Settings;
use providers::clock::{ManualClock, SystemClock};
use serde_json::json;
use test_database::TestDatabase;

use crate::door;
use crate::house::House;
use crate::requests::csrf;

/// A database that stands, and the secret of its owner.
async fn database(house: &House, rita: &Principal) -> (Details, Shown) {
    let ordered = house.order(rita, "sql-database-vm", json!({ "application": "orders" })).await;
    let built = house.when(rita, ordered.deployment, DeploymentState::Live).await;
    let [secret] = built.secrets.as_slice() else { panic!("{:?}", built.secrets) };
    let secret = secret.clone();
    (built, secret)
}

/// A deployment of a house at rest, with a secret that may be taken for seven days.
async fn made_by_hand(house: &House, rita: &Principal) -> (SecretOrder, Handover) {
    let ordered = house.order(rita, "sql-database-vm", json!({ "application": "orders" })).await;
    let order = SecretOrder {
        key: format!("{}/password", ordered.deployment),
        renews: None,
        run: store::fresh_id(),
        deployment: ordered.deployment,
        project: ordered.project,
        name: "Password of app".to_owned(),
        until: house.app.clock.now() + TimeDelta::days(7),
    };
    let kept = safe(&house.app).generate(&order).await.unwrap();
    (order, kept)
}

fn safe(app: &App) -> Safe {
    Safe { store: app.store.clone(), clock: app.clock.clone(), sealing: app.sealing.clone() }
}

async fn refused(app: &App, who: &Principal, deployment: DeploymentId, secret: SecretId) -> (Kind, String) {
    let trouble = take(app, who, deployment, secret, "portal").await.unwrap_err();
    (trouble.kind, trouble.what)
}

fn at_rest() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(SystemClock.now()))
}

async fn text(answer: ServiceResponse) -> String {
    String::from_utf8(read_body(answer).await.to_vec()).unwrap()
}

async fn page(house: &House, session: &Cookie<'static>, path: &str) -> String {
    text(door::send(house, TestRequest::get().uri(path).cookie(session.clone())).await).await
}

/// Every file of the embedded database and the datacenter's.
fn all_that_is_kept(house: &House) -> Vec<u8> {
    let database = house.settings.database.url.expose().trim_start_matches("sqlite:").to_owned();
    let files = [database.clone(), format!("{database}-wal"), house.settings.datacenter.file.display().to_string()];
    files.iter().flat_map(|file| fs::read(file).unwrap_or_default()).collect()
}

fn holds(kept: &[u8], text: &str) -> bool {
    kept.windows(text.len()).any(|part| part == text.as_bytes())
}

#[actix_web::test]
async fn a_password_is_shown_once_on_a_page_that_nobody_keeps_and_stands_nowhere_else_in_the_clear() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (built, secret) = database(&house, &rita).await;
    assert_eq!((secret.handover.name.as_str(), secret.state), ("Password of app", HandoverState::Open));
    let session = door::session(&door::sign_in(&house, "rita@example.org", "rita-orders-machines").await);
    let of_deployment = format!("/deployments/{}", built.deployment.id);
    let before = page(&house, &session, &of_deployment).await;
    assert!(before.contains("Can be taken once, until") && before.contains("Take it"), "{before}");

    let address = format!("{of_deployment}/secrets/{}", secret.handover.id);
    let stranger = TestRequest::post().uri(&address).cookie(session.clone()).set_form([("csrf", "guessed")]);
    let stranger = door::send(&house, stranger.insert_header(("Sec-Fetch-Site", "same-origin"))).await;
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN, "only the page's own form takes it");
    let by_link = door::send(&house, TestRequest::get().uri(&address).cookie(session.clone())).await;
    assert_eq!(by_link.status(), StatusCode::METHOD_NOT_ALLOWED, "looking takes nothing");

    let form = || door::form(&address, &[("csrf", &csrf(&before))]).cookie(session.clone());
    let shown = door::send(&house, form()).await;
    assert_eq!(shown.status(), StatusCode::OK);
    assert_eq!(shown.headers().get(header::CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(shown.headers().get(header::REFERRER_POLICY).unwrap(), "no-referrer");
    let shown = text(shown).await;
    let password = shown.split("spellcheck=\"false\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(password.len(), 24);

    let again = door::send(&house, form()).await;
    assert_eq!(again.status(), StatusCode::GONE);
    let again = text(again).await;
    assert!(again.contains("Rita Requester took it on") && !again.contains(&password), "{again}");
    let after = page(&house, &session, &of_deployment).await;
    assert!(after.contains("Rita Requester</") || after.contains("Rita Requester took it on"), "{after}");
    assert!(!after.contains("Take it"));

    let run = page(&house, &session, &format!("/runs/{}", built.runs[0].id)).await;
    assert!(run.contains("is sealed. Until") && !run.contains(&password) && !after.contains(&password));
    let facts = built.resources.iter().find(|row| row.kind == "configuration").unwrap().attributes["facts"].clone();
    assert_eq!(facts["password"], format!("secret:{}", secret.handover.id), "Puppet is told what stands for it");
    if !house.database.is_postgres() {
        let kept = all_that_is_kept(&house);
        assert!(holds(&kept, "Password of app") && !holds(&kept, &password));
    }
    let subject = format!("deployment {}", built.deployment.name);
    let record = store::audit::of_subject(&house.app.store, &subject).await.unwrap();
    let taken: Vec<_> = record.iter().filter(|entry| entry.action == "secret.taken").collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].actor.person, Some(rita.person));
    assert!(!taken[0].data.contains(&password), "{}", taken[0].data);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_it_at_the_same_moment_exactly_one_has_it() {
    let house = House::asleep(at_rest()).await;
    let rita = house.person("Rita").await;
    let (_, kept) = made_by_hand(&house, &rita).await;
    let takers = (0..8).map(|_| {
        let (app, rita, kept) = (house.app.clone(), rita.clone(), kept.clone());
        tokio::spawn(async move { take(&app, &rita, kept.deployment, kept.id, "portal").await })
    });
    let mut had = 0;
    for taken in futures::future::join_all(takers).await {
        match taken.unwrap() {
            Ok(_) => had += 1,
            Err(late) => assert_eq!(late.kind, Kind::Gone, "{late}"),
        }
    }
    assert_eq!(had, 1);
    let head = store::audit::head(&house.app.store).await.unwrap().rows;
    let rows = store::audit::after(&house.app.store, 0, head as u64).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.action == "secret.taken").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_people_who_may_act_on_the_deployment_take_what_is_its_own() {
    let house = House::asleep(at_rest()).await;
    let rita = house.person("Rita").await;
    let (_, kept) = made_by_hand(&house, &rita).await;
    let other = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await.deployment;
    for name in ["Adam", "Otto", "Audrey", "Ada Ad"] {
        let who = house.person(name).await;
        let (kind, told) = refused(&house.app, &who, kept.deployment, kept.id).await;
        assert_eq!(kind, Kind::Forbidden, "{name}: {told}");
        assert!(
            !app::deployment::show(&house.app, &who, kept.deployment).await.unwrap().may_act,
            "{name} has no button"
        );
    }
    let carlo = house.person("Carlo").await;
    assert_eq!(refused(&house.app, &carlo, kept.deployment, kept.id).await.0, Kind::NotFound, "another tenant");
    assert_eq!(refused(&house.app, &rita, other, kept.id).await.0, Kind::NotFound, "another deployment's");
    assert_eq!(refused(&house.app, &rita, kept.deployment, store::fresh_id()).await.0, Kind::NotFound);
    assert!(take(&house.app, &rita, kept.deployment, kept.id, "portal").await.is_ok(), "nobody had taken it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_repeated_has_the_same_secret_and_after_its_time_nobody_takes_it() {
    let clock = at_rest();
    let house = House::asleep(clock.clone()).await;
    let rita = house.person("Rita").await;
    let (order, kept) = made_by_hand(&house, &rita).await;
    clock.wind(TimeDelta::days(1));
    let later = SecretOrder { until: order.until + TimeDelta::days(1), ..order.clone() };
    assert_eq!(safe(&house.app).generate(&later).await.unwrap(), kept, "made once, and no longer open than it was");

    clock.wind(TimeDelta::days(6));
    let (kind, told) = refused(&house.app, &rita, kept.deployment, kept.id).await;
    assert!(kind == Kind::Gone && told.contains("Nobody did, and now nobody can"), "{told}");
    let shown = app::deployment::show(&house.app, &rita, kept.deployment).await.unwrap().secrets;
    assert_eq!((shown[0].state, &shown[0].taken_by), (HandoverState::Expired, &None));

    safe(&house.app).forget(&order.key).await.unwrap();
    safe(&house.app).forget(&order.key).await.unwrap();
    assert_eq!(store::secret::count(&house.app.store).await.unwrap(), 0);
    let anew = safe(&house.app).generate(&order).await.unwrap();
    assert_ne!(anew.id, kept.id, "what was taken back is made anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_retired_leaves_no_secret() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (built, _) = database(&house, &rita).await;
    assert_eq!(store::secret::count(&house.app.store).await.unwrap(), 1);
    house.ask(&rita, What::Retire { deployment: built.deployment.id }).await;
    let retired = house.when(&rita, built.deployment.id, DeploymentState::Retired).await;
    assert!(retired.secrets.is_empty());
    assert_eq!(store::secret::count(&house.app.store).await.unwrap(), 0);
    house.close().await;
}

async fn renewed(house: &House, rita: &Principal, id: DeploymentId, runs: usize) -> Details {
    let parameters = serde_json::Map::new();
    house.ask(rita, What::Action { deployment: id, action: "new-password".to_owned(), parameters, seen: None }).await;
    house.until(rita, id, |it| it.runs.len() == runs && it.deployment.state == DeploymentState::Live).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_takes_the_place_of_the_old_one_as_often_as_somebody_asks_for_one() {
    let house = House::new().await;
    let rita = house.person("Rita").await;
    let (built, first) = database(&house, &rita).await;
    let id = built.deployment.id;
    let mut old = first.handover.id;
    for runs in [2, 3] {
        let changed = renewed(&house, &rita, id, runs).await;
        let [new] = changed.secrets.as_slice() else { panic!("one is in force: {:?}", changed.secrets) };
        assert_ne!(new.handover.id, old);
        assert_eq!((new.handover.name.as_str(), new.state), ("Password of app", HandoverState::Open));
        let (kind, told) = refused(&house.app, &rita, id, old).await;
        assert!(kind == Kind::Gone && told.contains("has been replaced by a new one"), "{told}");
        let node = changed.resources.iter().find(|row| row.kind == "configuration").unwrap();
        assert_eq!(node.attributes["facts"]["password"], format!("secret:{}", new.handover.id));
        assert_eq!(node.attributes["facts"]["database"], "app", "what nobody changed stays");
        old = new.handover.id;
    }
    assert!(take(&house.app, &rita, id, old, "portal").await.is_ok());
    house.ask(&rita, What::Retire { deployment: id }).await;
    house.when(&rita, id, DeploymentState::Retired).await;
    assert_eq!(store::secret::count(&house.app.store).await.unwrap(), 0, "nor does one that was replaced stay");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_whose_successor_is_taken_back_is_in_force_again() {
    let house = House::asleep(at_rest()).await;
    let rita = house.person("Rita").await;
    let (order, kept) = made_by_hand(&house, &rita).await;
    let renewal = SecretOrder { key: "renewal".to_owned(), renews: Some(order.key.clone()), ..order.clone() };
    let new = safe(&house.app).generate(&renewal).await.unwrap();
    assert_eq!(safe(&house.app).generate(&renewal).await.unwrap().id, new.id, "made once");
    assert_eq!(refused(&house.app, &rita, kept.deployment, kept.id).await.0, Kind::Gone);
    safe(&house.app).forget(&renewal.key).await.unwrap();
    assert!(take(&house.app, &rita, kept.deployment, kept.id, "portal").await.is_ok());
}

async fn opened(settings: &Settings) -> Result<App, String> {
    let opened = boot::House::open(settings, at_rest(), "http://localhost".to_owned(), false).await;
    opened.map(|house| house.app).map_err(|refused| refused.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_another_key_nothing_is_taken_and_the_doctor_names_what_does_not_open() {
    let house = House::asleep(at_rest()).await;
    let rita = house.person("Rita").await;
    let (_, kept) = made_by_hand(&house, &rita).await;
    assert_eq!(house.ailments().await, [""; 0]);
    let key = house.settings.secrets.key_file.clone().unwrap();
    let right = fs::read_to_string(&key).unwrap();
    fs::write(&key, SealingKey::fresh()).unwrap();

    let app = opened(&house.settings).await.unwrap();
    let (kind, told) = refused(&app, &rita, kept.deployment, kept.id).await;
    assert!(kind == Kind::Unavailable && told.contains("sealed with another key"), "{told}");
    let found = app::ailment::examine(&app).await.unwrap();
    assert_eq!(found[0].ailment.word(), "secret_unopened");
    assert!(found[0].cases[0].name.starts_with("Password of app of "), "{:?}", found[0].cases);

    fs::write(&key, right).unwrap();
    let app = opened(&house.settings).await.unwrap();
    assert!(app::ailment::examine(&app).await.unwrap().is_empty());
    assert!(take(&app, &rita, kept.deployment, kept.id, "portal").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_database_has_its_key_beside_it_and_never_gets_another_once_something_is_sealed() {
    let folder = std::env::temp_dir().join(format!("gatehouse-sealing-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let house = House::on(TestDatabase::in_folder(&folder), at_rest(), |_| {}).await;
    let mut settings = house.settings.clone();
    settings.secrets.key_file = None;
    let key = folder.join("secrets.key");

    let first = opened(&settings).await.unwrap().sealing.id();
    assert_eq!(opened(&settings).await.unwrap().sealing.id(), first, "the next start has the same");
    assert_eq!(readers(&key), "600");
    fs::remove_file(&key).unwrap();
    assert_ne!(opened(&settings).await.unwrap().sealing.id(), first, "nothing was sealed yet");

    let rita = house.person("Rita").await;
    made_by_hand(&house, &rita).await;
    fs::remove_file(&key).unwrap();
    let refused = opened(&settings).await.err().unwrap();
    assert!(refused.contains(&format!("{}` that seals secrets is gone, and 1", key.display())), "{refused}");
    assert!(!key.exists(), "none is made in its place");
    fs::remove_dir_all(&folder).unwrap();
}

#[cfg(unix)]
fn readers(file: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    format!("{:o}", fs::metadata(file).unwrap().permissions().mode() & 0o777)
}
