//! A Nautobot of a few lines: lists of rows, bulk writes that are taken as a whole or not at all, filters and pages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::{KEY, MACHINES};

const ADDRESSES: &str = "ipam/ip-addresses/";

#[derive(Default)]
struct Played {
    rows: BTreeMap<String, Vec<Value>>,
    writes: usize,
    /// To the next of these questions it answers so; without an answer it does what it is asked and says nothing.
    answers: Vec<(String, String, Option<&'static str>)>,
    page: Option<usize>,
    ignores_filters: bool,
    turns_in_circles: bool,
    loses_before_change: bool,
}

pub(super) struct Server {
    pub(super) url: String,
    played: Arc<Mutex<Played>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound port"));
        let played = Arc::new(Mutex::new(Played::default()));
        let shared = played.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { converse(stream, &shared).await });
            }
        });
        Self { url, played }
    }

    fn played(&self) -> MutexGuard<'_, Played> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn writes(&self) -> usize {
        self.played().writes
    }

    pub(super) fn rows(&self, path: &str) -> Vec<Value> {
        self.played().rows.get(path).cloned().unwrap_or_default()
    }

    pub(super) fn put(&self, path: &str, row: Value) {
        self.played().rows.entry(path.to_owned()).or_default().push(row);
    }

    /// As somebody does who changes the first row by hand.
    pub(super) fn change(&self, path: &str, field: &str, value: Value) {
        self.played().rows.get_mut(path).expect("rows")[0][field] = value;
    }

    pub(super) fn answers(&self, method: &str, path: &str, answer: &'static str) {
        self.played().answers.push((method.to_owned(), path.to_owned(), Some(answer)));
    }

    pub(super) fn loses_answer(&self, method: &str, path: &str) {
        self.played().answers.push((method.to_owned(), path.to_owned(), None));
    }

    pub(super) fn pages_of(&self, rows: usize) {
        self.played().page = Some(rows);
    }

    pub(super) fn ignores_filters(&self) {
        self.played().ignores_filters = true;
    }

    pub(super) fn turns_in_circles(&self) {
        self.played().turns_in_circles = true;
    }

    pub(super) fn loses_before_change(&self) {
        self.played().loses_before_change = true;
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
    let answer = {
        let mut words = asked.split(' ');
        let method = words.next()?;
        let (path, query) = words.next()?.strip_prefix("/api/")?.split_once('?').unwrap_or_else(|| {
            (asked.split(' ').nth(1).and_then(|path| path.strip_prefix("/api/")).unwrap_or_default(), "")
        });
        let mut played = played.lock().unwrap_or_else(PoisonError::into_inner);
        let scripted = played.answers.iter().position(|(m, p, _)| m == method && p == path);
        match scripted.map(|at| played.answers.remove(at).2) {
            Some(Some(answer)) => format!(
                "{}\r\n\r\n{}",
                answer.split_once("\r\n\r\n")?.0.to_owned() + "\r\nConnection: close",
                answer.split_once("\r\n\r\n")?.1
            ),
            Some(None) => {
                played.answer(method, path, query, &body);
                return None;
            }
            None if token != "Token s3cret" => plain(403, &json!({ "detail": "Invalid token" })),
            None => {
                let (status, answer) = played.answer(method, path, query, &body);
                plain(status, &answer)
            }
        }
    };
    stream.write_all(answer.as_bytes()).await.ok()
}

fn plain(status: u16, answer: &Value) -> String {
    let answer = answer.to_string();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len())
}

impl Played {
    fn answer(&mut self, method: &str, path: &str, query: &str, body: &Value) -> (u16, Value) {
        if method == "GET" {
            return (200, self.list(path, query));
        }
        self.writes += 1;
        let many: Vec<Value> = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
        let (status, answer) = match method {
            "POST" => self.make(path, many),
            "PATCH" => self.change(path, &many),
            _ => {
                let rows = self.rows.entry(path.to_owned()).or_default();
                rows.retain(|row| !many.iter().any(|gone| gone["id"] == row["id"]));
                (204, json!([]))
            }
        };
        let is_one = !body.is_array() && status < 300;
        (status, if is_one { answer[0].clone() } else { answer })
    }

    fn list(&self, path: &str, query: &str) -> Value {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let fits = |row: &&Value| {
            let any = |name: &str| {
                let wanted: Vec<&str> = pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
                (!wanted.is_empty()).then_some(wanted)
            };
            let is = |filter: &str, held: &Value| {
                any(filter).is_none_or(|wanted| wanted.contains(&held.as_str().unwrap_or_default()))
            };
            let key = row["custom_fields"][KEY].as_str();
            let by_key =
                any(&format!("cf_{KEY}__re")).is_none_or(|patterns| key.is_some_and(|key| matches(patterns[0], key)));
            self.ignores_filters
                || (by_key
                    && is("name", &row["name"])
                    && is("address", &row["host"])
                    && is("vm_interface", &row["vm_interface"]))
        };
        let number = |name: &str| pairs.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.parse::<usize>().ok());
        let (from, most) = (number("offset").unwrap_or(0), self.page.or(number("limit")).unwrap_or(50));
        let found: Vec<&Value> = self.rows.get(path).into_iter().flatten().filter(fits).collect();
        let page: Vec<Value> = found.iter().skip(from).take(most).map(|row| self.in_full(row)).collect();
        let kept: String = query.split('&').filter(|it| !it.starts_with("offset=")).collect::<Vec<_>>().join("&");
        let next = match (self.turns_in_circles, from + most < found.len()) {
            (true, _) => json!(format!("http://elsewhere/api/{path}?{query}")),
            (_, true) => json!(format!("http://elsewhere/api/{path}?{kept}&offset={}", from + most)),
            _ => Value::Null,
        };
        json!({ "count": found.len(), "next": next, "results": page })
    }

    /// With what it refers to.
    fn in_full(&self, row: &Value) -> Value {
        let mut row = row.clone();
        let of = [
            ("primary_ip4", ADDRESSES),
            ("ip_address", ADDRESSES),
            ("virtual_machine", MACHINES),
            ("vm_interface", "virtualization/interfaces/"),
        ];
        for (field, path) in of {
            if row[field].is_string() {
                let found = self.rows.get(path).into_iter().flatten().find(|other| other["id"] == row[field]);
                row[field] = found.cloned().unwrap_or(Value::Null);
            }
        }
        row
    }

    fn make(&mut self, path: &str, many: Vec<Value>) -> (u16, Value) {
        let held = self.rows.entry(path.to_owned()).or_default();
        let refused: Vec<Value> = many
            .iter()
            .map(|new| {
                let address = new["address"].as_str().unwrap_or_default().trim_end_matches("/32");
                if path == MACHINES && held.iter().any(|row| row["name"] == new["name"]) {
                    json!({ "name": ["A virtual machine with this name already exists in the assigned cluster."] })
                } else if path == ADDRESSES && !address.starts_with("10.20.") {
                    json!({ "namespace": [format!("No suitable parent Prefix for {address} exists in Namespace Global")] })
                } else {
                    json!({})
                }
            })
            .collect();
        if refused.iter().any(|said| *said != json!({})) {
            return (400, json!(refused));
        }
        let made: Vec<Value> = many
            .into_iter()
            .map(|mut new| {
                if new["id"].is_null() {
                    new["id"] = json!(uuid::Uuid::now_v7().to_string());
                }
                if let Some(address) = new["address"].as_str() {
                    new["host"] = json!(address.trim_end_matches("/32"));
                }
                if path == "extras/custom-fields/" {
                    new["type"] = json!({ "value": new["type"], "label": "Text" });
                }
                new
            })
            .collect();
        held.extend(made.clone());
        (201, json!(made))
    }

    fn change(&mut self, path: &str, many: &[Value]) -> (u16, Value) {
        if many.iter().any(|change| change["vcpus"].as_i64().is_some_and(|vcpus| vcpus > 32767)) {
            return (400, json!({ "vcpus": ["Ensure this value is less than or equal to 32767."] }));
        }
        let rows = self.rows.entry(path.to_owned()).or_default();
        if std::mem::take(&mut self.loses_before_change) {
            rows.clear();
        }
        let mut changed = Vec::new();
        for change in many {
            let Some(row) = rows.iter_mut().find(|row| row["id"] == change["id"]) else { continue };
            for (field, value) in change.as_object().into_iter().flatten() {
                row[field] = value.clone();
            }
            changed.push(row.clone());
        }
        (200, json!(changed))
    }
}

/// Whether the pattern is `.`, or names the key among others.
fn matches(pattern: &str, key: &str) -> bool {
    let names = pattern.trim_start_matches("^(").trim_end_matches(")$").replace('\\', "");
    pattern == "." || names.split('|').any(|name| name == key)
}
