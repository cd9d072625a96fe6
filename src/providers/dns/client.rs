//! A name server's own words: an update over TCP (RFC 7766), signed with a shared key (TSIG, RFC 8945), and its verdict.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::clock::Clock;
use domain::ports::provider_error::ProviderError;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{Name, TSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::update::Update;

/// A server that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// A name server that takes updates.
pub(super) struct Client {
    /// Host and port.
    pub(super) server: String,
    pub(super) signer: TSigner,
    pub(super) clock: Arc<dyn Clock>,
}

/// What the server made of an update's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    /// The name is in use, and should not be.
    InUse,
    /// The name does not have the record that it should.
    Differs,
}

impl Client {
    /// Sends the update. An answer counts only if it is signed with our key.
    pub(super) async fn send(&self, update: Update) -> Result<Verdict, ProviderError> {
        let zone = update.zone().clone();
        let mut message = update.message();
        let now = u64::try_from(self.clock.now().timestamp()).unwrap_or_default();
        let unfit = |cause: &dyn std::fmt::Display| {
            ProviderError::permanent(
                format!("The change of the zone {zone} can't be said in the words of the DNS: {cause}."),
                "Tell the developers of Gatehouse.",
            )
        };
        let verifier = message.finalize(&self.signer, now).map_err(|cause| unfit(&cause))?;
        let said = message.to_vec().map_err(|cause| unfit(&cause))?;
        let heard = timeout(PATIENCE, self.exchange(&said)).await;
        let heard = heard.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|cause| {
            ProviderError::transient(
                format!("The name server {} did not answer: {cause}.", self.server),
                "Check that it runs and takes TCP; it is asked again in a moment.",
            )
        })?;
        let answer = Message::from_vec(&heard).map_err(|_| self.forged())?;
        let verdict = self.verdict(&zone, &answer)?;
        let signed = verifier.is_some_and(|mut verifier| verifier.verify(&heard).is_ok());
        if signed && answer.id == message.id { Ok(verdict) } else { Err(self.forged()) }
    }

    async fn exchange(&self, said: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.server).await?;
        let length = u16::try_from(said.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), said].concat()).await?;
        let mut heard = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    fn verdict(&self, zone: &Name, answer: &Message) -> Result<Verdict, ProviderError> {
        let (server, key) = (&self.server, self.signer.signer_name());
        match answer.response_code {
            ResponseCode::NoError => Ok(Verdict::Done),
            ResponseCode::YXDomain => Ok(Verdict::InUse),
            ResponseCode::NXRRSet => Ok(Verdict::Differs),
            ResponseCode::ServFail => Err(ProviderError::transient(
                format!("The name server {server} failed to change the zone {zone} (SERVFAIL)."),
                "It is asked again in a moment; its log says why.",
            )),
            ResponseCode::Refused => Err(ProviderError::refused(
                format!("The name server {server} refuses changes of the zone {zone} by the key {key} (REFUSED)."),
                "Allow the key in the zone's `allow-update` or `update-policy`, and retry.",
            )),
            ResponseCode::NotAuth => Err(self.not_authorised(zone, answer)),
            ResponseCode::NotZone => Err(ProviderError::permanent(
                format!("The name server {server} says that the name is not within its zone {zone} (NOTZONE)."),
                "Correct the zones in the site's settings.",
            )),
            code => Err(ProviderError::permanent(
                format!("The name server {server} did not change the zone {zone}: {code}."),
                "Its log says why; retry when that is mended.",
            )),
        }
    }

    /// NOTAUTH says either that the key does not hold (RFC 8945, section 5.2), or that the zone is somebody else's.
    fn not_authorised(&self, zone: &Name, answer: &Message) -> ProviderError {
        let (server, key) = (&self.server, self.signer.signer_name());
        match answer.signature().and_then(|signature| signature.data.error) {
            Some(TsigError::BadKey) => ProviderError::permanent(
                format!("The name server {server} does not know the key {key} (BADKEY)."),
                "Correct the name or the algorithm of the key, there or in the site's settings.",
            ),
            Some(TsigError::BadSig) => ProviderError::permanent(
                format!("The name server {server} has another secret for the key {key} (BADSIG)."),
                "Correct the secret of the key, there or in the site's settings.",
            ),
            Some(TsigError::BadTime) => ProviderError::permanent(
                format!(
                    "The clocks of Gatehouse and of the name server {server} differ by more than {} s (BADTIME).",
                    self.signer.fudge()
                ),
                "Set the clock that is wrong, and retry.",
            ),
            _ => ProviderError::permanent(
                format!("The name server {server} is not the primary of the zone {zone} (NOTAUTH)."),
                "Correct the server or the zone in the site's settings.",
            ),
        }
    }

    fn forged(&self) -> ProviderError {
        ProviderError::transient(
            format!("What answered for the name server {} did not sign with our key.", self.server),
            "It is asked again in a moment; if that lasts, find out who answers at its address.",
        )
    }
}
