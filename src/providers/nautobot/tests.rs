//! Against a Nautobot of a few lines, which answers as its documentation says.

use std::sync::{Arc, Mutex, PoisonError};

use domain::ports::ipam::Ipam;
use domain::ports::provider_error::ProviderErrorKind;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What it holds, and how it shall behave.
#[derive(Default)]
struct Played {
    /// Whatever its prefix has: the addresses with their keys.
    held: Vec<(String, String)>,
    /// How many addresses it has.
    room: usize,
    /// It answers every question so.
    refusal: Option<(u16, &'static str)>,
    /// It does what it is asked, and the next answer is lost.
    loses_answer: bool,
}

struct Server {
    url: String,
    played: Arc<Mutex<Played>>,
}

impl Server {
    async fn start(room: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound port"));
        let played = Arc::new(Mutex::new(Played { room, ..Played::default() }));
        let shared = played.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { converse(stream, &shared).await });
            }
        });
        Self { url, played }
    }

    fn play(&self, change: impl FnOnce(&mut Played)) {
        change(&mut self.played.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn held(&self) -> Vec<(String, String)> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner).held.clone()
    }

    fn nautobot(&self) -> Nautobot {
        // Another test of this process may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Nautobot::new(NautobotSettings {
            url: self.url.clone(),
            token: "s3cret".to_owned(),
            ca: None,
            prefix: "10.20.0.0/24".to_owned(),
            namespace: "Global".to_owned(),
            status: "Active".to_owned(),
            key_field: "gatehouse_key".to_owned(),
        })
        .expect("usable settings")
    }
}

/// One question, one answer.
async fn converse(stream: TcpStream, played: &Mutex<Played>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut asked, mut length, mut token) = (String::new(), 0, String::new());
    stream.read_line(&mut asked).await.ok()?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer) = {
        let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer(&mut played, asked.trim(), &token, &body);
        if std::mem::take(&mut played.loses_answer) {
            return None;
        }
        answer
    };
    let answer = if answer.is_null() { String::new() } else { answer.to_string() };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    stream.write_all(format!("{head}{answer}").as_bytes()).await.ok()
}

fn answer(played: &mut Played, asked: &str, token: &str, body: &Value) -> (u16, Value) {
    if let Some((status, said)) = played.refusal {
        return (status, json!({ "detail": said }));
    }
    if token != "Token s3cret" {
        return (403, json!({ "detail": "Invalid token" }));
    }
    let one = |(n, (address, key)): (usize, &(String, String))| json!({ "id": format!("ip-{n}"), "address": format!("{address}/24"), "custom_fields": { "gatehouse_key": key } });
    let mut words = asked.split(' ');
    match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
        ("GET", path) if path.starts_with("/api/ipam/prefixes/?prefix=10.20.0.0%2F24") => {
            (200, json!({ "count": 1, "results": [{ "id": "p-1" }] }))
        }
        // As a server does that does not know the filter: it lists all.
        ("GET", path) if path.starts_with("/api/ipam/ip-addresses/?cf_gatehouse_key=") => {
            let all: Vec<Value> = played.held.iter().enumerate().map(one).collect();
            (200, json!({ "count": all.len(), "results": all }))
        }
        ("POST", "/api/ipam/prefixes/p-1/available-ips/") if played.held.len() == played.room => (204, Value::Null),
        ("POST", "/api/ipam/prefixes/p-1/available-ips/") => {
            let key = body["custom_fields"]["gatehouse_key"].as_str().unwrap_or_default().to_owned();
            let address = format!("10.20.0.{}", played.held.len() + 1);
            played.held.push((address, key));
            let made = played.held.iter().enumerate().next_back().map(one);
            (201, made.unwrap_or_default())
        }
        ("DELETE", path) => {
            let at = path.trim_end_matches('/').rsplit_once('-').and_then(|(_, n)| n.parse::<usize>().ok());
            at.map(|at| played.held.remove(at));
            (204, Value::Null)
        }
        _ => (404, json!({ "detail": "Not found." })),
    }
}

#[tokio::test]
async fn an_address_is_held_once_under_its_key_and_given_back_by_it() {
    let server = Server::start(9).await;
    let nautobot = server.nautobot();
    let first = nautobot.allocate("d/name[1]", "shop-1.example.org").await.expect("there is room");
    assert_eq!(nautobot.allocate("d/name[1]", "shop-1.example.org").await, Ok(first));
    let second = nautobot.allocate("d/name[2]", "shop-2.example.org").await.expect("there is room");
    assert_ne!(first, second);
    for _ in 0..2 {
        nautobot.release("d/name[1]").await.expect("it is given back, and once only");
    }
    assert_eq!(server.held(), [("10.20.0.2".to_owned(), "d/name[2]".to_owned())]);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_found_again() {
    let server = Server::start(9).await;
    let nautobot = server.nautobot();
    nautobot.allocate("somebody", "web.example.org").await.expect("there is room");
    server.play(|played| played.held.push(("10.20.0.9".to_owned(), "d/name".to_owned())));
    server.play(|played| played.loses_answer = true);
    let lost = nautobot.allocate("d/name", "shop.example.org").await.expect_err("nobody answers");
    assert_eq!(lost.kind, ProviderErrorKind::Transient);
    let held = nautobot.allocate("d/name", "shop.example.org").await.expect("it holds one");
    assert_eq!(held.to_string(), "10.20.0.9");
}

#[tokio::test]
async fn a_full_prefix_and_a_token_without_rights_are_told_in_true_words() {
    let server = Server::start(0).await;
    let nautobot = server.nautobot();
    let full = nautobot.allocate("d/name", "shop.example.org").await.expect_err("it is full");
    assert_eq!(full.kind, ProviderErrorKind::Refused);
    assert!(full.what.contains("No address is free for shop.example.org"), "{full}");
    for (status, kind) in [
        (401, ProviderErrorKind::Refused),
        (403, ProviderErrorKind::Refused),
        (400, ProviderErrorKind::Permanent),
        (429, ProviderErrorKind::Transient),
        (503, ProviderErrorKind::Transient),
    ] {
        server.play(|played| played.refusal = Some((status, "No.")));
        let refused = nautobot.allocate("d/name", "shop.example.org").await.expect_err("it refuses");
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }
}

#[test]
fn a_token_never_goes_unprotected_over_the_network_nor_into_a_log() {
    for url in ["http://nautobot.example.org", "http://127.0.0.1.example.org", "http://localhost.example.org"] {
        let settings = NautobotSettings {
            url: url.to_owned(),
            token: "s3cret".to_owned(),
            ca: None,
            prefix: String::new(),
            namespace: String::new(),
            status: String::new(),
            key_field: String::new(),
        };
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert!(matches!(Nautobot::new(settings), Err(NautobotSettingsError::Unprotected(_))), "{url}");
    }
}
