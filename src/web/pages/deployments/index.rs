//! The list: found by words, state and project, sorted and paged by its address alone.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use app::App;
use app::deployment::{Filter, Listed, SortBy, Window};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::deployment::DeploymentState;
use domain::ids::ProjectId;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

const PAGE_SIZE: u64 = 25;
/// Nobody pages further than this; it keeps a made-up address from walking the whole table.
const LAST_PAGE: u64 = 10_000;

/// What the address asks for; whatever is missing or unknown is taken as not asked.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: String,
}

/// A filter that is on or off.
struct Chip {
    href: String,
    label: String,
    on: bool,
}

/// The head of a column.
struct Column {
    label: &'static str,
    href: String,
    order: &'static str,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "deployments/index.html")]
struct Index {
    shell: Shell,
    asked: Asked,
    chips: Vec<Chip>,
    projects: Vec<(String, String)>,
    columns: Vec<Column>,
    rows: Vec<Listed>,
    now: DateTime<Utc>,
    from: u64,
    to: u64,
    total: u64,
    back: String,
    next: String,
    csv: String,
}

/// The page.
pub(super) async fn index(app: Data<App>, visitor: Visitor, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let asked = asked.into_inner();
    let number = asked.number();
    let from = (number - 1) * PAGE_SIZE;
    let window = asked.window(from, PAGE_SIZE);
    let listing = app::deployment::list(&app, &visitor.principal, &asked.filter(), window).await?;
    let to = from + listing.rows.len() as u64;
    let index = Index {
        shell: visitor.shell("Deployments", Section::Deployments),
        chips: asked.chips(),
        projects: projects(&app, &visitor).await?,
        columns: asked.columns(),
        rows: listing.rows,
        now: app.clock.now(),
        from: from + 1,
        to,
        total: listing.total,
        back: asked.page_if(number > 1, number.saturating_sub(1)),
        next: asked.page_if(to < listing.total, number + 1),
        csv: asked.address("/deployments.csv"),
        asked,
    };
    Ok(page(StatusCode::OK, &index))
}

/// What the list of projects offers.
async fn projects(app: &App, visitor: &Visitor) -> Result<Vec<(String, String)>, Problem> {
    let projects = app::deployment::projects_of(app, &visitor.principal).await?;
    let named = projects.into_iter().map(|project| (project.id.to_string(), project.title));
    Ok(std::iter::once((String::new(), "All projects".to_owned())).chain(named).collect())
}

impl Asked {
    pub(super) fn filter(&self) -> Filter {
        Filter {
            text: self.q.trim().to_owned(),
            states: DeploymentState::from_word(&self.state).into_iter().collect(),
            blueprint: None,
            project: self.project.parse::<ProjectId>().ok(),
        }
    }

    pub(super) fn window(&self, offset: u64, limit: u64) -> Window {
        let (sort, descending) = self.order();
        Window { sort, descending, offset, limit }
    }

    fn order(&self) -> (SortBy, bool) {
        let (descending, word) = match self.sort.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, self.sort.as_str()),
        };
        match word {
            "name" => (SortBy::Name, descending),
            "lease" => (SortBy::Lease, descending),
            "state" => (SortBy::State, descending),
            "created" => (SortBy::Created, descending),
            _ => (SortBy::Created, true),
        }
    }

    fn number(&self) -> u64 {
        self.page.parse().unwrap_or(1).clamp(1, LAST_PAGE)
    }

    /// The address of another page, if there is one.
    fn page_if(&self, exists: bool, number: u64) -> String {
        if exists { self.with("page", &number.to_string()) } else { String::new() }
    }

    fn chips(&self) -> Vec<Chip> {
        let chip = |word: &str, label: String| Chip { href: self.with("state", word), label, on: self.state == word };
        let states = DeploymentState::ALL.iter().map(|state| chip(state.word(), crate::look::words(state.word())));
        std::iter::once(chip("", "All that stand".to_owned())).chain(states).collect()
    }

    fn columns(&self) -> Vec<Column> {
        let (sort, descending) = self.order();
        let column = |label, word: &str, by, class| {
            let here = sort == by;
            let order = if !here {
                ""
            } else if descending {
                "descending"
            } else {
                "ascending"
            };
            let next = if here && !descending { format!("-{word}") } else { word.to_owned() };
            Column { label, href: self.with("sort", &next), order, class }
        };
        vec![
            column("Deployment", "name", SortBy::Name, ""),
            column("State", "state", SortBy::State, ""),
            column("Ordered", "created", SortBy::Created, ""),
            column("Lease ends", "lease", SortBy::Lease, ""),
        ]
    }

    /// This list with one thing asked otherwise; any change but of the page starts again at its first.
    fn with(&self, name: &str, value: &str) -> String {
        let mut other = self.clone();
        other.page.clear();
        match name {
            "state" => other.state = value.to_owned(),
            "sort" => other.sort = value.to_owned(),
            _ => other.page = value.to_owned(),
        }
        other.address("/deployments")
    }

    fn address(&self, path: &str) -> String {
        let fields = [
            ("q", &self.q),
            ("state", &self.state),
            ("project", &self.project),
            ("sort", &self.sort),
            ("page", &self.page),
        ];
        let mut query = Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}
