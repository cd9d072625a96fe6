//! What is refused before anything is connected.

use std::time::Duration;

use crate::docker::client::Client;
use crate::docker::{DockerSettings, DockerSettingsError, Identity};

fn way(host: &str, identity: Option<Identity>) -> Result<(), DockerSettingsError> {
    let settings = DockerSettings { host: host.to_owned(), identity, patience: Duration::from_secs(1) };
    Client::new(&settings).map(drop)
}

#[test]
fn an_engine_is_reached_unprotected_on_this_machine_alone() {
    for host in ["unix:///run/docker.sock", "tcp://127.0.0.1:2375", "tcp://localhost", "tcp://[::1]:2375"] {
        assert!(way(host, None).is_ok(), "{host}");
    }
    for host in ["tcp://10.0.0.7:2375", "tcp://engine.example.org", "tcp://localhost.example.org"] {
        assert!(matches!(way(host, None), Err(DockerSettingsError::Unprotected(_))), "{host}");
    }
    for host in ["", "unix:", "unix://run", "http://127.0.0.1", "engine.example.org:2376", "tcp://"] {
        assert!(matches!(way(host, None), Err(DockerSettingsError::Address(_))), "{host}");
    }
}

#[test]
fn certificates_that_are_none_are_named_without_showing_them() {
    let identity = Identity { ca: b"secret".to_vec(), certificate: Vec::new(), key: Vec::new() };
    let error = way("tcp://engine.example.org:2376", Some(identity)).expect_err("that is no certificate");
    let told = error.to_string();
    assert!(told.contains("certificate of the authority") && told.contains("PEM"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
