//! A Gatehouse on the lab, as a process of its own, and the people of its demo as programs see them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::lab::{Inventory, Lab, said};

/// How long an order may take in the lab: machines boot and Puppet installs what is asked for.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at a request: the API tells nobody by itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// A word that no other story has.
pub fn own(word: &str) -> String {
    format!("{word}{}", &uuid::Uuid::new_v4().simple().to_string()[..6])
}

pub struct Portal {
    process: Child,
    folder: PathBuf,
    lab: PathBuf,
    client: Client,
    base: String,
    rita: String,
    deciders: Vec<String>,
}

impl Portal {
    /// Opens a portal with data of its own.
    pub fn open(lab: &Lab, story: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-live-{}-{story}", std::process::id()));
        let (process, base) = serve(&lab.folder, &folder, None).expect("it says where it is open");
        let token = |email: &str| token(&folder, email);
        let deciders = ["adam@example.org", "clara@example.org", "audrey@example.org"].map(token).to_vec();
        let rita = token("rita@example.org");
        // A connection that nobody listens to while a program of the lab runs may be closed before it is used again.
        let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { process, lab: lab.folder.clone(), client, base, rita, deciders, folder }
    }

    /// Kills the process as a power cut would, and opens the portal again on the same data.
    pub fn cut_power(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, self.base) = serve(&self.lab, &self.folder, None).expect("it says where it is open");
    }

    /// Kills the process and has one go on that dies by itself at this boundary (see `tests/boundary`). Says whether it
    /// died before the request was fulfilled.
    pub async fn dies_at(&mut self, boundary: u32, request: &str) -> bool {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let begun = Instant::now();
        let Some((process, base)) = serve(&self.lab, &self.folder, Some(boundary)) else { return true };
        (self.process, self.base) = (process, base);
        while self.process.try_wait().unwrap().is_none() {
            let asked = self.client.get(format!("{}/api/v1/requests/{request}", self.base)).bearer_auth(&self.rita);
            if let Ok(answer) = asked.send().await
                && let Ok(now) = answer.json::<Value>().await
                && now["state"] == "fulfilled"
            {
                return false;
            }
            assert!(begun.elapsed() < PATIENCE, "it neither dies at boundary {boundary} nor comes to an end");
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        true
    }

    /// Orders a blueprint at a site and has it approved; the answer is the request's id.
    pub async fn order(&self, site: &str, blueprint: &str, parameters: Value) -> String {
        let projects = self.get(&format!("/catalog/{blueprint}")).await["projects"].clone();
        let shop = projects.as_array().unwrap().iter().find(|project| project["name"] == "shop").unwrap();
        let order = json!({ "project": shop["id"], "blueprint": blueprint, "site": site, "parameters": parameters });
        self.ask("/requests", order).await
    }

    /// Does something with a deployment, or retires it, and has it approved; the answer is the request's id.
    pub async fn ask(&self, path: &str, body: Value) -> String {
        let asked = self.send(&self.rita, Method::POST, path, Some(body)).await;
        let id = asked["id"].as_str().unwrap_or_else(|| panic!("{path} answers {asked}")).to_owned();
        self.approve(&id).await;
        id
    }

    /// The request once it has come to an end, or stands still.
    pub async fn ended(&self, request: &str) -> Value {
        let over = ["fulfilled", "failed", "cancelled", "paused", "rejected"];
        self.until(request, |now| over.contains(&now["state"].as_str().unwrap_or_default())).await
    }

    /// The request once it was fulfilled.
    pub async fn fulfilled(&self, request: &str) -> Value {
        let now = self.ended(request).await;
        assert_eq!(now["state"], "fulfilled", "{now:#}\n{}", self.story_of(&now).await);
        now
    }

    /// The request once it was fulfilled, whatever kept it for a while.
    pub async fn in_the_end(&self, request: &str) -> Value {
        self.until(request, |now| now["state"] == "fulfilled").await
    }

    /// Comes back when this step of the request's run was begun.
    pub async fn until_started(&self, request: &str, step: &str) {
        self.until_told(request, |event| event["step"] == step && event["line"] == "Started.").await;
    }

    /// Comes back when the request's run has told of trouble with this system.
    pub async fn until_trouble(&self, request: &str, system: &str) {
        self.until_told(request, |event| event["line"].as_str().unwrap_or_default().contains(system)).await;
    }

    async fn until_told(&self, request: &str, is_it: impl Fn(&Value) -> bool) {
        let begun = Instant::now();
        loop {
            let now = self.get(&format!("/requests/{request}")).await;
            let events = self.get(&format!("/runs/{}/events", now["run"].as_str().unwrap_or_default())).await;
            if events["items"].as_array().is_some_and(|events| events.iter().any(&is_it)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not within {} s: {events:#}", PATIENCE.as_secs());
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// What stands of the deployment, by the ledger.
    async fn ledger(&self, deployment: &str) -> Inventory {
        let resources = self.get(&format!("/deployments/{deployment}")).await["resources"].clone();
        let live = |kind: &str| {
            let rows = resources.as_array().unwrap().iter();
            let rows = rows.filter(|row| row["kind"] == kind && row["state"] == "live");
            rows.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        Inventory { machines: live("machine"), pools: live("pool"), certificates: live("configuration") }
    }

    /// Compares what was made in the lab with the ledger.
    pub async fn the_ledger_is_true(&self, lab: &Lab, deployment: &str, before: &Inventory) {
        let (ledger, made) = (self.ledger(deployment).await, lab.inventory().since(before));
        assert_eq!(ledger, made, "the ledger says what stands");
    }

    /// Takes the deployment back, after a look into the ledger, and looks for what is left of it.
    pub async fn nothing_stays(&self, lab: &Lab, deployment: &str, before: &Inventory) {
        self.the_ledger_is_true(lab, deployment, before).await;
        let retire = self.ask(&format!("/deployments/{deployment}/retire"), json!({})).await;
        self.fulfilled(&retire).await;
        assert_eq!(&lab.inventory(), before, "nothing of it is left");
    }

    /// The request once `is_so`.
    pub async fn until(&self, request: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get(&format!("/requests/{request}")).await;
            if is_so(&now) {
                return now;
            }
            if begun.elapsed() > PATIENCE {
                panic!("not within {} s: {now:#}\n{}", PATIENCE.as_secs(), self.story_of(&now).await);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send(&self.rita, Method::GET, path, None).await
    }

    /// Posts an empty document.
    pub async fn post(&self, path: &str) -> Value {
        self.send(&self.rita, Method::POST, path, Some(json!({}))).await
    }

    /// Everybody who is asked about the request approves it, level by level.
    async fn approve(&self, request: &str) {
        self.until_decided(request, async |decider| {
            let asked = self.send(decider, Method::GET, "/approvals", None).await;
            for question in asked["items"].as_array().unwrap() {
                if question["request"] == request && question["state"] == "open" {
                    let path = format!("/approvals/{}/decision", question["id"].as_str().unwrap());
                    self.send(decider, Method::POST, &path, Some(json!({ "decision": "approve" }))).await;
                }
            }
        })
        .await;
    }

    async fn until_decided(&self, request: &str, decide: impl AsyncFn(&str)) {
        while self.get(&format!("/requests/{request}")).await["state"] == "awaiting_approval" {
            for decider in &self.deciders {
                decide(decider).await;
            }
        }
    }

    /// What happened in the newest run of the request's deployment, for whoever reads why a story failed.
    async fn story_of(&self, request: &Value) -> String {
        let deployment =
            self.get(&format!("/deployments/{}", request["deployment"].as_str().unwrap_or_default())).await;
        let Some(run) = deployment["runs"][0].as_str() else { return "It has no run.".to_owned() };
        let events = self.get(&format!("/runs/{run}/events")).await;
        serde_json::to_string_pretty(&events).unwrap()
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("Idempotency-Key", uuid::Uuid::new_v4().to_string()).json(&body);
        }
        request.send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
        if std::thread::panicking() {
            // What a story leaves standing that broke off would be in the next one's way.
            Command::new("tests/live/tidy").arg(&self.lab).status().ok();
        }
    }
}

/// Starts the portal and waits until it says where it is open; nothing when it dies at a boundary before.
fn serve(lab: &std::path::Path, folder: &std::path::Path, dies_at: Option<u32>) -> Option<(Child, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.args(["demo", "--port", "0"]).arg("--lab").arg(lab).arg("--data").arg(folder);
    command.env("GATEHOUSE_LOGGING__FILTER", "error").stdin(Stdio::null()).stdout(Stdio::piped());
    if let Some(boundary) = dies_at {
        command.env("GATEHOUSE_KILL_AT", boundary.to_string());
    }
    let mut process = command.spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    match lines.find_map(|line| line.split_once("is open at ").map(|(_, address)| address.to_owned())) {
        Some(base) => Some((process, base)),
        None => {
            process.wait().unwrap();
            None
        }
    }
}

/// A token with every right that its owner has.
fn token(folder: &std::path::Path, email: &str) -> String {
    let mut create = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    create.args(["token", "create", "--user", email, "--name", "live"]);
    create.args(["--scope", "read", "--scope", "order", "--scope", "decide", "--scope", "operate"]);
    create.env("GATEHOUSE_DATABASE__URL", format!("sqlite:{}", folder.join("gatehouse.db").display()));
    said(&mut create).trim().to_owned()
}
