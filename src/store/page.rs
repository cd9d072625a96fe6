//! Parts of long lists, found by the place of a row and never by counting those before it.
//!
//! A list is read project by project, each along an index in the order shown, and merged: nobody pays for the size of
//! what others have, and the thousandth part costs what the first one costs.

use domain::ids::ProjectId;
use domain::person::Scope;
use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use crate::Reads;
use crate::sql::Sql;

/// Counting stops here where nobody says otherwise: nobody pages through more, and a page should not wait for it.
const COUNTED: u64 = 1_000;
/// More projects than this are read as one and sorted: a statement of SQLite merges 500 lists at most.
const MERGED: usize = 50;

/// Where a part of a list stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn<Id> {
    /// The list's beginning.
    #[default]
    First,
    /// What follows this row.
    After(Id),
    /// What leads to this row.
    Before(Id),
}

/// The order and the part of a list.
#[derive(Clone, Copy, Debug)]
pub struct Window<S, Id> {
    pub sort: S,
    pub descending: bool,
    pub turn: Turn<Id>,
    /// Rows at most.
    pub limit: u64,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Part<T> {
    pub rows: Vec<T>,
    /// Whether there are rows before these.
    pub earlier: bool,
    /// Whether there are rows after these.
    pub later: bool,
}

/// How many rows a list has; `more` when counting stopped there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub number: u64,
    pub more: bool,
}

impl<T> Part<T> {
    /// The same part in other words.
    pub fn map<U>(self, word: impl FnMut(T) -> U) -> Part<U> {
        Part { rows: self.rows.into_iter().map(word).collect(), earlier: self.earlier, later: self.later }
    }

    pub(crate) fn try_map<U>(self, word: impl FnMut(T) -> Result<U, DbErr>) -> Result<Part<U>, DbErr> {
        let rows = self.rows.into_iter().map(word).collect::<Result<_, _>>()?;
        Ok(Part { rows, earlier: self.earlier, later: self.later })
    }
}

/// The rows of one table within a scope that fulfil some conditions.
#[derive(Clone)]
pub(crate) struct Listing {
    table: Table,
    sql: Sql,
    scope: Scope,
    /// The conditions of each list that is merged.
    lists: Vec<Vec<String>>,
    /// The conditions of every row.
    conditions: Vec<String>,
    counted: u64,
}

/// A table that is listed.
#[derive(Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// The column that puts rows of the same place into an order, always the same.
    pub(crate) tie: &'static str,
    /// What is read of a row, of the table `t`.
    pub(crate) columns: &'static str,
}

impl Listing {
    /// What is in the scope, of one project when one is named.
    pub(crate) fn new(table: Table, scope: &Scope, project: Option<ProjectId>) -> Self {
        let mut this = Self {
            table,
            sql: Sql::default(),
            scope: scope.within(project),
            lists: Vec::new(),
            conditions: Vec::new(),
            counted: COUNTED,
        };
        let places = places(&this.scope);
        this.lists = places.iter().map(|place| this.sql.of_projects(place.as_deref()).into_iter().collect()).collect();
        this
    }

    /// What is in the scope, list by list: the conditions of each are the caller's, who bounds them to the scope.
    pub(crate) fn of_lists(table: Table, scope: &Scope, sql: Sql, lists: Vec<Vec<String>>) -> Self {
        Self { table, sql, scope: scope.clone(), lists, conditions: Vec::new(), counted: COUNTED }
    }

    /// Counts no further than this.
    pub(crate) fn count_to(&mut self, most: u64) {
        self.counted = most;
    }

    /// Asks something of every row.
    pub(crate) fn ask(&mut self, condition: impl FnOnce(&mut Sql) -> String) {
        let condition = condition(&mut self.sql);
        self.conditions.push(condition);
    }

    /// A part of the list in the order of a column.
    pub(crate) async fn part<M: FromQueryResult, S, Id: Into<Uuid>>(
        mut self,
        on: &impl Reads,
        column: &str,
        window: Window<S, Id>,
    ) -> Result<Part<M>, DbErr> {
        if self.lists.is_empty() {
            return Ok(Part { rows: Vec::new(), earlier: false, later: false });
        }
        let (backwards, onwards) = (matches!(window.turn, Turn::Before(_)), matches!(window.turn, Turn::After(_)));
        // One row more says whether the list goes on.
        let limit = window.limit + 1;
        self.sql.text = self.text(column, window.descending != backwards, window.turn, limit);
        let mut rows: Vec<M> = self.sql.all(on).await?;
        let more = rows.len() as u64 == limit;
        if more {
            rows.pop();
        }
        if backwards {
            rows.reverse();
            return Ok(Part { rows, earlier: more, later: true });
        }
        Ok(Part { rows, earlier: onwards, later: more })
    }

    /// How many rows there are.
    pub(crate) async fn count(mut self, on: &impl Reads) -> Result<Counted, DbErr> {
        if self.lists.is_empty() {
            return Ok(Counted { number: 0, more: false });
        }
        let (table, most) = (self.table.name, self.counted);
        let limit = most + 1;
        let one = |list: &Vec<String>| {
            let filter = filter(list, &self.conditions);
            format!("SELECT * FROM (SELECT 1 FROM {table}{filter} LIMIT {limit}) AS part")
        };
        let lists: Vec<String> = self.lists.iter().map(one).collect();
        self.sql.text = format!("SELECT count(*) FROM ({}) AS found", lists.join(" UNION ALL "));
        let number = self.sql.number(on).await?.unsigned_abs();
        Ok(Counted { number: number.min(most), more: number > most })
    }

    /// The statement: each list's first places and, of those that come first of all, the rows.
    fn text<Id: Into<Uuid>>(&mut self, column: &str, descending: bool, turn: Turn<Id>, limit: u64) -> String {
        let Table { name, tie, columns } = self.table;
        let (direction, beyond) = if descending { ("DESC", "<") } else { ("ASC", ">") };
        if let Turn::After(row) | Turn::Before(row) = turn {
            let row = self.sql.bind(row.into());
            let scoped = self.sql.scoped(&self.scope, "project_id").unwrap_or_default();
            self.conditions.push(format!(
                "({column}, {tie}) {beyond} (SELECT {column}, {tie} FROM {name} WHERE id = {row}{scoped})"
            ));
        }
        let one = |list: &Vec<String>| {
            let filter = filter(list, &self.conditions);
            format!(
                "SELECT * FROM (SELECT {column} AS place, {tie} AS tie FROM {name}{filter} \
                 ORDER BY {column} {direction}, {tie} {direction} LIMIT {limit}) AS part"
            )
        };
        let lists: Vec<String> = self.lists.iter().map(one).collect();
        format!(
            "SELECT {columns} FROM ({} ORDER BY place {direction}, tie {direction} LIMIT {limit}) AS found \
             JOIN {name} AS t ON t.{tie} = found.tie ORDER BY found.place {direction}, found.tie {direction}",
            lists.join(" UNION ALL ")
        )
    }
}

/// What is listed apart and merged: project by project, or many of them as one; none stands for everything.
pub(crate) fn places(scope: &Scope) -> Vec<Option<Vec<ProjectId>>> {
    match scope {
        Scope::Everything => vec![None],
        Scope::Projects(projects) if projects.len() <= MERGED => {
            projects.iter().map(|project| Some(vec![*project])).collect()
        }
        Scope::Projects(projects) => vec![Some(projects.clone())],
    }
}

fn filter(of_list: &[String], of_all: &[String]) -> String {
    let all: Vec<&str> = of_list.iter().chain(of_all).map(String::as_str).collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}
