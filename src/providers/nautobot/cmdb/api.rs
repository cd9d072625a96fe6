//! How Nautobot is read page by page and written in bulk, each row judged for itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::ports::clock::Clock;
use domain::ports::cmdb_connector::Setback;
use domain::ports::provider_error::ProviderError;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::{KEY, NautobotCmdbSettings, WHOM};
use crate::outbound::{self, OutboundError};

/// Longer queries are cut off by usual servers.
const LONGEST_QUERY: usize = 3000;
/// Rows of a page; a server may give fewer.
const PAGE: usize = 200;

/// The API of one Nautobot, asked in the name of a token.
pub(super) struct Api {
    http: Client,
    root: Url,
    token: String,
    clock: Arc<dyn Clock>,
}

/// A row of theirs, with what it refers to.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    #[serde(default)]
    pub(super) custom_fields: Map<String, Value>,
    #[serde(flatten)]
    pub(super) fields: Map<String, Value>,
}

/// A part of a list.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) results: Vec<Row>,
    /// The address of the next part, which may be one that only they can reach.
    next: Option<String>,
}

/// What became of rows that were written; each bears what the caller knows it by.
pub(super) struct Written<T> {
    pub(super) done: Vec<(T, Row)>,
    pub(super) failed: Vec<(T, Setback)>,
}

impl Row {
    /// Our key, where it bears one.
    pub(super) fn key(&self) -> Option<&str> {
        self.custom_fields.get(KEY)?.as_str().filter(|key| !key.is_empty())
    }

    /// A word of what one of its fields refers to.
    pub(super) fn of(&self, field: &str, word: &str) -> Option<&str> {
        self.fields.get(field)?.get(word)?.as_str()
    }
}

impl Page {
    /// The query of the next part. That it is the same as this part's means that they turn in circles.
    pub(super) fn next(&self, query: &str) -> Result<Option<String>, Setback> {
        let next = self.next.as_deref().and_then(|next| Some(next.split_once('?')?.1.to_owned()));
        if next.as_deref() == Some(query) {
            let error = ProviderError::transient("Nautobot lists the same part again and again.", AGAIN);
            return Err(Setback::new("same_page", error));
        }
        Ok(next)
    }
}

const AGAIN: &str = "It is asked again in a while.";

impl Api {
    pub(super) fn new(settings: &NautobotCmdbSettings, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        let root = outbound::address(&format!("{}/api/", settings.url.trim_end_matches('/')))?;
        let http = outbound::client(settings.ca.as_deref())?;
        Ok(Self { http, root, token: settings.token.clone(), clock })
    }

    /// The part of the list at the path that the query names.
    pub(super) async fn page(&self, path: &str, query: &str) -> Result<Page, Setback> {
        let mut url = self.url(path)?;
        url.set_query(Some(query));
        self.ask(Method::GET, url, None).await?.read(self.clock.now())
    }

    /// All rows of the list for which this holds, each once, even when it moves from page to page meanwhile.
    pub(super) async fn all(&self, path: &str, filter: &str) -> Result<Vec<Row>, Setback> {
        let mut query = Some(format!("depth=1&limit={PAGE}&{filter}"));
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some(asked) = query {
            let page = self.page(path, &asked).await?;
            query = page.next(&asked)?;
            found.extend(page.results.into_iter().filter(|row| seen.insert(row.id.clone())));
        }
        Ok(found)
    }

    /// Rows for which all of this holds and whose field is one of these values, as many at once as fit into a query.
    pub(super) async fn any(
        &self,
        path: &str,
        also: &[(&str, &str)],
        (field, values): (&str, &[&str]),
    ) -> Result<Vec<Row>, Setback> {
        let mut found = Vec::new();
        for values in parts(values) {
            let pairs = values.iter().map(|value| (field, *value)).chain(also.iter().copied());
            let filter = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            found.extend(self.all(path, &filter).await?);
        }
        Ok(found)
    }

    /// The rows that bear one of these keys, by key. Each is looked at: a server that does not know the filter lists all.
    pub(super) async fn bearing(&self, path: &str, keys: &[&str]) -> Result<HashMap<String, Vec<Row>>, Setback> {
        let wanted: BTreeSet<&str> = keys.iter().copied().collect();
        let literal: Vec<String> = wanted.iter().map(|key| literal(key)).collect();
        let literal: Vec<&str> = literal.iter().map(String::as_str).collect();
        let mut found: HashMap<String, Vec<Row>> = HashMap::new();
        for keys in parts(&literal) {
            // Of a custom field's filters only this one takes several values at once.
            let (field, pattern) = (format!("cf_{KEY}__re"), format!("^({})$", keys.join("|")));
            let filter = form_urlencoded::Serializer::new(String::new()).append_pair(&field, &pattern).finish();
            for row in self.all(path, &filter).await? {
                if let Some(key) = row.key().filter(|key| wanted.contains(key)).map(str::to_owned) {
                    found.entry(key).or_default().push(row);
                }
            }
        }
        Ok(found)
    }

    /// Makes one row.
    pub(super) async fn make(&self, path: &str, body: Value) -> Result<Row, Setback> {
        self.ask(Method::POST, self.url(path)?, Some(body)).await?.read(self.clock.now())
    }

    /// Changes one row.
    pub(super) async fn change(&self, path: &str, id: &str, body: Value) -> Result<Row, Setback> {
        self.ask(Method::PATCH, self.url(&format!("{path}{id}/"))?, Some(body)).await?.read(self.clock.now())
    }

    /// Makes rows in bulk; the ids are ours, by which they are known in the answer.
    pub(super) async fn create<T>(&self, path: &str, rows: Vec<(T, Value)>) -> Result<Written<T>, Setback> {
        let named = rows.into_iter().map(|(of, mut body)| {
            body["id"] = json!(Uuid::now_v7().to_string());
            (of, body)
        });
        self.write(Method::POST, path, named.collect()).await
    }

    /// Changes rows in bulk, each body with its `id`.
    pub(super) async fn update<T>(&self, path: &str, rows: Vec<(T, Value)>) -> Result<Written<T>, Setback> {
        self.write(Method::PATCH, path, rows).await
    }

    /// Removes rows in bulk.
    pub(super) async fn remove(&self, path: &str, ids: Vec<String>) -> Result<(), Setback> {
        if ids.is_empty() {
            return Ok(());
        }
        let body = ids.into_iter().map(|id| json!({ "id": id })).collect();
        let answer = self.ask(Method::DELETE, self.url(path)?, Some(body)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.refusal(self.clock.now())) }
    }

    /// Nothing of a bulk is done when one row of it is refused. Where they say which, the others are sent again; where
    /// they don't, halves are, until what they don't take is alone.
    async fn write<T>(&self, method: Method, path: &str, rows: Vec<(T, Value)>) -> Result<Written<T>, Setback> {
        let mut written = Written { done: Vec::new(), failed: Vec::new() };
        let mut left = vec![rows];
        while let Some(mut rows) = left.pop() {
            if rows.is_empty() {
                continue;
            }
            let body = rows.iter().map(|(_, body)| body.clone()).collect();
            let answer = self.ask(method.clone(), self.url(path)?, Some(body)).await?;
            if answer.status != StatusCode::BAD_REQUEST {
                settle(rows, answer.read(self.clock.now())?, &mut written);
                continue;
            }
            match answer.said::<Value>()? {
                Value::Array(said) if said.len() == rows.len() && said.iter().any(is_something) => {
                    let (refused, good): (Vec<_>, Vec<_>) =
                        rows.into_iter().zip(said).partition(|(_, said)| is_something(said));
                    written.failed.extend(refused.into_iter().map(|((of, _), said)| (of, refusal(&said))));
                    left.push(good.into_iter().map(|(row, _)| row).collect());
                }
                said if rows.len() == 1 => {
                    written.failed.extend(rows.into_iter().map(|(of, _)| (of, refusal(&said))));
                }
                _ => {
                    let later = rows.split_off(rows.len() / 2);
                    left.extend([later, rows]);
                }
            }
        }
        Ok(written)
    }

    fn url(&self, path: &str) -> Result<Url, Setback> {
        self.root.join(path).map_err(|cause| {
            let what = format!("Nautobot has no address {path}: {cause}.");
            Setback::new("no_address", ProviderError::refused(what, "Correct the connector's address."))
        })
    }

    async fn ask(&self, method: Method, url: Url, body: Option<Value>) -> Result<outbound::Answer, Setback> {
        // Nautobot's own server closes connections without saying so, and the next question would go into the void.
        let mut request = self.http.request(method, url).header("Connection", "close");
        request = request.header("Authorization", format!("Token {}", self.token)).header("Accept", "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        outbound::ask(WHOM, request).await
    }
}

fn is_something(said: &Value) -> bool {
    said.as_object().is_none_or(|said| !said.is_empty())
}

/// Joins the answer to what was sent, by id. What it does not name was gone before it was changed.
fn settle<T>(rows: Vec<(T, Value)>, answered: Vec<Row>, written: &mut Written<T>) {
    let mut answered: HashMap<String, Row> = answered.into_iter().map(|row| (row.id.clone(), row)).collect();
    for (of, body) in rows {
        match body["id"].as_str().and_then(|id| answered.remove(id)) {
            Some(row) => written.done.push((of, row)),
            None => {
                let what = "Nautobot says nothing of it: somebody removed it meanwhile.";
                let error = ProviderError::transient(what, "It is looked for again and made anew.");
                written.failed.push((of, Setback::new("vanished", error)));
            }
        }
    }
}

/// Why a row is not taken, in their words.
fn refusal(said: &Value) -> Setback {
    let told: String = said.to_string().chars().take(300).collect();
    let what = format!("Nautobot does not take it: {told}.");
    Setback::new(
        "not_taken",
        ProviderError::permanent(what, "Mend that over there or in the CI, then have it sent again."),
    )
}

/// Parts of these values, each short enough for a query.
fn parts<'a>(values: &[&'a str]) -> Vec<Vec<&'a str>> {
    let (mut parts, mut length): (Vec<Vec<&str>>, usize) = (Vec::new(), 0);
    for value in values {
        // A letter may be three in a query, and each value comes with the filter's name.
        let one = 3 * value.len() + 20;
        match parts.last_mut().filter(|_| length + one <= LONGEST_QUERY) {
            Some(last) => last.push(value),
            None => {
                parts.push(vec![value]);
                length = 0;
            }
        }
        length += one;
    }
    parts
}

/// A regular expression that only this text fits.
fn literal(text: &str) -> String {
    let letters = text.chars().flat_map(|letter| {
        let is_plain = letter.is_ascii_alphanumeric() || !letter.is_ascii();
        (!is_plain).then_some('\\').into_iter().chain([letter])
    });
    letters.collect()
}
