//! Statements written out by hand, where it matters which index the database walks; and the conditions that several
//! nouns put.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::ProjectId;
use domain::person::Scope;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityName, EntityTrait, FromQueryResult,
    IdenStatic, Iterable, QueryFilter, QueryResult, Select, Statement, Value,
};
use uuid::Uuid;

use crate::{Reads, Tx};

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

    /// The statement that inserts a row, with its values bound.
    pub(crate) fn insert<A: ActiveModelTrait>(&mut self, mut row: A) -> String {
        let (mut columns, mut places) = (Vec::new(), Vec::new());
        for column in <A::Entity as EntityTrait>::Column::iter() {
            if let Some(value) = row.take(column).into_value() {
                columns.push(column.as_str());
                places.push(self.bind(value));
            }
        }
        let table = A::Entity::default();
        format!("INSERT INTO {} ({}) VALUES ({})", table.table_name(), columns.join(", "), places.join(", "))
    }

    /// The instant so far ahead, by the database's clock, as the database keeps instants.
    pub(crate) fn database_time(&mut self, backend: DbBackend, ahead: TimeDelta) -> String {
        let seconds = ahead.as_seconds_f64();
        match backend {
            DbBackend::Postgres => {
                let seconds = self.bind(seconds);
                format!("(now() + CAST({seconds} AS float8) * interval '1 second')")
            }
            _ => {
                let seconds = self.bind(format!("{seconds:+} seconds"));
                format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', {seconds})")
            }
        }
    }

    /// The condition that one of the columns has the text in it, in small letters or capitals.
    ///
    /// The `lower` of SQLite knows no letters but a-z, and that of PostgreSQL those of its locale. So the capitals of
    /// the letters that are looked for are made small by name: a text of a-z costs nothing more.
    pub(crate) fn contains(&mut self, columns: &[&str], text: &str) -> String {
        let pattern = self.bind(containing(text));
        let capitals: Vec<(String, String)> =
            capitals(text).into_iter().map(|(large, small)| (self.bind(large), self.bind(small))).collect();
        let one = |column: &&str| {
            let made_small = |text, (large, small): &(String, String)| format!("replace({text}, {large}, {small})");
            let text = capitals.iter().fold((*column).to_owned(), made_small);
            format!("lower({text}) LIKE {pattern} ESCAPE '\\'")
        };
        format!("({})", columns.iter().map(one).collect::<Vec<_>>().join(" OR "))
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

    /// Changes rows; says how many.
    pub(crate) async fn execute(self, tx: &Tx) -> Result<u64, DbErr> {
        let done = tx.0.execute_raw(self.statement(tx)).await?;
        Ok(done.rows_affected())
    }

    /// The single number that the statement answers.
    pub(crate) async fn number(self, on: &impl Reads) -> Result<i64, DbErr> {
        let row = on.db().query_one_raw(self.statement(on)).await?;
        row.map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    pub(crate) async fn rows(self, on: &impl Reads) -> Result<Vec<QueryResult>, DbErr> {
        on.db().query_all_raw(self.statement(on)).await
    }

    /// The ids that the statement answers.
    pub(crate) async fn ids(self, on: &impl ConnectionTrait) -> Result<Vec<Uuid>, DbErr> {
        let statement = Statement::from_sql_and_values(on.get_database_backend(), self.text, self.values);
        let rows = on.query_all_raw(statement).await?;
        rows.iter().map(|row| row.try_get_by_index(0)).collect()
    }

    /// Rows of an id and a text.
    pub(crate) async fn pairs(self, on: &impl Reads) -> Result<Vec<(Uuid, String)>, DbErr> {
        let rows = self.rows(on).await?;
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

/// Which database it is: they tell the time in words of their own.
pub(crate) fn backend(on: &impl Reads) -> DbBackend {
    on.db().get_database_backend()
}

/// A text that is compared byte by byte, as SQLite does anyway.
pub(crate) fn bytewise(on: &impl Reads, text: &str) -> String {
    match backend(on) {
        DbBackend::Postgres => format!("({text} COLLATE \"C\")"),
        _ => text.to_owned(),
    }
}

/// The rows of the projects within the scope; `project` is the column that names a row's project.
pub(crate) fn within<E: EntityTrait>(rows: Select<E>, project: E::Column, scope: &Scope) -> Select<E> {
    match scope {
        Scope::Everything => rows,
        Scope::Projects(projects) => rows.filter(project.is_in(projects.iter().map(|id| id.0))),
    }
}

/// Letters of a search beyond a-z whose capitals are looked for, too: as many as a statement can hold.
const CAPITALS: usize = 24;

/// A pattern for `LIKE … ESCAPE '\'` that finds the text anywhere, in small letters; nothing in it is a wildcard.
fn containing(text: &str) -> String {
    let escaped = small(text).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// The text in small letters, each for itself: at the end of a word as in its middle.
fn small(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The capitals beyond A-Z that may stand in a row for letters of the text, each with its small letter.
fn capitals(text: &str) -> BTreeMap<String, String> {
    let capital = |letter: char| {
        let large: String = if letter.is_lowercase() { letter.to_uppercase().collect() } else { letter.to_string() };
        (small(&large) != large).then(|| (large.clone(), small(&large)))
    };
    text.chars().filter(|letter| !letter.is_ascii()).filter_map(capital).take(CAPITALS).collect()
}

#[cfg(test)]
mod tests {
    use test_database::TestDatabase;

    use super::Sql;
    use crate::Store;

    #[tokio::test]
    async fn small_letters_and_capitals_are_one_in_every_alphabet_on_every_database() {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database opens");
        for (row, text, finds) in [
            ("Ärger im Büro", "ärger", true),
            ("Ärger im Büro", "ÄRGER IM BÜRO", true),
            ("ärger im büro", "ÄRGER IM B", true),
            ("ÄRGER IM BÜRO", "Büro", true),
            ("ЗАКАЗ", "заказ", true),
            ("ΣΟΦΟΣ", "Σοφοσ", true),
            ("Arger", "ärger", false),
            ("100% sure", "100%", true),
            ("1000", "100%", false),
            ("é".repeat(300).as_str(), "É".repeat(200).as_str(), true),
            ("àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþ", "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔ", true),
        ] {
            let mut sql = Sql::default();
            let row_place = sql.bind(row);
            let contains = sql.contains(&["note", "title"], text);
            sql.text = format!(
                "SELECT count(*) FROM (SELECT 'none' AS note, CAST({row_place} AS text) AS title) AS one WHERE {contains}"
            );
            assert_eq!(sql.number(&store).await.expect("it is asked"), i64::from(finds), "{text} in {row}");
        }
    }
}
