//! What the README shows must be true.

use std::fs;
use std::process::Command;

/// The first block of this language in the README.
fn block(language: &str) -> String {
    let readme = fs::read_to_string("README.md").expect("the README");
    let (_, from) = readme.split_once(&format!("```{language}\n")).expect("a block of that language");
    from.split_once("```").expect("the block's end").0.to_owned()
}

#[test]
fn the_blueprint_in_the_readme_can_be_published() {
    let file = std::env::temp_dir().join(format!("gatehouse-readme-{}.yaml", std::process::id()));
    fs::write(&file, block("yaml")).expect("a file in the temporary folder");
    let check = Command::new(env!("CARGO_BIN_EXE_gatehouse")).arg("check").arg(&file).output().expect("it runs");
    fs::remove_file(&file).expect("the file is ours");
    let said = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{said}");
}

#[test]
fn every_file_that_the_readme_links_to_is_there() {
    let readme = fs::read_to_string("README.md").expect("the README");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http")) {
        let file = link.split('#').next().unwrap_or_default();
        assert!(file.is_empty() || fs::exists(file).expect("readable"), "{file} is not there");
    }
}
