//! Search across everything that a person may see: requests, deployments, CIs, workloads, and people for those who
//! manage them. Each noun is asked within the person's scope, in a few statements whatever there is.

use domain::ci::{Ci, CiClass, Lifecycle};
use domain::deployment::DeploymentState;
use domain::ids::RequestId;
use domain::person::{Principal, Role, Scope};
use domain::reading::Reading;
use domain::request::{Request, number, number_in};
use domain::trouble::Trouble;
use store::ci::{CiQuery, CiSort};
use store::page::{Part, Turn, Window};
use store::{deployment, person, request};
use uuid::Uuid;

use crate::{App, ci, database};

/// Rows of each noun that a search shows; its list has the others.
const SHOWN: u64 = 6;
/// Letters of a search that count.
const LONGEST: usize = 200;

/// A noun that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    Requests,
    Deployments,
    Cis,
    /// What runs in containers, by name or image.
    Workloads,
    People,
}

/// What was found of one noun.
#[derive(Clone, Debug)]
pub struct Group {
    pub noun: Noun,
    pub hits: Vec<Hit>,
    /// Whether there are others.
    pub more: bool,
}

/// Something that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    pub id: Uuid,
    pub name: String,
    /// What it is, in a few words.
    pub note: String,
    /// How its state reads; people have none.
    pub reads: Option<Reading>,
}

impl Noun {
    /// The word that programs use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Deployments => "deployments",
            Self::Cis => "cis",
            Self::Workloads => "workloads",
            Self::People => "people",
        }
    }
}

/// What the text finds, noun by noun; a noun of which nothing was found is left out.
pub async fn search(app: &App, who: &Principal, text: &str) -> Result<Vec<Group>, Trouble> {
    let text: String = text.trim().chars().take(LONGEST).collect();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let scope = who.scope();
    let mut groups = vec![requests(app, &scope, &text).await?, deployments(app, &scope, &text).await?];
    groups.push(cis(app, &scope, &text, Noun::Cis).await?);
    groups.push(cis(app, &scope, &text, Noun::Workloads).await?);
    if who.has_everywhere(Role::Administrator) {
        groups.push(people(app, &text).await?);
    }
    groups.retain(|group| !group.hits.is_empty());
    Ok(groups)
}

/// The request whose number the text is, `R-12` or `12`, if the person may see it.
pub async fn by_number(app: &App, who: &Principal, text: &str) -> Result<Option<RequestId>, Trouble> {
    Ok(numbered(app, &who.scope(), text).await?.map(|request| request.id))
}

async fn numbered(app: &App, scope: &Scope, text: &str) -> Result<Option<Request>, Trouble> {
    let Some(number) = number_in(text) else { return Ok(None) };
    store::request::find_by_number(&app.store, number, scope).await.map_err(database)
}

fn first<S, Id>(sort: S, descending: bool) -> Window<S, Id> {
    Window { sort, descending, turn: Turn::First, limit: SHOWN }
}

fn group<T>(noun: Noun, part: Part<T>, hit: impl Fn(T) -> Hit) -> Group {
    Group { noun, more: part.later, hits: part.rows.into_iter().map(hit).collect() }
}

async fn requests(app: &App, scope: &Scope, text: &str) -> Result<Group, Trouble> {
    let filter = request::Filter { title: text.to_owned(), ..request::Filter::default() };
    // In the order of titles, which an index has: the newest of the same title first.
    let part = request::list(&app.store, scope, &filter, first(request::SortBy::Title, true)).await;
    let mut part = part.map_err(database)?;
    if let Some(meant) = numbered(app, scope, text).await? {
        part.rows.retain(|it| it.id != meant.id);
        part.rows.insert(0, meant);
    }
    let reads = crate::request::readings(app, &part.rows).await?;
    Ok(group(Noun::Requests, part, |it| Hit {
        id: it.id.0,
        name: number(it.number),
        reads: Some(reads.get(&it.id).copied().unwrap_or_else(|| it.reads())),
        note: it.title,
    }))
}

async fn deployments(app: &App, scope: &Scope, text: &str) -> Result<Group, Trouble> {
    let states = DeploymentState::ALL.to_vec();
    let filter = deployment::Filter { text: text.to_owned(), states, ..deployment::Filter::default() };
    let part = deployment::list(&app.store, scope, &filter, first(deployment::SortBy::Name, false)).await;
    let part = part.map_err(database)?;
    let reads = crate::deployment::readings(app, &part.rows).await?;
    Ok(group(Noun::Deployments, part, |it| Hit {
        id: it.id.0,
        reads: Some(reads.get(&it.id).copied().unwrap_or_else(|| it.state.reads(None))),
        name: it.name,
        note: it.title,
    }))
}

async fn cis(app: &App, scope: &Scope, text: &str, noun: Noun) -> Result<Group, Trouble> {
    let lifecycles = vec![Lifecycle::Planned, Lifecycle::Building, Lifecycle::Operational];
    let workloads = Some(CiClass::Workload);
    // Workloads have a group of their own, and take no place from the others.
    let (class, but) = if noun == Noun::Workloads { (workloads, None) } else { (None, workloads) };
    let query = CiQuery { words: ci::words(text), class, but, lifecycles, ..CiQuery::default() };
    let part = store::ci::list(&app.store, scope, &query, first(CiSort::Name, false)).await.map_err(database)?;
    Ok(group(noun, part, |it: Ci| Hit {
        id: it.id.0,
        note: it.class.title().to_owned(),
        reads: Some(it.lifecycle.reads()),
        name: it.name,
    }))
}

async fn people(app: &App, text: &str) -> Result<Group, Trouble> {
    let filter = person::Filter { text: text.to_owned(), ..person::Filter::default() };
    let part = person::list(&app.store, &filter, first(person::SortBy::Name, false)).await.map_err(database)?;
    Ok(group(Noun::People, part, |it| Hit { id: it.id.0, name: it.name, note: it.email, reads: None }))
}
