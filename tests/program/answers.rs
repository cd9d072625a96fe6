//! Commands that answer and are done: what they say, to whom, and what they leave alone.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::Value;
use test_database::TestDatabase;

use crate::{Folder, gatehouse, said};

/// Gatehouse with its data in a folder of the story.
fn gatehouse_in(folder: &Folder, arguments: &[&str]) -> Output {
    gatehouse(arguments).current_dir(&folder.0).output().unwrap()
}

#[test]
fn who_only_looks_makes_no_database_and_is_told_that_there_is_none() {
    let folder = Folder::new("nothing");
    for arguments in [
        &["audit", "verify"][..],
        &["audit", "report"],
        &["doctor"],
        &["user", "list"],
        &["project", "list"],
        &["token", "list", "--user", "rita@example.org"],
    ] {
        let refused = gatehouse_in(&folder, arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(said(&refused).contains("there is no database at `gatehouse-data/gatehouse.db`"), "{}", said(&refused));
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0, "and nothing was made");
}

#[test]
fn who_only_asks_hears_the_answer_and_publishes_nothing() {
    let folder = Folder::new("quiet");
    let run = |arguments: &[&str]| {
        let mut command = gatehouse(arguments);
        command.env("GATEHOUSE_LOGGING__FILTER", "info").current_dir(&folder.0).output().unwrap()
    };
    fs::create_dir(folder.0.join("workflows")).unwrap();
    fs::write(folder.0.join("gatehouse.toml"), "[catalog]\nfolder = \"workflows\"\n").unwrap();
    fs::write(folder.0.join("workflows/wrong.yaml"), "blueprint: wrong\n").unwrap();
    for arguments in [&["migrate"][..], &["user", "list"], &["project", "list"], &["audit", "verify"]] {
        let answered = run(arguments);
        assert!(answered.status.success() && answered.stderr.is_empty(), "{arguments:?}: {}", said(&answered));
    }
    let talkative = run(&["--verbose", "migrate"]);
    assert!(talkative.status.success(), "{}", said(&talkative));
    let refused = run(&["check"]);
    assert!(said(&refused).contains("wrong.yaml:1:1: a blueprint needs the key `title`"), "{}", said(&refused));
    let stranger = run(&["plan", "wrong"]);
    assert!(said(&stranger).contains("wrong.yaml"), "the file that is in the way is named: {}", said(&stranger));
}

#[test]
fn lists_that_are_empty_say_so_and_what_to_do() {
    let folder = Folder::new("empty");
    assert!(gatehouse_in(&folder, &["migrate"]).status.success());
    let printed = |arguments: &[&str]| {
        let output = gatehouse_in(&folder, arguments);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(printed(&["user", "list"]).starts_with("Nobody has an account yet."));
    assert!(printed(&["project", "list"]).starts_with("There is no project yet."));
    printed(&["project", "add", "northwind/shop", "--title", "Shop", "--team", "shop-team"]);
    assert!(printed(&["project", "list"]).starts_with("northwind/shop"));
}

/// Answers that may be long, of a folder with a database.
const ANSWERS: [&[&str]; 9] = [
    &["doctor"],
    &["doctor", "--json"],
    &["audit", "report"],
    &["audit", "report", "--json"],
    &["audit", "verify"],
    &["user", "list"],
    &["project", "list"],
    &["check"],
    &["plan", "linux-vm", "--set", "application=shop"],
];

#[cfg(unix)]
#[test]
fn whoever_reads_an_answer_may_have_had_enough() {
    let folder = Folder::new("pipe");
    assert!(gatehouse_in(&folder, &["migrate"]).status.success());
    for arguments in ANSWERS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut answer = gatehouse(arguments);
        let answered = answer.current_dir(&folder.0).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert!(answered.status.success() && answered.stderr.is_empty(), "{arguments:?}: {}", said(&answered));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_can_not_be_written_is_a_failure_and_no_crash() {
    let folder = Folder::new("full");
    assert!(gatehouse_in(&folder, &["migrate"]).status.success());
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in ANSWERS {
        let mut answer = gatehouse(arguments);
        let answered = answer.current_dir(&folder.0).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(answered.status.code(), Some(1), "{arguments:?}");
        assert!(said(&answered).starts_with("gatehouse: the answer can't be written: "), "{}", said(&answered));
    }
    let silent = gatehouse(&["check", "nowhere.yaml"]).current_dir(&folder.0).stderr(full()).status().unwrap();
    assert_eq!(silent.code(), Some(1), "there is nowhere left to say why");
}

#[tokio::test]
async fn the_doctor_is_brief_when_all_is_well_and_else_says_what_is_wrong_and_what_to_do() {
    let folder = Folder::new("doctor");
    let database = TestDatabase::create().await;
    let key = folder.sealing_key();
    let doctor = |arguments: &[&str]| {
        let mut command = gatehouse(arguments);
        command.env("GATEHOUSE_SECRETS__KEY_FILE", &key);
        command.env("GATEHOUSE_DATABASE__URL", database.address()).current_dir(&folder.0).output().unwrap()
    };
    assert!(doctor(&["migrate"]).status.success());
    let well = doctor(&["doctor"]);
    assert!(well.status.success() && well.stderr.is_empty(), "{well:?}");
    let told = String::from_utf8(well.stdout).unwrap();
    assert!(told.starts_with("All is well: ") && told.lines().count() == 1, "{told}");

    let id = "019d0000000070008000000000000000";
    let id = if database.is_postgres() { format!("'{id}'") } else { format!("x'{id}'") };
    let values = "'Rita', 'rita@example.org', 'request_ended', 'It is done', '', '', 'r', 'refused', 8, '2026-11-22T00:00:00+00:00'";
    let columns = "id, to_name, to_email, kind, subject, text, html, reason, state, attempts, created_at";
    database.tamper(&format!("INSERT INTO mail ({columns}) VALUES ({id}, {values})")).await;
    let ill = doctor(&["doctor", "--mend"]);
    assert_eq!(ill.status.code(), Some(1), "{ill:?}");
    let told = String::from_utf8(ill.stdout).unwrap();
    for line in [
        "Mails that no mail server took: 1",
        "  It is done, rita@example.org, since 2026-11-22 00:00 UTC",
        "    http://127.0.0.1:8080/operations/mail/019d0000-0000-7000-8000-000000000000",
        "1 thing is not as it must be.",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    let document = doctor(&["doctor", "--json"]);
    assert_eq!(document.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(document["found"][0]["ailment"], "mail_refused", "{document}");
    let alone = doctor(&["doctor", "--gone", "key"]);
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
    let unknown = doctor(&["doctor", "--gone", "key", "--because", "I looked"]);
    assert_eq!(said(&unknown), "gatehouse: The ledger has no object with the key `key`.\n");
}

/// Gives somebody an account, in a folder of the story.
fn add_user(folder: &Folder, email: &str, more: &[&str]) -> Output {
    let arguments = [&["user", "add", email, "--role", "administrator", "--password-stdin"], more].concat();
    let mut adding = gatehouse(&arguments);
    adding.current_dir(&folder.0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = adding.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a long pass phrase\n").unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn what_is_wrong_with_an_argument_is_said_in_a_sentence() {
    let folder = Folder::new("sentences");
    assert!(add_user(&folder, "ada@example.org", &["--name", "Ada"]).status.success());
    let told = |refused: Output| {
        assert!(!refused.status.success());
        said(&refused)
    };
    let twice = told(add_user(&folder, "Ada@example.org", &["--name", "Ada"]));
    assert_eq!(twice, "gatehouse: ada@example.org has an account already.\n");
    for (arguments, sentence) in [
        (&["project", "add", "northwind/shop", "--title", "", "--team", "shop"][..], "Say the project's title"),
        (&["project", "add", "northwind/shop", "--title", "Shop", "--team", " "], "Say the team that answers"),
        (&["project", "quota", "northwind/shop", "cpu=3"], "There is no project `northwind/shop`."),
        (&["audit", "report", "--as-of", "2026-13-01"], "this is no day; write year, month and day"),
        (&["token", "revoke", "--user", "ada@example.org", "x"], "this is no token's id; `gatehouse token list`"),
        (
            &["token", "revoke", "--user", "ada@example.org", "019d0000-0000-7000-8000-000000000000"],
            "ada@example.org has no token 019d0000-0000-7000-8000-000000000000 that could be revoked.",
        ),
        (&["user", "disable", "eve@example.org"], "Nobody has an account as eve@example.org."),
    ] {
        let told = told(gatehouse_in(&folder, arguments));
        assert!(told.contains(sentence) && !told.contains("field"), "{arguments:?}: {told}");
    }
}

#[test]
fn where_nobody_can_listen_or_keep_anything_it_is_said_why() {
    let folder = Folder::new("nowhere");
    fs::write(folder.0.join("text.db"), "no database at all, but a text that is long enough to be looked at").unwrap();
    let told = |name: &str, value: &str| {
        let mut serve = gatehouse(&["serve", "--port", "0"]);
        let refused = serve.env("GATEHOUSE_SECRETS__KEY_FILE", folder.sealing_key()).env(name, value);
        let refused = refused.current_dir(&folder.0).output().unwrap();
        assert!(matches!(refused.status.code(), Some(1 | 2)), "{refused:?}");
        said(&refused)
    };
    let nowhere = told("GATEHOUSE_SERVER__ADDRESS", "203.0.113.7");
    assert!(nowhere.contains("203.0.113.7:0: this machine has no such address; change server.address"), "{nowhere}");
    let name = told("GATEHOUSE_SERVER__ADDRESS", "localhost");
    assert!(name.contains("this is no address to listen on: write one in numbers"), "{name}");
    let nameless = told("GATEHOUSE_DATABASE__URL", "sqlite:");
    assert!(nameless.contains("GATEHOUSE_DATABASE__URL: database.url names no file"), "{nameless}");
    let text = told("GATEHOUSE_DATABASE__URL", "sqlite:text.db");
    assert_eq!(text.matches("because:").count(), 1, "{text}");
    assert!(text.contains("`sqlite:text.db` could not be opened") && text.contains("not a database"), "{text}");
    let silent = told("GATEHOUSE_DATABASE__URL", "postgres://gate:s3cret@127.0.0.1:1/gate");
    assert!(silent.contains("refused") && !silent.contains("timed out"), "{silent}");
    assert!(!silent.contains("s3cret"), "{silent}");
    let ca = told("GATEHOUSE_MAIL__CA_FILE", "/nowhere.pem");
    assert!(ca.contains("mail.ca_file `/nowhere.pem` can't be read"), "{ca}");
}

#[test]
fn every_command_explains_itself_and_each_of_its_arguments() {
    let help = |command: &[&str]| {
        let output = gatehouse(command).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for command in [
        &["demo"][..],
        &["serve"],
        &["worker"],
        &["check"],
        &["plan"],
        &["doctor"],
        &["migrate"],
        &["user", "add"],
        &["user", "list"],
        &["user", "disable"],
        &["user", "enable"],
        &["user", "password"],
        &["project", "add"],
        &["project", "list"],
        &["project", "quota"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["audit", "verify"],
        &["audit", "report"],
    ] {
        let text = help(command);
        assert!(text.contains("Usage: gatehouse") && !text.starts_with("Usage"), "{command:?} says what it is: {text}");
        let lines: Vec<&str> = text.lines().collect();
        let bare = |pair: &&[&str]| pair[0].starts_with("  ") && pair[0].trim_end().ends_with('>');
        let unexplained = lines.windows(2).filter(bare).find(|pair| !pair[1].starts_with("          "));
        assert_eq!(unexplained, None, "{command:?}: {text}");
    }
}
