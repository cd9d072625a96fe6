//! How messages reach vCenter: HTTPS, one POST each, with a limit on time and on the size of the answer.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, Client, Response, Url};
use x509_parser::parse_x509_certificate;

use super::failure::Failure;
use super::settings::VsphereSettings;
use super::trust;

/// vSphere 7 and 8 speak this version of the API, and it has all that is used.
const VERSION: &str = "urn:vim25/6.7";
const CONNECT: Duration = Duration::from_secs(10);
/// A thousand machines with all their options stay below it; answers of that size come in parts anyway.
const LARGEST: usize = 32 << 20;

/// One message, with the cookie of the session that it belongs to.
pub(super) struct Message {
    pub body: String,
    pub cookie: Option<String>,
    /// How long the answer may take.
    pub limit: Duration,
}

/// What came back.
pub(super) struct Answer {
    pub body: String,
    /// The cookie of a session that this answer opened.
    pub cookie: Option<String>,
    /// With it, when the server's certificate ends.
    pub trusted_until: Option<DateTime<Utc>>,
}

/// A way to a vCenter.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    async fn exchange(&self, message: Message) -> Result<Answer, Failure>;
}

/// HTTPS, with the server's certificate verified.
pub(super) struct Https {
    client: Client,
    url: Url,
}

impl Https {
    /// Prepares connections; none is opened yet.
    pub fn new(settings: &VsphereSettings) -> Result<Self, String> {
        let url = Url::parse(&settings.url).and_then(|url| url.join("/sdk"));
        let url = url.map_err(|cause| format!("`{}` is no address: {cause}", settings.url))?;
        if url.scheme() != "https" {
            return Err(format!("`{}` would send the password unprotected; write https://", settings.url));
        }
        let mut builder = Client::builder().connect_timeout(CONNECT).redirect(Policy::none()).no_proxy().tls_info(true);
        if let Some(fingerprint) = &settings.fingerprint {
            builder = builder.tls_backend_preconfigured(trust::pinned(fingerprint)?);
        } else if let Some(pem) = &settings.ca {
            let authorities = Certificate::from_pem_bundle(pem).map_err(|cause| in_whole(&cause))?;
            if authorities.is_empty() {
                return Err("the site's CA holds no certificate: a file in PEM is wanted".to_owned());
            }
            builder = builder.tls_certs_only(authorities);
        }
        let client = builder.build().map_err(|cause| in_whole(&cause))?;
        Ok(Self { client, url })
    }
}

#[async_trait]
impl Transport for Https {
    async fn exchange(&self, message: Message) -> Result<Answer, Failure> {
        let limit = message.limit;
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", VERSION)
            .timeout(limit)
            .body(message.body);
        if let Some(cookie) = message.cookie {
            request = request.header(COOKIE, cookie);
        }
        let response = request.send().await.map_err(|cause| broken(&cause, limit))?;
        let status = response.status();
        // Faults come with 500; whatever else is no answer of vCenter's API.
        if !status.is_success() && status.as_u16() != 500 {
            return Err(Failure::Garbled(format!("it answered with HTTP {status}")));
        }
        let cookie = session_cookie(&response);
        let trusted_until = cookie.as_ref().and_then(|_| certificate_end(&response));
        Ok(Answer { body: text(response, limit).await?, cookie, trusted_until })
    }
}

/// The name and value of the cookie that an answer sets.
fn session_cookie(response: &Response) -> Option<String> {
    let set = response.headers().get(SET_COOKIE)?.to_str().ok()?;
    set.split(';').next().map(|pair| pair.trim().to_owned())
}

/// When the certificate ends by which the server was known.
fn certificate_end(response: &Response) -> Option<DateTime<Utc>> {
    let certificate = response.extensions().get::<TlsInfo>()?.peer_certificate()?;
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
}

/// The answer's text; one that is too large is not read to its end.
async fn text(mut response: Response, limit: Duration) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|cause| broken(&cause, limit))? {
        if bytes.len() + part.len() > LARGEST {
            return Err(Failure::Garbled(format!("it is larger than {} MB", LARGEST >> 20)));
        }
        bytes.extend_from_slice(&part);
    }
    String::from_utf8(bytes).map_err(|_| Failure::Garbled("it is no UTF-8".to_owned()))
}

fn broken(cause: &reqwest::Error, limit: Duration) -> Failure {
    if cause.is_timeout() && !cause.is_connect() {
        return Failure::Late(format!("{} s", limit.as_secs()));
    }
    match in_whole(cause) {
        why if why.contains("certificate") => Failure::Untrusted(why),
        why => Failure::Unreachable(why),
    }
}

/// The deepest cause, which says most: the others name the url and say that something failed.
fn in_whole(cause: &reqwest::Error) -> String {
    let mut deepest: &dyn std::error::Error = cause;
    while let Some(deeper) = deepest.source() {
        deepest = deeper;
    }
    deepest.to_string()
}
