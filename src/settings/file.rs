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
        let fitting = document.into_iter().filter_map(|(name, value)| reading.section(name, value)).collect();
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

    /// A section with those of its keys that fit; nothing when it is unknown.
    fn section<'t>(&mut self, name: Name<'t>, value: Spanned<DeValue<'t>>) -> Option<(Name<'t>, Spanned<DeValue<'t>>)> {
        let span = value.span();
        let holding = |keys| Spanned::new(span.clone(), DeValue::Table(keys));
        // An unknown section is one mistake, whatever stands in it.
        if !self.fits(&name, alone(&name, holding(DeTable::new()))) {
            return None;
        }
        let DeValue::Table(keys) = value.into_inner() else {
            let what = format!("`{0}` is a section: write `[{0}]`, and its settings below", name.get_ref());
            self.found.push((name.span().start, Mistake::new(self.place(&name), what)));
            return None;
        };
        let mut fitting = DeTable::new();
        for (key, value) in keys {
            if self.fits(&key, alone(&name, holding(alone(&key, value.clone())))) {
                self.places.insert(format!("{}.{}", name.get_ref(), key.get_ref()), self.place(&key));
                fitting.insert(key, value);
            }
        }
        Some((name, holding(fitting)))
    }

    fn place(&self, name: &Name<'_>) -> String {
        let (line, column) = position(self.text, name.span().start);
        format!("{}:{line}:{column}", self.name)
    }

    /// Whether the settings take this piece of the file, whose name stands there; if not, it is noted why.
    fn fits(&mut self, name: &Name<'_>, piece: DeTable<'_>) -> bool {
        match Settings::deserialize(Deserializer::from(Spanned::new(0..0, piece))) {
            Ok(_) => true,
            Err(fault) => {
                let at = fault.span().map_or(name.span().start, |span| span.start);
                self.found.push((at, Mistake::in_text(self.name, self.text, &fault)));
                false
            }
        }
    }
}

/// A table with nothing else in it.
fn alone<'t>(name: &Name<'t>, value: Spanned<DeValue<'t>>) -> DeTable<'t> {
    DeTable::from_iter([(name.clone(), value)])
}

/// As many bytes of nothing, in as many lines.
fn blank(letter: char) -> String {
    if letter == '\n' { "\n".to_owned() } else { " ".repeat(letter.len_utf8()) }
}
