//! Against a receiver of a few lines, which can be told to answer badly.

use std::sync::{Arc, Mutex, PoisonError};

use domain::ci::{CiClass, Lifecycle};
use domain::ports::provider_error::ProviderErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::SystemClock;

/// Answers each request with the next of these; keeps what it was asked.
struct Receiver {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/in", listener.local_addr().expect("a bound port"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, answers) = (asked.clone(), answers.to_vec());
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut read = Vec::new();
                while !is_whole(&read) {
                    let mut part = [0; 4096];
                    let length = stream.read(&mut part).await.expect("it is asked");
                    read.extend_from_slice(&part[..length]);
                }
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(String::from_utf8_lossy(&read).into_owned());
                stream.write_all(answer.as_bytes()).await.expect("it is heard");
            }
        });
        Self { url, asked }
    }

    fn webhook(&self) -> Webhook {
        // Another test of this process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = WebhookSettings {
            url: self.url.clone(),
            list_url: Some(self.url.clone()),
            secret: "s3cret".to_owned(),
            ca: None,
        };
        Webhook::new(&settings, Arc::new(SystemClock)).expect("usable settings")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a request was read to its end.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read).into_owned();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn parcel(key: &str) -> Parcel {
    Parcel {
        key: key.to_owned(),
        class: CiClass::VirtualMachine,
        lifecycle: Lifecycle::Operational,
        revision: 3,
        native_id: None,
        payload: json!({ "name": key }),
    }
}

async fn broken(answer: &'static str) -> Setback {
    let receiver = Receiver::start(&[answer]).await;
    let delivered = receiver.webhook().deliver(&[parcel("a")]).await;
    assert_eq!(delivered.outcomes, []);
    delivered.broken.expect("it is broken")
}

#[tokio::test]
async fn what_is_sent_is_signed_and_each_ci_is_judged_for_itself_in_a_good_answer() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"items\": [{\"key\": \"a\", \"result\": \"written\", \"id\": \"7\"}, \
                  {\"key\": \"b\", \"result\": \"failed\", \"code\": \"no_field\", \"message\": \"No such field.\"}, \
                  {\"key\": \"c\", \"result\": \"failed\", \"message\": \"Busy\", \"retry\": true}]}";
    let receiver = Receiver::start(&[answer]).await;
    let delivered = receiver.webhook().deliver(&[parcel("a"), parcel("b"), parcel("c")]).await;
    let [(_, written), (_, Outcome::Failed(refused)), (_, Outcome::Failed(busy))] = &delivered.outcomes[..] else {
        panic!("{delivered:?}")
    };
    assert_eq!(*written, Outcome::Written { native_id: Some("7".to_owned()) });
    assert_eq!((refused.code.as_str(), refused.is_final()), ("no_field", true));
    assert!(refused.error.what.ends_with("No such field."), "{}", refused.error);
    assert_eq!((busy.code.as_str(), busy.is_final()), ("failed", false));
    let asked = receiver.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").expect("a request");
    let signature = head.lines().find_map(|line| line.strip_prefix("x-gatehouse-signature: ")).expect("it is signed");
    let (time, signature) = signature.strip_prefix("t=").and_then(|it| it.split_once(",v1=")).expect("both parts");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").expect("any length will do");
    mac.update(format!("{time}.{body}").as_bytes());
    assert_eq!(signature, hex::encode(mac.finalize().into_bytes()));
    assert!(body.contains(r#""key":"a","revision":3"#), "{body}");
    assert!(
        !format!("{:?}", WebhookSettings { url: String::new(), list_url: None, secret: "s3cret".into(), ca: None })
            .contains("s3cret")
    );
}

#[tokio::test]
async fn answers_that_are_none_are_told_apart_and_lose_nothing() {
    let html = broken("HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n<html>Sign in</html").await;
    assert_eq!((html.code.as_str(), html.error.kind), ("not_understood", ProviderErrorKind::Transient));
    assert!(html.error.what.contains("<html>Sign in</html"), "{}", html.error);
    let cut = broken("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"items\": [{\"key\"").await;
    assert_eq!((cut.code.as_str(), cut.error.kind), ("no_answer", ProviderErrorKind::Transient));
    let field = broken("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"items\": true}").await;
    assert_eq!(field.code, "not_understood");
    let busy = broken("HTTP/1.1 429 Busy\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((busy.code.as_str(), busy.retry_after), ("http_429", Some(chrono::TimeDelta::seconds(30))));
    assert_eq!(busy.error.kind, ProviderErrorKind::Transient);
    let stranger = broken("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((stranger.code.as_str(), stranger.error.kind), ("http_401", ProviderErrorKind::Refused));
    let whole = broken("HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((whole.code.as_str(), whole.error.kind), ("http_422", ProviderErrorKind::Permanent));
}

#[tokio::test]
async fn what_it_holds_is_read_part_by_part_and_a_part_that_comes_twice_ends_it() {
    let part = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\
                {\"items\": [{\"key\": \"a\", \"ci\": {\"name\": \"a\"}}], \"next\": \"p 2\"}";
    let receiver = Receiver::start(&[part, part]).await;
    let webhook = receiver.webhook();
    let page = webhook.list(None).await.expect("a part");
    let held = Held { key: "a".to_owned(), native_id: None, payload: json!({ "name": "a" }) };
    assert_eq!(page, HeldPage { held: vec![held], next: Some("p 2".to_owned()) });
    let again = webhook.list(Some("p 2")).await.expect_err("the same again");
    assert_eq!(again.code, "same_page");
    assert!(receiver.asked()[1].starts_with("GET /in?from=p+2 HTTP/1.1"), "{}", receiver.asked()[1]);
}
