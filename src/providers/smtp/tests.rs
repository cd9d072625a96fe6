//! Against a mail server of a few lines that records what it was told.

use chrono::DateTime;
use domain::mail::MailState;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Answers one SMTP conversation; `rcpt` is what it says to the recipient.
async fn mail_server(rcpt: &'static str) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    let heard = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a client");
        let mut lines = BufReader::new(socket);
        lines.write_all(b"220 post.test ESMTP\r\n").await.expect("greeting");
        let (mut heard, mut in_data) = (String::new(), false);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).await.expect("a line") == 0 {
                return heard;
            }
            heard.push_str(&line);
            let answer = match line.trim_end() {
                "." if in_data => {
                    in_data = false;
                    "250 2.0.0 taken"
                }
                _ if in_data => continue,
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                told if told.starts_with("RCPT") => rcpt,
                _ => "250 fine",
            };
            lines.write_all(format!("{answer}\r\n").as_bytes()).await.expect("an answer");
        }
    });
    (port, heard)
}

fn smtp(port: u16) -> Smtp {
    Smtp::new(SmtpSettings {
        host: "127.0.0.1".into(),
        port: Some(port),
        privacy: Privacy::Plain,
        credentials: None,
        ca: None,
        from: "Gatehouse <gate@example.org>".into(),
    })
    .expect("usable settings")
}

fn letter_to(email: &str) -> Mail {
    Mail {
        id: uuid::Uuid::nil().into(),
        to_name: "Adam Approver".into(),
        to_email: email.into(),
        kind: "approval_asked".into(),
        subject: "Approve 2 machines?\r\nBcc: everybody@example.org".into(),
        text: "as text".into(),
        html: "<p>as page</p>".into(),
        request: None,
        asks: None,
        passed_on: None,
        state: MailState::Queued,
        attempts: 0,
        next_at: None,
        answer: None,
        created_at: DateTime::UNIX_EPOCH,
        sent_at: None,
    }
}

#[tokio::test]
async fn a_mail_arrives_as_text_and_as_page_with_a_stable_message_id() {
    let (port, heard) = mail_server("250 fine").await;
    let smtp = smtp(port);
    let answer = smtp.send(&letter_to("adam@example.org")).await.expect("taken");
    drop(smtp);
    let heard = heard.await.expect("the server's notes");
    assert!(answer.contains("taken"), "{answer}");
    assert!(heard.contains("RCPT TO:<adam@example.org>"));
    assert!(heard.contains("Message-ID: <00000000-0000-0000-0000-000000000000@example.org>"), "{heard}");
    assert!(heard.contains("as text") && heard.contains("<p>as page</p>"));
}

#[tokio::test]
async fn a_subject_can_not_smuggle_a_header() {
    let (port, heard) = mail_server("250 fine").await;
    let smtp = smtp(port);
    smtp.send(&letter_to("adam@example.org")).await.expect("taken");
    drop(smtp);
    let heard = heard.await.expect("the server's notes");
    assert!(!heard.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{heard}");
}

#[tokio::test]
async fn a_mailbox_that_does_not_exist_is_a_refusal_and_a_full_one_is_not() {
    let (port, _) = mail_server("550 5.1.1 no such mailbox").await;
    let refused = smtp(port).send(&letter_to("nobody@example.org")).await;
    assert!(matches!(&refused, Err(MailerError::Refused(why)) if why.contains("no such mailbox")), "{refused:?}");
    let (port, _) = mail_server("452 4.2.2 mailbox full").await;
    let later = smtp(port).send(&letter_to("full@example.org")).await;
    assert!(matches!(&later, Err(MailerError::Unavailable(why)) if why.contains("mailbox full")), "{later:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("a bound port").port();
    drop(listener);
    let answer = smtp(port).send(&letter_to("adam@example.org")).await;
    assert!(matches!(answer, Err(MailerError::Unavailable(_))), "{answer:?}");
}

#[test]
fn mail_never_crosses_the_network_unprotected() {
    let settings = SmtpSettings {
        host: "mail.example.org".into(),
        port: None,
        privacy: Privacy::Plain,
        credentials: None,
        ca: None,
        from: "gate@example.org".into(),
    };
    assert!(matches!(Smtp::new(settings), Err(SmtpSettingsError::Unprotected(host)) if host == "mail.example.org"));
}
