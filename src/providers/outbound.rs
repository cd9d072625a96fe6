//! How systems of the web are asked: who may be asked, how their answers are read, and what a refusal means.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ports::cmdb_connector::Setback;
use domain::ports::provider_error::ProviderError;
use futures::StreamExt;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use url::Host;

/// A system that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answer is read that is longer.
const LONGEST: usize = 32 << 20;
/// So much of a refusal is told.
const TOLD: usize = 300;
/// Whoever wants to be left alone for longer is asked again then.
const LONGEST_REST: TimeDelta = TimeDelta::hours(1);

/// Why a system can't be asked as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("`{0}` is no address; write it as `https://cmdb.example.org/`")]
    Address(String),
    #[error("the secret would go unprotected over the network to `{0}`; use `https`")]
    Unprotected(String),
    #[error("the client can't be made from these certificates")]
    Client(#[source] reqwest::Error),
}

/// An address that secrets may be sent to: protected, or of this machine.
pub(crate) fn address(text: &str) -> Result<Url, OutboundError> {
    let url = Url::parse(text).map_err(|_| OutboundError::Address(text.to_owned()))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(OutboundError::Address(text.to_owned())),
    };
    if url.scheme() == "https" || (url.scheme() == "http" && is_here) {
        return Ok(url);
    }
    Err(OutboundError::Unprotected(text.to_owned()))
}

/// A client that takes these authorities (PEM) instead of the public ones, and is sent on to nobody: secrets are for
/// one server alone.
pub(crate) fn client(ca: Option<&[u8]>) -> Result<Client, OutboundError> {
    let mut builder = Client::builder().timeout(PATIENCE).no_proxy().redirect(Policy::none());
    if let Some(pem) = ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(OutboundError::Client)?;
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(OutboundError::Client)
}

/// What a system answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// What was asked of whom, for errors: `Nautobot answered POST /api/dcim/`.
    asked: String,
}

/// Asks, and reads the answer to its end; `whom` is what people call the system.
pub(crate) async fn ask(whom: &str, request: RequestBuilder) -> Result<Answer, Setback> {
    let (client, request) = request.build_split();
    let request = request.map_err(|cause| silent(whom, &cause))?;
    let asked = format!("{whom} answered {} {}", request.method(), request.url().path());
    let answer = client.execute(request).await.map_err(|cause| silent(whom, &cause))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let (mut stream, mut body) = (answer.bytes_stream(), Vec::new());
    while let Some(part) = stream.next().await {
        let part = part.map_err(|cause| silent(whom, &cause))?;
        if body.len() + part.len() > LONGEST {
            let what = format!("{asked} with more than {} MB.", LONGEST >> 20);
            let next = "Look at what answers at its address; it is asked again in a while.";
            return Err(Setback::new("too_much", ProviderError::transient(what, next)));
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status, headers, body, asked })
}

impl Answer {
    /// What it says, if it says that all went well.
    pub(crate) fn read<T: DeserializeOwned>(&self, now: DateTime<Utc>) -> Result<T, Setback> {
        if !self.status.is_success() {
            return Err(self.refusal(now));
        }
        self.said()
    }

    /// A header of it, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What it says, whatever its status.
    pub(crate) fn said<T: DeserializeOwned>(&self) -> Result<T, Setback> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            let what = format!("{} with what is not understood: {cause}: {}", self.asked, self.told());
            let next =
                "Look whether something else answers at its address, such as a proxy; it is asked again in a while.";
            Setback::new("not_understood", ProviderError::transient(what, next))
        })
    }

    /// Why it was refused.
    pub(crate) fn refusal(&self, now: DateTime<Utc>) -> Setback {
        let what = format!("{} with {}: {}", self.asked, self.status, self.told());
        let error = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                ProviderError::refused(what, "Correct the connector's token, or give it the rights; it is tried again.")
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                ProviderError::not_found(what, "Correct the connector's address; it is tried again.")
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                ProviderError::transient(what, "It is asked again when it wants to be.")
            }
            status if status.is_client_error() => {
                ProviderError::permanent(what, "Mend that over there or in the CI, then have it sent again.")
            }
            _ => ProviderError::transient(what, "It is asked again in a moment."),
        };
        let retry_after = retry_after(&self.headers, now);
        Setback { retry_after, ..Setback::new(format!("http_{}", self.status.as_u16()), error) }
    }

    fn told(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let words: Vec<&str> = text.split_whitespace().collect();
        let told: String = words.join(" ").chars().take(TOLD).collect();
        format!("{}.", told.trim_end_matches('.'))
    }
}

/// How long they want to be left alone: in seconds, or until a time by their own clock.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let wait = match said.parse::<i32>() {
        Ok(seconds) => TimeDelta::seconds(seconds.into()),
        Err(_) => {
            let time = |text: &str| DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc());
            let theirs = headers.get("date").and_then(|date| time(date.to_str().ok()?)).unwrap_or(now);
            time(said)? - theirs
        }
    };
    Some(wait.clamp(TimeDelta::zero(), LONGEST_REST))
}

fn silent(whom: &str, cause: &reqwest::Error) -> Setback {
    let mut words = cause.to_string();
    let mut source = std::error::Error::source(cause);
    while let Some(deeper) = source {
        words = format!("{words}: {deeper}");
        source = deeper.source();
    }
    let code = if cause.is_timeout() { "no_answer_in_time" } else { "no_answer" };
    let what = format!("{whom} did not answer to the end: {words}.");
    Setback::new(code, ProviderError::transient(what, "It is asked again in a moment."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_protected_lines_or_stay_on_this_machine() {
        for good in ["https://cmdb.example.org/in", "http://127.0.0.1:8099", "http://localhost/x", "http://[::1]/"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in ["http://cmdb.example.org/", "ftp://127.0.0.1/", "cmdb", "file:///etc/passwd"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_by_seconds_or_by_his_own_clock() {
        let now = DateTime::UNIX_EPOCH;
        let after = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| {
                let name = reqwest::header::HeaderName::from_static(name);
                (name, reqwest::header::HeaderValue::from_static(value))
            });
            retry_after(&headers.collect(), now)
        };
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[("retry-after", "7")]), Some(TimeDelta::seconds(7)));
        assert_eq!(after(&[("retry-after", "-7")]), Some(TimeDelta::zero()));
        assert_eq!(after(&[("retry-after", "2000000000")]), Some(TimeDelta::hours(1)));
        let theirs = [("date", "Fri, 01 Jan 2094 10:00:00 GMT"), ("retry-after", "Fri, 01 Jan 2094 10:01:00 GMT")];
        assert_eq!(after(&theirs), Some(TimeDelta::minutes(1)), "a clock in the future means the same");
    }
}
