//! Against a name server of a few lines, for what a real one can hardly be brought to say; and, live, against `named`.

#[cfg(feature = "live")]
mod live;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::TSigResponseContext;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::SystemClock;

/// A clock that goes wrong by so many seconds.
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + chrono::TimeDelta::seconds(self.0)
    }
}

fn settings(server: String) -> DnsSettings {
    DnsSettings {
        server,
        zone: "dc1.example.org".to_owned(),
        reverse: vec!["20.10.in-addr.arpa".to_owned()],
        key: "gatehouse".to_owned(),
        algorithm: "hmac-sha256".to_owned(),
        secret: b"a shared secret of thirty-two by".to_vec(),
    }
}

/// A server that answers every update with this code, signed with our key or not at all.
async fn server(code: ResponseCode, signs: bool) -> NameServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port").to_string();
    let ours = NameServer::new(settings(address), Arc::new(Off(0))).expect("usable settings");
    let signer = ours.client.signer.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u16().await.expect("a length");
            let mut heard = vec![0; usize::from(length)];
            stream.read_exact(&mut heard).await.expect("a message");
            let asked = Message::from_vec(&heard).expect("an update");
            let mut answer = Message::new(asked.id, MessageType::Response, asked.op_code);
            answer.metadata.response_code = code;
            if signs {
                let proof = &asked.signature().expect("it is signed").data;
                let context = TSigResponseContext::new(asked.id, proof.time, signer.clone(), proof.mac.clone(), None);
                let signed = context.sign(&answer.to_vec().expect("an answer")).expect("a signature");
                answer.set_signature(signed);
            }
            let said = answer.to_vec().expect("an answer");
            stream.write_u16(u16::try_from(said.len()).expect("a short answer")).await.expect("it is heard");
            stream.write_all(&said).await.expect("it is heard");
        }
    });
    ours
}

const HOST: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 7);

async fn refused(server: &NameServer) -> ProviderError {
    let outcome = server.publish("d/name", "shop.dc1.example.org", HOST).await;
    outcome.expect_err("it does not do it")
}

#[tokio::test]
async fn what_the_server_says_is_told_in_true_words() {
    for (code, kind, says) in [
        (ResponseCode::ServFail, ProviderErrorKind::Transient, "(SERVFAIL)"),
        (ResponseCode::Refused, ProviderErrorKind::Refused, "refuses changes of the zone dc1.example.org. by the key"),
        (ResponseCode::NotAuth, ProviderErrorKind::Permanent, "is not the primary of the zone"),
        (ResponseCode::NotZone, ProviderErrorKind::Permanent, "(NOTZONE)"),
        (ResponseCode::NotImp, ProviderErrorKind::Permanent, "did not change the zone"),
        (ResponseCode::YXDomain, ProviderErrorKind::NotOurs, "in the DNS already and is not ours"),
    ] {
        let refused = refused(&server(code, true).await).await;
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(refused.what.contains(says), "{refused}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_signed_with_our_key_counts_for_nothing() {
    let forged = refused(&server(ResponseCode::NoError, false).await).await;
    assert_eq!(forged.kind, ProviderErrorKind::Transient);
    assert!(forged.what.contains("did not sign with our key"), "{forged}");
    server(ResponseCode::NoError, true).await.publish("d/name", "shop.dc1.example.org", HOST).await.expect("published");
}

#[tokio::test]
async fn a_server_that_is_away_may_be_back_in_a_moment() {
    let nobody = NameServer::new(settings("127.0.0.1:1".to_owned()), Arc::new(Off(0))).expect("usable settings");
    assert_eq!(refused(&nobody).await.kind, ProviderErrorKind::Transient);
}

#[tokio::test]
async fn a_name_outside_the_zone_is_never_sent() {
    let server = server(ResponseCode::NoError, true).await;
    let outside = server.publish("d/name", "shop.example.net", HOST).await.expect_err("it is another zone's");
    assert!(outside.what.contains("not within the zone dc1.example.org."), "{outside}");
}

#[test]
fn settings_that_can_not_be_are_named_and_never_show_the_secret() {
    let mistaken = DnsSettings { algorithm: "hmac-md5".to_owned(), ..settings(String::new()) };
    assert!(!format!("{mistaken:?}").contains("secret of"), "{mistaken:?}");
    let refused = NameServer::new(mistaken, Arc::new(Off(0))).err().expect("md5 is broken");
    assert!(refused.to_string().contains("hmac-md5"), "{refused}");
}
