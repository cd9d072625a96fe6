//! One kind of object in memory, which remembers what changed so that the journal can write just that.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Rows by id, with the ids that changed since the last [`Rows::drain`].
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: BTreeMap<String, T>,
    changed: BTreeSet<String>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<T> Table<T> {
    pub fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id)
    }

    pub fn put(&mut self, id: impl Into<String>, row: T) {
        let id = id.into();
        self.changed.insert(id.clone());
        self.rows.insert(id, row);
    }

    pub fn remove(&mut self, id: &str) -> Option<T> {
        let row = self.rows.remove(id)?;
        self.changed.insert(id.to_owned());
        Some(row)
    }

    /// All rows in the order of their ids.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values()
    }

    /// All rows with their ids, in the order of these.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&String, &T)> {
        self.rows.iter()
    }

    /// Removes the row with the lowest id.
    pub fn remove_first(&mut self) {
        if let Some((id, _)) = self.rows.pop_first() {
            self.changed.insert(id);
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// What the journal needs of a table, whatever it holds.
pub(super) trait Rows {
    /// Takes over a row, or its removal, as it was journalled.
    fn load(&mut self, id: String, row: Option<Value>) -> serde_json::Result<()>;

    /// The rows that changed since the last call; `None` for those removed.
    fn drain(&mut self) -> serde_json::Result<Vec<(String, Option<Value>)>>;

    fn count(&self) -> usize;

    /// Every row.
    fn dump(&self) -> serde_json::Result<Vec<(String, Value)>>;
}

impl<T: Serialize + DeserializeOwned> Rows for Table<T> {
    fn load(&mut self, id: String, row: Option<Value>) -> serde_json::Result<()> {
        match row {
            Some(row) => {
                self.rows.insert(id, serde_json::from_value(row)?);
            }
            None => {
                self.rows.remove(&id);
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> serde_json::Result<Vec<(String, Option<Value>)>> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|id| {
                let row = self.rows.get(&id).map(serde_json::to_value).transpose()?;
                Ok((id, row))
            })
            .collect()
    }

    fn count(&self) -> usize {
        self.rows.len()
    }

    fn dump(&self) -> serde_json::Result<Vec<(String, Value)>> {
        self.rows.iter().map(|(id, row)| Ok((id.clone(), serde_json::to_value(row)?))).collect()
    }
}
