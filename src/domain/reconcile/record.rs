//! One thing as one view tells it, packed into two allocations, so that a million of them fit.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::ci::{CiClass, Relation};

/// Where a thing stands in its life, as one view tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Ordered or planned, and not there yet: nobody misses it.
    Due,
    #[default]
    Stands,
    /// Taken back, or retired.
    Over,
}

/// One thing as one view tells it. Nothing, and blank text, count as not told; text is compared without the blanks
/// around it, and `4.0` is `4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Key, scope, then name and value of each attribute by name, then word and far end of each relation.
    text: Box<str>,
    /// Where each of these parts ends.
    ends: Box<[u32]>,
    attributes: u32,
    class: CiClass,
    standing: Standing,
}

/// Key and scope.
const HEAD: usize = 2;

impl Record {
    /// A thing of which nothing is told yet; keys are native keys, compared byte by byte.
    pub fn of(key: &str, class: CiClass) -> Draft {
        Draft {
            key: key.to_owned(),
            scope: String::new(),
            class,
            standing: Standing::default(),
            told: Told::default(),
            links: Vec::new(),
        }
    }

    pub fn key(&self) -> &str {
        self.part(0)
    }

    pub fn class(&self) -> CiClass {
        self.class
    }

    /// The part of the world that a source answers for: a site.
    pub fn scope(&self) -> &str {
        self.part(1)
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Names and values, by name.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let first = HEAD..HEAD + 2 * self.attributes as usize;
        first.step_by(2).map(|at| (self.part(at), self.part(at + 1)))
    }

    /// Words and far ends, sorted.
    pub(super) fn relations(&self) -> impl Iterator<Item = (&str, &str)> {
        let first = HEAD + 2 * self.attributes as usize;
        (first..self.ends.len()).step_by(2).map(|at| (self.part(at), self.part(at + 1)))
    }

    /// The value of an attribute, as it is compared.
    pub(super) fn told(&self, attribute: &str) -> Option<&str> {
        self.attributes().find(|(name, _)| *name == attribute).map(|(_, value)| value)
    }

    /// Whether the other record of the same key tells the very same.
    pub(super) fn is_told_alike(&self, other: &Self) -> bool {
        self.ends == other.ends && self.text == other.text && self.attributes == other.attributes
    }

    fn part(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.text[start..self.ends[at] as usize]
    }
}

/// The value that was packed.
pub(super) fn unpacked(value: &str) -> Value {
    match value.strip_prefix('"') {
        Some(text) => Value::from(text),
        None => serde_json::from_str(value).unwrap_or(Value::Null),
    }
}

/// A record that is being told.
#[derive(Debug)]
pub struct Draft {
    key: String,
    scope: String,
    class: CiClass,
    standing: Standing,
    told: Told,
    links: Vec<(Relation, String)>,
}

impl Draft {
    /// Sets the part of the world that a source answers for.
    pub fn at(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }

    pub fn standing(mut self, standing: Standing) -> Self {
        self.standing = standing;
        self
    }

    /// Tells an attribute; told twice, the later counts.
    pub fn tell(mut self, attribute: &str, value: &Value) -> Self {
        self.told.add(attribute, value);
        self
    }

    /// Tells that it stands in this relation to the thing with that key.
    pub fn link(mut self, relation: Relation, to: &str) -> Self {
        self.links.push((relation, to.to_owned()));
        self
    }

    /// The record, packed.
    pub fn finish(mut self) -> Record {
        self.links.sort_unstable_by(|a, b| (a.0.word(), &a.1).cmp(&(b.0.word(), &b.1)));
        self.links.dedup();
        self.told.sort();
        let attributes = &self.told.places;
        let size = self.key.len() + self.scope.len() + self.told.text.len();
        let ends = HEAD + 2 * (attributes.len() + self.links.len());
        let mut packing = Packing { text: String::with_capacity(size + 64), ends: Vec::with_capacity(ends) };
        packing.add(&self.key);
        packing.add(&self.scope);
        for at in attributes {
            let (name, value) = self.told.get(*at);
            packing.add(name);
            packing.add(value);
        }
        for (relation, to) in &self.links {
            packing.add(relation.word());
            packing.add(to);
        }
        Record {
            text: packing.text.into_boxed_str(),
            ends: packing.ends.into_boxed_slice(),
            attributes: u32::try_from(attributes.len()).unwrap_or(u32::MAX),
            class: self.class,
            standing: self.standing,
        }
    }
}

struct Packing {
    text: String,
    ends: Vec<u32>,
}

impl Packing {
    fn add(&mut self, part: &str) {
        self.text.push_str(part);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }
}

/// Attributes as they are told, one behind the other.
#[derive(Debug, Default)]
struct Told {
    text: String,
    /// Where a name begins, where its value does, and where that ends.
    places: Vec<[usize; 3]>,
}

impl Told {
    fn add(&mut self, name: &str, value: &Value) {
        let start = self.begin(name);
        // A value in memory is always written.
        let _ = Packed(&mut self.text).deserialize(value);
        self.end(start);
    }

    fn begin(&mut self, name: &str) -> [usize; 2] {
        let start = self.text.len();
        self.text.push_str(name);
        [start, self.text.len()]
    }

    /// Keeps what was told since, if it is anything.
    fn end(&mut self, [start, value]: [usize; 2]) {
        if self.text.len() > value {
            self.places.push([start, value, self.text.len()]);
        } else {
            self.text.truncate(start);
        }
    }

    fn get(&self, [start, value, end]: [usize; 3]) -> (&str, &str) {
        (&self.text[start..value], &self.text[value..end])
    }

    /// Puts the places in the order of the names, each once.
    fn sort(&mut self) {
        let text = &self.text;
        let name = |place: &[usize; 3]| &text[place[0]..place[1]];
        if !self.places.is_sorted_by(|a, b| name(a) < name(b)) {
            // Stable, so that of those with one name the last stays last.
            self.places.sort_by(|a, b| name(a).cmp(name(b)));
            self.places.reverse();
            self.places.dedup_by(|a, b| name(a) == name(b));
            self.places.reverse();
        }
    }
}

impl<'de> Deserialize<'de> for Record {
    /// Reads `{"key", "class", "scope", "standing", "attributes": {…}, "relations": [{"relation", "to"}]}`, of which only
    /// key and class are needed.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Link<'a> {
            relation: Relation,
            #[serde(borrow)]
            to: Cow<'a, str>,
        }
        #[derive(serde::Deserialize)]
        struct Written<'a> {
            #[serde(borrow)]
            key: Cow<'a, str>,
            class: CiClass,
            #[serde(borrow, default)]
            scope: Cow<'a, str>,
            #[serde(default)]
            standing: Standing,
            #[serde(default)]
            attributes: Told,
            #[serde(borrow, default)]
            relations: Vec<Link<'a>>,
        }
        let Written { key, class, scope, standing, attributes, relations } = Written::deserialize(deserializer)?;
        let links = relations.into_iter().map(|link| (link.relation, link.to.into_owned())).collect();
        let (key, scope) = (key.into_owned(), scope.into_owned());
        Ok(Draft { key, scope, class, standing, told: attributes, links }.finish())
    }
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ToldVisitor)
    }
}

struct ToldVisitor;

impl<'de> Visitor<'de> for ToldVisitor {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Told, A::Error> {
        let mut told = Told::default();
        told.text.reserve(256);
        loop {
            let start = told.text.len();
            if access.next_key_seed(Name(&mut told.text))?.is_none() {
                return Ok(told);
            }
            let value = told.text.len();
            access.next_value_seed(Packed(&mut told.text))?;
            told.end([start, value]);
        }
    }
}

/// Reads a name to the end of a text.
struct Name<'t>(&'t mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an attribute")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}

/// Packs a value to the end of a text: text behind a quote, all else as JSON, and nothing where there is nothing.
struct Packed<'t>(&'t mut String);

impl Packed<'_> {
    /// Writing to a text in memory does not fail.
    fn write(self, value: impl fmt::Display) {
        let _ = write!(self.0, "{value}");
    }
}

impl<'de> DeserializeSeed<'de> for Packed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Packed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.write(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.write(value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        // Without a fraction it is written like the integer that it equals.
        self.write(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        let value = value.trim();
        if !value.is_empty() {
            self.0.push('"');
            self.0.push_str(value);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        let list = Value::deserialize(SeqAccessDeserializer::new(access))?;
        self.write(list);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        let table = Value::deserialize(MapAccessDeserializer::new(access))?;
        self.write(table);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_read_from_a_line_is_what_is_told_piece_by_piece() {
        let line = r#"{"key":"a","class":"virtual_machine","scope":"berlin","attributes":{"os":" Debian ","cpu":4.0,
            "note":"","ports":[80,443],"gone":null,"on":true},"relations":[{"relation":"runs_on","to":"host-1"}]}"#;
        let read: Record = serde_json::from_str(line).expect("a record");
        let told = Record::of("a", CiClass::VirtualMachine)
            .at("berlin")
            .tell("ports", &json!([80, 443]))
            .tell("os", &json!("CentOS"))
            .tell("cpu", &json!(4))
            .tell("os", &json!("Debian"))
            .tell("on", &json!(true))
            .link(Relation::RunsOn, "host-1")
            .finish();
        assert_eq!(read, told);
        let names: Vec<&str> = read.attributes().map(|(name, _)| name).collect();
        assert_eq!(names, ["cpu", "on", "os", "ports"], "nothing and blank text are not told");
        assert_eq!(read.told("ports").map(unpacked), Some(json!([80, 443])));
        assert_eq!(read.told("os").map(unpacked), Some(json!("Debian")));
        assert_eq!(read.relations().collect::<Vec<_>>(), [("runs_on", "host-1")]);
    }
}
