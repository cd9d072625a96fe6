//! From declared changes to the rows to write: the state before, the changes applied, and the difference.
//!
//! What the CMDB knows already makes no difference, so a step that is repeated writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Aspect, Attribute, Attributes, Cause, Change, Ci, CiChange, CiClass, Lifecycle, Relation};
use crate::ids::CiId;
use crate::reconcile::rules::Rules;

/// A relation that holds, by the ids of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    pub from: CiId,
    pub relation: Relation,
    pub to: CiId,
}

/// What the CMDB knows of the CIs that some changes touch.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub cis: Vec<(Ci, Attributes)>,
    /// Relations that hold now and have such a CI at either end, with the ids of their rows.
    pub links: BTreeMap<Link, Uuid>,
    /// Names of CIs at the other end of those relations.
    pub names: HashMap<CiId, String>,
}

/// What to write; empty when nothing is new.
#[derive(Debug, Default, PartialEq)]
pub struct Delta {
    /// New or changed CIs, as they are now.
    pub cis: Vec<Ci>,
    pub attributes: Vec<(CiId, String, Attribute)>,
    pub opened: Vec<Link>,
    /// Rows of relations that ended.
    pub closed: Vec<Uuid>,
    pub history: Vec<Change>,
    /// The words by which each CI in `cis` is found from now on.
    pub words: Vec<(CiId, BTreeSet<String>)>,
}

impl Delta {
    pub fn is_empty(&self) -> bool {
        self.history.is_empty() && self.attributes.is_empty()
    }
}

/// A change names a CI that was never declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the CMDB has no CI with the key `{0}`; declare it before relating it")]
pub struct UnknownCi(pub String);

/// Works out what to write so that the CMDB says what the changes say, as far as their source may by the rules. `fresh`
/// makes the ids of new CIs.
pub fn plan(
    known: Known,
    changes: &[CiChange],
    cause: &Cause,
    rules: &Rules,
    fresh: impl FnMut() -> CiId,
) -> Result<Delta, UnknownCi> {
    let mut draft = Draft::over(known, rules, fresh);
    for change in changes {
        draft.apply(change, cause)?;
    }
    Ok(draft.difference(cause))
}

/// One CI before and after the changes; before is nothing when it is new.
struct Drafted {
    before: Option<(Ci, Attributes)>,
    now: Ci,
    attributes: Attributes,
}

struct Draft<'r, F> {
    rules: &'r Rules,
    cis: BTreeMap<String, Drafted>,
    before: BTreeMap<Link, Uuid>,
    links: BTreeSet<Link>,
    names: HashMap<CiId, String>,
    fresh: F,
}

impl<'r, F: FnMut() -> CiId> Draft<'r, F> {
    fn over(known: Known, rules: &'r Rules, fresh: F) -> Self {
        let drafted = |(ci, attributes): (Ci, Attributes)| {
            let before = Some((ci.clone(), attributes.clone()));
            (ci.key.clone(), Drafted { before, now: ci, attributes })
        };
        Self {
            rules,
            cis: known.cis.into_iter().map(drafted).collect(),
            links: known.links.keys().copied().collect(),
            before: known.links,
            names: known.names,
            fresh,
        }
    }

    fn apply(&mut self, change: &CiChange, cause: &Cause) -> Result<(), UnknownCi> {
        match change {
            CiChange::Declare { key, class, name, attributes } => self.declare(key, *class, name, attributes, cause),
            CiChange::Stage { key, lifecycle } => {
                let id = self.id_of(key)?;
                self.stage(key, id, *lifecycle, cause);
            }
            CiChange::Relate { from, relation, to } => {
                let link = Link { from: self.id_of(from)?, relation: *relation, to: self.id_of(to)? };
                self.links.insert(link);
            }
            CiChange::Unrelate { from, relation, to } => {
                if let (Ok(from), Ok(to)) = (self.id_of(from), self.id_of(to)) {
                    self.links.remove(&Link { from, relation: *relation, to });
                }
            }
            CiChange::Retire { key } => {
                if let Ok(id) = self.id_of(key) {
                    self.stage(key, id, Lifecycle::Retired, cause);
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, key: &str, class: CiClass, name: &str, told: &Map<String, Value>, cause: &Cause) {
        let fresh = &mut self.fresh;
        let drafted = self.cis.entry(key.to_owned()).or_insert_with(|| Drafted {
            before: None,
            now: newborn(fresh(), key, class, name, cause),
            attributes: Attributes::new(),
        });
        let ci = &mut drafted.now;
        ci.class = class;
        name.clone_into(&mut ci.name);
        ci.lifecycle = Lifecycle::Operational;
        ci.retired_at = None;
        if ci.deployment.is_none() || ci.deployment == cause.deployment {
            ci.deployment = cause.deployment.or(ci.deployment);
            ci.platform = cause.platform.clone().or_else(|| ci.platform.take());
            ci.application = cause.application.clone().or_else(|| ci.application.take());
        }
        for (name, value) in told {
            let takes = |known| self.rules.takes((class, name), known, value, (cause.source, cause.at));
            if drafted.attributes.get(name).map_or(!value.is_null(), takes) {
                drafted.attributes.insert(name.clone(), said(value.clone(), cause));
            }
        }
        ci.gaps = class.gaps(&drafted.attributes);
        ci.misfits = class.misfits(&drafted.attributes);
    }

    fn stage(&mut self, key: &str, id: CiId, lifecycle: Lifecycle, cause: &Cause) {
        let Some(drafted) = self.cis.get_mut(key) else { return };
        if drafted.now.lifecycle == lifecycle {
            return;
        }
        drafted.now.lifecycle = lifecycle;
        let retired = lifecycle == Lifecycle::Retired;
        drafted.now.retired_at = retired.then_some(cause.at);
        if retired {
            self.links.retain(|link| link.from != id && link.to != id);
        }
    }

    fn id_of(&self, key: &str) -> Result<CiId, UnknownCi> {
        self.cis.get(key).map(|drafted| drafted.now.id).ok_or_else(|| UnknownCi(key.to_owned()))
    }

    fn difference(mut self, cause: &Cause) -> Delta {
        let mut delta = Delta::default();
        self.names.extend(self.cis.values().map(|drafted| (drafted.now.id, drafted.now.name.clone())));
        for drafted in self.cis.into_values() {
            record_ci(drafted, cause, &mut delta);
        }
        let name_of = |id: CiId| Value::from(self.names.get(&id).cloned().unwrap_or_default());
        for link in self.links.iter().filter(|link| !self.before.contains_key(link)) {
            delta.opened.push(*link);
            delta.history.push(entry(
                link.from,
                Aspect::Relation,
                link.relation.word(),
                Value::Null,
                name_of(link.to),
                cause,
            ));
        }
        for (link, row) in self.before.iter().filter(|(link, _)| !self.links.contains(link)) {
            delta.closed.push(*row);
            delta.history.push(entry(
                link.from,
                Aspect::Relation,
                link.relation.word(),
                name_of(link.to),
                Value::Null,
                cause,
            ));
        }
        delta
    }
}

/// Adds what is new about one CI.
fn record_ci(drafted: Drafted, cause: &Cause, delta: &mut Delta) {
    let Drafted { before, mut now, attributes } = drafted;
    let id = now.id;
    let already = delta.history.len();
    match &before {
        None => delta.history.push(entry(id, Aspect::Created, "", Value::Null, snapshot(&now, &attributes), cause)),
        Some((before, _)) => delta.history.extend(core_changes(before, &now, cause)),
    }
    let known = before.as_ref().map(|(_, attributes)| attributes);
    for (name, attribute) in &attributes {
        let earlier = known.and_then(|known| known.get(name));
        if earlier == Some(attribute) {
            continue;
        }
        delta.attributes.push((id, name.clone(), attribute.clone()));
        let earlier = earlier.map_or(Value::Null, |earlier| earlier.value.clone());
        // Told again, or by a stronger source: nothing has changed.
        if known.is_some() && earlier != attribute.value {
            delta.history.push(entry(id, Aspect::Attribute, name, earlier, attribute.value.clone(), cause));
        }
    }
    if delta.history.len() > already {
        now.changed_at = cause.at;
        delta.words.push((id, words(&now, &attributes)));
        delta.cis.push(now);
    }
}

/// The parts of the record that differ, by their names in [`Ci`].
fn core_changes(before: &Ci, now: &Ci, cause: &Cause) -> Vec<Change> {
    let (before, after) = (fields(before), fields(now));
    let differs = |(name, value): (&String, &Value)| {
        let earlier = before.get(name).cloned().unwrap_or(Value::Null);
        (earlier != *value).then(|| entry(now.id, Aspect::Core, name, earlier, value.clone(), cause))
    };
    after.iter().filter_map(differs).collect()
}

/// The record as a map of its fields.
pub(super) fn fields(ci: &Ci) -> Map<String, Value> {
    match serde_json::to_value(ci) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn snapshot(ci: &Ci, attributes: &Attributes) -> Value {
    let values: Map<String, Value> =
        attributes.iter().map(|(name, known)| (name.clone(), known.value.clone())).collect();
    json!({ "ci": ci, "attributes": values })
}

fn newborn(id: CiId, key: &str, class: CiClass, name: &str, cause: &Cause) -> Ci {
    Ci {
        id,
        key: key.to_owned(),
        class,
        name: name.to_owned(),
        lifecycle: Lifecycle::Operational,
        project: cause.project,
        deployment: cause.deployment,
        platform: cause.platform.clone(),
        application: cause.application.clone(),
        gaps: Vec::new(),
        misfits: Vec::new(),
        created_at: cause.at,
        changed_at: cause.at,
        retired_at: None,
    }
}

fn said(value: Value, cause: &Cause) -> Attribute {
    Attribute { value, source: cause.source, run: cause.run, step: cause.step.clone(), at: cause.at }
}

fn entry(ci: CiId, aspect: Aspect, field: &str, before: Value, after: Value, cause: &Cause) -> Change {
    Change {
        ci,
        at: cause.at,
        aspect,
        field: field.to_owned(),
        before,
        after,
        source: cause.source,
        run: cause.run,
        step: cause.step.clone(),
    }
}

/// Longer values are prose or documents: nobody looks for a CI by a word of theirs.
const LONGEST_INDEXED: usize = 60;

/// The lower-case words by which a CI is found: of its name, class, responsibles and short attribute values; each
/// whole text and its parts, so that `shop-test-1`, `shop` and `test` all find the machine.
fn words(ci: &Ci, attributes: &Attributes) -> BTreeSet<String> {
    let owners = [&ci.platform, &ci.application].into_iter().flatten().map(String::as_str);
    let values =
        attributes.values().filter_map(|known| known.value.as_str()).filter(|text| text.len() <= LONGEST_INDEXED);
    [ci.name.as_str(), ci.class.title()].into_iter().chain(owners).chain(values).flat_map(words_of).collect()
}

/// The words of a text, lower-cased: those between blanks, and their parts between other marks.
pub fn words_of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for word in text.to_lowercase().split_whitespace() {
        let parts: Vec<&str> = word.split(|mark: char| !mark.is_alphanumeric()).filter(|part| part.len() > 1).collect();
        // The numbers of an address or of a version mean nothing by themselves.
        if parts.iter().any(|part| !part.chars().all(char::is_numeric)) {
            words.extend(parts.iter().filter(|part| **part != word).map(|part| (*part).to_owned()));
        }
        words.push(word.to_owned());
    }
    words
}

#[cfg(test)]
mod tests;
