//! Templates are shown by somebody, and bring neither styles nor scripts of their own (strict CSP).

use crate::tree;
use crate::{Offence, expect_none};

#[test]
fn every_template_is_shown() {
    let rust: String = tree::sources().into_iter().map(|source| source.text).collect();
    let texts: Vec<(String, String)> =
        all_templates().into_iter().map(|path| (path.clone(), tree::read(&path))).collect();
    let mut offences = Vec::new();
    for (path, _) in &texts {
        let name = path.trim_start_matches("templates/");
        let quoted = format!("\"{name}\"");
        let shown = rust.contains(&quoted) || texts.iter().any(|(other, text)| other != path && text.contains(&quoted));
        if !shown {
            offences.push(Offence::of(path, "no page shows it and no template includes it"));
        }
    }
    expect_none(&offences);
}

#[test]
fn templates_bring_no_styles_and_no_scripts_of_their_own() {
    let mut offences = Vec::new();
    for path in tree::files("templates", "html") {
        let is_mail = path.starts_with("templates/mail");
        for (at, text) in tree::read(&path).lines().enumerate() {
            // Mail programs read nothing but inline styles.
            if !is_mail && (text.contains("style=\"") || text.contains("<style")) {
                offences.push(Offence::at(&path, at + 1, "inline style: use a class of `static/gatehouse.css`"));
            }
            if text.contains("<script") && !text.contains(" src=") {
                offences.push(Offence::at(&path, at + 1, "inline script: use `static/gatehouse.js`"));
            }
            if let Some(handler) = inline_handler(text) {
                offences.push(Offence::at(
                    &path,
                    at + 1,
                    format!("inline handler `{handler}`: use `static/gatehouse.js`"),
                ));
            }
        }
    }
    expect_none(&offences);
}

fn all_templates() -> Vec<String> {
    ["html", "txt", "svg", "xml"].iter().flat_map(|ending| tree::files("templates", ending)).collect()
}

/// The first attribute such as `onclick=` outside of text.
fn inline_handler(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| {
        let Some((name, _)) = word.split_once('=') else { return false };
        name.len() > 4 && name.starts_with("on") && name.chars().all(|c| c.is_ascii_lowercase())
    })
}
