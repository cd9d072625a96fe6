//! ServiceNow as far as a source of CIs sees it: the Identification and Reconciliation Engine, reading tables, and
//! signing in. Written from the vendor's documents (australia): the API of the engine, its error messages, the guidelines
//! for payloads, rate limits of REST.

mod engine;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Asked, Fault, Faults, Reply, serve};

/// A row of a table.
pub type Row = BTreeMap<String, String>;

/// What an instance holds, and which rules its administrators made.
#[derive(Clone, Default)]
pub struct State {
    /// Rows by table and `sys_id`.
    tables: BTreeMap<String, BTreeMap<String, Row>>,
    /// How many ids were given out.
    ids: u32,
    /// The tokens that are good, the newest last.
    tokens: Vec<String>,
    /// What the engine was sent, call by call, dry runs too.
    payloads: Vec<Value>,
    /// The names of CIs that somebody else works at.
    locked: BTreeSet<String>,
    /// Classes that the source may not insert into.
    forbidden: BTreeSet<String>,
    /// Whether the user has a role that may use the engine.
    has_no_role: bool,
    /// Every answer of a table is its first part.
    repeats: bool,
}

/// An instance on this machine. The user is `gatehouse` with the password `let-me-in`, as is the client of OAuth.
#[derive(Clone)]
pub struct ServiceNow {
    pub url: String,
    state: Arc<Mutex<State>>,
    faults: Faults,
}

impl ServiceNow {
    /// An instance with the types of relations that come with every one, the data source `Gatehouse`, and these groups.
    pub async fn start(groups: &[&str]) -> Self {
        let mut state = State::default();
        for kind in engine::RELATION_TYPES {
            state.add("cmdb_rel_type", &[("name", kind)]);
        }
        let source = [("name", "cmdb_ci"), ("element", "discovery_source"), ("value", "Gatehouse")];
        state.add("sys_choice", &source);
        for group in groups {
            state.add("sys_user_group", &[("name", group)]);
        }
        let (state, faults) = (Arc::new(Mutex::new(state)), Faults::default());
        let (shared, next) = (Arc::clone(&state), faults.clone());
        let url = serve(move |asked| answer(&mut shared.lock().unwrap(), &next, &asked)).await;
        Self { url, state, faults }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next request, other than for a token, goes wrong.
    pub fn fails(&self, fault: Fault) {
        self.faults.next(fault);
    }

    /// The rows of a table.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        self.state().tables.get(table).into_iter().flat_map(|rows| rows.values().cloned()).collect()
    }

    /// The relations, as `<name of the parent> <type> <name of the child>`.
    pub fn relations(&self) -> Vec<String> {
        let state = self.state();
        let name = |id: &str| state.cis().find(|(_, row)| row["sys_id"] == id).map_or("?", |(_, row)| &row["name"]);
        let kind = |id: &str| &state.tables["cmdb_rel_type"][id]["name"];
        let told = |row: &Row| format!("{} {} {}", name(&row["parent"]), kind(&row["type"]), name(&row["child"]));
        let mut all: Vec<String> =
            state.tables.get("cmdb_rel_ci").into_iter().flat_map(|rows| rows.values().map(told)).collect();
        all.sort();
        all
    }

    /// Somebody adds a row by hand.
    pub fn add(&self, table: &str, fields: &[(&str, &str)]) -> String {
        self.state().add(table, fields)
    }

    /// Somebody changes a field of the CI with this name.
    pub fn change(&self, table: &str, name: &str, field: &str, value: &str) {
        let mut state = self.state();
        let row = state.tables.get_mut(table).unwrap().values_mut().find(|row| row["name"] == name).unwrap();
        row.insert(field.to_owned(), value.to_owned());
    }

    /// Somebody deletes the CI with this name, and with it what refers to it.
    pub fn delete(&self, table: &str, name: &str) {
        let mut state = self.state();
        let id = state.tables[table].values().find(|row| row["name"] == name).unwrap()["sys_id"].clone();
        state.tables.get_mut(table).unwrap().remove(&id);
        for (named, fields) in [("cmdb_rel_ci", ["parent", "child"]), ("sys_object_source", ["target_sys_id"; 2])] {
            let rows = state.tables.get_mut(named);
            rows.into_iter().for_each(|rows| rows.retain(|_, row| fields.iter().all(|field| row[*field] != id)));
        }
    }

    /// What the engine was sent, call by call, dry runs too.
    pub fn payloads(&self) -> Vec<Value> {
        self.state().payloads.clone()
    }

    /// Somebody works at the CI with this name, or does not any more.
    pub fn lock(&self, name: &str, is_locked: bool) {
        let mut state = self.state();
        if is_locked {
            state.locked.insert(name.to_owned())
        } else {
            state.locked.remove(name)
        };
    }

    /// A rule keeps the source from inserting CIs of a class.
    pub fn forbid(&self, class: &str) {
        self.state().forbidden.insert(class.to_owned());
    }

    /// The rule is gone.
    pub fn allow(&self, class: &str) {
        self.state().forbidden.remove(class);
    }

    /// The user has no role that may do this.
    pub fn take_role(&self) {
        self.state().has_no_role = true;
    }

    /// Tables are listed from their beginning again and again.
    pub fn repeat(&self) {
        self.state().repeats = true;
    }

    /// All tokens that were given out end.
    pub fn end_tokens(&self) {
        self.state().tokens.clear();
    }
}

impl State {
    fn add(&mut self, table: &str, fields: &[(&str, &str)]) -> String {
        self.ids += 1;
        let id = format!("{:032x}", self.ids);
        let mut row: Row = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        row.insert("sys_id".to_owned(), id.clone());
        self.tables.entry(table.to_owned()).or_default().insert(id.clone(), row);
        id
    }

    /// Every CI with its class.
    fn cis(&self) -> impl Iterator<Item = (&String, &Row)> {
        let classes = self.tables.iter().filter(|(table, _)| engine::class(table).is_some());
        classes.flat_map(|(class, rows)| rows.values().map(move |row| (class, row)))
    }
}

/// The answer, and whether it is cut short.
fn answer(state: &mut State, faults: &Faults, asked: &Asked) -> (Reply, bool) {
    if asked.path == "/oauth_token.do" {
        return (token(state, asked), false);
    }
    let fault = faults.take();
    match fault {
        Some(Fault::Busy(after)) => return (busy(after), false),
        Some(Fault::Html) => {
            let body = "<html><body>Instance hibernating</body></html>".to_owned();
            return (Reply { status: 200, headers: vec![("Content-Type", "text/html".to_owned())], body }, false);
        }
        Some(Fault::OtherShape) => return (Reply::json(200, &json!({ "result": { "items": true } })), false),
        _ => {}
    }
    if fault == Some(Fault::SignedOut) || !is_signed_in(state, asked) {
        return (refused(401, "User Not Authenticated", "Required to provide Auth information"), false);
    }
    let reply = match (asked.method.as_str(), asked.path.strip_prefix("/api/now/")) {
        ("POST", Some(path)) if path.starts_with("identifyreconcile") => engine::answer(state, path, asked),
        ("GET", Some(path)) => match path.strip_prefix("table/") {
            Some(table) => tables::answer(state, table, asked),
            None => refused(400, "Requested URI does not represent any resource", path),
        },
        _ => refused(405, "Method not allowed", &asked.path),
    };
    (reply, fault == Some(Fault::Half))
}

fn token(state: &mut State, asked: &Asked) -> Reply {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    let said = |name: &str| form.get(name).map(String::as_str);
    if said("grant_type") != Some("client_credentials")
        || (said("client_id"), said("client_secret")) != (Some("gatehouse"), Some("let-me-in"))
    {
        let body = json!({ "error": "access_denied", "error_description": "access_denied" });
        return Reply::json(401, &body);
    }
    state.ids += 1;
    let token = format!("token-{}", state.ids);
    state.tokens.push(token.clone());
    Reply::json(
        200,
        &json!({ "access_token": token, "token_type": "Bearer", "expires_in": 1799, "scope": "useraccount" }),
    )
}

fn is_signed_in(state: &State, asked: &Asked) -> bool {
    let header = asked.headers.get("authorization").map_or("", String::as_str);
    let user = STANDARD.encode("gatehouse:let-me-in");
    match header.split_once(' ') {
        Some(("Bearer", token)) => state.tokens.iter().any(|known| known == token),
        Some(("Basic", said)) => said == user,
        _ => false,
    }
}

fn busy(after: &str) -> Reply {
    let error = json!({ "message": "Rate limit exceeded", "detail": "Rate limit of 100 requests per hour exceeded" });
    let reply = Reply::json(429, &json!({ "error": error, "status": "failure" }));
    let limits = [("Retry-After", after), ("X-RateLimit-Limit", "100"), ("X-RateLimit-Reset", "1790000000")];
    let headers = limits.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    Reply { headers, ..reply }
}

fn refused(status: u16, message: &str, detail: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "message": message, "detail": detail }, "status": "failure" }))
}
