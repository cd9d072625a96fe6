//! Walking three sorted views at once, key by key, with one thing of each in memory.

use std::cmp::Ordering;

use super::record::Record;

/// Who tells of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// What was ordered.
    Ledger,
    /// What a source saw.
    Reality,
    /// What is on record.
    Cmdb,
}

impl View {
    /// What people read.
    const fn title(self) -> &'static str {
        match self {
            Self::Ledger => "the ledger",
            Self::Reality => "the sources",
            Self::Cmdb => "the CMDB",
        }
    }

    /// That it knows of a thing, as a sentence begins.
    pub(super) const fn knows(self) -> &'static str {
        match self {
            Self::Ledger => "The ledger knows",
            Self::Reality => "A source knows",
            Self::Cmdb => "The CMDB knows",
        }
    }

    /// That it tells a value, within a sentence.
    pub(super) const fn says(self) -> &'static str {
        match self {
            Self::Ledger => "the order says",
            Self::Reality => "its source says",
            Self::Cmdb => "the record says",
        }
    }
}

/// Why the walk ended early.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault<E> {
    /// Behind `key`, one came that belongs before it; what was told so far can't be relied on.
    #[error("{} tell{} `{next}` after `{key}`; they have to come in the order of their keys", view.title(), if *view == View::Reality { "" } else { "s" })]
    Unsorted { view: View, key: String, next: String },
    /// A key of which a view may tell once was told twice: a page came twice, or two objects carry one key.
    #[error("{} tell{} `{key}` twice", view.title(), if *view == View::Reality { "" } else { "s" })]
    Twice { view: View, key: String },
    /// A view could not be read to its end.
    #[error(transparent)]
    Source(E),
}

/// What the views tell of one key.
#[derive(Debug, Default)]
pub(super) struct Trio {
    pub(super) ledger: Option<Record>,
    pub(super) reality: Option<Record>,
    pub(super) cmdb: Option<Record>,
    /// More records of the CMDB with the same key.
    pub(super) twins: Vec<Record>,
}

/// The walk.
pub(super) struct Merge<L, R, C> {
    ledger: Side<L>,
    reality: Side<R>,
    cmdb: Side<C>,
    begun: bool,
}

impl<L, R, C> Merge<L, R, C> {
    /// Walks three views, each sorted by key byte by byte.
    pub(super) fn of(ledger: L, reality: R, cmdb: C) -> Self {
        Self {
            ledger: Side { view: View::Ledger, records: ledger, next: None },
            reality: Side { view: View::Reality, records: reality, next: None },
            cmdb: Side { view: View::Cmdb, records: cmdb, next: None },
            begun: false,
        }
    }
}

struct Side<I> {
    view: View,
    records: I,
    next: Option<Record>,
}

impl<E, I: Iterator<Item = Result<Record, E>>> Side<I> {
    fn begin(&mut self) -> Result<(), Fault<E>> {
        self.next = self.records.next().transpose().map_err(Fault::Source)?;
        Ok(())
    }

    fn key(&self) -> Option<&str> {
        self.next.as_ref().map(Record::key)
    }

    /// The next record, and whether one of the same key follows it.
    fn take(&mut self) -> Result<Option<(Record, bool)>, Fault<E>> {
        let Some(record) = self.next.take() else { return Ok(None) };
        self.begin()?;
        let is_twin = match self.key().map(|next| (next.cmp(record.key()), next)) {
            Some((Ordering::Less, next)) => {
                let (key, next) = (record.key().to_owned(), next.to_owned());
                return Err(Fault::Unsorted { view: self.view, key, next });
            }
            Some((Ordering::Equal, _)) => true,
            _ => false,
        };
        Ok(Some((record, is_twin)))
    }

    /// The only record of the key, if the view tells of it.
    fn one(&mut self, is_at_key: bool) -> Result<Option<Record>, Fault<E>> {
        if !is_at_key {
            return Ok(None);
        }
        match self.take()? {
            Some((record, true)) => Err(Fault::Twice { view: self.view, key: record.key().to_owned() }),
            taken => Ok(taken.map(|(record, _)| record)),
        }
    }

    /// Every record of the key.
    fn all(&mut self, is_at_key: bool) -> Result<(Option<Record>, Vec<Record>), Fault<E>> {
        let mut twins = Vec::new();
        if !is_at_key {
            return Ok((None, twins));
        }
        let Some((first, mut more)) = self.take()? else { return Ok((None, twins)) };
        while more {
            let Some((twin, again)) = self.take()? else { break };
            twins.push(twin);
            more = again;
        }
        Ok((Some(first), twins))
    }
}

impl<L, R, C, E> Merge<L, R, C>
where
    L: Iterator<Item = Result<Record, E>>,
    R: Iterator<Item = Result<Record, E>>,
    C: Iterator<Item = Result<Record, E>>,
{
    fn step(&mut self) -> Result<Option<Trio>, Fault<E>> {
        if !self.begun {
            self.begun = true;
            self.ledger.begin()?;
            self.reality.begin()?;
            self.cmdb.begin()?;
        }
        let (l, r, c) = (self.ledger.key(), self.reality.key(), self.cmdb.key());
        let Some(key) = [l, r, c].into_iter().flatten().min() else { return Ok(None) };
        let (at_l, at_r, at_c) = (l == Some(key), r == Some(key), c == Some(key));
        let (ledger, reality) = (self.ledger.one(at_l)?, self.reality.one(at_r)?);
        let (cmdb, twins) = self.cmdb.all(at_c)?;
        Ok(Some(Trio { ledger, reality, cmdb, twins }))
    }
}

impl<L, R, C, E> Iterator for Merge<L, R, C>
where
    L: Iterator<Item = Result<Record, E>>,
    R: Iterator<Item = Result<Record, E>>,
    C: Iterator<Item = Result<Record, E>>,
{
    type Item = Result<Trio, Fault<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
