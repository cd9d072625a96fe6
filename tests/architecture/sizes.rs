//! Files and functions that fit in a head: 500 lines a file before its tests, 80 a function, 25 a handler, 60 an action.

use crate::exceptions::Exceptions;
use crate::tree::{self, Source};

const FILE: usize = 500;
const FUNCTION: usize = 80;
const HANDLER: usize = 25;
const ACTION: usize = 60;

#[test]
fn files_are_at_most_500_lines_before_their_tests() {
    let mut exceptions = Exceptions::of("file-length");
    for source in tree::sources() {
        exceptions.measure(&source.path, source.lines, FILE, &format!("{}:1", source.path));
    }
    exceptions.settle();
}

#[test]
fn functions_are_short() {
    let mut exceptions = Exceptions::of("function-length");
    for source in tree::sources() {
        for function in functions(&source) {
            let name = format!("{}::{}", source.path, function.name);
            let place = format!("{}:{}", source.path, function.line);
            exceptions.measure(&name, function.length, limit(&source, &function), &place);
        }
    }
    exceptions.settle();
}

fn limit(source: &Source, function: &Function) -> usize {
    match source.room() {
        "web" if function.is_handler => HANDLER,
        "actions" => ACTION,
        _ => FUNCTION,
    }
}

pub struct Function {
    pub name: String,
    pub line: usize,
    pub length: usize,
    /// A door's handler: an async function that answers a request.
    pub is_handler: bool,
}

/// The functions of a file before its tests, by their braces.
pub fn functions(source: &Source) -> Vec<Function> {
    let lines: Vec<&str> = source.code.lines().take(source.lines).collect();
    lines.iter().enumerate().filter_map(|(at, line)| function_at(&lines, at, line)).collect()
}

fn function_at(lines: &[&str], at: usize, line: &str) -> Option<Function> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];
    if !before.split_whitespace().all(|word| modifiers.contains(&word)) {
        return None;
    }
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut depth = 0_i32;
    let mut opened = false;
    for (offset, body) in lines[at..].iter().enumerate() {
        for c in body.chars() {
            match c {
                '{' => {
                    depth += 1;
                    opened = true;
                }
                '}' => depth -= 1,
                ';' if !opened && depth == 0 && !body.contains('[') => return None,
                _ => {}
            }
        }
        if opened && depth <= 0 {
            let is_handler = before.contains("async") && before.contains("pub");
            return Some(Function { name, line: at + 1, length: offset + 1, is_handler });
        }
    }
    None
}
