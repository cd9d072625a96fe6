//! The probe, asked about services that a test lets answer.

use domain::ports::provider_error::ProviderErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A service on this machine that answers each question with this.
async fn service(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 1024];
            // Whoever asks may have gone by now.
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
        }
    });
    address
}

fn probe(networks: &[&str]) -> HttpProbe {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let networks = networks.iter().map(|network| network.parse().expect("a network")).collect();
    let patience = Duration::from_millis(500);
    HttpProbe::new(ProbeSettings { networks, ca: None, patience }).expect("it is made")
}

const HERE: [&str; 1] = ["127.0.0.0/8"];

async fn refused(probe: &HttpProbe, url: &str) -> ProviderError {
    probe.get(url).await.expect_err("it is not asked")
}

#[tokio::test]
async fn a_service_says_its_status_whatever_follows_the_head() {
    let long = service("HTTP/1.1 503 Busy\r\nContent-Length: 99999999\r\n\r\nmore than anybody reads").await;
    let answer = probe(&HERE).get(&format!("http://{long}/health")).await.expect("it answers");
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_redirection_is_an_answer_and_is_not_followed() {
    let elsewhere =
        service("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n").await;
    let answer = probe(&HERE).get(&format!("http://{elsewhere}/")).await.expect("it answers");
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn nothing_outside_of_the_sites_networks_is_asked_by_whatever_name() {
    let here = service("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let elsewhere = probe(&["10.20.0.0/16"]);
    let names = [here.to_string(), format!("localhost:{}", here.port()), format!("[::ffff:127.0.0.1]:{}", here.port())];
    for name in names {
        let error = refused(&elsewhere, &format!("http://{name}/")).await;
        assert_eq!(error.kind, ProviderErrorKind::Refused, "{name}: {error}");
        assert!(error.what.contains("outside of the site's networks (10.20.0.0/16)"), "{error}");
    }
    for url in ["file:///etc/passwd", "http://user:secret@127.0.0.1/", "no address", "ftp://127.0.0.1/"] {
        assert_eq!(refused(&probe(&HERE), url).await.kind, ProviderErrorKind::Permanent, "{url}");
    }
}

#[tokio::test]
async fn what_does_not_answer_in_time_or_at_all_is_not_there() {
    let silent = service("").await;
    let error = refused(&probe(&HERE), &format!("http://{silent}/")).await;
    assert_eq!(error.kind, ProviderErrorKind::NotFound);
    assert!(error.what.contains("no answer in time"), "{error}");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        listener.local_addr().expect("it has an address")
    };
    let error = refused(&probe(&HERE), &format!("http://{closed}/")).await;
    assert_eq!(error.kind, ProviderErrorKind::NotFound, "{error}");
    assert!(error.what.starts_with(&format!("Nothing answers at http://{closed}/: ")), "{error}");
}
