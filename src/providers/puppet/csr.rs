//! Certificate requests (PKCS #10, RFC 2986): which of them a machine that we ordered has sent.
//!
//! A request is taken for what it says alone: its own signature, its name, the challenge (PKCS #9, OID
//! 1.2.840.113549.1.9.7), and nothing else. What more it could ask for (other names, `pp_auth_role` and the like) would
//! give the machine rights that nobody ordered.

use sha2::{Digest, Sha256};
use x509_parser::certification_request::{X509CertificationRequest, X509CertificationRequestInfo};
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use super::challenge::Challenge;

/// Why a request is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("it is no certificate request")]
    Unreadable,
    #[error("its signature does not fit its key, so that whoever sent it may not hold the key")]
    Signature,
    #[error("it is for the name `{0}`")]
    OtherName(String),
    #[error("it asks for what nobody ordered (attribute {0})")]
    Attribute(String),
    #[error("it does not carry the challenge")]
    NoChallenge,
    #[error("it carries another challenge than the one that the machine was given")]
    WrongChallenge,
}

/// The SHA-256 (hexadecimal) of the request's public key, if it is what the machine of this name was to send.
pub(super) fn check(pem: &str, certname: &str, challenge: &Challenge) -> Result<String, Fault> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| Fault::Unreadable)?;
    let (rest, request) = X509CertificationRequest::from_der(&block.contents).map_err(|_| Fault::Unreadable)?;
    if !rest.is_empty() || !block.label.ends_with("CERTIFICATE REQUEST") {
        return Err(Fault::Unreadable);
    }
    request.verify_signature().map_err(|_| Fault::Signature)?;
    let info = &request.certification_request_info;
    if sole_name(&info.subject) != Some(certname) {
        return Err(Fault::OtherName(info.subject.to_string()));
    }
    if !challenge.is(sole_attribute(info)?) {
        return Err(Fault::WrongChallenge);
    }
    Ok(print(&info.subject_pki))
}

/// The SHA-256 (hexadecimal) of a public key, its algorithm included.
pub(super) fn print(key: &SubjectPublicKeyInfo<'_>) -> String {
    hex::encode(Sha256::digest(key.raw))
}

/// The common name, where the subject is nothing but one.
fn sole_name<'n>(subject: &'n X509Name<'_>) -> Option<&'n str> {
    let mut parts = subject.iter_attributes();
    let only = parts.next().filter(|_| parts.next().is_none())?;
    let name = subject.iter_common_name().next()?;
    (only.attr_type() == name.attr_type()).then(|| name.as_str().ok())?
}

/// The challenge, where the request carries nothing else.
fn sole_attribute<'i>(info: &'i X509CertificationRequestInfo<'_>) -> Result<&'i str, Fault> {
    let mut challenge = None;
    for attribute in info.iter_attributes() {
        match attribute.parsed_attribute() {
            ParsedCriAttribute::ChallengePassword(word) if challenge.is_none() => challenge = Some(word.0.as_str()),
            _ => return Err(Fault::Attribute(attribute.oid.to_id_string())),
        }
    }
    challenge.ok_or(Fault::NoChallenge)
}
