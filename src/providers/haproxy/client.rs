//! A socket of HAProxy: one command, one answer, and the connection ends
//! (<https://docs.haproxy.org/2.6/management.html#9.3>).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use domain::ports::provider_error::ProviderError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A socket that says nothing for so long is not there.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer of ours is longer: some hundred bytes for each of some hundred members.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Where a socket of HAProxy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A file on this machine.
    Unix(PathBuf),
    /// A host and a port, `10.0.0.7:9999`: only in a network where nobody else can reach it, since HAProxy asks nobody
    /// who he is.
    Tcp(String),
}

impl From<&str> for Socket {
    /// A path, or a host with a port.
    fn from(text: &str) -> Self {
        if text.starts_with('/') { Self::Unix(text.into()) } else { Self::Tcp(text.to_owned()) }
    }
}

impl Socket {
    /// Says one line and answers what comes back until the end.
    pub(super) async fn ask(&self, line: &str) -> Result<String, ProviderError> {
        let answer = timeout(PATIENCE, self.exchange(line)).await;
        answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|cause| {
            ProviderError::transient(
                format!("HAProxy did not answer `{line}` at {}: {cause}.", self.place()),
                "Check that HAProxy runs and that this socket is its own; it is asked again in a moment.",
            )
        })
    }

    async fn exchange(&self, line: &str) -> io::Result<String> {
        match self {
            Self::Unix(path) => say(UnixStream::connect(path).await?, line).await,
            Self::Tcp(address) => say(TcpStream::connect(address).await?, line).await,
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Unix(path) => path.display().to_string(),
            Self::Tcp(address) => address.clone(),
        }
    }
}

async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, line: &str) -> io::Result<String> {
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    // The master process answers on until nothing more can be asked.
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).await?;
    Ok(answer)
}
