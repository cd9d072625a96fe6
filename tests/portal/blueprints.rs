//! A blueprint's file is changed while the portal is open.

use std::fs;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, read_body};
use domain::deployment::DeploymentState;
use providers::clock::SystemClock;

use crate::door::{form, send, session, sign_in};
use crate::house::House;

const PAGE: &str = "/operations/blueprints";

/// Presses the button on the page of the blueprints.
async fn press(house: &House, visitor: &Cookie<'static>) -> ServiceResponse {
    let csrf = app::session::resume(&house.app, visitor.value()).await.unwrap().unwrap().csrf;
    send(house, form(PAGE, &[("csrf", &csrf)]).cookie(visitor.clone())).await
}

/// What the page of the blueprints says to an operator once the files were read again.
async fn read_again(house: &House) -> String {
    let otto = session(&sign_in(house, "otto@example.org", "otto-mends-runs-now").await);
    let read = press(house, &otto).await;
    assert_eq!(read.status(), StatusCode::SEE_OTHER);
    let said: Vec<_> = read.response().cookies().map(|cookie| cookie.into_owned()).collect();
    let page = said.into_iter().fold(TestRequest::get().uri(PAGE).cookie(otto), TestRequest::cookie);
    text(send(house, page).await).await
}

async fn text(response: ServiceResponse) -> String {
    String::from_utf8(read_body(response).await.to_vec()).unwrap()
}

async fn rewrite(house: &House, file: &str, changes: &[(&str, &str)]) {
    let file = house.blueprint_file(file);
    let text = fs::read_to_string(&file).unwrap();
    let changed = changes.iter().fold(text, |text, (before, after)| {
        assert!(text.contains(before), "{before}");
        text.replacen(before, after, 1)
    });
    fs::write(file, changed).unwrap();
}

/// The title of Linux VM in the catalog.
async fn title(house: &House) -> String {
    let cards = app::catalog::list(&house.app, &house.person("Rita").await, None).await.unwrap();
    cards.into_iter().find(|card| card.name == "linux-vm").unwrap().title
}

#[actix_web::test]
async fn a_changed_file_with_a_new_version_is_offered_without_a_restart() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let before = title(&house).await;
    rewrite(&house, "linux-vm.yaml", &[("title: ", "title: Better "), ("version: 1.0.0", "version: 1.1.0")]).await;
    assert_eq!(title(&house).await, before, "nobody has read it");
    let page = read_again(&house).await;
    assert!(page.contains("Published: linux-vm 1.1.0."), "{page}");
    assert_eq!(title(&house).await, format!("Better {before}"));
}

#[actix_web::test]
async fn a_changed_file_with_the_old_version_is_refused_and_the_old_one_works_on() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let before = title(&house).await;
    rewrite(&house, "linux-vm.yaml", &[("title: ", "title: Better ")]).await;
    let page = read_again(&house).await;
    assert!(page.contains("One file was refused") && page.contains("give the changed file a higher version"), "{page}");
    assert_eq!(title(&house).await, before);
}

#[actix_web::test]
async fn every_mistake_of_a_file_stands_on_the_page_and_the_old_version_works_on() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let before = title(&house).await;
    let changes = [("title: ", "titel: "), ("machine.create", "machine.creat"), ("default: test", "default: tst")];
    rewrite(&house, "linux-vm.yaml", &changes).await;
    let page = read_again(&house).await;
    for near in ["title", "machine.create", "test"] {
        assert!(page.contains(&format!("did you mean `{near}`?")), "{near}: {page}");
    }
    assert_eq!(title(&house).await, before);
}

#[actix_web::test]
async fn files_that_were_refused_stand_among_what_needs_a_person_until_they_are_mended() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let look = async || text(send(&house, TestRequest::get().uri("/operations").cookie(otto.clone())).await).await;
    assert!(!look().await.contains("refused"), "nothing is wrong yet");
    for file in ["linux-vm.yaml", "docker-machine.yaml"] {
        rewrite(&house, file, &[("title: ", "titel: ")]).await;
    }
    read_again(&house).await;
    let seen = look().await;
    let told = seen.split_once("2 blueprint files were refused: ").expect("it stands on the page").1;
    let told = told.split_once("</div>").unwrap().0;
    for word in ["docker-machine.yaml, ", "linux-vm.yaml", "href=\"/operations/blueprints\""] {
        assert!(told.contains(word), "{word}: {told}");
    }
    for file in ["linux-vm.yaml", "docker-machine.yaml"] {
        rewrite(&house, file, &[("titel: ", "title: ")]).await;
    }
    read_again(&house).await;
    assert!(!look().await.contains("refused"), "both are as they were published");
}

#[actix_web::test]
async fn files_are_read_again_by_those_who_run_the_platform_and_it_goes_on_record() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    for (email, password) in
        [("rita@example.org", "rita-orders-machines"), ("audrey@example.org", "audrey-reads-it-all")]
    {
        let visitor = session(&sign_in(&house, email, password).await);
        let refused = press(&house, &visitor).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{email}");
    }
    let rows = async || store::audit::after(&house.app.store, 0, 1_000).await.unwrap();
    assert!(rows().await.iter().all(|row| row.action != "catalog.read"));
    read_again(&house).await;
    let rows = rows().await;
    let row = rows.iter().find(|row| row.action == "catalog.read").expect("it is on record");
    assert!(row.actor.name.starts_with("Otto"), "{row:?}");
}

#[actix_web::test]
async fn a_folder_that_is_gone_takes_nothing_out_of_the_catalog() {
    let house = House::asleep(Arc::new(SystemClock)).await;
    fs::remove_dir_all(house.blueprint_file("")).unwrap();
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let read = press(&house, &otto).await;
    assert_eq!(read.status(), StatusCode::CONFLICT);
    assert!(text(read).await.contains("What was offered before is still offered"));
    title(&house).await;
}

#[actix_web::test]
async fn a_run_keeps_the_definition_that_it_began_with_whatever_is_published_meanwhile() {
    let house = House::new().await;
    let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
    let (paused, run) = crate::runs::refused(&house, &rita).await;
    let pinned = app::run::show(&house.app, &otto, run, None).await.unwrap().run;
    let now = fs::read_to_string(house.blueprint_file("linux-vm.yaml")).unwrap();
    let next = now.replace("version: 1.0.0", "version: 2.0.0").replace("image: debian-12", "image: debian-13");
    assert_ne!(next, now);
    house.offer("linux-vm.yaml", &next).await;
    let resume = app::run::Mend::Resume;
    app::run::mend(&house.app, &otto, run, resume, "", &app::idempotency::Sent::PORTAL).await.unwrap();
    house.when(&rita, paused.deployment.id, DeploymentState::Live).await;
    let done = app::run::show(&house.app, &otto, run, None).await.unwrap();
    assert_eq!((done.run.version.as_str(), &done.run.workflow), ("1.0.0", &pinned.workflow));
    let node = done.steps.iter().find(|step| step.key.starts_with("node")).unwrap();
    assert_eq!(node.input.as_ref().unwrap()["image"], "debian-12", "and does what it says");
    house.close().await;
}
