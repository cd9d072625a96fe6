//! Finding CIs by words, class, life, owner and deployment, a page at a time.
//!
//! Every page is one statement that walks an index in the order shown, from where the page before ended. What a
//! person may see of several projects is the merge of each project's first rows, so that no tenant pays for the size
//! of another.

use domain::ci::{Ci, CiClass, Lifecycle};
use domain::ids::{CiId, DeploymentId, ProjectId};
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
    let places = places(on, scope, &query.words).await?;
    let after = match query.after {
        Some(id) => ci::Entity::find_by_id(id.0).one(on.db()).await?,
        None => None,
    };
    let Some(sql) = Sql::page(&places, query, after.as_ref()) else { return Ok(Vec::new()) };
    let rows = ci::Model::find_by_statement(sql.statement(on.db().get_database_backend())).all(on.db()).await?;
    rows.into_iter().map(ci::Model::into_domain).collect()
}

/// How many CIs in scope the query finds, up to a thousand.
pub async fn count(on: &impl Reads, scope: &Scope, query: &CiQuery) -> Result<Counted, DbErr> {
    let places = places(on, scope, &query.words).await?;
    let Some(sql) = Sql::count(&places, query) else { return Ok(Counted { number: 0, more: false }) };
    let row = on.db().query_one_raw(sql.statement(on.db().get_database_backend())).await?;
    let number: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Counted { number: number.min(COUNTED), more: number > COUNTED })
}

/// Where to look: one project, or everywhere.
struct Place {
    project: Option<ProjectId>,
    /// The words that are looked for, the rarest of the place first.
    words: Vec<Word>,
}

/// A beginning of a word, and whether it is common in its place.
struct Word {
    text: String,
    common: bool,
}

/// The places in scope in which every word is borne by some CI, with how common each word is there: one statement.
async fn places(on: &impl Reads, scope: &Scope, words: &[String]) -> Result<Vec<Place>, DbErr> {
    let projects: Vec<Option<ProjectId>> = match scope {
        Scope::Everything => vec![None],
        Scope::Projects(projects) => projects.iter().copied().map(Some).collect(),
    };
    if words.is_empty() || projects.is_empty() {
        return Ok(projects.into_iter().map(|project| Place { project, words: Vec::new() }).collect());
    }
    let mut sql = Sql::default();
    let mut counts = Vec::new();
    for project in &projects {
        for word in words {
            let bears = sql.bears(*project, word);
            counts.push(format!(
                "(SELECT count(*) FROM (SELECT 1 FROM ci_word WHERE {bears} LIMIT {}) AS some)",
                COMMON + 1
            ));
        }
    }
    sql.text = format!("SELECT {}", counts.join(", "));
    let row = on.db().query_one_raw(sql.statement(on.db().get_database_backend())).await?;
    let mut found = Vec::new();
    for (place, project) in projects.into_iter().enumerate() {
        let mut counted = Vec::new();
        for (nth, text) in words.iter().enumerate() {
            let column = place * words.len() + nth;
            let bearers: i64 = row.as_ref().map_or(Ok(0), |row| row.try_get_by_index(column))?;
            counted.push((bearers, Word { text: text.clone(), common: bearers > COMMON }));
        }
        counted.sort_by_key(|(bearers, _)| *bearers);
        if counted.iter().all(|(bearers, _)| *bearers > 0) {
            found.push(Place { project, words: counted.into_iter().map(|(_, word)| word).collect() });
        }
    }
    Ok(found)
}

/// A statement under way: its text with `$n` for each value.
#[derive(Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// One page; nothing when there is no place to look.
    fn page(places: &[Place], query: &CiQuery, after: Option<&ci::Model>) -> Option<Self> {
        let (order, beyond) = match query.sort {
            CiSort::Name => ("sort_name, id", "(sort_name, id) >"),
            CiSort::Changed => ("changed_at DESC, id DESC", "(changed_at, id) <"),
        };
        let mut sql = Self::default();
        let mut common = sql.conditions(query);
        if let Some(last) = after {
            let place = match query.sort {
                CiSort::Name => sql.bind(last.sort_name.clone()),
                CiSort::Changed => sql.bind(last.changed_at),
            };
            let id = sql.bind(last.id);
            common.push(format!("{beyond} ({place}, {id})"));
        }
        let mut parts = Vec::new();
        for place in places {
            let filter = filter(&[sql.of_place(place), common.clone()].concat());
            parts.push(format!(
                "SELECT * FROM (SELECT * FROM ci{filter} ORDER BY {order} LIMIT {}) AS part",
                query.limit
            ));
        }
        sql.text = format!("{} ORDER BY {order} LIMIT {}", parts.join(" UNION ALL "), query.limit);
        (!parts.is_empty()).then_some(sql)
    }

    /// How many; a word is counted by its bearers, so that counting never walks those without it.
    fn count(places: &[Place], query: &CiQuery) -> Option<Self> {
        let mut sql = Self::default();
        let common = sql.conditions(query);
        let limit = COUNTED + 1;
        let mut parts = Vec::new();
        for place in places {
            parts.push(match place.words.first() {
                None => {
                    let all = filter(&[sql.of_place(place), common.clone()].concat());
                    format!("SELECT * FROM (SELECT id FROM ci{all} LIMIT {limit}) AS part")
                }
                Some(word) => {
                    let bears = sql.bears(place.project, &word.text);
                    let also = sql.also(&place.words[1..]);
                    let all = filter(&[vec!["ci.id = borne.ci_id".to_owned()], also, common.clone()].concat());
                    format!(
                        "SELECT * FROM (SELECT DISTINCT borne.ci_id FROM ci_word AS borne \
                         WHERE {bears} AND EXISTS (SELECT 1 FROM ci{all}) LIMIT {limit}) AS part"
                    )
                }
            });
        }
        sql.text = format!("SELECT count(*) FROM ({}) AS found", parts.join(" UNION ALL "));
        (!parts.is_empty()).then_some(sql)
    }

    /// The conditions of a place: its project, and its words.
    fn of_place(&mut self, place: &Place) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(project) = place.project {
            all.push(format!("project_id = {}", self.bind(project.0)));
        }
        let Some((rarest, others)) = place.words.split_first() else { return all };
        if rarest.common {
            all.extend(self.also(std::slice::from_ref(rarest)));
        } else {
            let bears = self.bears(place.project, &rarest.text);
            all.push(format!("id IN (SELECT ci_id FROM ci_word WHERE {bears})"));
        }
        all.extend(self.also(others));
        all
    }

    /// Words that a CI at hand must bear.
    fn also(&mut self, words: &[Word]) -> Vec<String> {
        let bears = |word: &Word| {
            let range = self.word_range(&word.text);
            format!("EXISTS (SELECT 1 FROM ci_word WHERE ci_id = ci.id AND {range})")
        };
        words.iter().map(bears).collect()
    }

    /// The bearers of a word in a place.
    fn bears(&mut self, project: Option<ProjectId>, word: &str) -> String {
        let range = self.word_range(word);
        match project {
            Some(project) => format!("project_id = {} AND {range}", self.bind(project.0)),
            None => range,
        }
    }

    /// What the query asks of every CI, whatever its place.
    fn conditions(&mut self, query: &CiQuery) -> Vec<String> {
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
