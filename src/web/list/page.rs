//! A list as a page.

use std::future::Future;

use actix_web::HttpResponse;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use app::page::{Counted, Part};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::trouble::Trouble;
use uuid::Uuid;

use super::asked::SIZES;
use super::{Asked, Cell, Column, Empty, Filter, Heading, Kind, List, showing};
use crate::problem::Problem;
use crate::shell::{Shell, page};

/// How long size and columns of a list are remembered.
const REMEMBERED: Duration = Duration::days(365);

/// A filter as a field of the form.
struct Select {
    name: &'static str,
    label: &'static str,
    options: Vec<(String, String)>,
    value: String,
}

/// Something that narrows the list; its link leads to the list without it.
struct Chip {
    label: String,
    without: String,
}

/// The head of a column; an empty address when the list can't be sorted by it.
struct Head {
    word: &'static str,
    label: &'static str,
    class: &'static str,
    href: String,
    order: &'static str,
}

struct Row {
    href: String,
    cells: Vec<Shown>,
}

/// A cell under its column.
struct Shown {
    label: &'static str,
    class: &'static str,
    cell: Cell,
    /// Where the text leads, when it narrows the list.
    href: String,
}

#[derive(Template)]
#[template(path = "components/list.html")]
struct Page {
    shell: Shell,
    heading: &'static Heading,
    empty: &'static Empty,
    path: &'static str,
    noun: &'static str,
    finds: &'static str,
    q: String,
    selects: Vec<Select>,
    /// What the search form carries along unseen.
    carried: Vec<(&'static str, String)>,
    /// What the form of columns carries along.
    kept: Vec<(&'static str, String)>,
    wrong: Vec<String>,
    chips: Vec<Chip>,
    heads: Vec<Head>,
    rows: Vec<Row>,
    showing: String,
    first: String,
    back: String,
    next: String,
    csv: String,
    sizes: Vec<(u64, bool)>,
    /// The columns that can be chosen: word, label, and whether it is shown.
    columns: Vec<(&'static str, &'static str, bool)>,
    is_plain: bool,
    is_first: bool,
    now: DateTime<Utc>,
}

/// What was found of a list, and how it is shown.
pub(crate) struct Found<R: 'static> {
    pub(crate) list: &'static List<R>,
    pub(crate) part: Part<R>,
    pub(crate) counted: Counted,
    pub(crate) filters: Vec<Filter>,
    /// The id of a row, which the pages before and after go by.
    pub(crate) id: fn(&R) -> Uuid,
    pub(crate) now: DateTime<Utc>,
}

impl Asked {
    /// How long the list is: known when its beginning shows all of it, asked for otherwise.
    pub(crate) async fn counted<R>(
        &self,
        part: &Part<R>,
        count: impl Future<Output = Result<Counted, Trouble>>,
    ) -> Result<Counted, Trouble> {
        if self.is_first() && !part.later {
            return Ok(Counted { number: part.rows.len() as u64, more: false });
        }
        count.await
    }

    /// The page with what was found.
    pub(crate) fn page<R>(self, shell: Shell, found: Found<R>) -> Result<HttpResponse, Problem> {
        let list = found.list;
        let status = if self.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        let place = |name, row: Option<&R>| {
            row.map_or_else(String::new, |row| self.with(&[(name, &(found.id)(row).to_string())]))
        };
        let selects = self.selects(&found.filters);
        let in_form: Vec<&str> = selects.iter().map(|select| select.name).chain(["q"]).collect();
        let view = Page {
            path: list.path,
            noun: list.noun,
            finds: list.finds,
            q: self.value("q").to_owned(),
            carried: self.carried(&in_form),
            kept: self.carried(&[]),
            chips: self.chips(&found.filters),
            selects,
            heads: self.heads(list),
            showing: showing(found.part.rows.len(), found.counted, list.noun),
            first: if self.is_first() { String::new() } else { self.with(&[]) },
            back: place("before", found.part.rows.first().filter(|_| found.part.earlier)),
            next: place("after", found.part.rows.last().filter(|_| found.part.later)),
            rows: found.part.rows.iter().map(|row| self.row(list, row)).collect(),
            csv: self.address(list.file, &[]),
            sizes: SIZES.map(|size| (size, size == self.size)).into(),
            columns: self.choosable(list),
            is_plain: self.is_plain(),
            is_first: self.is_first(),
            now: found.now,
            wrong: self.wrong.clone(),
            heading: &list.heading,
            empty: &list.empty,
            shell,
        };
        let mut answer = page(status, &view);
        if self.chose {
            answer.add_cookie(&self.remembered(list)).map_err(Trouble::bug)?;
        }
        Ok(answer)
    }

    fn remembered<R>(&self, list: &List<R>) -> Cookie<'static> {
        let chosen = format!("{}:{}", self.size, self.columns.join("."));
        let cookie = Cookie::build(list.cookie(), chosen).path("/").max_age(REMEMBERED);
        cookie.http_only(true).same_site(SameSite::Lax).finish()
    }

    fn selects(&self, filters: &[Filter]) -> Vec<Select> {
        let select = |filter: &Filter| match filter {
            Filter::Choice { name, label, options } => {
                Some(Select { name, label, options: options.clone(), value: self.value(name).to_owned() })
            }
            Filter::Given { .. } => None,
        };
        filters.iter().filter_map(select).collect()
    }

    fn chips(&self, filters: &[Filter]) -> Vec<Chip> {
        let search = (!self.value("q").is_empty()).then(|| ("q", format!("“{}”", self.value("q"))));
        let set = filters.iter().filter_map(|filter| match filter {
            Filter::Choice { name, label, options } => {
                let (_, chosen) = options.iter().find(|(value, _)| !value.is_empty() && value == self.value(name))?;
                Some((*name, format!("{label}: {chosen}")))
            }
            Filter::Given { name, label } => (!self.value(name).is_empty()).then(|| (*name, label.clone())),
        });
        let chip = |(name, label)| Chip { label, without: self.with(&[(name, "")]) };
        search.into_iter().chain(set).map(chip).collect()
    }

    fn heads<R>(&self, list: &List<R>) -> Vec<Head> {
        let shown = list.columns.iter().filter(|column| self.columns.contains(&column.word));
        let head = |column: &Column<R>| {
            let (word, falls) = self.order;
            let here = word == column.word;
            let order = match (here, falls) {
                (false, _) => "",
                (true, true) => "descending",
                (true, false) => "ascending",
            };
            let next = if order == "ascending" { format!("-{}", column.word) } else { column.word.to_owned() };
            let next = if next == list.sort { String::new() } else { next };
            let href = if column.kind == Kind::Sorts { self.with(&[("sort", &next)]) } else { String::new() };
            Head { word: column.word, label: column.label, class: column.class, href, order }
        };
        shown.map(head).collect()
    }

    fn row<R>(&self, list: &List<R>, row: &R) -> Row {
        let shown = list.columns.iter().filter(|column| self.columns.contains(&column.word));
        let cell = |column: &Column<R>| {
            let cell = (column.cell)(row);
            let href = match &cell {
                Cell::Narrows(name, value) => self.with(&[(name, value)]),
                _ => String::new(),
            };
            Shown { label: column.label, class: column.class, cell, href }
        };
        Row { href: (list.leads_to)(row), cells: shown.map(cell).collect() }
    }

    fn choosable<R>(&self, list: &List<R>) -> Vec<(&'static str, &'static str, bool)> {
        let shown = |word| self.columns.contains(&word);
        list.columns.iter().skip(1).map(|column| (column.word, column.label, shown(column.word))).collect()
    }
}
