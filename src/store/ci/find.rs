//! Finding CIs by words, class, life, owner and deployment, a page at a time.
//!
//! Every page is one statement that walks an index in the order shown, from where the page before ended. What a
//! person may see of several projects is the merge of each project's first rows, so that no tenant pays for the size
//! of another.

use domain::ci::{Ci, CiClass, Lifecycle};
use domain::ids::{CiId, DeploymentId};
use domain::person::Scope;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, FromQueryResult, Statement, Value};

use super::row::ci;
use crate::Reads;

/// A word that more CIs than this bear is common: the list is walked in its order and each row asked for the word.
const COMMON: i64 = 2_000;
/// Counting stops here: nobody pages through more, and a page should not wait for it.
const COUNTED: i64 = 1_000;

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CiSort {
    #[default]
    Name,
    /// The latest change first.
    Changed,
}

/// What to look for. An empty query finds every CI in scope.
#[derive(Clone, Debug, Default)]
pub struct CiQuery {
    /// Lower-case beginnings of words; a CI must have all of them.
    pub words: Vec<String>,
    pub class: Option<CiClass>,
    /// The stages of life to show; none means all.
    pub lifecycles: Vec<Lifecycle>,
    /// The group that answers for the platform.
    pub platform: Option<String>,
    /// The team that answers for the application.
    pub application: Option<String>,
    /// Only CIs for which nobody answers, on one side or both.
    pub ownerless: bool,
    pub deployment: Option<DeploymentId>,
    pub sort: CiSort,
    /// The last CI of the page before.
    pub after: Option<CiId>,
    pub limit: u64,
}

/// How many there are; `more` when counting stopped there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub number: i64,
    pub more: bool,
}

/// One page of the CIs in scope.
pub async fn find(on: &impl Reads, scope: &Scope, query: &CiQuery) -> Result<Vec<Ci>, DbErr> {
    let words = rarest_first(on, &query.words).await?;
    let after = match query.after {
        Some(id) => ci::Entity::find_by_id(id.0).one(on.db()).await?,
        None => None,
    };
    let Some(sql) = Sql::page(scope, query, &words, after.as_ref()) else { return Ok(Vec::new()) };
    let rows = ci::Model::find_by_statement(sql.statement(on.db().get_database_backend())).all(on.db()).await?;
    rows.into_iter().map(ci::Model::into_domain).collect()
}

/// How many CIs in scope the query finds, up to a thousand.
pub async fn count(on: &impl Reads, scope: &Scope, query: &CiQuery) -> Result<Counted, DbErr> {
    let words = rarest_first(on, &query.words).await?;
    let Some(sql) = Sql::count(scope, query, &words) else { return Ok(Counted { number: 0, more: false }) };
    let row = on.db().query_one_raw(sql.statement(on.db().get_database_backend())).await?;
    let number: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Counted { number: number.min(COUNTED), more: number > COUNTED })
}

/// A beginning of a word, and whether it is common.
struct Word {
    text: String,
    common: bool,
}

/// The words with how common each is, the rarest first: one statement.
async fn rarest_first(on: &impl Reads, words: &[String]) -> Result<Vec<Word>, DbErr> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::default();
    let counts: Vec<String> = words
        .iter()
        .map(|word| {
            let range = sql.word_range(word);
            format!("(SELECT count(*) FROM (SELECT 1 FROM ci_word WHERE {range} LIMIT {}) AS some)", COMMON + 1)
        })
        .collect();
    sql.text = format!("SELECT {}", counts.join(", "));
    let row = on.db().query_one_raw(sql.statement(on.db().get_database_backend())).await?;
    let mut counted = Vec::new();
    for (place, text) in words.iter().enumerate() {
        let bearers: i64 = row.as_ref().map_or(Ok(0), |row| row.try_get_by_index(place))?;
        counted.push((bearers, Word { text: text.clone(), common: bearers > COMMON }));
    }
    counted.sort_by_key(|(bearers, _)| *bearers);
    Ok(counted.into_iter().map(|(_, word)| word).collect())
}

/// A statement under way: its text with `$n` for each value.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// One page; nothing when the scope is empty.
    fn page(scope: &Scope, query: &CiQuery, words: &[Word], after: Option<&ci::Model>) -> Option<Self> {
        let (order, beyond) = match query.sort {
            CiSort::Name => ("sort_name, id", "(sort_name, id) >"),
            CiSort::Changed => ("changed_at DESC, id DESC", "(changed_at, id) <"),
        };
        let mut sql = Self::default();
        let mut common = sql.conditions(query, words);
        if let Some(last) = after {
            let place = match query.sort {
                CiSort::Name => sql.bind(last.sort_name.clone()),
                CiSort::Changed => sql.bind(last.changed_at),
            };
            let id = sql.bind(last.id);
            common.push(format!("{beyond} ({place}, {id})"));
        }
        let part = |condition: Vec<String>| {
            format!(
                "SELECT * FROM (SELECT * FROM ci{} ORDER BY {order} LIMIT {}) AS part",
                filter(&condition),
                query.limit
            )
        };
        let parts: Vec<String> = sql.by_project(scope, &common)?.into_iter().map(part).collect();
        sql.text = format!("{} ORDER BY {order} LIMIT {}", parts.join(" UNION ALL "), query.limit);
        Some(sql)
    }

    fn count(scope: &Scope, query: &CiQuery, words: &[Word]) -> Option<Self> {
        let mut sql = Self::default();
        let common = sql.conditions(query, words);
        let part = |condition: Vec<String>| {
            format!("SELECT * FROM (SELECT 1 FROM ci{} LIMIT {}) AS part", filter(&condition), COUNTED + 1)
        };
        let parts: Vec<String> = sql.by_project(scope, &common)?.into_iter().map(part).collect();
        sql.text = format!("SELECT count(*) FROM ({}) AS found", parts.join(" UNION ALL "));
        Some(sql)
    }

    /// The conditions once for each project in scope, or once where everything is; nothing for an empty scope.
    fn by_project(&mut self, scope: &Scope, common: &[String]) -> Option<Vec<Vec<String>>> {
        match scope {
            Scope::Everything => Some(vec![common.to_vec()]),
            Scope::Projects(projects) if projects.is_empty() => None,
            Scope::Projects(projects) => {
                let own = projects.iter().map(|project| {
                    let project = self.bind(project.0);
                    [vec![format!("project_id = {project}")], common.to_vec()].concat()
                });
                Some(own.collect())
            }
        }
    }

    fn conditions(&mut self, query: &CiQuery, words: &[Word]) -> Vec<String> {
        let mut all = Vec::new();
        let columns = [
            ("class", query.class.map(|class| class.word().to_owned())),
            ("platform", query.platform.clone()),
            ("application", query.application.clone()),
        ];
        for (column, value) in columns {
            if let Some(value) = value {
                all.push(format!("{column} = {}", self.bind(value)));
            }
        }
        if let Some(deployment) = query.deployment {
            all.push(format!("deployment_id = {}", self.bind(deployment.0)));
        }
        if query.ownerless {
            all.push("(platform IS NULL OR application IS NULL)".into());
        }
        if let Some(stages) = self.stages(&query.lifecycles) {
            all.push(stages);
        }
        for (place, word) in words.iter().enumerate() {
            let range = self.word_range(&word.text);
            all.push(if place == 0 && !word.common {
                format!("id IN (SELECT ci_id FROM ci_word WHERE {range})")
            } else {
                format!("EXISTS (SELECT 1 FROM ci_word WHERE ci_id = ci.id AND {range})")
            });
        }
        all
    }

    /// The condition for these stages of life; none means all. One stage is looked up; several are said by what they are
    /// not, so that the database walks the index of the order shown rather than sort all that it finds by stage.
    fn stages(&mut self, wanted: &[Lifecycle]) -> Option<String> {
        match wanted {
            [] => None,
            [one] => Some(format!("lifecycle = {}", self.bind(one.word()))),
            several => {
                let others = Lifecycle::ALL.iter().filter(|stage| !several.contains(stage));
                let others: Vec<String> = others.map(|stage| self.bind(stage.word())).collect();
                (!others.is_empty()).then(|| format!("lifecycle NOT IN ({})", others.join(", ")))
            }
        }
    }

    /// Words that begin with `word`, as a range that the index answers.
    fn word_range(&mut self, word: &str) -> String {
        let (from, to) = (self.bind(word), self.bind(format!("{word}\u{10FFFF}")));
        format!("word >= {from} AND word < {to}")
    }

    /// Adds a value; answers its place in the text.
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn statement(self, backend: sea_orm::DbBackend) -> Statement {
        Statement::from_sql_and_values(backend, self.text, self.values)
    }
}

fn filter(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}
