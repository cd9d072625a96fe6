//! Lists: one way to search, narrow, sort, turn, choose columns and take the whole along as a file, whatever is listed.
//!
//! A page declares its [`List`] once: where it is, what it finds, its filters and its columns. [`List::asked`] reads
//! what an address asks for, [`Asked::page`] draws the part that was found, [`Asked::file`] streams all of it.

mod asked;
mod file;
mod page;

use app::page::Counted;
use chrono::{DateTime, Utc};
use domain::money::Money;
use domain::reading::Reading;

pub(crate) use asked::Asked;
pub(crate) use file::Sheet;
pub(crate) use page::Found;

/// A list of some noun.
pub(crate) struct List<R: 'static> {
    /// Its address: `/deployments`.
    pub(crate) path: &'static str,
    /// The address of the same as a file.
    pub(crate) file: &'static str,
    /// What its rows are called: `deployments`.
    pub(crate) noun: &'static str,
    /// What its search field finds.
    pub(crate) finds: &'static str,
    /// The names of its filters in the address.
    pub(crate) filters: &'static [&'static str],
    /// The order that nobody chose: a column's word, with `-` before it when it falls.
    pub(crate) sort: &'static str,
    /// Its columns; the first is what a row is called, and always there.
    pub(crate) columns: &'static [Column<R>],
    /// Where a row leads.
    pub(crate) leads_to: fn(&R) -> String,
    pub(crate) heading: Heading,
    pub(crate) empty: Empty,
}

/// What stands above a list.
pub(crate) struct Heading {
    pub(crate) title: &'static str,
    pub(crate) lede: &'static str,
    /// The page's one thing to do: address and label; an empty address means there is none.
    pub(crate) action: (&'static str, &'static str),
}

/// What stands where a list would when there is nothing at all, and the way on.
pub(crate) struct Empty {
    pub(crate) icon: &'static str,
    pub(crate) headline: &'static str,
    pub(crate) text: &'static str,
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
}

/// A column of a list.
pub(crate) struct Column<R> {
    /// Its name in the address.
    word: &'static str,
    label: &'static str,
    /// `num` for figures, else empty.
    class: &'static str,
    kind: Kind,
    cell: fn(&R) -> Cell,
}

impl<R> Column<R> {
    /// A column that the list can be sorted by.
    pub(crate) const fn sorts(word: &'static str, label: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self { word, label, class: "", kind: Kind::Sorts, cell }
    }

    /// A column that is there until somebody chooses otherwise.
    pub(crate) const fn plain(word: &'static str, label: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self { word, label, class: "", kind: Kind::Plain, cell }
    }

    /// A column for those who choose it.
    pub(crate) const fn extra(word: &'static str, label: &'static str, cell: fn(&R) -> Cell) -> Self {
        Self { word, label, class: "", kind: Kind::Extra, cell }
    }

    /// The same, set as figures.
    pub(crate) const fn figures(self) -> Self {
        Self { class: "num", ..self }
    }
}

/// How a column behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Can be sorted by.
    Sorts,
    /// Shown as long as nobody chose otherwise.
    Plain,
    /// Shown to those who choose it.
    Extra,
}

/// What stands in a cell.
pub(crate) enum Cell {
    Text(String),
    /// A name of something outside, in the letters of machines.
    Name(String),
    /// A text with a quieter one below it.
    Noted(String, String),
    /// What is not there, in a word.
    Nothing(&'static str),
    /// What does not apply: a dash, and the words for those who hear the page.
    Dash(&'static str),
    /// How a request, a run, a deployment or a CI reads.
    Reads(Reading),
    /// A state's word, and what to call it here.
    StateAs(&'static str, &'static str),
    /// An icon beside its word.
    Icon(&'static str, &'static str),
    Time(DateTime<Utc>),
    Money(Money),
    /// A text that leads to this list narrowed by it: the filter's name and value.
    Narrows(&'static str, String),
}

/// A filter as the page offers it.
pub(crate) enum Filter {
    /// One of some values, pairs of value and label; the empty value is what nobody chose.
    Choice { name: &'static str, label: &'static str, options: Vec<(String, String)> },
    /// Set by a link, taken away by its chip: the value in words.
    Given { name: &'static str, label: String },
}

impl Filter {
    /// A choice of words, each with its label.
    pub(crate) fn words<'w>(
        name: &'static str,
        label: &'static str,
        words: impl IntoIterator<Item = (&'w str, impl Into<String>)>,
    ) -> Self {
        let options = words.into_iter().map(|(word, label)| (word.to_owned(), label.into())).collect();
        Self::Choice { name, label, options }
    }

    /// The choice of a project.
    pub(crate) fn project(projects: Vec<domain::project::Project>) -> Self {
        let named = projects.into_iter().map(|project| (project.id.to_string(), project.title));
        let all = std::iter::once((String::new(), "All projects".to_owned()));
        Self::Choice { name: "project", label: "Project", options: all.chain(named).collect() }
    }
}

/// How much of a list is shown: `25 of more than 1,000 deployments`.
fn showing(rows: usize, counted: Counted, noun: &str) -> String {
    let number = grouped(counted.number);
    // One of several is called by the same word without its last letter.
    let noun = if counted.number == 1 { noun.trim_end_matches('s') } else { noun };
    match (counted.number, counted.more) {
        (number, false) if number == rows as u64 => format!("{number} {noun}"),
        (_, false) => format!("{rows} of {number} {noun}"),
        (_, true) => format!("{rows} of more than {number} {noun}"),
    }
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1_000), number % 1_000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_shown_reads_as_people_say_it() {
        let of = |number, more| showing(25, Counted { number, more }, "requests");
        assert_eq!(of(25, false), "25 requests");
        assert_eq!(showing(1, Counted { number: 1, more: false }, "requests"), "1 request");
        assert_eq!(of(312, false), "25 of 312 requests");
        assert_eq!(of(1_000, true), "25 of more than 1,000 requests");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
