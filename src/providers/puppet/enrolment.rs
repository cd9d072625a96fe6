//! Letting a machine in, and out again: whose certificate is signed, and whose is revoked.
//!
//! The authority signs whatever request lies there when it is told to, so that what was checked could be exchanged in
//! between. So the key that was checked is written down before, and compared with what was signed; a certificate for
//! any other key is revoked at once.

use domain::node::Node;
use domain::ports::configuration::RunFailure;
use domain::ports::nodes::NodeEvent;
use domain::ports::provider_error::ProviderError;

use super::Puppet;
use super::ca::CertificateState;
use super::challenge::Challenge;
use super::csr;

/// What a person does about a request that is not signed.
const LOOK_WHO: &str = "Find out which machine asks under this name. Trying again throws its request away and waits for \
                        the right one.";

impl Puppet {
    /// The word that the machine of this name is given to prove itself.
    pub(super) async fn challenge(&self, certname: &str) -> Result<Challenge, ProviderError> {
        let predecessors = self.register.predecessors(certname).await?;
        Ok(Challenge::of(&self.secret, certname, predecessors))
    }

    /// Has the node's certificate signed once its machine asks for it; answers why that is refused.
    pub(super) async fn admit(&self, node: &Node) -> Result<Option<RunFailure>, ProviderError> {
        let certname = &node.order.certname;
        match (self.ca.state(certname).await?, node.signed_at) {
            (None, _) => Ok(None),
            (Some(CertificateState::Signed), Some(_)) => Ok(None),
            (Some(CertificateState::Signed), None) => match &node.key_print {
                // We were about to sign it when we were interrupted.
                Some(checked) => self.confirm(node, checked).await,
                None => Ok(Some(refused(
                    format!("the CA has a certificate for {certname} that Gatehouse did not have signed"),
                    "See whose it is; revoke and clean it at the CA, then try again.",
                ))),
            },
            (Some(CertificateState::Revoked), _) => Ok(Some(refused(
                format!("the certificate of {certname} is revoked"),
                "Clean it at the CA, have the machine make a new key, then try again.",
            ))),
            (Some(CertificateState::Requested), Some(_)) => Ok(Some(refused(
                format!("somebody tries to enrol as {certname}, which has its certificate already"),
                LOOK_WHO,
            ))),
            (Some(CertificateState::Requested), None) => self.sign(node).await,
        }
    }

    async fn sign(&self, node: &Node) -> Result<Option<RunFailure>, ProviderError> {
        let certname = &node.order.certname;
        let Some(request) = self.ca.request(certname).await? else { return Ok(None) };
        let checked = match csr::check(&request, certname, &self.challenge(certname).await?) {
            Ok(print) => print,
            Err(fault) => {
                let why = format!("somebody asks for a certificate for {certname}, and {fault}");
                return Ok(Some(refused(why, LOOK_WHO)));
            }
        };
        self.register.note(&node.order.key, &NodeEvent::Signing { key_print: checked.clone() }).await?;
        match self.ca.sign(certname).await? {
            true => self.confirm(node, &checked).await,
            // It was taken away in between; the next look finds what there is.
            false => Ok(None),
        }
    }

    /// Makes sure that what was signed is what was checked.
    async fn confirm(&self, node: &Node, checked: &str) -> Result<Option<RunFailure>, ProviderError> {
        let certname = &node.order.certname;
        match self.ca.signed_key(certname).await? {
            Some(signed) if signed == checked => {
                self.register.note(&node.order.key, &NodeEvent::Signed).await?;
                Ok(None)
            }
            None => Ok(None),
            Some(_) => {
                self.ca.revoke(certname).await?;
                self.ca.forget(certname).await?;
                Ok(Some(refused(
                    format!(
                        "the request for {certname} was exchanged while it was signed; what was signed is revoked again"
                    ),
                    "Find out which machine asks under this name, then try again.",
                )))
            }
        }
    }

    /// Throws away a request that was refused, so that the machine that was ordered can ask.
    pub(super) async fn clear_request(&self, certname: &str) -> Result<(), ProviderError> {
        match self.ca.state(certname).await? {
            Some(CertificateState::Requested) => self.ca.forget(certname).await,
            _ => Ok(()),
        }
    }

    /// Takes the node's certificate out of use for ever; one whose key is not the node's stays.
    pub(super) async fn expel(&self, node: &Node) -> Result<(), ProviderError> {
        let certname = &node.order.certname;
        if self.ca.state(certname).await? == Some(CertificateState::Signed) {
            let signed = self.ca.signed_key(certname).await?;
            if signed.is_some() && signed != node.key_print {
                return Err(ProviderError::not_ours(
                    format!("The CA has a certificate for {certname} that Gatehouse did not have signed; it stays."),
                    "See whose it is; revoke and clean it at the CA, then try again.",
                ));
            }
            self.ca.revoke(certname).await?;
        }
        self.ca.forget(certname).await
    }
}

fn refused(why: String, next: &str) -> RunFailure {
    RunFailure::CertificateRefused { why, next: next.to_owned() }
}
