//! A webhook: CIs as signed JSON to an address, judged one by one in the answer. `docs/cmdb.md` has the whole protocol.
//!
//! ```json
//! {"source": "gatehouse", "items": [{"key": "…", "revision": 3, "ci": {"class": "virtual_machine", "name": "…"}}]}
//! {"items": [{"key": "…", "result": "written", "id": "…"},
//!            {"key": "…", "result": "failed", "code": "…", "message": "…", "retry": false}]}
//! ```

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::connector::Record;
use domain::ports::clock::Clock;
use domain::ports::cmdb_connector::{CmdbConnector, Delivered, Held, HeldPage, Limits, Outcome, Parcel, Setback};
use domain::ports::provider_error::ProviderError;
use domain::ports::survey::{Line, Survey};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::outbound::{self, OutboundError};

/// What people call it.
const WHOM: &str = "The webhook";
/// The header with the time and the signature: `t=1790000000,v1=<HMAC-SHA256 of "1790000000.<body>" in hex>`.
const SIGNATURE: &str = "X-Gatehouse-Signature";
/// How much is sent at once.
const LIMITS: Limits = Limits { items: 500, bytes: 1 << 20 };

/// Where the webhook is. Its debug form does not show the secret.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Takes CIs by POST.
    pub url: String,
    /// Lists by GET what it holds, a page at a time; without it nothing is compared.
    pub list_url: Option<String>,
    /// What requests are signed with.
    pub secret: String,
    /// Certificates (PEM) that the server's must come from, instead of the public ones.
    pub ca: Option<Vec<u8>>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A system that takes CIs as JSON.
pub struct Webhook {
    client: Client,
    url: Url,
    list: Option<Url>,
    secret: String,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Batch<'a> {
    source: &'static str,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    key: &'a str,
    revision: i64,
    ci: &'a Value,
}

impl<'a> From<&'a Parcel> for Item<'a> {
    fn from(parcel: &'a Parcel) -> Self {
        Self { key: &parcel.key, revision: parcel.revision, ci: &parcel.payload }
    }
}

#[derive(Deserialize)]
struct Answered {
    items: Vec<Judged>,
}

#[derive(Deserialize)]
struct Judged {
    key: String,
    result: Verdict,
    id: Option<String>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retry: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Written,
    Unchanged,
    Failed,
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<ListedItem>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct ListedItem {
    key: String,
    id: Option<String>,
    ci: Value,
}

impl Webhook {
    /// Nothing is opened before the first call.
    pub fn new(settings: &WebhookSettings, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self {
            client: outbound::client(settings.ca.as_deref())?,
            url: outbound::address(&settings.url)?,
            list: settings.list_url.as_deref().map(outbound::address).transpose()?,
            secret: settings.secret.clone(),
            clock,
        })
    }

    fn signed(&self, request: RequestBuilder, body: &[u8]) -> Result<RequestBuilder, Setback> {
        let time = self.clock.now().timestamp();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).map_err(|cause| {
            let what = format!("What is sent to the webhook can't be signed: {cause}.");
            Setback::new("not_signed", ProviderError::refused(what, "Correct the connector's secret."))
        })?;
        mac.update(format!("{time}.").as_bytes());
        mac.update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        Ok(request.header(SIGNATURE, format!("t={time},v1={signature}")))
    }

    async fn post(&self, batch: &[Parcel]) -> Result<Answered, Setback> {
        let items = batch.iter().map(Item::from).collect();
        let body = json!(Batch { source: "gatehouse", items }).to_string().into_bytes();
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let request = self.signed(request, &body)?.body(body);
        outbound::ask(WHOM, request).await?.read(self.clock.now())
    }
}

impl Judged {
    fn into_outcome(self) -> (String, Outcome) {
        let outcome = match self.result {
            Verdict::Written => Outcome::Written { native_id: self.id },
            Verdict::Unchanged => Outcome::Unchanged { native_id: self.id },
            Verdict::Failed => {
                let message = self.message.trim().trim_end_matches('.');
                let what = format!("The webhook did not take it: {message}.");
                let code = if self.code.is_empty() { "failed".to_owned() } else { self.code };
                Outcome::Failed(Setback::new(
                    code,
                    match self.retry {
                        true => ProviderError::transient(what, "It is sent again in a moment."),
                        false => ProviderError::refused(what, "Mend that, then have it sent again."),
                    },
                ))
            }
        };
        (self.key, outcome)
    }
}

#[async_trait]
impl CmdbConnector for Webhook {
    fn limits(&self) -> Limits {
        LIMITS
    }

    fn render(&self, record: &Record) -> Option<Value> {
        let ci = &record.ci;
        let relation = |it: &domain::connector::Related| json!({ "relation": it.relation, "key": it.key });
        Some(json!({
            "class": ci.class,
            "name": ci.name,
            "lifecycle": ci.lifecycle,
            "platform": ci.platform,
            "application": ci.application,
            "attributes": record.attributes,
            "relations": record.relations.iter().map(relation).collect::<Vec<Value>>(),
        }))
    }

    async fn deliver(&self, batch: &[Parcel]) -> Delivered {
        match self.post(batch).await {
            Ok(answered) => {
                Delivered { outcomes: answered.items.into_iter().map(Judged::into_outcome).collect(), broken: None }
            }
            Err(setback) => Delivered { outcomes: Vec::new(), broken: Some(setback) },
        }
    }

    fn lists(&self) -> bool {
        self.list.is_some()
    }

    async fn list(&self, from: Option<&str>) -> Result<HeldPage, Setback> {
        let Some(mut url) = self.list.clone() else { return Ok(HeldPage { held: Vec::new(), next: None }) };
        if let Some(from) = from {
            url.query_pairs_mut().append_pair("from", from);
        }
        let asked = url.query().unwrap_or_default().to_owned();
        let request = self.signed(self.client.get(url), asked.as_bytes())?;
        let listed: Listed = outbound::ask(WHOM, request).await?.read(self.clock.now())?;
        if listed.next.is_some() && listed.next.as_deref() == from {
            let what = "The webhook lists the same part again and again.";
            return Err(Setback::new("same_page", ProviderError::transient(what, "It is asked again in a while.")));
        }
        let held = |item: ListedItem| Held { key: item.key, native_id: item.id, payload: item.ci };
        Ok(HeldPage { held: listed.items.into_iter().map(held).collect(), next: listed.next })
    }
}

#[async_trait]
impl Survey for Webhook {
    async fn survey(&self, _: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let answered = self.post(&[]).await.map_err(|setback| setback.error)?;
        let judged = answered.items.len();
        Ok(vec![match judged {
            0 => Line::there("webhook", "it takes a batch of nothing"),
            _ => Line::missing("webhook", format!("It was sent nothing and judged {judged} CIs: mend it.")),
        }])
    }
}
