//! SOAP 1.1 as vCenter speaks it: one method in an envelope, one answer or fault in another.

use serde::de::DeserializeOwned;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::document;
use super::failure::{Failure, VimFault};
use super::vim::Fault;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const VIM: &str = "urn:vim25";

/// A method of the Web Services API: its arguments, and the type of its answer.
///
/// Arguments are serialized in the order of their fields, which is the order of the schema; vCenter insists on it.
pub(super) trait Method: Serialize + Sync {
    const NAME: &'static str;
    /// Whether it changes something at vCenter.
    const CHANGES: bool;
    type Answer: DeserializeOwned + Send;
}

#[derive(Serialize)]
#[serde(rename = "soapenv:Envelope")]
struct Request<'m, M: Method> {
    #[serde(rename = "@xmlns:soapenv")]
    soap: &'static str,
    #[serde(rename = "@xmlns:xsd")]
    xsd: &'static str,
    #[serde(rename = "@xmlns:xsi")]
    xsi: &'static str,
    #[serde(rename = "soapenv:Body")]
    body: RequestBody<'m, M>,
}

struct RequestBody<'m, M: Method>(&'m M);

impl<M: Method> Serialize for RequestBody<'_, M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Body", 2)?;
        body.serialize_field("@xmlns", VIM)?;
        body.serialize_field(M::NAME, self.0)?;
        body.end()
    }
}

/// The whole message that asks for `method`.
pub(super) fn request<M: Method>(method: &M) -> Result<String, Failure> {
    let envelope = Request { soap: SOAP, xsd: XSD, xsi: XSI, body: RequestBody(method) };
    let message = quick_xml::se::to_string(&envelope)
        .map_err(|cause| Failure::Garbled(format!("{} can't be written down: {cause}", M::NAME)))?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{message}"))
}

#[derive(Deserialize)]
struct Reply<A> {
    #[serde(rename = "Body")]
    body: ReplyBody<A>,
}

#[derive(Deserialize)]
struct ReplyBody<A> {
    #[serde(rename = "Fault")]
    fault: Option<SoapFault>,
    #[serde(rename = "$value")]
    answer: Option<A>,
}

#[derive(Deserialize)]
struct SoapFault {
    #[serde(default)]
    faultstring: String,
    detail: Option<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "$value")]
    fault: Option<Fault>,
}

/// What vCenter answered.
pub(super) fn reply<A: DeserializeOwned>(text: &str) -> Result<A, Failure> {
    let document = document::plain(text).map_err(Failure::Garbled)?;
    let reply: Reply<A> = quick_xml::de::from_str(&document)
        .map_err(|cause| Failure::Garbled(format!("it is no SOAP answer: {cause}")))?;
    if let Some(fault) = reply.body.fault {
        let kind = fault.detail.and_then(|detail| detail.fault);
        return Err(Failure::Fault(Box::new(VimFault::new(kind, &fault.faultstring))));
    }
    reply.body.answer.ok_or_else(|| Failure::Garbled("it holds neither an answer nor a fault".to_owned()))
}
