//! The list: found by words, state and project, sorted and paged by its address alone.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use app::App;
use app::request::{Filter, Listed, SortBy, Window};
use askama::Template;
use chrono::{DateTime, Utc};
use domain::ids::ProjectId;
use domain::money::Money;
use domain::person::Principal;
use domain::request::{RequestState, number};
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

const PAGE_SIZE: u64 = 25;
/// Nobody pages further than this; it keeps a made-up address from walking the whole table.
const LAST_PAGE: u64 = 10_000;

/// The groups of states that people filter by: the word in the address, what the chip says, and the states.
const GROUPS: [(&str, &str, &[RequestState]); 5] = [
    ("", "All", &[]),
    ("waiting", "Waiting", &[RequestState::AwaitingApproval]),
    ("building", "Building", &[RequestState::Approved, RequestState::Running]),
    ("done", "Done", &[RequestState::Fulfilled]),
    (
        "ended",
        "Ended without",
        &[RequestState::Rejected, RequestState::Withdrawn, RequestState::Expired, RequestState::Failed],
    ),
];

/// What the address asks for; whatever is missing or unknown is taken as not asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    state: String,
    project: String,
    /// `all` shows the requests of everybody in sight.
    whose: String,
    sort: String,
    page: String,
}

/// A filter that is on or off.
struct Chip {
    href: String,
    label: &'static str,
    on: bool,
}

/// The head of a column.
struct Column {
    label: &'static str,
    href: String,
    order: &'static str,
    class: &'static str,
}

/// A request in the list.
struct Row {
    listed: Listed,
    number: String,
    monthly: Money,
    waits_for: String,
}

#[derive(Template)]
#[template(path = "requests/index.html")]
struct Index {
    shell: Shell,
    asked: Asked,
    whose: Vec<Chip>,
    chips: Vec<Chip>,
    projects: Vec<(String, String)>,
    columns: Vec<Column>,
    rows: Vec<Row>,
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
    let (who, number) = (&visitor.principal, asked.number());
    let from = (number - 1) * PAGE_SIZE;
    let list = app::request::list(&app, who, &asked.filter(who), asked.window(from, PAGE_SIZE)).await?;
    let to = from + list.requests.len() as u64;
    let named = list.projects.into_iter().map(|project| (project.id.to_string(), project.title));
    let index = Index {
        shell: visitor.shell("Requests", Section::Requests),
        whose: asked.whose(),
        chips: asked.chips(),
        projects: std::iter::once((String::new(), "All projects".to_owned())).chain(named).collect(),
        columns: asked.columns(),
        rows: list.requests.into_iter().map(row).collect(),
        now: app.clock.now(),
        from: from + 1,
        to,
        total: list.total,
        back: if number > 1 { asked.with("page", &(number - 1).to_string()) } else { String::new() },
        next: if to < list.total { asked.with("page", &(number + 1).to_string()) } else { String::new() },
        csv: asked.address("/requests.csv"),
        asked,
    };
    Ok(page(StatusCode::OK, &index))
}

fn row(listed: Listed) -> Row {
    Row {
        number: number(listed.request.number),
        monthly: Money::from_cents(listed.request.monthly_cents()),
        waits_for: listed.waits_for.join(", "),
        listed,
    }
}

impl Asked {
    pub(super) fn filter(&self, who: &Principal) -> Filter {
        let states = GROUPS.iter().find(|(word, ..)| *word == self.state).map_or(&[][..], |(.., states)| *states);
        Filter {
            text: self.q.trim().to_owned(),
            states: states.to_vec(),
            requester: (self.whose != "all").then_some(who.person),
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
            "title" => (SortBy::Title, descending),
            "price" => (SortBy::Price, descending),
            "state" => (SortBy::State, descending),
            "number" => (SortBy::Number, descending),
            _ => (SortBy::Number, true),
        }
    }

    fn number(&self) -> u64 {
        self.page.parse().unwrap_or(1).clamp(1, LAST_PAGE)
    }

    fn whose(&self) -> Vec<Chip> {
        let chip = |word: &str, label| Chip { href: self.with("whose", word), label, on: self.whose == word };
        vec![chip("", "My own"), chip("all", "Of my projects")]
    }

    fn chips(&self) -> Vec<Chip> {
        let chip = |(word, label, _): &(&str, &'static str, _)| Chip {
            href: self.with("state", word),
            label,
            on: self.state == *word,
        };
        GROUPS.iter().map(chip).collect()
    }

    fn columns(&self) -> Vec<Column> {
        let (sort, descending) = self.order();
        let column = |label, word: &str, by, class| {
            let order = match (sort == by, descending) {
                (false, _) => "",
                (true, true) => "descending",
                (true, false) => "ascending",
            };
            let next = if order == "ascending" { format!("-{word}") } else { word.to_owned() };
            Column { label, href: self.with("sort", &next), order, class }
        };
        vec![
            column("Request", "number", SortBy::Number, ""),
            column("What", "title", SortBy::Title, ""),
            column("State", "state", SortBy::State, ""),
            column("A month", "price", SortBy::Price, "num"),
        ]
    }

    /// This list with one thing asked otherwise; any change but of the page starts again at its first.
    fn with(&self, name: &str, value: &str) -> String {
        let mut other = Self { page: String::new(), ..self.clone() };
        match name {
            "state" => other.state = value.to_owned(),
            "sort" => other.sort = value.to_owned(),
            "whose" => other.whose = value.to_owned(),
            _ => other.page = value.to_owned(),
        }
        other.address("/requests")
    }

    fn address(&self, path: &str) -> String {
        let fields = [
            ("q", &self.q),
            ("state", &self.state),
            ("project", &self.project),
            ("whose", &self.whose),
            ("sort", &self.sort),
            ("page", &self.page),
        ];
        let mut query = Serializer::new(String::new());
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}
