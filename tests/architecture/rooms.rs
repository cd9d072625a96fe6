//! Rooms enter only what the table says, and each library is named where it belongs.

use toml::Table;

use crate::tree::{self, names};
use crate::{Offence, expect_none};

/// Room, floor, and the rooms it may enter: the table of DESIGN 4.
const TABLE: [(&str, u8, &[&str]); 9] = [
    ("migrations", 0, &[]),
    ("domain", 0, &[]),
    ("store", 1, &["domain", "migrations"]),
    ("providers", 1, &["domain"]),
    ("engine", 2, &["domain", "store"]),
    ("actions", 3, &["domain", "engine"]),
    ("app", 3, &["domain", "engine", "store"]),
    ("web", 4, &["app", "domain"]),
    ("gatehouse", 5, &["actions", "app", "domain", "engine", "migrations", "providers", "store", "web"]),
];

/// Libraries that only these rooms may depend on.
const OWNED: [(&str, &[&str]); 10] = [
    ("sea-orm", &["store"]),
    ("sea-orm-migration", &["store", "migrations"]),
    ("apalis", &["engine"]),
    ("apalis-sqlite", &["engine"]),
    ("actix-web", &["web", "gatehouse"]),
    ("lettre", &["providers"]),
    ("cel", &["domain"]),
    ("jsonschema", &["domain"]),
    ("clap", &["gatehouse"]),
    ("serde-saphyr", &["domain", "providers"]),
];

#[test]
fn rooms_enter_only_what_the_table_says() {
    let mut offences = Vec::new();
    for (room, _, may_enter) in TABLE {
        let path = manifest_path(room);
        let enters: Vec<String> =
            dependencies(room, "dependencies").into_iter().filter(|name| floor(name).is_some()).collect();
        let mut expected = may_enter.to_vec();
        expected.sort_unstable();
        if enters != expected {
            offences.push(Offence::of(&path, format!("enters {enters:?}, the table says {expected:?}")));
        }
        let own_floor = floor(room).unwrap_or_default();
        for name in dependencies(room, "dev-dependencies") {
            if floor(&name).is_some_and(|other| other >= own_floor) {
                offences.push(Offence::of(&path, format!("its tests enter `{name}`, which is not on a lower floor")));
            }
        }
    }
    expect_none(&offences);
}

#[test]
fn a_library_is_a_dependency_only_of_the_room_that_owns_it() {
    let mut offences = Vec::new();
    for (room, _, _) in TABLE {
        for name in dependencies(room, "dependencies") {
            if let Some((_, owners)) = OWNED.iter().find(|(library, _)| *library == name)
                && !owners.contains(&room)
            {
                offences.push(Offence::of(&manifest_path(room), format!("`{name}` belongs to {owners:?}")));
            }
        }
    }
    expect_none(&offences);
}

#[test]
fn only_the_queue_says_apalis() {
    let mut offences = Vec::new();
    for source in tree::sources().iter().filter(|source| source.path != "src/engine/queue.rs") {
        for (line, code) in source.code_lines() {
            if code.contains("apalis") {
                offences.push(Offence::at(&source.path, line, "apalis is named in `src/engine/queue.rs` alone"));
            }
        }
    }
    expect_none(&offences);
}

#[test]
fn sibling_providers_never_meet() {
    let folders: Vec<String> = tree::files("src/providers", "rs")
        .iter()
        .filter_map(|path| path.strip_prefix("src/providers/")?.split_once('/').map(|(folder, _)| folder.to_owned()))
        .collect();
    let mut offences = Vec::new();
    for source in tree::sources().iter().filter(|source| source.path.starts_with("src/providers/")) {
        let own = source.path.trim_start_matches("src/providers/").split('/').next().unwrap_or_default();
        if own.ends_with(".rs") {
            continue;
        }
        for (line, code) in source.code_lines() {
            if let Some(sibling) = folders.iter().find(|other| {
                *other != own
                    && (names(code, &format!("crate::{other}")) || names(code, &format!("super::super::{other}")))
            }) {
                offences.push(Offence::at(
                    &source.path,
                    line,
                    format!("provider `{own}` enters its sibling `{sibling}`"),
                ));
            }
        }
    }
    expect_none(&offences);
}

fn floor(room: &str) -> Option<u8> {
    TABLE.iter().find(|(name, _, _)| *name == room).map(|(_, floor, _)| *floor)
}

fn manifest_path(room: &str) -> String {
    match room {
        "gatehouse" => "Cargo.toml".to_owned(),
        "migrations" => "migrations/Cargo.toml".to_owned(),
        room => format!("src/{room}/Cargo.toml"),
    }
}

/// The names in one of the manifest's lists, sorted.
fn dependencies(room: &str, list: &str) -> Vec<String> {
    let manifest: Table = tree::read(&manifest_path(room)).parse().expect("a manifest is TOML");
    let mut names: Vec<String> = manifest
        .get(list)
        .and_then(|list| list.as_table())
        .map(|list| list.keys().cloned().collect())
        .unwrap_or_default();
    names.sort();
    names
}
