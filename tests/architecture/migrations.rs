//! Changes of tables go forward only: one that stands is never edited, and from the first release on none takes away
//! what an older process, still at work beside a newer one, reads or writes.

use sha2::{Digest, Sha256};

use crate::tree::files;
use crate::{Offence, expect_none};

/// Every migration that stands, with the SHA-256 of its file, in the order in which they run.
const STANDING: &str = include_str!("migrations.txt");
/// Up to this one they were made before the first release.
const BEFORE_THE_FIRST_RELEASE: &str = "m0072_cheap_steps";
/// What takes something away, or calls it by another name.
const TAKES_AWAY: [&str; 8] = [
    "drop_table",
    "drop_column",
    "rename_table",
    "rename_column",
    "DROP TABLE",
    "DROP COLUMN",
    "RENAME ",
    "SET NOT NULL",
];

fn name(path: &str) -> &str {
    path.trim_start_matches("migrations/").trim_end_matches(".rs")
}

#[test]
fn a_migration_that_stands_is_never_edited() {
    let mut offences = Vec::new();
    let mut standing: Vec<(&str, &str)> = STANDING.lines().filter_map(|line| line.split_once(' ')).collect();
    for path in files("migrations", "rs").iter().filter(|path| name(path).starts_with('m')) {
        let text = std::fs::read(path).unwrap_or_default();
        let hash = hex::encode(Sha256::digest(&text));
        let listed = standing.iter().position(|(listed, _)| *listed == name(path));
        match listed.map(|at| standing.remove(at).1) {
            Some(was) if was == hash => {}
            Some(_) => offences.push(Offence::of(path, "was edited: databases have it as it was, write a new one")),
            None => offences.push(Offence::of(
                path,
                format!("is new: add `{} {hash}` as the last line of tests/architecture/migrations.txt", name(path)),
            )),
        }
    }
    let gone =
        standing.iter().map(|(gone, _)| Offence::of(&format!("migrations/{gone}.rs"), "is gone: databases have it"));
    offences.extend(gone);
    expect_none(&offences);
}

fn takes_away(line: &str) -> bool {
    TAKES_AWAY.iter().any(|word| line.contains(word))
}

#[test]
fn what_takes_away_is_told_from_what_adds() {
    assert!(takes_away("manager.alter_table(Table::alter().table(\"run\").drop_column(\"why\").to_owned()).await?;"));
    assert!(!takes_away("manager.alter_table(Table::alter().table(\"run\").add_column(why).to_owned()).await?;"));
}

#[test]
fn a_migration_takes_away_nothing_that_an_older_process_uses() {
    let mut offences = Vec::new();
    for path in files("migrations", "rs").iter().filter(|path| name(path) > BEFORE_THE_FIRST_RELEASE) {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            if takes_away(line) {
                offences.push(Offence::at(path, at + 1, "takes away what an older process may use: only add"));
            }
        }
    }
    expect_none(&offences);
}
