//! A Puppet CA for tests: it answers as Puppet Server 7.9.5 was measured to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;

use super::server::{Answer, Asked, client, serve};
use crate::puppet::ca::Ca;

/// What the authority holds for the one name of the tests.
#[derive(Default)]
struct Held {
    /// The fixture that is requested or signed, and its state.
    request: Option<(&'static str, &'static str)>,
    /// What takes the request's place just before it is signed.
    exchanged_for: Option<&'static str>,
    /// What it was told to do.
    done: Vec<String>,
    /// Answers this from now on.
    away: Option<u16>,
    /// The next that it does is done, and its answer lost.
    loses_answer: bool,
}

/// The authority at its end.
#[derive(Clone, Default)]
pub struct Authority(Arc<Mutex<Held>>);

impl Authority {
    /// The client of an authority that runs.
    pub async fn client(&self) -> Ca {
        let held = self.clone();
        let url = serve(move |asked| held.answer(asked)).await;
        Ca::at(client(), url.join("/puppet-ca/v1/").expect("an address"))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine asks with this request.
    pub fn asks(&self, fixture: &'static str) {
        self.held().request = Some((fixture, "requested"));
    }

    /// Somebody signs what is there, by hand.
    pub fn signs(&self, fixture: &'static str) {
        self.held().request = Some((fixture, "signed"));
    }

    /// Just before the next request is signed, another one takes its place.
    pub fn is_given_instead(&self, fixture: &'static str) {
        self.held().exchanged_for = Some(fixture);
    }

    pub fn is_away(&self, status: Option<u16>) {
        self.held().away = status;
    }

    pub fn loses_the_next_answer(&self) {
        self.held().loses_answer = true;
    }

    /// The state of the name.
    pub fn state(&self) -> Option<&'static str> {
        self.held().request.map(|(_, state)| state)
    }

    /// What was done until now.
    pub fn done(&self) -> Vec<String> {
        self.held().done.clone()
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let mut held = self.held();
        if let Some(status) = held.away {
            return (status, "it is not to be spoken to".to_owned());
        }
        let kind = asked.path.split('/').nth(3).unwrap_or_default().to_owned();
        let answer = match (asked.method.as_str(), kind.as_str()) {
            ("GET", "certificate_status") => match held.request {
                Some((_, state)) => {
                    (200, format!(r#"{{"name":"web-1.lab.test","state":"{state}","dns_alt_names":[]}}"#))
                }
                None => (404, "Resource not found.".to_owned()),
            },
            ("GET", "certificate_request") => match held.request {
                Some((fixture, "requested")) => (200, read(&format!("{fixture}.pem"))),
                _ => (404, "Could not find certificate_request".to_owned()),
            },
            ("GET", "certificate") => match held.request {
                Some((fixture, "signed" | "revoked")) => (200, read(&format!("{fixture}.certificate.pem"))),
                _ => (404, "Could not find certificate".to_owned()),
            },
            ("PUT", _) => held.put(&asked.body),
            ("DELETE", _) => held.delete(),
            other => panic!("nobody asks a Puppet CA for {other:?}"),
        };
        if asked.method != "GET" && std::mem::take(&mut held.loses_answer) {
            return (500, "Internal Server Error".to_owned());
        }
        answer
    }
}

impl Held {
    fn put(&mut self, body: &str) -> Answer {
        let wanted = if body.contains("signed") { "signed" } else { "revoked" };
        let fits = matches!(
            (wanted, self.request),
            ("signed", Some((_, "requested"))) | ("revoked", Some((_, "signed" | "revoked")))
        );
        if !fits {
            return (409, format!("Cannot be {wanted}"));
        }
        if wanted == "signed"
            && let Some(other) = self.exchanged_for.take()
        {
            self.request = Some((other, "requested"));
        }
        self.request = self.request.map(|(fixture, _)| (fixture, wanted));
        self.done.push(wanted.to_owned());
        (204, String::new())
    }

    fn delete(&mut self) -> Answer {
        match self.request.take() {
            Some(_) => {
                self.done.push("deleted".to_owned());
                (204, String::new())
            }
            None => (404, "Resource not found.".to_owned()),
        }
    }
}

/// A recorded request or certificate.
pub fn read(name: &str) -> String {
    let path = format!("{}/puppet/tests/requests/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{path}: {cause}"))
}

/// The address of a server that nobody runs.
pub fn nobody() -> Url {
    "http://127.0.0.1:1/".parse().expect("an address")
}
