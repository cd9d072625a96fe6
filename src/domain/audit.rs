//! The audit log: who did what to what, as a chain of hashes in which no row can be changed, removed or slipped in
//! without the rows after it telling.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ids::{PersonId, ProjectId};
use crate::person::Principal;

/// The hash before the first row.
pub const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// `None` is Gatehouse itself, keeping time.
    pub person: Option<PersonId>,
    pub name: String,
    /// How the person came in: `portal`, `link`, `token`, `command line`; `clock` for Gatehouse itself.
    pub via: String,
}

impl Actor {
    /// A person who came in by `via`.
    pub fn person(who: &Principal, via: &str) -> Self {
        Self { person: Some(who.person), name: format!("{} <{}>", who.name, who.email), via: via.to_owned() }
    }

    /// Gatehouse itself, because it was time.
    pub fn clock() -> Self {
        Self { person: None, name: "Gatehouse".to_owned(), via: "clock".to_owned() }
    }

    /// Somebody with a shell on the server.
    pub fn command_line() -> Self {
        Self { person: None, name: "Somebody at the server's command line".to_owned(), via: "command line".to_owned() }
    }
}

/// What is to be put on record.
#[derive(Clone, Debug)]
pub struct Note {
    pub actor: Actor,
    /// What was done, `request.submitted`.
    pub action: &'static str,
    /// To what, `request 42`.
    pub subject: String,
    pub project: Option<ProjectId>,
    /// Details, before and after; never a secret.
    pub data: Value,
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// From 1, without a gap.
    pub number: i64,
    pub at: DateTime<Utc>,
    pub actor: Actor,
    pub action: String,
    pub subject: String,
    pub project: Option<ProjectId>,
    /// JSON as it was written, to the byte.
    pub data: String,
    /// The hash of the row before.
    pub previous: String,
    /// SHA-256 over everything above, in hexadecimal.
    pub hash: String,
}

impl Entry {
    /// The row for a note, chained to the row before it.
    pub fn chained(number: i64, at: DateTime<Utc>, note: Note, previous: String) -> Self {
        let mut entry = Self {
            number,
            at,
            actor: note.actor,
            action: note.action.to_owned(),
            subject: note.subject,
            project: note.project,
            data: note.data.to_string(),
            previous,
            hash: String::new(),
        };
        entry.hash = entry.content_hash();
        entry
    }

    /// The hash that the row's content has now; it equals `hash` unless somebody changed the row.
    ///
    /// The canonical form is a JSON array, so that no two contents can be written the same way; time counts in
    /// microseconds, which is what both databases keep.
    fn content_hash(&self) -> String {
        let canonical = json!([
            self.number,
            self.at.timestamp_micros(),
            self.actor.person,
            self.actor.name,
            self.actor.via,
            self.action,
            self.subject,
            self.project,
            self.data,
            self.previous,
        ]);
        hex::encode(Sha256::digest(canonical.to_string()))
    }
}

/// Walks along the chain; feed it every row in order.
#[derive(Debug)]
pub struct Verifier {
    rows: i64,
    hash: String,
}

/// Where the chain is broken, and how.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("row {expected} is missing: row {found} follows row {}", .expected - 1)]
    Missing { expected: i64, found: i64 },
    #[error("row {0} does not follow from the row before it: rows were removed, moved or slipped in")]
    Unchained(i64),
    #[error("row {0} was changed after it was written")]
    Changed(i64),
    #[error("the log ends at row {found}, but row {expected} was written: the end was cut off")]
    CutOff { expected: i64, found: i64 },
}

impl Default for Verifier {
    fn default() -> Self {
        Self { rows: 0, hash: BEGINNING.to_owned() }
    }
}

impl Verifier {
    /// Checks the next row.
    pub fn next(&mut self, entry: &Entry) -> Result<(), Broken> {
        let expected = self.rows + 1;
        if entry.number != expected {
            return Err(Broken::Missing { expected, found: entry.number });
        }
        if entry.previous != self.hash {
            return Err(Broken::Unchained(entry.number));
        }
        if entry.hash != entry.content_hash() {
            return Err(Broken::Changed(entry.number));
        }
        self.rows = expected;
        self.hash.clone_from(&entry.hash);
        Ok(())
    }

    /// Checks the end of the chain against the head that was noted apart from the rows.
    pub fn finish(self, head: &Head) -> Result<Head, Broken> {
        if self.rows != head.rows || self.hash != head.hash {
            return Err(Broken::CutOff { expected: head.rows, found: self.rows });
        }
        Ok(head.clone())
    }
}

/// The end of the chain: how many rows, and the hash of the last. Whoever keeps it elsewhere can prove a later cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub rows: i64,
    pub hash: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(rows: i64) -> (Vec<Entry>, Head) {
        let mut hash = BEGINNING.to_owned();
        let entries: Vec<Entry> = (1..=rows)
            .map(|number| {
                let note = Note {
                    actor: Actor::clock(),
                    action: "request.submitted",
                    subject: format!("request {number}"),
                    project: None,
                    data: json!({"nodes": number}),
                };
                let entry = Entry::chained(number, DateTime::UNIX_EPOCH, note, hash.clone());
                hash.clone_from(&entry.hash);
                entry
            })
            .collect();
        (entries, Head { rows, hash })
    }

    fn verify(entries: &[Entry], head: &Head) -> Result<Head, Broken> {
        let mut verifier = Verifier::default();
        entries.iter().try_for_each(|entry| verifier.next(entry))?;
        verifier.finish(head)
    }

    #[test]
    fn an_untouched_chain_is_whole() {
        let (entries, head) = chain(50);
        assert_eq!(verify(&entries, &head), Ok(head));
    }

    #[test]
    fn a_change_to_any_field_of_any_row_is_found_at_that_row() {
        let (entries, head) = chain(12);
        let changes: [fn(&mut Entry); 7] = [
            |row| row.data = row.data.replace("nodes", "Nodes"),
            |row| row.action.push('x'),
            |row| row.subject.push('x'),
            |row| row.actor.name.push('x'),
            |row| row.actor.via.push('x'),
            |row| row.at += chrono::TimeDelta::microseconds(1),
            |row| row.project = Some(uuid::Uuid::nil().into()),
        ];
        for index in 0..entries.len() {
            for change in changes {
                let mut entries = entries.clone();
                change(&mut entries[index]);
                assert_eq!(verify(&entries, &head), Err(Broken::Changed(entries[index].number)));
            }
        }
    }

    #[test]
    fn rows_that_are_removed_moved_slipped_in_or_cut_off_are_found() {
        let (whole, head) = chain(12);
        let mut removed = whole.clone();
        removed.remove(4);
        assert_eq!(verify(&removed, &head), Err(Broken::Missing { expected: 5, found: 6 }));
        let mut moved = whole.clone();
        moved.swap(4, 5);
        assert_eq!(verify(&moved, &head), Err(Broken::Missing { expected: 5, found: 6 }));
        let mut forged = whole.clone();
        let note = Note {
            actor: Actor::clock(),
            action: "request.submitted",
            subject: "forged".into(),
            project: None,
            data: Value::Null,
        };
        forged[4] = Entry::chained(5, DateTime::UNIX_EPOCH, note, forged[3].hash.clone());
        assert_eq!(verify(&forged, &head), Err(Broken::Unchained(6)));
        assert_eq!(verify(&whole[..10], &head), Err(Broken::CutOff { expected: 12, found: 10 }));
    }
}
