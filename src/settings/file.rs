//! The settings file, read setting by setting, so that every mistake in it is told at once, each at its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use toml::de::{DeString, DeTable, DeValue, Deserializer};
use toml::{Spanned, Table};

use super::Settings;
use super::mistake::{Mistake, position};

/// What a section or a key is called, and where.
type Name<'t> = Spanned<DeString<'t>>;

/// What a file says.
#[derive(Default)]
pub(super) struct SettingsFile {
    /// The settings that fit.
    pub(super) table: Table,
    /// Where each of them stands: `server.port` in `gatehouse.toml:12:1`.
    pub(super) places: BTreeMap<String, String>,
    /// What is wrong with the others, in the order of the file.
    pub(super) mistakes: Vec<Mistake>,
}

impl SettingsFile {
    /// Reads a file; what can't be read at all is one mistake.
    pub(super) fn read(path: &Path) -> Result<Self, Mistake> {
        let name = path.display().to_string();
        let unread = |why: String| Mistake::new(name.clone(), format!("can't be read: {why}"));
        let bytes = fs::read(path).map_err(|cause| unread(cause.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|cause| {
            unread(format!("it is no UTF-8 text, from byte {} on", cause.utf8_error().valid_up_to() + 1))
        })?;
        Self::of(&name, &text)
    }

    fn of(name: &str, text: &str) -> Result<Self, Mistake> {
        let mut reading = Reading { name, text, found: Vec::new(), places: BTreeMap::new() };
        let readable = reading.readable();
        let document = DeTable::parse(&readable).map(Spanned::into_inner).unwrap_or_default();
        let fits = |(name, value)| Some((Name::clone(&name), reading.fitting(&[name], value)?));
        let fitting = document.into_iter().filter_map(fits).collect();
        let table = Table::deserialize(Deserializer::from(Spanned::new(0..0, fitting)))
            .map_err(|fault| Mistake::in_text(name, text, &fault))?;
        reading.found.sort_by_key(|(at, _)| *at);
        let mistakes = reading.found.into_iter().map(|(_, mistake)| mistake).collect();
        Ok(Self { table, places: reading.places, mistakes })
    }
}

/// A file under way.
struct Reading<'f> {
    name: &'f str,
    text: &'f str,
    /// Mistakes with the byte at which each stands.
    found: Vec<(usize, Mistake)>,
    places: BTreeMap<String, String>,
}

impl Reading<'_> {
    /// The text with blanks in the place of what is no TOML, so that it hides no other mistake: a line, or a section
    /// whose name can't be read.
    fn readable(&mut self) -> String {
        let mut readable = self.text.to_owned();
        while let Err(fault) = DeTable::parse(&readable) {
            let at = readable.floor_char_boundary(fault.span().map_or(0, |span| span.start));
            let begin = readable[..at].rfind('\n').map_or(0, |newline| newline + 1);
            let end = |from: usize, mark| readable[from..].find(mark).map_or(readable.len(), |found| from + found);
            let line = end(at, "\n");
            let broken =
                begin..if readable[begin..line].trim_start().starts_with('[') { end(line, "\n[") } else { line };
            let blank: String = readable[broken.clone()].chars().map(blank).collect();
            self.found.push((at, Mistake::in_text(self.name, self.text, &fault)));
            if blank == readable[broken.clone()] {
                // Nothing is left to take out, so nothing can be read.
                return String::new();
            }
            readable.replace_range(broken, &blank);
        }
        readable
    }

    /// The parts of a value that fit where it stands, at the end of this path; nothing when none does. What does not
    /// fit as a whole is looked at key by key, so that each mistake is told at its place.
    fn fitting<'t>(&mut self, path: &[Name<'t>], value: Spanned<DeValue<'t>>) -> Option<Spanned<DeValue<'t>>> {
        let name = path.last()?;
        let span = value.span();
        let Err((at, mistake)) = self.tried(path, &value) else {
            self.note_places(&joined(path), name, &value);
            return Some(value);
        };
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        // An unknown section is one mistake, whatever stands in it.
        if self.tried(path, &empty).is_err() {
            self.found.push((at, mistake));
            return None;
        }
        let DeValue::Table(keys) = value.into_inner() else {
            let path = joined(path);
            let what = format!("`{}` is a section: write `[{path}]`, and its settings below", name.get_ref());
            self.found.push((name.span().start, Mistake::new(self.place(name), what)));
            return None;
        };
        self.places.insert(joined(path), self.place(name));
        let mut fitting = DeTable::new();
        for (key, value) in keys {
            let path: Vec<Name<'t>> = path.iter().chain([&key]).cloned().collect();
            if let Some(value) = self.fitting(&path, value) {
                fitting.insert(key, value);
            }
        }
        Some(Spanned::new(span, DeValue::Table(fitting)))
    }

    /// Whether the settings take this value at the end of this path; if not, where and why.
    fn tried<'t>(&self, path: &[Name<'t>], value: &Spanned<DeValue<'t>>) -> Result<(), (usize, Mistake)> {
        let Some((last, before)) = path.split_last() else { return Ok(()) };
        let mut piece = alone(last, value.clone());
        for name in before.iter().rev() {
            piece = alone(name, Spanned::new(value.span(), DeValue::Table(piece)));
        }
        let settings = Settings::deserialize(Deserializer::from(Spanned::new(0..0, piece)));
        settings.map(drop).map_err(|fault| {
            let at = fault.span().map_or(last.span().start, |span| span.start);
            (at, Mistake::in_text(self.name, self.text, &fault))
        })
    }

    /// Keeps where a value stands, and everything in it.
    fn note_places(&mut self, path: &str, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        self.places.insert(path.to_owned(), self.place(name));
        if let DeValue::Table(keys) = value.get_ref() {
            for (key, value) in keys {
                self.note_places(&format!("{path}.{}", key.get_ref()), key, value);
            }
        }
    }

    fn place(&self, name: &Name<'_>) -> String {
        let (line, column) = position(self.text, name.span().start);
        format!("{}:{line}:{column}", self.name)
    }
}

/// Names as they are written in a section's head: `sites.dc1`.
fn joined(path: &[Name<'_>]) -> String {
    path.iter().map(|name| name.get_ref().as_ref()).collect::<Vec<&str>>().join(".")
}

/// A table with nothing else in it.
fn alone<'t>(name: &Name<'t>, value: Spanned<DeValue<'t>>) -> DeTable<'t> {
    DeTable::from_iter([(name.clone(), value)])
}

/// As many bytes of nothing, in as many lines.
fn blank(letter: char) -> String {
    if letter == '\n' { "\n".to_owned() } else { " ".repeat(letter.len_utf8()) }
}
