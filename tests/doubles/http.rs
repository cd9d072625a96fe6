//! Just enough of a web server: one request a connection, an answer that can be cut short.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// How a request goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Too many requests, with what stands in `Retry-After`.
    Busy(&'static str),
    /// The session is over.
    SignedOut,
    /// A page for people, with 200.
    Html,
    /// Half of the answer, then the end.
    Half,
    /// An answer of another shape, with 200.
    OtherShape,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: BTreeMap<String, String>,
    /// By names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What is answered.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("Content-Type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string() }
    }
}

/// The faults that the next requests meet, one each.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<VecDeque<Fault>>>);

impl Faults {
    pub fn next(&self, fault: Fault) {
        self.0.lock().unwrap().push_back(fault);
    }

    pub fn take(&self) -> Option<Fault> {
        self.0.lock().unwrap().pop_front()
    }
}

/// Answers on a free port of this machine until the test ends; says where.
pub async fn serve(answer: impl Fn(Asked) -> (Reply, bool) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move { one(stream, &*answer).await });
        }
    });
    url
}

async fn one(mut stream: TcpStream, answer: &(dyn Fn(Asked) -> (Reply, bool) + Send + Sync)) {
    let Some(asked) = read(&mut stream).await else { return };
    let (reply, is_cut) = answer(asked);
    let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", reply.status);
    head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    for (name, value) in reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let said = if is_cut { reply.body.len() / 2 } else { reply.body.len() };
    let whole = [head.as_bytes(), b"\r\n", &reply.body.as_bytes()[..said]].concat();
    // Who does not listen any more is not told.
    let _ = stream.write_all(&whole).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, &mut read).await?;
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
    let pairs = rest.lines().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while read.len() < end + 4 + length {
        more(stream, &mut read).await?;
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let url = Url::parse(&format!("http://here{target}")).ok()?;
    Some(Asked {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: String::from_utf8_lossy(&read[end + 4..]).into_owned(),
    })
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 65_536];
    let length = stream.read(&mut part).await.ok().filter(|length| *length > 0)?;
    read.extend_from_slice(&part[..length]);
    Some(())
}
