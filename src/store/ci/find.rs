//! Finding CIs by words, class, life, owner and deployment, a page at a time.
//!
//! Every page is one statement that walks an index in the order shown, from where the page before ended. What a
//! person may see of several projects is the merge of each project's first rows, so that no tenant pays for the size
//! of another.

use domain::ci::{Ci, CiClass, Lifecycle};
use domain::ids::{CiId, DeploymentId, ProjectId};
use domain::person::Scope;
use sea_orm::DbErr;

use super::row::ci;
use crate::Reads;
use crate::page::{self, Counted, Listing, Part, Table, Window};
use crate::sql::Sql;

const TABLE: Table = Table { name: "ci", tie: "id", columns: "t.*" };
/// A word that more CIs than this bear is common: the list is walked in its order and each row asked for the word.
const COMMON: i64 = 2_000;
/// What bears a word is counted to here: each CI on the way is asked for it.
const COUNTED: u64 = 250;

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
    /// A class that is not looked for.
    pub but: Option<CiClass>,
    /// The stages of life to show; none means all.
    pub lifecycles: Vec<Lifecycle>,
    /// The group that answers for the platform.
    pub platform: Option<String>,
    /// The team that answers for the application.
    pub application: Option<String>,
    /// Only CIs for which nobody answers, on one side or both.
    pub ownerless: bool,
    pub deployment: Option<DeploymentId>,
    pub project: Option<ProjectId>,
}

/// One page of the CIs in scope.
pub async fn list(
    on: &impl Reads,
    scope: &Scope,
    query: &CiQuery,
    window: Window<CiSort, CiId>,
) -> Result<Part<Ci>, DbErr> {
    let found = listing(on, scope, query).await?;
    part(found, on, window).await
}

/// One page of the CIs in scope, and how many there are: three statements at most.
pub async fn list_counted(
    on: &impl Reads,
    scope: &Scope,
    query: &CiQuery,
    window: Window<CiSort, CiId>,
) -> Result<(Part<Ci>, Counted), DbErr> {
    let found = listing(on, scope, query).await?;
    let counted = found.clone().count(on).await?;
    Ok((part(found, on, window).await?, counted))
}

/// How many CIs in scope the query finds, as far as they are counted.
pub async fn count(on: &impl Reads, scope: &Scope, query: &CiQuery) -> Result<Counted, DbErr> {
    listing(on, scope, query).await?.count(on).await
}

async fn part(found: Listing, on: &impl Reads, window: Window<CiSort, CiId>) -> Result<Part<Ci>, DbErr> {
    let column = match window.sort {
        CiSort::Name => "sort_name",
        CiSort::Changed => "changed_at",
    };
    found.part(on, column, window).await?.try_map(ci::Model::into_domain)
}

/// What the query finds, place by place.
async fn listing(on: &impl Reads, scope: &Scope, query: &CiQuery) -> Result<Listing, DbErr> {
    let mut sql = Sql::default();
    let scope = scope.within(query.project);
    let places = places(on, &scope, &query.words).await?;
    let lists = places.iter().map(|place| sql.of_place(place)).collect();
    let mut found = Listing::of_lists(TABLE, &scope, sql, lists);
    if !query.words.is_empty() {
        found.count_to(COUNTED);
    }
    let columns = [
        ("class", query.class.map(|class| class.word().to_owned())),
        ("platform", query.platform.clone()),
        ("application", query.application.clone()),
    ];
    for (column, value) in columns {
        if let Some(value) = value {
            found.ask(|sql| format!("{column} = {}", sql.bind(value)));
        }
    }
    if let Some(class) = query.but {
        found.ask(|sql| format!("class <> {}", sql.bind(class.word())));
    }
    if let Some(deployment) = query.deployment {
        found.ask(|sql| format!("deployment_id = {}", sql.bind(deployment.0)));
    }
    if query.ownerless {
        found.ask(|_| "(platform IS NULL OR application IS NULL)".into());
    }
    if (1..Lifecycle::ALL.len()).contains(&query.lifecycles.len()) {
        found.ask(|sql| sql.stages(&query.lifecycles));
    }
    Ok(found)
}

/// Where to look: some projects, or everywhere.
struct Place {
    projects: Option<Vec<ProjectId>>,
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
    let places = page::places(scope);
    if words.is_empty() || places.is_empty() {
        return Ok(places.into_iter().map(|projects| Place { projects, words: Vec::new() }).collect());
    }
    let mut sql = Sql::default();
    let mut counts = Vec::new();
    for projects in &places {
        for word in words {
            let bears = sql.bears(projects.as_deref(), word);
            counts.push(format!(
                "(SELECT count(*) FROM (SELECT 1 FROM ci_word WHERE {bears} LIMIT {}) AS bearers)",
                COMMON + 1
            ));
        }
    }
    sql.text = format!("SELECT {}", counts.join(", "));
    let numbers = sql.numbers(on, places.len() * words.len()).await?;
    let mut found = Vec::new();
    for (place, projects) in places.into_iter().enumerate() {
        let mut counted = Vec::new();
        for (nth, text) in words.iter().enumerate() {
            let bearers = numbers[place * words.len() + nth];
            counted.push((bearers, Word { text: text.clone(), common: bearers > COMMON }));
        }
        counted.sort_by_key(|(bearers, _)| *bearers);
        if counted.iter().all(|(bearers, _)| *bearers > 0) {
            found.push(Place { projects, words: counted.into_iter().map(|(_, word)| word).collect() });
        }
    }
    Ok(found)
}

impl Sql {
    /// The conditions of a place: its projects, and its words. A rare word alone says which CIs to look at, for it is
    /// known by project: were the project named once more, the database would walk all of it to find the few.
    fn of_place(&mut self, place: &Place) -> Vec<String> {
        let mut all = Vec::new();
        match place.words.split_first() {
            Some((rarest, others)) if !rarest.common => {
                let bears = self.bears(place.projects.as_deref(), &rarest.text);
                all.push(format!("id IN (SELECT ci_id FROM ci_word WHERE {bears})"));
                all.extend(self.also(others));
            }
            _ => {
                all.extend(self.of_projects(place.projects.as_deref()));
                all.extend(self.also(&place.words));
            }
        }
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
    fn bears(&mut self, projects: Option<&[ProjectId]>, word: &str) -> String {
        let range = self.word_range(word);
        match self.of_projects(projects) {
            Some(within) => format!("{within} AND {range}"),
            None => range,
        }
    }

    /// The condition for these stages of life. One stage is looked up; several are said by what they are not, so that
    /// the database walks the index of the order shown rather than sort all that it finds by stage.
    fn stages(&mut self, wanted: &[Lifecycle]) -> String {
        if let [one] = wanted {
            return format!("lifecycle = {}", self.bind(one.word()));
        }
        let others = Lifecycle::ALL.iter().filter(|stage| !wanted.contains(stage));
        format!("lifecycle NOT IN ({})", self.bind_all(others.map(|stage| stage.word())))
    }

    /// Words that begin with `word`, as a range that the index answers.
    fn word_range(&mut self, word: &str) -> String {
        let (from, to) = (self.bind(word), self.bind(format!("{word}\u{10FFFF}")));
        format!("word >= {from} AND word < {to}")
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::ci::{Cause, CiChange, CiClass, Source};
    use serde_json::Map;
    use test_database::TestDatabase;

    use super::*;
    use crate::ci::apply;
    use crate::page::Turn;
    use crate::{Store, fresh_id};

    #[tokio::test]
    async fn what_somebody_with_very_many_projects_may_see_is_found_and_nothing_else() {
        let database = TestDatabase::create().await;
        let store = Store::open(database.address()).await.expect("a new database opens");
        let shop = fresh_id::<ProjectId>();
        for (project, name) in [(shop, "shop-web"), (fresh_id(), "shop-foreign")] {
            let cause = Cause {
                source: Source::Workflow,
                project,
                deployment: None,
                run: None,
                step: None,
                platform: None,
                application: None,
                at: DateTime::UNIX_EPOCH,
            };
            let change = CiChange::Declare {
                key: name.into(),
                class: CiClass::VirtualMachine,
                name: name.into(),
                attributes: Map::new(),
            };
            let tx = store.begin().await.expect("a transaction");
            apply(&tx, &[change], &cause).await.expect("it is written");
            tx.commit().await.expect("it is kept");
        }
        let scope = Scope::Projects((0..700).map(|_| fresh_id()).chain([shop]).collect());
        for words in [Vec::new(), vec!["shop".to_owned()], vec!["shop".to_owned(), "we".to_owned()]] {
            let query = CiQuery { words, ..CiQuery::default() };
            let window = Window { sort: CiSort::Name, descending: false, turn: Turn::First, limit: 10 };
            let (part, counted) = list_counted(&store, &scope, &query, window).await.expect("one statement");
            let names: Vec<&str> = part.rows.iter().map(|row| row.name.as_str()).collect();
            assert_eq!((names, counted.number), (vec!["shop-web"], 1), "{:?}", query.words);
        }
    }
}
