//! What a site's Puppet lacks before anything is ordered of it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::provider_error::{ProviderError, ProviderErrorKind};
use domain::ports::survey::{Line, Survey};
use x509_parser::pem::parse_x509_pem;

use super::Puppet;

/// A name that no machine has: the authority is asked about it to see whether it answers Gatehouse.
const NOBODY: &str = "gatehouse-looks-whether-it-may-ask";

#[async_trait]
impl Survey for Puppet {
    async fn survey(&self, now: DateTime<Utc>) -> Result<Vec<Line>, ProviderError> {
        let mut lines = vec![self.own_certificate(now)];
        let right = format!("right to sign and revoke at {}", self.server);
        match self.ca.state(NOBODY).await {
            Ok(_) => lines.push(Line::there(right, "the CA answers Gatehouse's certificate")),
            Err(error) if error.kind == ProviderErrorKind::Transient => return Err(error),
            Err(error) => lines.push(Line::missing(right, error.to_string())),
        }
        if let Some(database) = &self.database {
            lines.push(match database.report(NOBODY, now).await {
                Ok(_) => Line::there("PuppetDB", "it answers"),
                Err(error) => Line::missing("PuppetDB", error.to_string()),
            });
        }
        Ok(lines)
    }
}

impl Puppet {
    fn own_certificate(&self, now: DateTime<Utc>) -> Line {
        let what = "certificate of Gatehouse";
        let block = parse_x509_pem(&self.certificate).ok().map(|(_, block)| block);
        let until = block.as_ref().and_then(|block| {
            let certificate = block.parse_x509().ok()?;
            DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)
        });
        match until {
            Some(until) => Line::lasting(what, until, now),
            None => Line::missing(what, "It can't be read: name a file in PEM whose first block is the certificate."),
        }
    }
}
