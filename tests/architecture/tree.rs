//! The tree as the tests see it.

use std::fs;
use std::path::Path;

use crate::lexer;

/// A Rust file of the house.
pub struct Source {
    /// From the root, `src/app/request.rs`.
    pub path: String,
    pub text: String,
    /// The text with comments and literals blanked out.
    pub code: String,
    /// How many lines stand before the file's own tests.
    pub lines: usize,
}

impl Source {
    /// The room it stands in: `app` for `src/app/request.rs`, `migrations`, `gatehouse` for the composition root.
    pub fn room(&self) -> &str {
        match self.path.split('/').collect::<Vec<_>>().as_slice() {
            ["src", "cli" | "settings", ..] | ["src", _] => "gatehouse",
            ["src", room, ..] | [room, ..] => room,
            [] => "gatehouse",
        }
    }

    /// The lines of code before the file's own tests, counted from 1.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().take(self.lines).enumerate().map(|(at, line)| (at + 1, line))
    }
}

/// Every Rust file of the rooms and the migrations.
pub fn sources() -> Vec<Source> {
    let mut paths = files("src", "rs");
    paths.extend(files("migrations", "rs"));
    paths.into_iter().map(read_source).collect()
}

/// The Rust files of the tests and benches, which use what the rooms make public.
pub fn tests() -> Vec<Source> {
    files("tests", "rs").into_iter().chain(files("benches", "rs")).map(read_source).collect()
}

/// Paths from the root of every file below a folder whose name ends so, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(Path::new(&root()).join(folder).as_path(), &format!(".{ending}"), &mut found);
    let root = format!("{}/", root());
    let mut found: Vec<String> = found.into_iter().map(|path| path.replace(&root, "")).collect();
    found.sort();
    found
}

/// The text of a file, by its path from the root.
pub fn read(path: &str) -> String {
    let full = format!("{}/{path}", root());
    fs::read_to_string(&full).unwrap_or_else(|cause| panic!("{full} can't be read: {cause}"))
}

/// Whether a line of code names this word, not as a part of a longer one.
pub fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].chars().next_back().is_some_and(joins) && !line[at + word.len()..].chars().next().is_some_and(joins)
    })
}

fn read_source(path: String) -> Source {
    let text = read(&path);
    let code = lexer::code_only(&text);
    let all = text.lines().count();
    let lines = if path.ends_with("/tests.rs") || path.contains("/tests/") {
        0
    } else {
        let lines: Vec<&str> = text.lines().collect();
        lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{')).unwrap_or(all)
    };
    Source { path, text, code, lines }
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "node_modules" && name != "target" {
                collect(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

fn root() -> String {
    env!("CARGO_MANIFEST_DIR").to_owned()
}
