//! SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS from the start (RFC 8314), by lettre.

use std::time::Duration;

use async_trait::async_trait;
use domain::mail::Mail;
use domain::ports::mailer::{Mailer, MailerError};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{Address, AsyncTransport, Message, Tokio1Executor};

/// A server that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the connection is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// TLS from the first byte, port 465.
    Tls,
    /// Plain at first, then STARTTLS, which is required; port 587.
    StartTls,
    /// Nothing: for a relay on the same machine only.
    Plain,
}

/// Where mails go and as whom.
pub struct SmtpSettings {
    pub host: String,
    pub port: Option<u16>,
    pub privacy: Privacy,
    pub credentials: Option<(String, String)>,
    /// Certificates (PEM) that the server's may come from, beside the public ones.
    pub ca: Option<Vec<u8>>,
    /// The sender that people see, `Gatehouse <gatehouse@example.org>`.
    pub from: String,
}

/// Why a mail server can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSettingsError {
    #[error("`{0}` is no sender's address; write it as `Gatehouse <gatehouse@example.org>`")]
    From(String),
    #[error("the mail server `{host}` can't be used")]
    Server { host: String, source: Error },
    #[error("the certificates of `ca_file` can't be read: a file in PEM is wanted")]
    Certificates(#[source] Error),
    #[error("mail to `{0}` would go unprotected over the network; use `starttls` or `tls`, or a relay on this machine")]
    Unprotected(String),
}

/// A mail server reached by SMTP.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Prepares the connections; none is opened before the first mail.
    pub fn new(settings: SmtpSettings) -> Result<Self, SmtpSettingsError> {
        let from = settings.from.parse().map_err(|_| SmtpSettingsError::From(settings.from.clone()))?;
        let host = settings.host;
        let server = |source| SmtpSettingsError::Server { host: host.clone(), source };
        let mut builder = match settings.privacy {
            Privacy::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&host)
                .map_err(server)?
                .tls(Tls::Wrapper(tls(&host, settings.ca.as_deref())?)),
            Privacy::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&host)
                .map_err(server)?
                .tls(Tls::Required(tls(&host, settings.ca.as_deref())?)),
            Privacy::Plain if is_this_machine(&host) => AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host),
            Privacy::Plain => return Err(SmtpSettingsError::Unprotected(host)),
        };
        if let Some(port) = settings.port {
            builder = builder.port(port);
        }
        if let Some((user, password)) = settings.credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self { transport: builder.timeout(Some(PATIENCE)).build(), from })
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailerError> {
        let address: Address = mail
            .to_email
            .parse()
            .map_err(|cause| MailerError::Refused(format!("`{}` is no mail address: {cause}.", mail.to_email)))?;
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(Some(mail.to_name.clone()), address))
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .subject(&mail.subject)
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|cause| MailerError::Refused(format!("The mail can't be put together: {cause}.")))
    }
}

/// What the server's certificate is held against.
fn tls(host: &str, ca: Option<&[u8]>) -> Result<TlsParameters, SmtpSettingsError> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(pem) = ca {
        parameters =
            parameters.add_root_certificate(Certificate::from_pem(pem).map_err(SmtpSettingsError::Certificates)?);
    }
    parameters.build().map_err(|source| SmtpSettingsError::Server { host: host.to_owned(), source })
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<String, MailerError> {
        let answer = self.transport.send(self.message(mail)?).await.map_err(in_our_words)?;
        Ok(format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" ")))
    }
}

/// Only a permanent answer of the server (5yz, RFC 5321 section 4.2.1) ends the tries.
fn in_our_words(cause: Error) -> MailerError {
    let mut words = cause.to_string();
    let mut source = std::error::Error::source(&cause);
    while let Some(deeper) = source {
        words = format!("{words}: {deeper}");
        source = deeper.source();
    }
    if cause.is_permanent() { MailerError::Refused(words) } else { MailerError::Unavailable(words) }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
