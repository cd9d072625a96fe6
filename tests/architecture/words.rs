//! Words that a room does not say.

use crate::lexer;
use crate::tree::{self, Source, names};
use crate::{Offence, expect_none};

/// Waiting, clocks, files, networks and chance: all of them come into the domain as arguments. An address is a value.
const NOT_IN_THE_DOMAIN: [&str; 16] = [
    "Utc::now",
    "Local::now",
    "SystemTime",
    "Instant::now",
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::env",
    "std::thread",
    "tokio",
    "reqwest",
    "now_v7",
    "new_v4",
    "rand",
];

/// Names of products, which only `providers` knows.
const VENDORS: [&str; 13] = [
    "vsphere",
    "vcenter",
    "vmware",
    "docker",
    "puppet",
    "haproxy",
    "nautobot",
    "netbox",
    "servicenow",
    "itop",
    "tomcat",
    "simulated",
    "smtp",
];

const SQL: [&str; 6] = ["SELECT ", "INSERT INTO", "DELETE FROM", "CREATE TABLE", " SET ", "PRAGMA "];

#[test]
fn the_domain_has_no_clock_no_io_and_no_chance() {
    let offences = offences_in("domain", |code, _| NOT_IN_THE_DOMAIN.into_iter().find(|word| names(code, word)));
    expect_none(&offences);
}

#[test]
fn the_domain_waits_for_nothing_outside_its_ports() {
    let offences = offences_in("domain", |code, path| {
        let waits = names(code, "async") || code.contains(".await") || names(code, "async_trait");
        (waits && !path.starts_with("src/domain/ports/")).then_some("async")
    });
    expect_none(&offences);
}

#[test]
fn the_time_is_read_from_the_clock_alone() {
    let mut offences = Vec::new();
    for source in tree::sources().iter().filter(|source| source.path != "src/providers/clock.rs") {
        for (line, code) in source.code_lines() {
            if names(code, "Utc::now") || names(code, "Local::now") || names(code, "SystemTime::now") {
                offences.push(Offence::at(&source.path, line, "take the time from the `Clock`"));
            }
        }
    }
    expect_none(&offences);
}

#[test]
fn the_engine_names_no_vendor() {
    let mut offences = Vec::new();
    for source in tree::sources().iter().filter(|source| source.room() == "engine") {
        for (line, text) in lexer::without_comments(&source.text).lines().take(source.lines).enumerate() {
            let text = text.to_lowercase();
            if let Some(vendor) = VENDORS.into_iter().find(|vendor| names(&text, vendor)) {
                offences.push(Offence::at(&source.path, line + 1, format!("the engine says `{vendor}`")));
            }
        }
    }
    expect_none(&offences);
}

#[test]
fn sql_is_written_in_the_store_and_the_migrations_alone() {
    let mut offences = Vec::new();
    for source in tree::sources().iter().filter(|source| !["store", "migrations"].contains(&source.room())) {
        for (line, text) in lexer::without_comments(&source.text).lines().take(source.lines).enumerate() {
            let statement = text.contains('"') && SQL.iter().any(|word| text.contains(word)) && !text.contains(" SET-");
            if statement || names(text, "sea_orm") || names(text, "sqlx") {
                offences.push(Offence::at(&source.path, line + 1, "SQL belongs to `src/store`"));
            }
        }
    }
    expect_none(&offences);
}

fn offences_in(room: &str, says: impl Fn(&str, &str) -> Option<&'static str>) -> Vec<Offence> {
    let sources = tree::sources();
    let of_room = sources.iter().filter(|source: &&Source| source.room() == room);
    of_room
        .flat_map(|source| {
            source.code_lines().filter_map(|(line, code)| {
                says(code, &source.path)
                    .map(|word| Offence::at(&source.path, line, format!("the {room} says `{word}`")))
            })
        })
        .collect()
}
