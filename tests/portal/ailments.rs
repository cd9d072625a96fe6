//! What must never be so: nothing of it in a house where people order, decide, build, mend and retire; and each of it
//! found, told and mended where somebody broke the tables by hand.

use app::ailment::{declare_gone_from_command_line, examine, mend_from_command_line};
use app::idempotency::Sent;
use app::request::What;
use app::run::{Mend, mend};
use domain::deployment::DeploymentState;
use domain::request::RequestState;
use domain::run::Cancel;
use domain::task::TaskState;
use serde_json::json;

use crate::house::House;
use crate::runs::refused;
use crate::tasks;

/// Statements, and what ails the house after them.
type Break = (&'static [&'static str], &'static [&'static str]);

/// A house with a machine that stands, a run in the queue, a request that awaits approval, and nobody at work.
async fn house_at_rest() -> House {
    let mut house = House::new().await;
    let rita = house.person("Rita").await;
    let machine = house.order(&rita, "linux-vm", json!({ "application": "tools" })).await;
    house.when(&rita, machine.deployment, DeploymentState::Live).await;
    house.stop_working().await;
    house.order(&rita, "linux-vm", json!({ "application": "queued" })).await;
    house.order(&rita, "scale-out-tomcat", json!({ "application": "asked" })).await;
    assert_eq!(house.ailments().await, [""; 0]);
    house
}

async fn tamper(house: &House, statements: &[&str]) {
    for statement in statements {
        let (jobs, workers, hour) = match house.database.is_postgres() {
            true => ("apalis.jobs", "apalis.workers", "interval '1 hour'"),
            false => ("Jobs", "Workers", "3600"),
        };
        let statement = statement.replace("{jobs}", jobs).replace("{workers}", workers).replace("{hour}", hour);
        house.database.tamper(&statement).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_ails_a_house_where_orders_are_built_refused_mended_cancelled_and_retired() {
    let house = House::new().await;
    let (rita, otto) = (house.person("Rita").await, house.person("Otto").await);
    let (wrong, run) = refused(&house, &rita).await;
    assert_eq!(house.ailments().await, [""; 0], "a run that waits for a person");
    mend(&house.app, &otto, run, Mend::Cancel(Cancel::TakeBack), "Ordered twice", &Sent::PORTAL).await.unwrap();
    house.when(&rita, wrong.deployment.id, DeploymentState::Failed).await;
    let (paused, run) = refused(&house, &rita).await;
    mend(&house.app, &otto, run, Mend::Resume, "", &Sent::PORTAL).await.unwrap();
    house.when(&rita, paused.deployment.id, DeploymentState::Live).await;

    let cluster = house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    assert_eq!(house.ailments().await, [""; 0], "a request that awaits approval");
    house.approve("Adam").await;
    house.when(&rita, cluster.deployment, DeploymentState::Live).await;
    assert_eq!(house.ailments().await, [""; 0], "two deployments that stand");

    let unwanted = house.order(&rita, "scale-out-tomcat", json!({ "application": "unwanted" })).await;
    app::request::withdraw(&house.app, &rita, unwanted.id, &Sent::PORTAL).await.unwrap();
    for deployment in [paused.deployment.id, cluster.deployment] {
        house.ask(&rita, What::Retire { deployment }).await;
        house.when(&rita, deployment, DeploymentState::Retired).await;
    }
    assert_eq!(house.ailments().await, [""; 0], "all of it is over");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_by_hand_is_found_and_told_with_a_remedy() {
    let house = house_at_rest().await;
    let breaks: [(Break, &[&str]); 9] = [
        (
            (&["UPDATE run SET wake_at = '2020-01-01T00:00:00+00:00' WHERE state = 'queued'"], &["run_overdue"]),
            &["UPDATE run SET wake_at = '2099-01-01T00:00:00+00:00' WHERE state = 'queued'"],
        ),
        (
            (&["UPDATE step SET state = 'undoing' WHERE state = 'done' AND position = 0"], &["step_of_ended_run"]),
            &["UPDATE step SET state = 'done' WHERE state = 'undoing'"],
        ),
        (
            (&["UPDATE resource SET state = 'intended' WHERE kind = 'machine'"], &["object_unsettled"]),
            &["UPDATE resource SET state = 'live'"],
        ),
        (
            (
                &["UPDATE deployment SET state = 'retired' WHERE state = 'live'"],
                &["object_of_ended_deployment", "quota_held"],
            ),
            &["UPDATE deployment SET state = 'live' WHERE state = 'retired'"],
        ),
        ((&["UPDATE resource SET state = 'gone'"], &["deployment_empty"]), &["UPDATE resource SET state = 'live'"]),
        (
            (&["UPDATE approval_level SET state = 'closed'"], &["request_unasked"]),
            &["UPDATE approval_level SET state = 'open'"],
        ),
        (
            (&["UPDATE mail SET state = 'queued', next_at = '2020-01-01T00:00:00+00:00'"], &["mail_overdue"]),
            &["UPDATE mail SET state = 'kept'"],
        ),
        ((&["UPDATE mail SET state = 'refused'"], &["mail_refused"]), &["UPDATE mail SET state = 'kept'"]),
        (
            (
                &["UPDATE run SET lease_until = '2099-01-01T00:00:00+00:00', worker = 'early' WHERE state = 'queued'"],
                &["lease_from_future"],
            ),
            &["UPDATE run SET lease_until = NULL"],
        ),
    ];
    for ((hand, ailments), undone) in breaks {
        tamper(&house, hand).await;
        let found = examine(&house.app).await.unwrap();
        let words: Vec<_> = found.iter().map(|found| found.ailment.word()).collect();
        assert_eq!(words, ailments, "{hand:?}");
        for found in &found {
            let first = &found.cases[0];
            assert!(found.number >= 1 && !first.name.is_empty(), "{found:?}");
            assert!(found.page(&house.app, first).unwrap().starts_with("http://localhost/"), "{found:?}");
            assert!(found.ailment.remedy().ends_with('.'), "{found:?}");
        }
        tamper(&house, undone).await;
        assert_eq!(house.ailments().await, [""; 0], "{undone:?}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_knows_enough_of_is_mended_and_put_on_record() {
    let house = house_at_rest().await;
    let breaks: [Break; 7] = [
        (
            &[
                "UPDATE {workers} SET last_seen = last_seen - {hour}",
                "UPDATE {jobs} SET status = 'Queued', lock_by = (SELECT MIN(id) FROM {workers})",
            ],
            &["job_of_silent_worker"],
        ),
        (&["UPDATE run SET lease_until = '2099-01-01T00:00:00+00:00' WHERE state = 'queued'"], &["lease_from_future"]),
        (
            &[
                "UPDATE {jobs} SET run_at = run_at - {hour}",
                "UPDATE run SET state = 'paused', wake_at = NULL WHERE state = 'queued'",
            ],
            &["job_without_run"],
        ),
        (&["UPDATE run SET state = 'waiting' WHERE state = 'paused'"], &["run_forgotten"]),
        (&["UPDATE allocation SET state = 'reserved' WHERE state = 'live'"], &["quota_held"]),
        (&["UPDATE request SET run_id = NULL WHERE state = 'approved'"], &["request_without_run"]),
        (
            &["UPDATE request SET state = 'withdrawn' WHERE state = 'awaiting_approval'"],
            &["quota_held", "approval_of_decided_request"],
        ),
    ];
    let mut on_record = 0;
    for (hand, ailments) in breaks {
        tamper(&house, hand).await;
        assert_eq!(house.ailments().await, ailments, "{hand:?}");
        let mended = mend_from_command_line(&house.app).await.unwrap();
        assert_eq!(mended.iter().map(|found| found.ailment.word()).collect::<Vec<_>>(), ailments, "{hand:?}");
        assert_eq!(house.ailments().await, [""; 0], "{hand:?}");
        on_record += ailments.len();
    }
    let log = store::audit::after(&house.app.store, 0, 1_000).await.unwrap();
    assert_eq!(log.iter().filter(|entry| entry.action == "ailment.mended").count(), on_record);
    assert!(app::audit::verify(&house.app).await.unwrap().is_ok());
    assert!(mend_from_command_line(&house.app).await.unwrap().is_empty(), "there is nothing left to mend");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_for_which_no_step_waits_is_found_and_closed() {
    let (mut house, _) = tasks::house().await;
    let adam = house.person("Adam").await;
    tasks::order(&house).await;
    let task = tasks::asked(&house, &adam).await;
    house.stop_working().await;
    for state in ["waiting", "running", "retrying", "failed", "pending", "ready"] {
        tamper(&house, &[&format!("UPDATE step SET state = '{state}' WHERE key = 'rack'")]).await;
        assert_eq!(house.ailments().await, [""; 0], "{state}");
    }
    for hand in [
        "UPDATE step SET state = 'done' WHERE key = 'rack'",
        "UPDATE step SET key = 'another' WHERE key = 'rack'",
        "UPDATE run SET state = 'cancelled'",
    ] {
        tamper(&house, &["UPDATE task SET state = 'open', ended_at = NULL, why = NULL", hand]).await;
        let found = examine(&house.app).await.unwrap();
        assert_eq!(found[0].ailment.word(), "task_for_nothing", "{hand}: {found:?}");
        let page = found[0].page(&house.app, &found[0].cases[0]).unwrap();
        assert_eq!(page, format!("http://localhost/tasks/{}", task.id));
        mend_from_command_line(&house.app).await.unwrap();
        let closed = tasks::again(&house, &task).await;
        assert_eq!((closed.state, closed.ended_at), (TaskState::Closed, Some(house.app.clock.now())), "{hand}");
        assert_eq!(house.ailments().await, [""; 0], "{hand}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_would_take_up_goes_on_once_it_is_mended() {
    let mut house = house_at_rest().await;
    let rita = house.person("Rita").await;
    let queued = "UPDATE run SET wake_at = NULL, lease_until = NULL, worker = NULL WHERE state = 'queued'";
    tamper(&house, &["DELETE FROM {jobs}", queued]).await;
    let found = examine(&house.app).await.unwrap();
    let run = found[0].cases[0].id.unwrap().into();
    mend_from_command_line(&house.app).await.unwrap();
    house.work_again();
    let deployment = app::run::show(&house.app, &rita, run, None).await.unwrap().run.deployment;
    house.when(&rita, deployment, DeploymentState::Live).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_is_settled_by_what_stands() {
    let house = house_at_rest().await;
    let rita = house.person("Rita").await;
    let projects = app::catalog::projects(&house.app, &rita).await.unwrap();
    let project = projects.iter().find(|project| project.name == "shop").unwrap().id;
    let used = async || store::allocation::usage(&house.app.store, project).await.unwrap()["machines"];
    let before = used().await;
    tamper(&house, &["UPDATE allocation SET state = 'reserved' WHERE state = 'live'"]).await;
    mend_from_command_line(&house.app).await.unwrap();
    assert_eq!(used().await, before, "the machine stands");

    tamper(&house, &["UPDATE request SET run_id = NULL WHERE state = 'approved'"]).await;
    mend_from_command_line(&house.app).await.unwrap();
    assert_eq!(used().await, before - 1, "nothing was built of what was lost");
    let lost = store::request::find_by_number(&house.app.store, 2, &rita.scope()).await.unwrap().unwrap();
    assert_eq!(lost.state, RequestState::Failed);
    assert!(lost.outcome.unwrap().contains("Order it again"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_a_deployment_that_is_over_is_gone_when_somebody_says_so_and_why() {
    let house = house_at_rest().await;
    let rita = house.person("Rita").await;
    let machine = store::request::find_by_number(&house.app.store, 1, &rita.scope()).await.unwrap().unwrap();
    let rows = store::resource::standing(&house.app.store, machine.deployment).await.unwrap();
    let stands = declare_gone_from_command_line(&house.app, &rows[0].key, "I looked").await.unwrap_err();
    assert!(stands.fields[0].message.contains("retire that on its page"), "{stands:?}");
    let unknown = declare_gone_from_command_line(&house.app, "nothing", "I looked").await.unwrap_err();
    assert!(unknown.fields[0].message.contains("no object with the key `nothing`"), "{unknown:?}");
    let unexplained = declare_gone_from_command_line(&house.app, &rows[0].key, " ").await.unwrap_err();
    assert!(unexplained.fields[0].message.contains("Say how you know"), "{unexplained:?}");

    tamper(&house, &["UPDATE deployment SET state = 'retired' WHERE state = 'live'"]).await;
    mend_from_command_line(&house.app).await.unwrap();
    assert_eq!(house.ailments().await, ["object_of_ended_deployment"]);
    for row in &rows {
        declare_gone_from_command_line(&house.app, &row.key, "Removed by hand").await.unwrap();
    }
    assert_eq!(house.ailments().await, [""; 0]);
    house.close().await;
}
