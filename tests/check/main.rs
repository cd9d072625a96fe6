//! What an author is told: beside each wrong blueprint of `wrong/` stands everything that `gatehouse check` says of it.

use std::fs;
use std::path::{Path, PathBuf};

use domain::blueprint::{Blueprint, file_reference};

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_name().expect("a name").to_string_lossy().into_owned()
}

/// What is said of a file.
fn told(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("text");
    match Blueprint::parse_checked(&name(file), &text, &actions::signatures()) {
        Ok(_) => String::new(),
        Err(mistakes) => mistakes.iter().map(|mistake| format!("{mistake}\n")).collect(),
    }
}

#[test]
fn every_mistake_of_a_file_is_told_at_its_place_and_no_other() {
    let mut differs = Vec::new();
    for file in files("tests/check/wrong", "yaml") {
        let told = told(&file);
        let kept = file.with_extension("txt");
        if std::env::var_os("GATEHOUSE_WRITE_SNAPSHOTS").is_some() {
            fs::write(&kept, &told).expect("it can be written");
        }
        if told.is_empty() || fs::read_to_string(&kept).unwrap_or_default() != told {
            differs.push(format!("{} is told:\n{told}", name(&file)));
        }
    }
    assert!(differs.is_empty(), "look, then run with GATEHOUSE_WRITE_SNAPSHOTS=1\n{}", differs.join("\n"));
}

#[test]
fn the_reference_says_what_the_program_takes() {
    const FROM_HERE: &str = "<!-- from here on: GATEHOUSE_WRITE_SNAPSHOTS=1 cargo test --test check -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/blueprints.md");
    let page = fs::read_to_string(path).expect("the page");
    let (written_by_hand, _) = page.split_once(FROM_HERE).expect("the line from which on it is written");
    let expected = format!("{written_by_hand}{FROM_HERE}\n{}", file_reference(&actions::signatures()));
    if std::env::var_os("GATEHOUSE_WRITE_SNAPSHOTS").is_some() {
        fs::write(path, &expected).expect("it can be written");
    } else {
        assert!(page == expected, "docs/blueprints.md is out of date; run with GATEHOUSE_WRITE_SNAPSHOTS=1");
    }
}
