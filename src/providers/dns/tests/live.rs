//! Against a real `named` (BIND 9), which each test starts for itself.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::*;

const KEY: &str = "a shared secret of thirty-two by";
const ZONE: &str = "$TTL 60\n@ IN SOA ns admin 1 60 60 60 60\n@ IN NS ns\nns IN A 127.0.0.1\nby-hand IN A 10.20.0.99\n";
const REVERSE: &str = "$TTL 60\n@ IN SOA ns admin 1 60 60 60 60\n@ IN NS ns.dc1.example.org.\n\
                       98.0 IN PTR by-hand.dc1.example.org.\n";

/// A name server of the test's own.
struct Named {
    folder: PathBuf,
    process: Child,
    port: u16,
}

impl Named {
    async fn start(port: u16) -> Self {
        use base64::Engine;
        let folder = std::env::temp_dir().join(format!("gatehouse-named-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        let at = folder.display();
        let secret = base64::engine::general_purpose::STANDARD.encode(KEY);
        let zone = |name: &str, file: &str, update: &str| {
            format!("zone \"{name}\" {{ type primary; file \"{file}\"; allow-update {{ {update} }}; }};\n")
        };
        let config = format!(
            "key gatehouse {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n\
             options {{ directory \"{at}\"; pid-file \"{at}/pid\"; session-keyfile \"{at}/session\"; \
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; \
             managed-keys-directory \"{at}\"; }};\ncontrols {{ }};\n{}{}{}",
            zone("dc1.example.org", "zone", "key gatehouse;"),
            zone("20.10.in-addr.arpa", "reverse", "key gatehouse;"),
            zone("example.net", "closed", "none;"),
        );
        for (name, text) in [("named.conf", config.as_str()), ("zone", ZONE), ("reverse", REVERSE), ("closed", ZONE)] {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        let mut command = Command::new("named");
        command.args(["-f", "-c"]).arg(folder.join("named.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("`named` is installed");
        let named = Self { folder, process, port };
        // It listens before it has read its zones.
        while ["dc1.example.org", "20.10.in-addr.arpa", "example.net"].iter().any(|zone| {
            let told = named.dig(&[zone, "SOA"]);
            told.is_empty() || told.starts_with(';')
        }) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        named
    }

    fn settings(&self) -> DnsSettings {
        settings(format!("127.0.0.1:{}", self.port))
    }

    fn ours(&self) -> NameServer {
        NameServer::new(self.settings(), Arc::new(Off(0))).expect("usable settings")
    }

    /// What somebody else hears who asks it.
    fn dig(&self, asked: &[&str]) -> String {
        let mut command = Command::new("dig");
        command.args(["@127.0.0.1", "-p", &self.port.to_string(), "+short", "+tcp"]).args(asked);
        let told = command.output().expect("`dig` is installed");
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        // What can't be removed stays in the folder for temporary files.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_name_is_published_and_withdrawn_and_both_may_be_repeated() {
    let named = Named::start(15_301).await;
    let ours = named.ours();
    for _ in 0..2 {
        ours.publish("d/name", "shop.dc1.example.org", HOST).await.expect("it is published");
        assert_eq!(named.dig(&["shop.dc1.example.org", "A"]), "10.20.0.7");
        assert_eq!(named.dig(&["-x", "10.20.0.7"]), "shop.dc1.example.org.");
        assert_eq!(named.dig(&["shop.dc1.example.org", "TXT"]), "\"gatehouse key=d/name\"");
    }
    for _ in 0..2 {
        ours.withdraw("d/name", "shop.dc1.example.org", HOST).await.expect("it is withdrawn");
        assert_eq!(named.dig(&["shop.dc1.example.org", "ANY"]), "");
        assert_eq!(named.dig(&["-x", "10.20.0.7"]), "");
    }
}

#[tokio::test]
async fn what_is_somebody_elses_is_neither_overwritten_nor_withdrawn() {
    let named = Named::start(15_302).await;
    let ours = named.ours();
    ours.publish("d/name", "shop.dc1.example.org", HOST).await.expect("it is published");
    for refused in [
        ours.publish("d/name", "by-hand.dc1.example.org", HOST).await.expect_err("it was made by hand"),
        ours.publish("e/name", "shop.dc1.example.org", HOST).await.expect_err("it is another order's"),
        ours.withdraw("e/name", "shop.dc1.example.org", Ipv4Addr::new(10, 20, 0, 8))
            .await
            .expect_err("it is another's"),
        ours.withdraw("d/name", "by-hand.dc1.example.org", Ipv4Addr::new(10, 20, 0, 8)).await.expect_err("by hand"),
    ] {
        assert_eq!(refused.kind, ProviderErrorKind::NotOurs, "{refused}");
    }
    // The address has a name already: the new name does not stay, either.
    let taken = Ipv4Addr::new(10, 20, 0, 98);
    let refused = ours.publish("d/other", "web.dc1.example.org", taken).await.expect_err("it has a name");
    assert_eq!(refused.kind, ProviderErrorKind::NotOurs);
    assert_eq!(named.dig(&["web.dc1.example.org", "ANY"]), "");
    assert_eq!(named.dig(&["by-hand.dc1.example.org", "A"]), "10.20.0.99");
    assert_eq!(named.dig(&["shop.dc1.example.org", "A"]), "10.20.0.7");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_says_why() {
    let named = Named::start(15_303).await;
    let with = |settings: DnsSettings, off: i64| NameServer::new(settings, Arc::new(Off(off))).expect("usable");
    let elsewhere = DnsSettings { zone: "example.com".to_owned(), ..named.settings() };
    let closed = DnsSettings { zone: "example.net".to_owned(), ..named.settings() };
    for (server, name, kind, says) in [
        (
            with(DnsSettings { key: "other".to_owned(), ..named.settings() }, 0),
            "dc1.example.org",
            ProviderErrorKind::Permanent,
            "(BADKEY)",
        ),
        (
            with(DnsSettings { secret: vec![7; 32], ..named.settings() }, 0),
            "dc1.example.org",
            ProviderErrorKind::Permanent,
            "(BADSIG)",
        ),
        (with(named.settings(), 3_600), "dc1.example.org", ProviderErrorKind::Permanent, "(BADTIME)"),
        (with(closed, 0), "example.net", ProviderErrorKind::Refused, "(REFUSED)"),
        (with(elsewhere, 0), "example.com", ProviderErrorKind::Permanent, "(NOTAUTH)"),
    ] {
        let refused = server.publish("d/name", &format!("shop.{name}"), HOST).await.expect_err(says);
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(refused.what.contains(says), "{refused}");
    }
}

#[tokio::test]
async fn a_survey_tells_which_zones_take_changes() {
    let named = Named::start(15_304).await;
    let reverse = vec!["20.10.in-addr.arpa".to_owned(), "example.net".to_owned()];
    let server = NameServer::new(DnsSettings { reverse, ..named.settings() }, Arc::new(Off(0))).expect("usable");
    let lines = server.survey(Off(0).now()).await.expect("it answers");
    let standings: Vec<_> = lines.iter().map(|line| line.standing).collect();
    use domain::ports::survey::Standing::{Missing, There};
    assert_eq!(standings, [There, There, Missing], "{lines:?}");
}

#[tokio::test]
async fn many_orders_at_once_do_not_get_one_name() {
    let named = Named::start(15_305).await;
    let orders = (0..8_u8).map(|n| {
        let ours = named.ours();
        let at = Ipv4Addr::new(10, 20, 0, n + 1);
        tokio::spawn(async move { ours.publish(&format!("d{n}/name"), "shop.dc1.example.org", at).await })
    });
    let mut published = 0;
    for order in orders.collect::<Vec<_>>() {
        match order.await.expect("it ends") {
            Ok(()) => published += 1,
            Err(error) => assert_eq!(error.kind, ProviderErrorKind::NotOurs, "{error}"),
        }
    }
    assert_eq!(published, 1);
}
