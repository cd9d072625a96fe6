//! Their REST interface: how we sign in, and how tables are read. CIs are never written through tables.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ports::clock::Clock;
use domain::ports::cmdb_connector::Setback;
use domain::ports::provider_error::ProviderError;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use url::form_urlencoded;

use super::{ServiceNowSettings, SignIn};
use crate::outbound::{self, Answer, OutboundError};

/// What people call it.
const WHOM: &str = "ServiceNow";
/// How a form is sent.
const FORM: &str = "application/x-www-form-urlencoded";
/// Values that are asked for in one address.
const AT_ONCE: usize = 50;
/// Rows that are asked for at once.
const ROWS: usize = 1000;

/// A row of a table by its fields, all of them text.
pub(super) type Row = HashMap<String, String>;

/// What signs requests, and the instance that they go to.
pub(super) struct Instance {
    http: Client,
    base: Url,
    sign_in: SignIn,
    /// Of this moment; where we sign in with a password there is none.
    token: Mutex<Option<String>>,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Rows {
    result: Vec<HashMap<String, Value>>,
}

impl Instance {
    pub(super) fn new(settings: &ServiceNowSettings, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        let base = format!("{}/", settings.url.trim_end_matches('/'));
        Ok(Self {
            http: outbound::client(settings.ca.as_deref())?,
            base: outbound::address(&base)?,
            sign_in: settings.sign_in.clone(),
            token: Mutex::new(None),
            clock,
        })
    }

    /// Sends JSON by POST, and reads what is said to it.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<T, Setback> {
        let url = self.at(path, query)?;
        let request = || self.http.request(Method::POST, url.clone()).json(body);
        self.ask(request).await?.read(self.clock.now())
    }

    /// Rows of a table, at most so many; and whether there are more.
    pub(super) async fn rows(
        &self,
        table: &str,
        query: &str,
        fields: &[&str],
        limit: usize,
    ) -> Result<(Vec<Row>, bool), Setback> {
        let (fields, limit) = (fields.join(","), limit.to_string());
        let query = [
            ("sysparm_query", query),
            ("sysparm_fields", &fields),
            ("sysparm_limit", &limit),
            ("sysparm_exclude_reference_link", "true"),
        ];
        let url = self.at(&format!("api/now/table/{table}"), &query)?;
        let answer = self.ask(|| self.http.get(url.clone())).await?;
        let rows: Rows = answer.read(self.clock.now())?;
        let has_more = answer.header("link").is_some_and(|link| link.contains("rel=\"next\""));
        let is_full = rows.result.len().to_string() == limit;
        Ok((rows.result.into_iter().map(row).collect(), has_more || is_full))
    }

    /// All rows of a table whose field has one of these values and that fit the rest of the query.
    pub(super) async fn rows_in(
        &self,
        table: &str,
        (field, values): (&str, &[String]),
        rest: &str,
        fields: &[&str],
    ) -> Result<Vec<Row>, Setback> {
        let mut all = Vec::new();
        // What a query is made with can't be a value of one.
        let askable: Vec<&String> = values.iter().filter(|value| !value.contains(['^', ','])).collect();
        for part in askable.chunks(AT_ONCE) {
            let list = part.iter().map(|value| value.as_str()).collect::<Vec<&str>>().join(",");
            let mut after = String::new();
            loop {
                let query = format!("{rest}{field}IN{list}{after}^ORDERBYsys_id");
                let mut asked = vec!["sys_id"];
                asked.extend(fields);
                let (rows, has_more) = self.rows(table, &query, &asked, ROWS).await?;
                let last = rows.last().map(|row| format!("^sys_id>{}", text(row, "sys_id")));
                all.extend(rows);
                match last.filter(|_| has_more) {
                    Some(next) if next == after => return Err(same_page()),
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        Ok(all)
    }

    /// Asks, signed in; whose token is not good any more gets a new one, once.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<Answer, Setback> {
        let first = outbound::ask(WHOM, self.signed(request(), None).await?).await?;
        if first.status != StatusCode::UNAUTHORIZED || !matches!(self.sign_in, SignIn::Client { .. }) {
            return Ok(first);
        }
        let old = self.token.lock().await.clone();
        outbound::ask(WHOM, self.signed(request(), old.as_deref()).await?).await
    }

    /// The request with who we are; `old` is a token that was refused.
    async fn signed(&self, request: RequestBuilder, old: Option<&str>) -> Result<RequestBuilder, Setback> {
        let request = request.header("Accept", "application/json");
        let (id, secret) = match &self.sign_in {
            SignIn::User { name, password } => return Ok(request.basic_auth(name, Some(password))),
            SignIn::Client { id, secret } => (id, secret),
        };
        let mut token = self.token.lock().await;
        let known = token.as_deref().filter(|known| Some(*known) != old);
        if let Some(known) = known {
            return Ok(request.bearer_auth(known));
        }
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let asked = self.http.post(self.at("oauth_token.do", &[])?).header(CONTENT_TYPE, FORM).body(form);
        let new: Token = outbound::ask(WHOM, asked).await?.read(self.clock.now())?;
        let request = request.bearer_auth(&new.access_token);
        *token = Some(new.access_token);
        Ok(request)
    }

    fn at(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Setback> {
        let mut url = self.base.join(path).map_err(|cause| {
            let what = format!("`{path}` is no place at ServiceNow: {cause}.");
            Setback::new("no_address", ProviderError::permanent(what, "Correct the connector's settings."))
        })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

/// Somebody answers the same part again and again.
pub(super) fn same_page() -> Setback {
    let what = "ServiceNow lists the same part again and again.";
    Setback::new("same_page", ProviderError::transient(what, "It is asked again in a while."))
}

/// A field of a row; empty where it has none.
pub(super) fn text<'r>(row: &'r Row, field: &str) -> &'r str {
    row.get(field).map_or("", String::as_str)
}

/// A row whose values are text, whatever they came as.
fn row(raw: HashMap<String, Value>) -> Row {
    let plain = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        Value::Object(reference) => match reference.get("value") {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        },
        other => other.to_string(),
    };
    raw.into_iter().map(|(field, value)| (field, plain(value))).collect()
}
