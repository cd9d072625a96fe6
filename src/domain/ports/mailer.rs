//! The mail server.

use async_trait::async_trait;

use crate::mail::Mail;

/// Takes mails to a mail server.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands one mail over; the answer is what the server said. The message id is made from the mail's id, so that
    /// a mail which is handed over twice, after a crash between the server's answer and our note of it, can be known
    /// as one.
    async fn send(&self, mail: &Mail) -> Result<String, MailerError>;
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The server will never take this mail: no such mailbox, a malformed address.
    #[error("{0}")]
    Refused(String),
    /// The server did not take it now: unreachable, busy, greylisting.
    #[error("{0}")]
    Unavailable(String),
}
