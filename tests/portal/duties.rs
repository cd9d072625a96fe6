//! The duties: done by one process at a time, taken over when it stops or dies, and never done twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::test::{TestRequest, read_body};
use app::App;
use app::duty::{Duty, OnDuty, take_up};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::mail::Mail;
use domain::ports::clock::Clock;
use domain::ports::mailer::{Mailer, MailerError};
use providers::clock::{ManualClock, SystemClock};
use serde_json::json;
use store::duty::Work;

use crate::door::{send, session, sign_in};
use crate::house::{House, PATIENCE};
use crate::process::Process;

const LEASE: TimeDelta = TimeDelta::seconds(15);

async fn asleep() -> House {
    House::asleep(Arc::new(SystemClock)).await
}

async fn taken_up(app: &App, process: &str) -> OnDuty {
    take_up(app, process, LEASE).await.unwrap().expect("nobody does the duties")
}

/// As if the holder had been silent for the time of its lease.
async fn let_the_lease_be_over(house: &House) {
    house.database.tamper("UPDATE duty SET lease_until = '2020-01-01T00:00:00.000+00:00'").await;
}

async fn reminders(app: &App) -> usize {
    let mails = store::mail::list(&app.store, None, 1_000).await.unwrap();
    mails.iter().filter(|mail| mail.kind == "approval_reminder").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_that_ask_at_once_one_does_the_duties_until_it_lays_them_down() {
    let house = asleep().await;
    let other = house.seen_by(Arc::new(SystemClock)).await;
    let (one, two) = tokio::join!(take_up(&house.app, "one", LEASE), take_up(&other, "two", LEASE));
    let mut on_duty: Vec<OnDuty> = [one.unwrap(), two.unwrap()].into_iter().flatten().collect();
    assert_eq!(on_duty.len(), 1, "one of them does them");
    assert!(on_duty[0].stay().await.unwrap());
    assert!(take_up(&other, "three", LEASE).await.unwrap().is_none(), "they are held");
    on_duty.remove(0).lay_down().await.unwrap();
    let next = taken_up(&other, "three").await;
    assert!(next.stay().await.unwrap(), "laid down, they are taken up at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_silent_for_too_long_and_goes_on_changes_nothing_any_more() {
    let house = asleep().await;
    let rita = house.person("Rita").await;
    house.order(&rita, "scale-out-tomcat", json!({ "application": "shop" })).await;
    house.database.tamper("UPDATE approval SET remind_at = '2020-01-01T00:00:00+00:00'").await;
    let stale = taken_up(&house.app, "stale").await;
    let_the_lease_be_over(&house).await;
    let heir = taken_up(&house.app, "heir").await;

    app::approval::keep_time(stale.app()).await.unwrap_err();
    app::session::sweep(stale.app()).await.unwrap_err();
    assert!(stale.is_over().await.unwrap() && !stale.stay().await.unwrap());
    assert_eq!(reminders(&house.app).await, 0, "what it still did changed nothing");
    assert!(app::approval::keep_time(heir.app()).await.unwrap() > 0);
    app::approval::keep_time(stale.app()).await.unwrap();
    assert_eq!(reminders(&house.app).await, 1, "the approver is reminded once");
    stale.lay_down().await.unwrap();
    assert!(heir.stay().await.unwrap(), "who does not hold them can't lay them down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_a_clock_from_the_future_wrote_keeps_nobody_from_the_duties() {
    let house = asleep().await;
    let _dead = taken_up(&house.app, "dead").await;
    house.database.tamper("UPDATE duty SET lease_until = '2099-01-01T00:00:00.000+00:00'").await;
    let tx = house.app.store.begin_step().await.unwrap();
    assert!(store::duty::take(&tx, Work::House, "heir", LEASE).await.unwrap().is_some());
}

/// Hands mails over, and is silent for longer than any claim lasts while it hands over the first.
struct Slow {
    clock: Arc<ManualClock>,
    /// Who sends mails meanwhile.
    meanwhile: App,
    sent: Arc<Sent>,
}

/// The subjects of the mails that went out.
#[derive(Default)]
struct Sent(Mutex<Vec<String>>);

#[async_trait]
impl Mailer for Sent {
    async fn send(&self, mail: &Mail) -> Result<String, MailerError> {
        self.0.lock().unwrap().push(format!("{} {}", mail.to_email, mail.subject));
        Ok("250 taken".to_owned())
    }
}

#[async_trait]
impl Mailer for Slow {
    async fn send(&self, mail: &Mail) -> Result<String, MailerError> {
        let answer = self.sent.send(mail).await;
        self.clock.wind(TimeDelta::minutes(6));
        // The first one's answer is not known yet, so that mail may go twice; a crash at that point does the same.
        app::mail::send_due(&self.meanwhile, "heir").await.unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_comes_back_sends_none_of_the_mails_that_another_one_has_sent_meanwhile() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let house = House::asleep(clock.clone()).await;
    let rita = house.person("Rita").await;
    for application in ["one", "two", "three"] {
        house.order(&rita, "scale-out-tomcat", json!({ "application": application })).await;
    }
    house.database.tamper("UPDATE mail SET state = 'queued', next_at = '2020-01-01T00:00:00+00:00'").await;
    let sent = Arc::new(Sent::default());
    let meanwhile = App { mailer: Some(sent.clone()), ..house.app.clone() };
    let slow = Slow { clock, meanwhile, sent: sent.clone() };
    let mailer: Arc<dyn Mailer> = Arc::new(slow);
    app::mail::send_due(&App { mailer: Some(mailer), ..house.app.clone() }, "slow").await.unwrap();

    let mut sent = sent.0.lock().unwrap().clone();
    let first = sent.remove(0);
    assert!(sent.len() >= 3 && sent.contains(&first), "{sent:?}");
    let all = sent.len();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), all, "each went once but for the one that was under way: {sent:?}");
}

#[actix_web::test]
async fn operators_see_who_does_the_duties_and_when_nobody_does() {
    let house = asleep().await;
    let otto = session(&sign_in(&house, "otto@example.org", "otto-mends-runs-now").await);
    let look = async |address: &str| {
        let answer = send(&house, TestRequest::get().uri(address).cookie(otto.clone())).await;
        String::from_utf8(read_body(answer).await.to_vec()).unwrap()
    };
    assert!(look("/operations").await.contains("Nobody sends mails, reminds approvers or ends leases"));
    assert!(look("/metrics").await.contains("gatehouse_duties_done 0"));
    let _on_duty = taken_up(&house.app, "gate-7").await;
    let seen = look("/operations").await;
    assert!(seen.contains("gate-7") && !seen.contains("Nobody sends mails"), "{seen}");
    assert!(look("/metrics").await.contains("gatehouse_duties_done 1"));
    assert_eq!(house.ailments().await, [""; 0]);
    let_the_lease_be_over(&house).await;
    assert_eq!(house.ailments().await, ["duties_undone"]);
}

/// Who does the duties, as soon as that is somebody else.
async fn successor_of(house: &House, before: Option<&str>) -> Duty {
    let changed = async {
        loop {
            let duty = store::duty::find(&house.app.store, Work::House).await.unwrap();
            if !duty.is_over && duty.holder.as_deref() != before {
                return duty;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.expect("somebody takes the duties up")
}

fn start(house: &House) -> Process {
    Process::start(house.worker_process().env("GATEHOUSE_WORKER__LEASE_SECONDS", "3"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_takes_over_from_one_that_was_killed_and_from_one_that_stopped() {
    let house = asleep().await;
    let first = start(&house);
    let held = successor_of(&house, None).await;
    assert!(held.holder.as_deref().unwrap().ends_with(&format!("-{}", first.id())), "{held:?}");
    let second = start(&house);
    first.signals().send("KILL");
    first.ends().await;
    let taken_over = successor_of(&house, held.holder.as_deref()).await;
    assert!(taken_over.holder.as_deref().unwrap().ends_with(&format!("-{}", second.id())), "{taken_over:?}");
    second.stop().await;
    let left = store::duty::find(&house.app.store, Work::House).await.unwrap();
    assert_eq!((left.holder, left.is_over), (None, true), "who stops lays them down");
}
