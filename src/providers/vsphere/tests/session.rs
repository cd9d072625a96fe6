//! The session: opened once, renewed once, and never shown.

use domain::ports::machines::Machines;

use super::super::client::Client;
use super::super::failure::Failure;
use super::script::{Says, Script, reference, settings};

fn client(script: &Script) -> Client {
    Client::new(Box::new(script.clone()), "gatehouse", "a <secret> & more")
}

#[tokio::test]
async fn a_session_that_vcenter_ended_is_renewed_once_and_the_call_repeated() {
    let script = Script::default();
    script
        .on("FindByUuid", Says::Fault("NotAuthenticated", ""))
        .answers("FindByUuid", &reference("VirtualMachine", "vm-1"));
    let client = client(&script);
    assert_eq!(client.find_uuid("a").await.unwrap().unwrap().id, "vm-1");
    assert_eq!(script.count("Login"), 2);
    assert!(script.message("Login").contains("a &lt;secret&gt; &amp; more"), "the password is data");
    client.find_uuid("b").await.unwrap();
    assert_eq!(script.count("Login"), 2, "the session is kept");
}

#[tokio::test]
async fn a_session_that_ends_at_once_again_is_told() {
    let script = Script::default();
    script.on("FindByUuid", Says::Fault("NotAuthenticated", "")).on("FindByUuid", Says::Fault("NotAuthenticated", ""));
    let failure: Failure = client(&script).find_uuid("a").await.unwrap_err();
    assert!(failure.told("look").what.contains("session"));
    assert_eq!(script.count("FindByUuid"), 2);
}

#[tokio::test]
async fn many_calls_at_once_sign_in_once() {
    let script = Script::default();
    let client = client(&script);
    futures::future::join_all((0..20).map(|_| client.find_uuid("a"))).await;
    assert_eq!(script.count("Login"), 1);
    client.logout().await;
    client.logout().await;
    assert_eq!(script.count("Logout"), 1);
}

#[tokio::test]
async fn whoever_leaves_signs_out_and_follows_no_more() {
    let script = Script::default();
    script.holds_a_datastore();
    let vcenter = script.vcenter();
    vcenter.followed().current().await;
    vcenter.leave().await;
    assert_eq!((script.count("Login"), script.count("Logout")), (1, 1));
    vcenter.leave().await;
    assert_eq!(script.count("Logout"), 1, "there is no session any more");
}

#[test]
fn the_password_is_never_shown() {
    let shown = format!("{:?}", settings());
    assert!(shown.contains("vcenter.example.org") && !shown.contains("a-password"), "{shown}");
}
