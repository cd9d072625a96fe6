//! Fix and continue: whichever kind of run is paused, an operator gives a step other input, skips it with what it would
//! have left, or gives the run up, from the page and from a program alike; and nobody else does.

use actix_web::http::StatusCode;
use app::run::show;
use domain::deployment::DeploymentState;
use domain::ids::{DeploymentId, RunId};
use domain::person::Principal;
use domain::ports::datacenter::{Fault, Operation};
use domain::resource::ResourceState;
use domain::run::{EventKind, RunState};
use domain::step::{Step, StepState};
use serde_json::{Value, json};

use crate::api::{ALL, post, token};
use crate::house::House;
use crate::requests::{Browser, csrf};

/// Which kind of run is paused.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Paused {
    Order,
    Growth,
    Retirement,
}

const KINDS: [Paused; 3] = [Paused::Order, Paused::Growth, Paused::Retirement];

/// How somebody comes in.
#[derive(Clone, Copy, Debug)]
enum Door {
    Page,
    Program,
}

const DOORS: [Door; 2] = [Door::Page, Door::Program];

const OTTO: (&str, &str) = ("otto@example.org", "otto-mends-runs-now");
const REASON: &str = "The datastore was full";

/// A run that stands still, because the datacenter refused this once.
struct Story {
    house: House,
    rita: Principal,
    deployment: DeploymentId,
    run: RunId,
    /// The key of the step that failed.
    step: String,
    /// Objects in the datacenter before the run.
    before: usize,
}

impl Story {
    async fn of(kind: Paused, refuses: Operation) -> Self {
        let house = House::new().await;
        let rita = house.person("Rita").await;
        let blueprint = if kind == Paused::Growth { "scale-out-tomcat" } else { "linux-vm" };
        let refuse = || house.app.datacenter.as_ref().unwrap().arm(refuses, Fault::Refuse, Some(1));
        if kind == Paused::Order {
            refuse().await.unwrap();
        }
        let deployment = house.order(&rita, blueprint, json!({ "application": "fixme" })).await.deployment;
        let mut before = 0;
        if kind != Paused::Order {
            if kind == Paused::Growth {
                house.approve("Adam").await;
            }
            house.when(&rita, deployment, DeploymentState::Live).await;
            before = objects(&house).await.len();
            refuse().await.unwrap();
            house.ask(&rita, change(kind, deployment)).await;
            if kind == Paused::Growth {
                house.approve("Adam").await;
            }
        }
        let run = house.when_paused(&rita, deployment).await.runs[0].id;
        let steps = show(&house.app, &rita, run, None).await.unwrap().steps;
        let step = steps.iter().find(|step| step.state == StepState::Failed).unwrap().key.clone();
        Self { house, rita, deployment, run, step, before }
    }

    async fn step(&self) -> Step {
        let steps = show(&self.house.app, &self.rita, self.run, None).await.unwrap().steps;
        steps.into_iter().find(|step| step.key == self.step).unwrap()
    }

    /// What somebody does about the run; the status, and what is answered.
    async fn act(&self, who: (&str, &str), door: Door, act: Act<'_>) -> (StatusCode, String) {
        match door {
            Door::Page => self.act_on_page(who, act).await,
            Door::Program => self.act_by_program(who.0, act).await,
        }
    }

    async fn act_on_page(&self, (email, password): (&str, &str), act: Act<'_>) -> (StatusCode, String) {
        let browser = Browser::of(&self.house, email, password).await;
        let (_, account) = browser.get("/account").await;
        let text = |value: Option<&Value>| value.map(Value::to_string).unwrap_or_default();
        let fields = [
            ("act", act.act.to_owned()),
            ("step", self.step.clone()),
            ("input", text(act.input.as_ref())),
            ("output", text(act.output.as_ref())),
            ("reason", act.reason.to_owned()),
        ];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.send_form(&format!("/runs/{}/mend", self.run), &csrf(&account), &fields).await
    }

    async fn act_by_program(&self, email: &str, act: Act<'_>) -> (StatusCode, String) {
        let token = token(&self.house, email, ALL).await;
        let (path, mut body) = match act.act {
            "retry" | "edit" => ("retry", json!({ "step": self.step })),
            "skip" => ("skip", json!({ "step": self.step })),
            "cancel" => ("cancel", json!({ "wish": "take_back" })),
            other => (other, json!({})),
        };
        body["reason"] = json!(act.reason);
        for (name, value) in [("input", act.input), ("output", act.output)] {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        let answer = post(&self.house, &token, &format!("/api/v1/runs/{}/{path}", self.run), body, None).await;
        (answer.status, answer.body.to_string())
    }

    /// Does it as an operator may.
    async fn mend(&self, door: Door, act: Act<'_>) {
        let done = if matches!(door, Door::Page) { StatusCode::SEE_OTHER } else { StatusCode::OK };
        let (status, answer) = self.act(OTTO, door, act).await;
        assert_eq!(status, done, "{answer}");
    }

    /// Is refused because of this field, and finds what was typed again.
    async fn misfits(&self, door: Door, act: Act<'_>, field: &str) {
        let (status, answer) = self.act(OTTO, door, act.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        match door {
            Door::Program => assert!(answer.contains(&format!("\"pointer\":\"/{field}\"")), "{field}: {answer}"),
            Door::Page => {
                let typed = act.input.or(act.output).map(|typed| typed.to_string().replace('"', "&#34;"));
                assert!(answer.contains("aria-invalid=\"true\""), "{field}: {answer}");
                assert!(typed.is_none_or(|typed| answer.contains(&typed)), "what was typed is kept: {answer}");
            }
        }
        let it = show(&self.house.app, &self.rita, self.run, None).await.unwrap();
        assert_eq!(it.run.state, RunState::Paused, "nothing has happened");
    }
}

/// Something to do about a run.
#[derive(Clone, Debug, Default)]
struct Act<'a> {
    act: &'a str,
    input: Option<Value>,
    output: Option<Value>,
    reason: &'a str,
}

fn act(act: &str) -> Act<'_> {
    Act { act, reason: REASON, ..Act::default() }
}

fn change(kind: Paused, deployment: DeploymentId) -> app::request::What {
    match kind {
        Paused::Growth => {
            let parameters = json!({ "nodes": 3 }).as_object().cloned().unwrap();
            app::request::What::Action { deployment, action: "scale".to_owned(), parameters, seen: None }
        }
        _ => app::request::What::Retire { deployment },
    }
}

/// A long value as a line of the log bears it.
fn cut(text: &str) -> String {
    if text.chars().count() > 80 {
        format!("{}…", text.chars().take(80).collect::<String>())
    } else {
        text.to_owned()
    }
}

/// The names of the objects in the datacenter.
async fn objects(house: &House) -> Vec<String> {
    let overview = house.app.datacenter.as_ref().unwrap().overview().await.unwrap();
    overview.objects.into_iter().map(|object| object.name).collect()
}

#[actix_web::test]
async fn a_step_is_tried_again_with_other_input_and_both_inputs_are_on_record() {
    for (kind, door) in [Paused::Order, Paused::Growth].into_iter().flat_map(|kind| DOORS.map(|door| (kind, door))) {
        let story = Story::of(kind, Operation::MachineCreate).await;
        let before = story.step().await.input.unwrap();
        let mut input = before.clone();
        input["size"]["cpu"] = json!(4);
        let edit = |input: &Value| Act { input: Some(input.clone()), ..act("edit") };
        let mut unfit = input.clone();
        unfit["size"] = json!("huge");
        story.misfits(door, edit(&unfit), "input").await;
        unfit["size"] = input["size"].clone();
        unfit["imagee"] = json!("debian-12");
        story.misfits(door, edit(&unfit), "input").await;
        story.misfits(door, Act { reason: " ", ..edit(&input) }, "reason").await;

        story.mend(door, edit(&input)).await;
        let built = story.house.when(&story.rita, story.deployment, DeploymentState::Live).await;
        let row = built.resources.iter().find(|row| row.step_key == story.step && row.kind == "machine").unwrap();
        assert_eq!(row.state, ResourceState::Live, "{kind:?}");
        assert_eq!(story.step().await.output.unwrap()["cpu"], 4, "what was given is what was made");

        let events = store::run_event::after(&story.house.app.store, story.run, 0, 1_000).await.unwrap();
        let mended = events.iter().find(|event| event.kind == EventKind::Mended).unwrap();
        assert_eq!(mended.detail, Some(json!({ "before": before, "after": input })));
        let size = |input: &Value| input["size"].to_string();
        let line = format!("tries again. size: {}, now {}. Reason: {REASON}", cut(&size(&before)), cut(&size(&input)));
        assert!(mended.line.ends_with(&line), "{}", mended.line);
        let log = store::audit::after(&story.house.app.store, 0, 1_000).await.unwrap();
        let noted = log.iter().find(|entry| entry.action == "run.input_changed").expect("it is on record");
        let data: Value = serde_json::from_str(&noted.data).unwrap();
        assert_eq!(data, json!({ "step": story.step, "before": before, "after": input, "reason": REASON }));
        assert!(noted.actor.name.contains("Otto"));
        story.house.close().await;
    }
}

#[actix_web::test]
async fn a_step_is_skipped_with_what_it_would_have_left_and_the_run_goes_on() {
    for (kind, door) in [Paused::Order, Paused::Growth].into_iter().flat_map(|kind| DOORS.map(|door| (kind, door))) {
        let story = Story::of(kind, Operation::ConfigurationApply).await;
        let by_hand = json!({
            "certname": "fixme.dc1.example.org", "role": "base", "resources": 40, "changed": 0, "seconds": 1, "ci": "none",
        });
        let skip = |output: &Value| Act { output: Some(output.clone()), ..act("skip") };
        let mut unfit = by_hand.clone();
        unfit["resources"] = json!("forty");
        story.misfits(door, skip(&unfit), "output").await;
        story.misfits(door, skip(&json!({ "certname": "fixme" })), "output").await;
        story.misfits(door, Act { reason: "", ..skip(&by_hand) }, "reason").await;
        story.mend(door, skip(&by_hand)).await;
        story.house.when(&story.rita, story.deployment, DeploymentState::Live).await;
        let step = story.step().await;
        assert_eq!((step.state, step.output), (StepState::Skipped, Some(by_hand)), "{kind:?}");
        assert!(step.why.unwrap().contains(REASON));
        story.house.close().await;
    }
}

#[actix_web::test]
async fn what_was_built_is_taken_back_and_what_was_there_before_stays() {
    for (kind, door) in [Paused::Order, Paused::Growth].into_iter().flat_map(|kind| DOORS.map(|door| (kind, door))) {
        let story = Story::of(kind, Operation::ConfigurationApply).await;
        assert!(objects(&story.house).await.len() > story.before);
        story.misfits(door, Act { reason: "", ..act("compensate") }, "reason").await;
        story.mend(door, act("compensate")).await;
        let ends = if kind == Paused::Order { DeploymentState::Failed } else { DeploymentState::Live };
        story.house.when(&story.rita, story.deployment, ends).await;
        assert_eq!(objects(&story.house).await.len(), story.before, "{kind:?}");
        let run = show(&story.house.app, &story.rita, story.run, None).await.unwrap().run;
        assert_eq!(run.state, RunState::Compensated);
        assert!(run.why.unwrap().contains(&format!("Otto Operator took back what was built: {REASON}.")));
        story.house.close().await;
    }
}

#[actix_web::test]
async fn a_removal_that_failed_is_tried_again_or_done_by_hand() {
    for (way, door) in ["retry", "skip"].into_iter().flat_map(|way| DOORS.map(|door| (way, door))) {
        let story = Story::of(Paused::Retirement, Operation::MachineDestroy).await;
        let edit = Act { input: Some(json!({ "name": "another" })), ..act("edit") };
        let (status, answer) = story.act(OTTO, door, edit).await;
        assert_eq!(status, StatusCode::CONFLICT, "{answer}");
        assert!(answer.contains("This step takes something back"), "{answer}");
        let browser = Browser::of(&story.house, OTTO.0, OTTO.1).await;
        let (_, page) = browser.get(&format!("/runs/{}?step={}", story.run, story.step)).await;
        assert!(page.contains("It was taken back by hand") && !page.contains("Try again with this input"), "{page}");
        story.mend(door, act(way)).await;
        let gone = story.house.when(&story.rita, story.deployment, DeploymentState::Retired).await;
        assert!(gone.resources.iter().all(|row| row.state == ResourceState::Gone), "{way}");
        let left = usize::from(way == "skip");
        assert_eq!(objects(&story.house).await.len(), left, "what somebody says he removed is not looked for");
        story.house.close().await;
    }
}

#[actix_web::test]
async fn a_retirement_that_is_given_up_leaves_the_rest_standing_and_can_be_asked_for_again() {
    for door in DOORS {
        let story = Story::of(Paused::Retirement, Operation::MachineDestroy).await;
        let browser = Browser::of(&story.house, OTTO.0, OTTO.1).await;
        let (_, page) = browser.get(&format!("/runs/{}", story.run)).await;
        assert!(page.contains("Leave the rest standing") && !page.contains("Take back what was built"), "{page}");
        story.mend(door, act("compensate")).await;
        story.house.when(&story.rita, story.deployment, DeploymentState::Live).await;
        let left = objects(&story.house).await.len();
        assert!(left > 0 && left < story.before, "what was removed stays removed");
        let (_, page) = browser.get(&format!("/runs/{}", story.run)).await;
        for said in ["Given up", "What was removed stays removed, and the rest stays.", "left the rest standing"] {
            assert!(page.contains(said), "{said}: {page}");
        }
        story.house.ask(&story.rita, change(Paused::Retirement, story.deployment)).await;
        story.house.when(&story.rita, story.deployment, DeploymentState::Retired).await;
        assert!(objects(&story.house).await.is_empty());
        story.house.close().await;
    }
}

#[actix_web::test]
async fn nobody_but_an_operator_mends_and_for_another_tenant_the_run_is_not_there() {
    let strangers = [
        ("rita@example.org", "rita-orders-machines", StatusCode::FORBIDDEN),
        ("audrey@example.org", "audrey-reads-it-all", StatusCode::FORBIDDEN),
        ("carlo@example.org", "carlo-sees-his-own", StatusCode::NOT_FOUND),
    ];
    for kind in KINDS {
        let refuses = if kind == Paused::Retirement { Operation::MachineDestroy } else { Operation::MachineCreate };
        let story = Story::of(kind, refuses).await;
        let step = story.step().await;
        for (email, password, status) in strangers {
            for door in DOORS {
                for wish in ["retry", "edit", "skip", "resume", "compensate", "cancel"] {
                    let act = Act { input: (wish == "edit").then(|| json!({})), ..act(wish) };
                    let (answered, _) = story.act((email, password), door, act).await;
                    assert_eq!(answered, status, "{kind:?}: {email} {wish} {door:?}");
                }
            }
        }
        assert_eq!(story.step().await, step, "nothing has happened");
        let browser = Browser::of(&story.house, "rita@example.org", "rita-orders-machines").await;
        let (_, page) = browser.get(&format!("/runs/{}?step={}", story.run, story.step)).await;
        assert!(page.contains("Paused") && !page.contains("/mend\""), "who may not mend is shown no button: {page}");
        story.house.close().await;
    }
}
