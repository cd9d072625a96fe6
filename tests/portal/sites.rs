//! Several sites: where an order is built, who may choose what, and that everything done later is done there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::http::StatusCode;
use app::request::What;
use domain::ci::CiClass;
use domain::deployment::DeploymentState;
use domain::ports::datacenter::{DatacenterControls, HeldObject, Pace};
use domain::run::RunState;
use gatehouse::settings::{self, Site};
use providers::clock::SystemClock;
use providers::simulated::Datacenter;
use serde_json::{Map, json};

use crate::api::{ALL, get, post, shop, token};
use crate::house::House;
use crate::requests::{Browser, csrf};

/// A house with three sites: `dc1` for all, `dc2` for Northwind's shop, `dc3` for Contoso.
struct Scene {
    house: House,
    folder: PathBuf,
}

impl Scene {
    async fn set() -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-sites-{}-{}", std::process::id(), fresh()));
        let house = House::set(Arc::new(SystemClock), |settings| {
            let of = |name: &str, projects: &[&str]| {
                let file = folder.join(format!("{name}.json"));
                let projects = projects.iter().map(|project| (*project).to_owned()).collect();
                let title = format!("Data centre {}", &name[2..]);
                let simulated = Some(settings::Datacenter { file });
                (name.to_owned(), Site { title, projects, simulated, ..Site::default() })
            };
            settings.sites = [of("dc1", &[]), of("dc2", &["northwind/shop"]), of("dc3", &["contoso"])].into();
        })
        .await;
        let scene = Self { house, folder };
        for site in ["dc1", "dc2", "dc3"] {
            let at_once = Pace { answers: 0.0, work: 0.0, operations: Vec::new() };
            scene.datacenter(site).set_pace(at_once).await.unwrap();
        }
        scene
    }

    fn datacenter(&self, site: &str) -> Datacenter {
        Datacenter::open(&self.folder.join(format!("{site}.json")), Arc::new(SystemClock)).unwrap()
    }

    /// What stands at a site.
    async fn stands_at(&self, site: &str) -> Vec<HeldObject> {
        self.datacenter(site).overview().await.unwrap().objects
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn fresh() -> String {
    app::secret::fresh().chars().filter(char::is_ascii_alphanumeric).collect()
}

#[actix_web::test]
async fn what_is_built_at_a_site_is_changed_and_retired_there_and_its_ci_says_where_it_is() {
    let mut scene = Scene::set().await;
    scene.house.work_again();
    let house = &scene.house;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    assert_eq!(request.site, "dc2", "the site that names the project goes before the one for all");
    house.approve_all().await;
    let live = house.when(&rita, request.deployment, DeploymentState::Live).await;
    assert_eq!(live.deployment.site, "dc2");
    assert_eq!(live.ordered[0], ("Site".to_owned(), "Data centre 2".to_owned()));
    let machines = scene.stands_at("dc2").await.iter().filter(|object| object.kind == "machine").count();
    assert_eq!(machines, 2);
    assert!(scene.stands_at("dc1").await.is_empty(), "nothing was built elsewhere");
    let ci = live.cis.iter().find(|ci| ci.class == CiClass::VirtualMachine).unwrap();
    let view = app::ci::show(&house.app, &rita, ci.id, None).await.unwrap();
    assert!(view.attributes.iter().any(|told| told.title == "Site" && told.value == "dc2"));

    let parameters = Map::from_iter([("nodes".to_owned(), json!(3))]);
    let grow = What::Action { deployment: request.deployment, action: "scale".into(), parameters, seen: None };
    assert_eq!(house.ask(&rita, grow).await.site, "dc2");
    house.approve_all().await;
    house.until_machines(&rita, request.deployment, 3).await;
    let machines = scene.stands_at("dc2").await.iter().filter(|object| object.kind == "machine").count();
    assert_eq!(machines, 3, "the third stands beside the others");

    house.ask(&rita, What::Retire { deployment: request.deployment }).await;
    house.approve_all().await;
    house.when(&rita, request.deployment, DeploymentState::Retired).await;
    assert!(scene.stands_at("dc2").await.is_empty());
    scene.house.stop_working().await;
}

#[actix_web::test]
async fn a_project_builds_only_at_the_sites_that_are_open_to_it() {
    let scene = Scene::set().await;
    let house = &scene.house;
    let rita = token(house, "rita@example.org", ALL).await;
    let order = |site: &str, project: &str| {
        let parameters = json!({ "application": "shop" });
        json!({ "project": project, "site": site, "blueprint": "scale-out-tomcat", "parameters": parameters })
    };
    let project = shop(house, &rita).await;
    for closed in ["dc3", "nowhere"] {
        let refused = post(house, &rita, "/api/v1/requests", order(closed, &project), None).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
        let told = &refused.body["errors"][0];
        assert_eq!(told["pointer"], "/site", "{}", refused.body);
        let detail = format!("Shop can't build at `{closed}`. It can at: Data centre 2 (dc2), Data centre 1 (dc1).");
        assert!(refused.body.to_string().contains(&detail), "{}", refused.body);
    }
    let taken = post(house, &rita, "/api/v1/requests", order("dc1", &project), None).await;
    assert_eq!((taken.status, &taken.body["site"]), (StatusCode::CREATED, &json!("dc1")));
    let carlo = token(house, "carlo@example.org", ALL).await;
    let details = get(house, &carlo, "/api/v1/catalog/scale-out-tomcat").await.body;
    let sites: Vec<_> = details["sites"].as_array().unwrap().iter().map(|site| site["name"].clone()).collect();
    assert_eq!(sites, [json!("dc3"), json!("dc1")], "whoever may not build at a site does not hear of it");
    let his = details["projects"][0]["id"].as_str().unwrap();
    let plan = json!({ "project": his, "site": "dc2", "parameters": { "application": "web" } });
    let refused = post(house, &carlo, "/api/v1/catalog/scale-out-tomcat/plan", plan, None).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "a plan says no more than an order would");
    let plan = json!({ "project": his, "parameters": { "application": "web" } });
    let planned = post(house, &carlo, "/api/v1/catalog/scale-out-tomcat/plan", plan, None).await;
    assert_eq!(planned.body["site"], "dc3", "{}", planned.body);
}

#[actix_web::test]
async fn a_run_whose_site_was_taken_out_of_the_settings_pauses_and_goes_on_when_it_is_back() {
    let scene = Scene::set().await;
    let house = &scene.house;
    let rita = house.person("Rita").await;
    let request = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.approve_all().await;
    let mut without = house.settings.clone();
    without.sites.remove("dc2");
    let other = house.seen_with(&without).await;
    let worker = engine::Worker::start(&other.engine);
    let paused = house.when_paused(&rita, request.deployment).await;
    worker.stop().await;
    let why = paused.runs[0].why.clone().unwrap_or_default();
    assert!(why.starts_with("The site `dc2`, where this is built, is not in the settings."), "{why}");
    assert!(scene.stands_at("dc1").await.is_empty() && scene.stands_at("dc2").await.is_empty());
    let otto = house.person("Otto").await;
    let resume = app::run::Mend::Resume;
    app::run::mend(&house.app, &otto, paused.runs[0].id, resume, "", &app::idempotency::Sent::PORTAL).await.unwrap();
    let worker = engine::Worker::start(&house.app.engine);
    let live = house.when(&rita, request.deployment, DeploymentState::Live).await;
    worker.stop().await;
    assert_eq!(live.runs[0].state, RunState::Done);
}

#[actix_web::test]
async fn the_form_asks_where_only_if_there_is_a_choice_and_says_what_is_wrong_with_it() {
    let scene = Scene::set().await;
    let rita = Browser::of(&scene.house, "rita@example.org", "rita-orders-machines").await;
    let (_, page) = rita.get("/catalog/linux-vm").await;
    assert!(page.contains("<select id=\"f-site\"") && page.contains("<option value=\"dc2\">Data centre 2</option>"));
    assert!(!page.contains("value=\"dc3\""), "nobody is offered what he may not have");
    let sent = [("application", "intranet"), ("site", "dc3"), ("lease", "30"), ("check", "yes")];
    let (status, page) = rita.send_form("/catalog/linux-vm", &csrf(&page), &sent).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("can&#39;t build at `dc3`. It can at: "), "{page}");
    let house = House::asleep(Arc::new(SystemClock)).await;
    let rita = Browser::of(&house, "rita@example.org", "rita-orders-machines").await;
    assert!(!rita.get("/catalog/linux-vm").await.1.contains("name=\"site\""), "there is but one place");
}

#[test]
fn a_house_without_sites_asks_nobody_where() {
    let settings = settings::read(None::<&Path>, []).unwrap();
    assert_eq!(gatehouse::systems::sites(&settings).names().collect::<Vec<_>>(), ["simulated"]);
}
