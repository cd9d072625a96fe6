//! One noun, one file name, in every room: who knows the noun can walk the house in the dark.

use std::collections::BTreeMap;

use crate::tree;
use crate::{Offence, expect_none};

/// Rooms that name their files after nouns.
const ROOMS: [&str; 4] = ["src/domain", "src/store", "src/app", "src/engine"];

#[test]
fn a_noun_is_spelled_alike_in_every_room() {
    let mut spellings: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for room in ROOMS {
        for path in tree::files(room, "rs") {
            let inside = path.trim_start_matches(room).trim_start_matches('/');
            let stem = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            spellings.entry(singular(&stem)).or_default().insert(stem, path);
        }
    }
    let offences: Vec<Offence> = spellings
        .into_values()
        .filter(|spelled| spelled.len() > 1)
        .flat_map(|spelled| {
            let names: Vec<String> = spelled.keys().cloned().collect();
            spelled.into_values().map(move |path| Offence::of(&path, format!("one noun is spelled {names:?}")))
        })
        .collect();
    expect_none(&offences);
}

#[test]
fn a_page_folder_has_a_template_folder_of_the_same_name() {
    let folders = |root: &str, ending: &str| -> Vec<String> {
        let mut names: Vec<String> = tree::files(root, ending)
            .iter()
            .filter_map(|path| {
                path.trim_start_matches(root).trim_start_matches('/').split_once('/').map(|(name, _)| name.to_owned())
            })
            .collect();
        names.dedup();
        names
    };
    let templates = folders("templates", "html");
    let offences: Vec<Offence> = folders("src/web/pages", "rs")
        .into_iter()
        .filter(|name| !templates.contains(name))
        .map(|name| Offence::of(&format!("src/web/pages/{name}"), format!("has no `templates/{name}/`")))
        .collect();
    expect_none(&offences);
}

fn singular(noun: &str) -> String {
    noun.strip_suffix("ies")
        .map(|stem| format!("{stem}y"))
        .unwrap_or_else(|| noun.trim_end_matches('s').replace('_', ""))
}
