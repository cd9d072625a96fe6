//! Statements written out by hand, where it matters which index the database walks.

use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::person::Scope;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use uuid::Uuid;

use crate::Reads;

/// A statement under way: its text with `$n` for each value.
#[derive(Clone, Default)]
pub(crate) struct Sql {
    pub(crate) text: String,
    values: Vec<Value>,
}

impl Sql {
    /// A statement whose first value is the instant that it asks about.
    pub(crate) fn at(at: DateTime<Utc>) -> Self {
        Self { text: String::new(), values: vec![at.into()] }
    }

    /// Adds a value; answers its place in the text.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Adds values; answers their places, with commas between.
    pub(crate) fn bind_all<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> String {
        values.into_iter().map(|value| self.bind(value)).collect::<Vec<_>>().join(", ")
    }

    /// The condition that bounds the statement to a scope; nothing when the scope is empty.
    pub(crate) fn scoped(&mut self, scope: &Scope, column: &str) -> Option<String> {
        match scope {
            Scope::Everything => Some(String::new()),
            Scope::Projects(projects) if projects.is_empty() => None,
            Scope::Projects(projects) => {
                let places = self.bind_all(projects.iter().map(|project| project.0));
                Some(format!(" AND {column} IN ({places})"))
            }
        }
    }

    /// The condition that bounds a list to its projects; nothing for everything.
    pub(crate) fn of_projects(&mut self, projects: Option<&[ProjectId]>) -> Option<String> {
        match projects? {
            [one] => Some(format!("project_id = {}", self.bind(one.0))),
            many => Some(format!("project_id IN ({})", self.bind_all(many.iter().map(|project| project.0)))),
        }
    }

    pub(crate) async fn all<R: FromQueryResult>(self, on: &impl Reads) -> Result<Vec<R>, DbErr> {
        R::find_by_statement(self.statement(on)).all(on.db()).await
    }

    /// The single number that the statement answers.
    pub(crate) async fn number(self, on: &impl Reads) -> Result<i64, DbErr> {
        let row = on.db().query_one_raw(self.statement(on)).await?;
        row.map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    /// Rows of an id and a text.
    pub(crate) async fn pairs(self, on: &impl Reads) -> Result<Vec<(Uuid, String)>, DbErr> {
        let rows = on.db().query_all_raw(self.statement(on)).await?;
        rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
    }

    /// The numbers in the statement's single row.
    pub(crate) async fn numbers(self, on: &impl Reads, columns: usize) -> Result<Vec<i64>, DbErr> {
        let row = on.db().query_one_raw(self.statement(on)).await?;
        let Some(row) = row else { return Ok(vec![0; columns]) };
        (0..columns).map(|column| row.try_get_by_index(column)).collect()
    }

    fn statement(self, on: &impl Reads) -> Statement {
        Statement::from_sql_and_values(on.db().get_database_backend(), self.text, self.values)
    }
}

/// A pattern for `LIKE … ESCAPE '\'` that finds the text anywhere; nothing in it is a wildcard.
pub(crate) fn containing(text: &str) -> String {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
