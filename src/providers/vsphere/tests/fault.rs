//! vCenter's faults in words for people, with what to do.

use domain::ports::provider_error::{ProviderError, ProviderErrorKind};

use super::super::failure::Failure;
use super::super::method::Done;
use super::super::soap;
use super::script;

/// What a person reads when vCenter answers with this fault.
fn told(kind: &str, inside: &str) -> ProviderError {
    failure(&script::fault(kind, inside)).told("clone debian-12 to shop-1")
}

fn failure(answer: &str) -> Failure {
    match soap::reply::<Done>(answer) {
        Ok(_) => panic!("it is a fault"),
        Err(failure) => failure,
    }
}

#[test]
fn each_fault_says_what_happened_why_and_what_to_do() {
    use ProviderErrorKind::{NotFound, Permanent, Refused, Transient};
    let cases = [
        ("InsufficientResourcesFault", "", Refused, "could not clone", "platform team"),
        ("InsufficientMemoryResourcesFault", "", Refused, "InsufficientMemoryResourcesFault", "smaller size"),
        ("NoDiskSpace", "", Refused, "NoDiskSpace", "room"),
        ("DuplicateName", "<name>shop-1</name>", Refused, "shop-1 exists there already", "another name"),
        (
            "NoPermission",
            "<object type=\"Folder\">group-v3</object><privilegeId>VirtualMachine.Inventory.Create</privilegeId>",
            Refused,
            "the right VirtualMachine.Inventory.Create is missing on Folder group-v3",
            "check --connect",
        ),
        ("HostNotConnected", "", Transient, "HostNotConnected", "Reconnect the host"),
        (
            "InvalidPowerState",
            "<requestedState>poweredOff</requestedState><existingState>poweredOn</existingState>",
            Transient,
            "is running and had to be off",
            "goes on from there",
        ),
        ("NotAuthenticated", "", Transient, "session", "signs in"),
        ("TaskInProgress", "", Transient, "TaskInProgress", "again"),
        ("InvalidArgument", "<invalidProperty>spec.pool</invalidProperty>", Permanent, "spec.pool", "settings"),
        ("ManagedObjectNotFound", "", NotFound, "gone", "who removed it"),
        ("SomethingNew", "", Permanent, "SomethingNew", "task in vCenter"),
    ];
    for (fault, inside, kind, what, next) in cases {
        let error = told(fault, inside);
        assert_eq!(error.kind, kind, "{fault}: {error}");
        assert!(error.what.contains(what) && error.what.ends_with('.'), "{fault}: {error}");
        assert!(error.next.contains(next) && error.next.ends_with('.'), "{fault}: {error}");
    }
}

#[test]
fn recorded_faults_are_known_by_their_types() {
    assert!(failure(include_str!("recorded/not_authenticated.xml")).is("NotAuthenticated"));
    assert!(failure(include_str!("recorded/gone.xml")).is("ManagedObjectNotFound"));
    let wrong = failure(include_str!("recorded/invalid_login.xml")).told("sign us in");
    assert_eq!(wrong.kind, ProviderErrorKind::Permanent);
    assert!(wrong.next.contains("user name and password"), "{wrong}");
}

#[test]
fn what_is_no_answer_of_vcenter_is_no_crash_and_may_pass() {
    let whole = include_str!("recorded/login.xml");
    let page = "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>";
    let other = "<?xml version=\"1.0\"?><feed><entry/></feed>";
    let empty = script::in_envelope("");
    for answer in [&whole[..whole.len() / 2], page, other, "", "no XML at all", &empty] {
        let error = failure(answer).told("sign us in");
        assert_eq!(error.kind, ProviderErrorKind::Transient, "{error}");
        assert!(error.what.contains("can't be read"), "{error}");
    }
}
