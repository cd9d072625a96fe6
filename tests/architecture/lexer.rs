//! Just enough of Rust's grammar to tell code from comments and literals.

/// The source with the inside of comments, strings and characters blanked out; lines and columns stay where they were.
pub fn code_only(source: &str) -> String {
    Lexer { rest: source, out: String::with_capacity(source.len()) }.run(true)
}

/// The source with comments blanked out and literals kept.
pub fn without_comments(source: &str) -> String {
    Lexer { rest: source, out: String::with_capacity(source.len()) }.run(false)
}

struct Lexer<'a> {
    rest: &'a str,
    out: String,
}

impl Lexer<'_> {
    fn run(mut self, blank_literals: bool) -> String {
        while let Some(next) = self.rest.chars().next() {
            if let Some(length) = comment(self.rest) {
                self.take(length, true);
            } else if let Some(length) = literal(self.rest, self.out.chars().next_back()) {
                self.take(length, blank_literals);
            } else {
                self.take(next.len_utf8(), false);
            }
        }
        self.out
    }

    fn take(&mut self, length: usize, blank: bool) {
        let (taken, rest) = self.rest.split_at(length);
        if blank {
            self.out.extend(taken.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            self.out.push_str(taken);
        }
        self.rest = rest;
    }
}

/// The length of the comment that starts here.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    Some(text.len())
}

/// The length of the string or character that starts here.
fn literal(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let prefix = text.chars().take_while(|c| matches!(c, 'b' | 'r' | 'c')).count();
    let hashes = text[prefix..].chars().take_while(|c| *c == '#').count();
    if prefix <= 2 && text[prefix + hashes..].starts_with('"') {
        let raw = text[..prefix].contains('r');
        if raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = prefix + hashes + 1;
            return Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()));
        }
        if hashes == 0 {
            return Some(prefix + quoted(&text[prefix..], '"'));
        }
    }
    let quote = usize::from(text.starts_with('b'));
    if text[quote..].starts_with('\'') { character(&text[quote..]).map(|length| quote + length) } else { None }
}

/// The length of a literal between two of these quotes, with backslash escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        return Some(quoted(text, '\''));
    }
    let (at, second) = chars.next()?;
    (second == '\'').then_some(at + 1)
}

#[test]
fn literals_and_comments_are_told_from_code() {
    let source = "let a = \"fn {\"; // fn {\nlet b = '{'; let c: &'static str = r#\"{\"#; /* { */ let d = b'\"';";
    let code = code_only(source);
    assert_eq!(code.len(), source.len());
    assert!(!code.contains('{') && code.contains("&'static str") && !code.contains("fn"), "{code}");
    assert!(without_comments(source).contains("\"fn {\"; "));
}
