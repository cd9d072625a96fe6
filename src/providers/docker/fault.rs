//! What an engine, or the way to it, says when a call fails: sorted, and in words for people.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bollard::errors::Error;
use domain::ports::provider_error::ProviderError;
use rustls::{AlertDescription, Error as TlsError};

/// What an engine may say about itself in one of our sentences.
const QUOTED: usize = 300;

const AGAIN: &str = "It may have done the work all the same; asking again finds out.";
const LOOK: &str = "See whether the engine runs and whether its address is right, then retry.";

/// Part of what an engine says when it has no room, and what people can do about it. Engines say these with the status
/// 500, as if they were broken, or 403.
const NO_ROOM: [(&str, &str); 5] = [
    ("no space left on device", "Make room on the engine's disk, then retry."),
    ("cannot allocate memory", "Free memory on the engine, or use another one."),
    ("non-overlapping", "Remove networks that nobody uses, or give the engine more address pools."),
    ("address already in use", "Find out what holds it on the engine, then retry."),
    ("port is already allocated", "Choose another port, or stop what holds it."),
];

/// The engine answered nothing, or not to the end, in time.
pub(super) fn silence(at: &str, doing: &str, patience: Duration) -> ProviderError {
    ProviderError::transient(
        format!("{doing}: the Docker engine at {at} did not answer within {} s.", patience.as_secs()),
        AGAIN,
    )
}

/// What failed while `doing` something on the engine at `at`.
pub(super) fn told(error: &Error, at: &str, doing: &str) -> ProviderError {
    match error {
        Error::DockerResponseServerError { status_code, message } => refused(*status_code, message, at, doing),
        Error::RequestTimeoutError => {
            ProviderError::transient(format!("{doing}: the Docker engine at {at} did not answer in time."), AGAIN)
        }
        Error::JsonSerdeError { .. } | Error::IOError { .. } | Error::HyperResponseError { .. } => {
            let what = format!("{doing}: the answer of the Docker engine at {at} broke off ({}).", deepest(error));
            ProviderError::transient(what, AGAIN)
        }
        Error::JsonDataError { message, .. } => ProviderError::permanent(
            format!("{doing}: what answers at {at} does not speak as a Docker engine does ({message})."),
            "See whether the address is the engine's, and not a web server's or a proxy's.",
        ),
        error => match tls_error(error) {
            Some(cause) => distrusted(cause, at, doing),
            None => ProviderError::transient(
                format!("{doing}: the Docker engine at {at} can't be reached ({}).", deepest(error)),
                LOOK,
            ),
        },
    }
}

/// The engine, or what stands before it, said no.
fn refused(status: u16, message: &str, at: &str, doing: &str) -> ProviderError {
    let message = quoted(message);
    let what = format!("{doing}: the Docker engine at {at} says: {message}");
    let lower = message.to_lowercase();
    if let Some((_, next)) = NO_ROOM.iter().find(|(part, _)| lower.contains(part)) {
        return ProviderError::refused(what, *next);
    }
    match status {
        404 if lower.contains("no such image") => {
            ProviderError::not_found(what, "Pull the image on the engine, or name another one in the settings.")
        }
        404 => ProviderError::not_found(what, "It was removed outside the portal, or never made; look for its key."),
        401 => ProviderError::permanent(what, "Give Gatehouse a client certificate that the engine accepts."),
        403 | 409 => ProviderError::refused(what, "Look at it on the engine, then retry."),
        400..=499 => ProviderError::permanent(what, "Look at the engine's log; the order does not fit this engine."),
        _ => ProviderError::transient(what, "Look at the engine's log if it stays; it is asked again."),
    }
}

/// One line of what was said, of bearable length; pages of web servers are named as such.
fn quoted(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "nothing that explains it.".to_owned();
    }
    if line.starts_with('<') {
        return "a web page, so it was no engine that answered.".to_owned();
    }
    let mut short: String = line.chars().take(QUOTED).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    if !short.ends_with(['.', '…']) {
        short.push('.');
    }
    short
}

/// The connection failed because one side does not trust the other.
fn distrusted(cause: &TlsError, at: &str, doing: &str) -> ProviderError {
    match cause {
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => ProviderError::permanent(
            format!("{doing}: the Docker engine at {at} refuses our client certificate ({cause})."),
            "Give Gatehouse a client certificate from the authority that the engine trusts.",
        ),
        TlsError::InvalidCertificate(_) => ProviderError::permanent(
            format!("{doing}: the certificate of the Docker engine at {at} is not to be trusted ({cause})."),
            "See that it comes from the site's authority, bears the machine's name and has not run out.",
        ),
        _ => ProviderError::transient(
            format!("{doing}: no protected connection to the Docker engine at {at} came about ({cause})."),
            LOOK,
        ),
    }
}

/// What TLS said, wherever in the chain of causes it stands.
fn tls_error(error: &Error) -> Option<&TlsError> {
    causes(error).find_map(|cause| cause.downcast_ref::<TlsError>())
}

/// The root of the matter, which says most to people.
fn deepest(error: &Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error and its causes, one after the other. Those that an `io::Error` carries are none of its sources.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&cause| {
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(carried) => Some(carried as &(dyn StdError + 'static)),
            None => cause.source(),
        }
    })
}
