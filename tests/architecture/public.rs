//! Nothing is public that nobody outside uses. rustc can't see this across crates; this reads names, which is enough.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{self, Source, names};
use crate::{Offence, expect_none};

struct Item {
    kind: &'static str,
    name: String,
    line: usize,
    is_method: bool,
}

#[test]
fn nothing_public_is_unused_outside_its_room() {
    let sources = tree::sources();
    let words = words_by_room(&sources);
    let shown = words_in_templates();
    let mut offences = Vec::new();
    for source in sources.iter().filter(|source| !["gatehouse", "migrations"].contains(&source.room())) {
        for item in public_items(source).into_iter().filter(|item| is_reachable(item, source, &sources)) {
            let outside = words.iter().any(|(room, words)| room != source.room() && words.contains(&item.name));
            let shown = shown.contains(&item.name);
            if !outside && !shown && (item.kind == "fn" || !is_part_of_the_facade(&item, source, &sources)) {
                let what =
                    format!("`{} {}` is public and nobody outside `{}` names it", item.kind, item.name, source.room());
                offences.push(Offence::at(&source.path, item.line, what));
            }
        }
    }
    expect_none(&offences);
}

/// Whether other rooms can name the item: each module on its way is public, or gives it on with `pub use`. rustc itself
/// finds what is unused behind a private module.
fn is_reachable(item: &Item, source: &Source, sources: &[Source]) -> bool {
    let Some((parent, module)) = parent_module(&source.path) else { return true };
    let Some(parent) = sources.iter().find(|other| parent.contains(&other.path)) else { return true };
    let declares = |line: &str| line.trim() == format!("pub mod {module};");
    if parent.code.lines().any(declares) {
        return parent_module(&parent.path).is_none() || is_reachable(item, parent, sources);
    }
    // One `pub use` may take several lines; a method goes where its type goes.
    let gives_on = parent.code.split(';').any(|statement| {
        let Some((_, used)) = statement.split_once("pub use ") else { return false };
        used.trim_start_matches("self::").starts_with(&format!("{module}::"))
            && (item.is_method || names(used, &item.name) || used.contains('*'))
    });
    gives_on && (parent_module(&parent.path).is_none() || is_reachable(item, parent, sources))
}

/// The files in which a file's module may be declared, and the module's name; `None` for the room's own `lib.rs`.
fn parent_module(path: &str) -> Option<(Vec<String>, String)> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let (folder, module) = path.rsplit_once('/')?;
    let is_root = module == "lib";
    let parents = vec![format!("{folder}/mod.rs"), format!("{folder}/lib.rs"), format!("{folder}.rs")];
    (!is_root).then(|| (parents, module.to_owned()))
}

/// The words of every room's code; tests and benches count as a room of their own.
fn words_by_room(sources: &[Source]) -> BTreeMap<String, BTreeSet<String>> {
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        words.entry(source.room().to_owned()).or_default().extend(words_of(&source.code));
    }
    for test in tree::tests() {
        words.entry("tests".to_owned()).or_default().extend(words_of(&test.code));
    }
    words
}

/// A page may call a method of what it is given.
fn words_in_templates() -> BTreeSet<String> {
    tree::files("templates", "html").iter().flat_map(|path| words_of(&tree::read(path))).collect()
}

fn words_of(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn public_items(source: &Source) -> Vec<Item> {
    let kinds = ["fn", "struct", "enum", "trait", "const", "type"];
    let mut items = Vec::new();
    for (line, code) in source.code_lines() {
        let Some(rest) = code.trim_start().strip_prefix("pub ") else { continue };
        let mut words = rest.split_whitespace().skip_while(|word| ["async", "unsafe"].contains(word)).peekable();
        if words.peek() == Some(&"const") && rest.contains("fn ") {
            words.next();
        }
        let Some(kind) = words.next().and_then(|word| kinds.into_iter().find(|kind| *kind == word)) else { continue };
        let name: String =
            words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !name.is_empty() {
            items.push(Item { kind, name, line, is_method: code.starts_with(' ') });
        }
    }
    items
}

/// Whether the type stands in something else public of its room: a field, or a function's signature.
fn is_part_of_the_facade(item: &Item, source: &Source, sources: &[Source]) -> bool {
    sources.iter().filter(|other| other.room() == source.room()).any(|other| {
        let lines: Vec<(usize, &str)> = other.code_lines().collect();
        lines.iter().any(|(line, code)| {
            let own = other.path == source.path && *line == item.line;
            let opens_signature = code.contains("pub ")
                || code.trim_start().starts_with("fn ")
                || code.trim_start().starts_with("async fn ");
            let continues_one = code.starts_with(") ->")
                || code.starts_with("    ") && (code.contains("->") || code.contains(": ") || code.contains('('));
            !own && names(code, &item.name)
                && (opens_signature || continues_one)
                && !code.trim_start().starts_with("use ")
        })
    })
}
