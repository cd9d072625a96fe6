//! What the address of a list asks for. Nothing in an address breaks a list: what can't be read is named on the page,
//! and everything else is kept.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use app::page::{Turn, Window};
use domain::trouble::{self, Trouble};
use url::form_urlencoded::{Serializer, parse};
use uuid::Uuid;

use super::{Kind, List};

/// Rows that a page may have.
pub(super) const SIZES: [u64; 3] = [25, 50, 100];
/// The longest search, in letters.
const LONGEST_SEARCH: usize = 200;

/// What one address asks of one list.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(super) path: &'static str,
    /// The search and the filters that are set, by name.
    pub(super) values: BTreeMap<&'static str, String>,
    /// The search field first, then the filters.
    names: Vec<&'static str>,
    /// As the address says it; empty for the order that nobody chose.
    pub(super) sort: String,
    /// The order: the column's word, and whether it falls.
    pub(super) order: (&'static str, bool),
    turn: Turn<Uuid>,
    pub(super) size: u64,
    /// The columns that are shown.
    pub(super) columns: Vec<&'static str>,
    /// Whether the address itself chose size or columns, so that they are to be remembered.
    pub(super) chose: bool,
    /// What could not be read, in sentences.
    pub(super) wrong: Vec<String>,
}

impl<R> List<R> {
    /// What the request asks of this list. Size and columns that it does not name are those chosen last.
    pub(crate) fn asked(&self, request: &HttpRequest) -> Asked {
        let query: Vec<(String, String)> = parse(request.query_string().as_bytes()).into_owned().collect();
        let mut wrong = Vec::new();
        let values = self.values(&query, &mut wrong);
        let (sort, order) = self.order(last(&query, "sort"), &mut wrong);
        let remembered = request.cookie(&self.cookie()).map(|cookie| cookie.value().to_owned()).unwrap_or_default();
        let (size, columns) = remembered.split_once(':').unwrap_or_default();
        let chosen: Vec<&str> = query.iter().filter(|(name, _)| name == "col").map(|(_, word)| word.as_str()).collect();
        let wanted_size = last(&query, "size");
        let size = read_size(wanted_size, &mut wrong).or_else(|| read_size(size, &mut Vec::new()));
        let columns = self.shown(&chosen, &mut wrong).or_else(|| {
            let words: Vec<&str> = columns.split('.').filter(|word| !word.is_empty()).collect();
            self.shown(&words, &mut Vec::new())
        });
        Asked {
            path: self.path,
            names: std::iter::once("q").chain(self.filters.iter().copied()).collect(),
            values,
            sort,
            order,
            turn: turn(last(&query, "after"), last(&query, "before"), &mut wrong),
            size: size.unwrap_or(SIZES[0]),
            columns: columns.unwrap_or_else(|| self.usual()),
            chose: !wanted_size.is_empty() || !chosen.is_empty(),
            wrong,
        }
    }

    /// The name of the cookie that remembers size and columns of this list.
    pub(super) fn cookie(&self) -> String {
        format!("list{}", self.path.replace('/', "-"))
    }

    fn values(&self, query: &[(String, String)], wrong: &mut Vec<String>) -> BTreeMap<&'static str, String> {
        let mut values = BTreeMap::new();
        for name in std::iter::once("q").chain(self.filters.iter().copied()) {
            let value = last(query, name).trim();
            if value.chars().count() > LONGEST_SEARCH {
                wrong.push(format!("A search has at most {LONGEST_SEARCH} letters; this one was cut off."));
            }
            if !value.is_empty() {
                values.insert(name, value.chars().take(LONGEST_SEARCH).collect());
            }
        }
        values
    }

    fn order(&self, asked: &str, wrong: &mut Vec<String>) -> (String, (&'static str, bool)) {
        let read = |text: &str| {
            let (falls, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
            let column = self.columns.iter().find(|column| column.word == word && column.kind == Kind::Sorts)?;
            Some((column.word, falls))
        };
        let usual = read(self.sort).unwrap_or((self.sort, false));
        match read(asked) {
            Some(order) if asked != self.sort => (asked.to_owned(), order),
            None if !asked.is_empty() => {
                wrong.push(format!("This list can't be sorted by `{asked}`; it stands in its usual order."));
                (String::new(), usual)
            }
            _ => (String::new(), usual),
        }
    }

    /// The named columns in the list's order, the first always; nothing when none is named.
    fn shown(&self, words: &[&str], wrong: &mut Vec<String>) -> Option<Vec<&'static str>> {
        for word in words {
            if self.columns.iter().all(|column| column.word != *word) {
                wrong.push(format!("This list has no column `{word}`."));
            }
        }
        let chosen = |at: usize, word: &str| at == 0 || words.contains(&word);
        let columns = self.columns.iter().enumerate();
        let columns = columns.filter(|(at, column)| chosen(*at, column.word)).map(|(_, column)| column.word);
        (!words.is_empty()).then(|| columns.collect())
    }

    fn usual(&self) -> Vec<&'static str> {
        self.columns.iter().filter(|column| column.kind != Kind::Extra).map(|column| column.word).collect()
    }
}

impl Asked {
    /// The search, or a filter's value; empty when it is not set.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A filter's value as what it stands for. One that stands for nothing is named on the page and left out.
    pub(crate) fn read<T>(&mut self, name: &'static str, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let word = self.values.get(name)?;
        let found = read(word);
        if found.is_none() {
            self.wrong.push(format!("There is no {what} `{word}`; the list is shown without it."));
            self.values.remove(name);
        }
        found
    }

    /// The part that is asked for, in one of the orders that the noun knows.
    pub(crate) fn window<S: Copy + Default, Id: From<Uuid>>(&self, sorts: &[(&str, S)]) -> Window<S, Id> {
        let turn = match self.turn {
            Turn::First => Turn::First,
            Turn::After(row) => Turn::After(row.into()),
            Turn::Before(row) => Turn::Before(row.into()),
        };
        let sort = sorts.iter().find(|(word, _)| *word == self.order.0).map_or_else(S::default, |(_, sort)| *sort);
        Window { sort, descending: self.order.1, turn, limit: self.size }
    }

    /// Whether the beginning of the list is asked for.
    pub(super) fn is_first(&self) -> bool {
        self.turn == Turn::First
    }

    /// Whether nothing narrows the list.
    pub(super) fn is_plain(&self) -> bool {
        self.values.is_empty()
    }

    /// Refuses what could not be read: a file has no place to say so.
    pub(super) fn refuse_wrong(&self) -> Result<(), Trouble> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(Trouble::new(
            trouble::Kind::Malformed,
            self.wrong.join(" "),
            format!("Go back to {} and choose there what the file is to have.", self.path),
        ))
    }

    /// The address of this list with some things asked otherwise; any change starts again at its beginning.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> String {
        self.address(self.path, changes)
    }

    /// The same at another path.
    pub(super) fn address(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        let named = self.names.iter().map(|name| (*name, self.value(name))).chain([("sort", self.sort.as_str())]);
        for (name, value) in named.filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name)) {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.extend_pairs(changes.iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }

    /// What a form of this list carries along unseen.
    pub(super) fn carried(&self, names: &[&str]) -> Vec<(&'static str, String)> {
        let all = self.names.iter().map(|name| (*name, self.value(name).to_owned()));
        let all = all.chain([("sort", self.sort.clone())]);
        all.filter(|(name, value)| !value.is_empty() && !names.contains(name)).collect()
    }
}

/// The last value of a name; what is said last counts.
fn last<'q>(query: &'q [(String, String)], name: &str) -> &'q str {
    query.iter().rev().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

fn read_size(text: &str, wrong: &mut Vec<String>) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let size = text.parse().ok().filter(|size| SIZES.contains(size));
    if size.is_none() {
        wrong.push(format!("A page has 25, 50 or 100 rows, not `{text}`."));
    }
    size
}

fn turn(after: &str, before: &str, wrong: &mut Vec<String>) -> Turn<Uuid> {
    let mut read = |text: &str| {
        let row = text.parse().ok();
        if row.is_none() && !text.is_empty() {
            wrong.push("The address of this page is not whole; this is the list's beginning.".to_owned());
        }
        row
    };
    match (read(after), read(before)) {
        (Some(row), _) => Turn::After(row),
        (None, Some(row)) => Turn::Before(row),
        (None, None) => Turn::First,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::cookie::Cookie;
    use actix_web::test::TestRequest;

    use super::super::{Cell, Column, Empty, Heading};
    use super::*;

    const fn column(word: &'static str, kind: Kind) -> Column<()> {
        Column { word, label: word, class: "", kind, cell: |()| Cell::Nothing("") }
    }

    static SHIPS: List<()> = List {
        path: "/ships",
        file: "/ships.csv",
        noun: "ships",
        finds: "Name",
        filters: &["flag"],
        sort: "-built",
        columns: &[column("name", Kind::Sorts), column("built", Kind::Sorts), column("crew", Kind::Extra)],
        leads_to: |()| String::new(),
        heading: Heading { title: "Ships", lede: "", action: ("", "") },
        empty: Empty { icon: "", headline: "", text: "", href: "", label: "" },
    };

    fn asked(address: &str) -> Asked {
        SHIPS.asked(&TestRequest::with_uri(address).to_http_request())
    }

    #[test]
    fn an_address_says_what_is_shown_and_every_link_keeps_it() {
        let it = asked("/ships?q=+anna+maria&flag=nl&sort=name&size=50");
        assert_eq!((it.value("q"), it.value("flag"), it.order, it.size), ("anna maria", "nl", ("name", false), 50));
        assert_eq!(it.with(&[("sort", "-name")]), "/ships?q=anna+maria&flag=nl&sort=-name");
        assert_eq!(it.with(&[("flag", "")]), "/ships?q=anna+maria&sort=name");
        assert!(it.wrong.is_empty());
    }

    #[test]
    fn what_can_not_be_read_is_named_and_loses_nothing_else() {
        let row = "after=tomorrow";
        let mut it = asked(&format!("/ships?q=anna&sort=colour&size=7&col=mast&flag=xx&{row}"));
        assert_eq!(it.read("flag", "flag", |word| (word == "nl").then_some(())), None);
        assert_eq!(it.wrong.len(), 5, "{:?}", it.wrong);
        assert_eq!((it.value("q"), it.order, it.size, it.is_first()), ("anna", ("built", true), 25, true));
        assert!(it.refuse_wrong().is_err_and(|trouble| trouble.what.contains("colour")));
        let long = asked(&format!("/ships?q={}", "x".repeat(10_000)));
        assert_eq!((long.value("q").len(), long.wrong.len()), (LONGEST_SEARCH, 1));
    }

    #[test]
    fn size_and_columns_are_those_chosen_last() {
        let visit = |address: &str| {
            let request = TestRequest::with_uri(address).cookie(Cookie::new("list-ships", "100:name.crew"));
            SHIPS.asked(&request.to_http_request())
        };
        assert_eq!((visit("/ships").size, visit("/ships").columns), (100, vec!["name", "crew"]));
        assert_eq!(visit("/ships?col=built").columns, ["name", "built"], "the first is always there");
        assert_eq!(asked("/ships").columns, ["name", "built"]);
    }
}
