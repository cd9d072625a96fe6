//! An engine that says what a test wants: HTTP/1.1 over a port of this machine, one request a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::docker::DockerSettings;
use crate::docker::client::{Client, Session};

/// How a request is answered.
pub(super) enum Answer {
    Json(u16, Value),
    Text(u16, &'static str),
    /// The answer begins, and then the connection is gone.
    BreakOff(&'static str),
    /// The answer begins, and then nothing comes for ever.
    Trickle(&'static str),
    /// Nothing comes for ever.
    Silence,
}

/// What is answered to `GET /containers/json?…`.
type Script = dyn Fn(&str) -> Answer + Send + Sync;

pub(super) struct Engine {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Engine {
    /// An engine that answers to all but the question for its version as `script` says.
    pub async fn that(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let host = format!("tcp://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (notes, script) = (Arc::clone(&asked), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (notes, script) = (Arc::clone(&notes), Arc::clone(&script));
                tokio::spawn(async move {
                    let answer: &Script = &move |request| {
                        notes.lock().unwrap_or_else(PoisonError::into_inner).push(request.to_owned());
                        match request {
                            "GET /version" => Answer::Json(200, json!({ "Version": "20.10.24", "ApiVersion": "1.41" })),
                            request => script(request),
                        }
                    };
                    let _ = serve(stream, answer).await;
                });
            }
        });
        Self { host, asked }
    }

    pub fn settings(&self) -> DockerSettings {
        DockerSettings { host: self.host.clone(), identity: None, patience: Duration::from_secs(1) }
    }

    pub async fn session(&self) -> Session {
        Client::new(&self.settings()).expect("it is on this machine").meet().await.expect("it answers")
    }

    /// Everything that was asked but for the version, in order, without what follows the path.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |request: &String| request.split('?').next().unwrap_or_default().to_owned();
        asked.iter().map(path).filter(|request| request != "GET /version").collect()
    }

    /// The last request in full.
    pub fn last(&self) -> String {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).last().cloned().unwrap_or_default()
    }
}

async fn serve(mut stream: TcpStream, answer: &Script) -> std::io::Result<()> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&read[..head_end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    while read.len() < head_end + length {
        stream.read_buf(&mut read).await?;
    }
    let head = String::from_utf8_lossy(&read[..head_end]).into_owned();
    let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
    let answer = answer(line);
    let stays = matches!(answer, Answer::Trickle(_));
    let (status, kind, body, promised) = match answer {
        Answer::Json(status, body) => (status, "application/json", body.to_string(), 0),
        Answer::Text(status, text) => (status, "text/html", text.to_owned(), 0),
        Answer::BreakOff(text) | Answer::Trickle(text) => (200, "application/json", text.to_owned(), 1000),
        Answer::Silence => return std::future::pending().await,
    };
    let length = body.len() + promised;
    let head = format!(
        "HTTP/1.1 {status} So\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.flush().await?;
    if stays {
        std::future::pending::<()>().await;
    }
    Ok(())
}
