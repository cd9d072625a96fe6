//! The list of CIs: search, filters in the address, pages, and the same as a file.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use app::App;
use app::ci::{CiQuery, CiSort, Counted};
use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::ci::{Ci, CiClass, Lifecycle};
use domain::person::Principal;
use domain::trouble::{Kind, Trouble};
use futures::Stream;
use serde::Deserialize;
use url::form_urlencoded;

use crate::csv;
use crate::problem::Problem;
use crate::shell::{Section, Shell, page};
use crate::visitor::Visitor;

const PAGE: u64 = 50;
const EXPORTED_AT_ONCE: u64 = 500;
/// Stages of life that the list shows when nobody chose: everything that is not history.
const CURRENT: [Lifecycle; 3] = [Lifecycle::Planned, Lifecycle::Building, Lifecycle::Operational];

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
    class: String,
    /// A stage of life, `all`, or empty for what is current.
    life: String,
    platform: String,
    application: String,
    ownerless: String,
    deployment: String,
    sort: String,
    after: String,
}

/// A filter as the page shows it.
pub struct Chip {
    pub href: String,
    pub label: String,
    pub on: bool,
}

#[derive(Template)]
#[template(path = "ci/index.html")]
struct Index {
    shell: Shell,
    wanted: Wanted,
    classes: Vec<Chip>,
    lives: Vec<Chip>,
    owners: Vec<Chip>,
    rows: Vec<Ci>,
    showing: String,
    by_name: (String, &'static str),
    by_change: (String, &'static str),
    first: String,
    next: String,
    csv: String,
    now: DateTime<Utc>,
}

pub async fn index(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let wanted = wanted.into_inner();
    let query = wanted.query()?;
    let counted = app::ci::count(&app, &visitor.principal, &query).await?;
    let list = app::ci::search(&app, &visitor.principal, query).await?;
    let index = Index {
        shell: visitor.shell("CMDB", Section::Cmdb),
        classes: wanted.classes(),
        lives: wanted.lives(),
        owners: wanted.owners(),
        showing: showing(list.rows.len(), counted),
        by_name: (wanted.href(&[("sort", "")]), if wanted.sort.is_empty() { "ascending" } else { "" }),
        by_change: (wanted.href(&[("sort", "changed")]), if wanted.sort == "changed" { "descending" } else { "" }),
        first: if wanted.after.is_empty() { String::new() } else { wanted.href(&[]) },
        next: list.next.map_or_else(String::new, |last| wanted.href(&[("after", &last.to_string())])),
        csv: wanted.href(&[]).replacen("/cmdb", "/cmdb/export.csv", 1),
        rows: list.rows,
        wanted,
        now: app.clock.now(),
    };
    Ok(page(StatusCode::OK, &index))
}

pub async fn export(app: Data<App>, visitor: Visitor, wanted: Query<Wanted>) -> Result<HttpResponse, Problem> {
    let query = CiQuery { limit: EXPORTED_AT_ONCE, after: None, ..wanted.query()? };
    Ok(csv::download("cmdb.csv", lines(app, visitor.principal, query)))
}

/// The whole list as lines of a file, a page of rows at a time.
fn lines(app: Data<App>, who: Principal, query: CiQuery) -> impl Stream<Item = Result<String, Trouble>> {
    let head = csv::line(["id", "name", "class", "lifecycle", "platform", "application", "deployment", "changed_at"]);
    futures::stream::try_unfold((Some(query), head), move |(query, head)| {
        let (app, who) = (app.clone(), who.clone());
        async move {
            let Some(query) = query else { return Ok(None) };
            let list = app::ci::search(&app, &who, query.clone()).await?;
            let text = list.rows.iter().fold(head, |text, ci| text + &row(ci));
            let next = list.next.map(|last| CiQuery { after: Some(last), ..query });
            Ok(Some((text, (next, String::new()))))
        }
    })
}

fn row(ci: &Ci) -> String {
    csv::line([
        ci.id.to_string(),
        ci.name.clone(),
        ci.class.word().to_owned(),
        ci.lifecycle.word().to_owned(),
        ci.platform.clone().unwrap_or_default(),
        ci.application.clone().unwrap_or_default(),
        ci.deployment.map_or_else(String::new, |deployment| deployment.to_string()),
        ci.changed_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    ])
}

impl Wanted {
    fn query(&self) -> Result<CiQuery, Trouble> {
        let text = |value: &String| (!value.is_empty()).then(|| value.clone());
        let lifecycles = match self.life.as_str() {
            "" => CURRENT.to_vec(),
            "all" => Vec::new(),
            word => vec![Lifecycle::from_word(word).ok_or_else(|| unknown("lifecycle", word))?],
        };
        Ok(CiQuery {
            words: app::ci::words(&self.q),
            class: known(&self.class, "class", CiClass::from_word)?,
            lifecycles,
            platform: text(&self.platform),
            application: text(&self.application),
            ownerless: !self.ownerless.is_empty(),
            deployment: known(&self.deployment, "deployment", |id| id.parse().ok())?,
            sort: if self.sort == "changed" { CiSort::Changed } else { CiSort::Name },
            after: known(&self.after, "page", |id| id.parse().ok())?,
            limit: PAGE,
        })
    }

    /// This list with some of its filters changed, from its first page on.
    fn href(&self, changes: &[(&str, &str)]) -> String {
        let now = [
            ("q", &self.q),
            ("class", &self.class),
            ("life", &self.life),
            ("platform", &self.platform),
            ("application", &self.application),
            ("ownerless", &self.ownerless),
            ("deployment", &self.deployment),
            ("sort", &self.sort),
        ];
        let changed = |name: &str| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in now {
            let value = changed(name).unwrap_or(value);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(after) = changed("after") {
            query.append_pair("after", after);
        }
        match query.finish() {
            query if query.is_empty() => "/cmdb".to_owned(),
            query => format!("/cmdb?{query}"),
        }
    }

    fn classes(&self) -> Vec<Chip> {
        let all = Chip { href: self.href(&[("class", "")]), label: "All classes".into(), on: self.class.is_empty() };
        let one = |class: &CiClass| Chip {
            href: self.href(&[("class", class.word())]),
            label: class.title().into(),
            on: self.class == class.word(),
        };
        std::iter::once(all).chain(CiClass::ALL.iter().map(one)).collect()
    }

    fn lives(&self) -> Vec<Chip> {
        let choices = [("", "Current"), ("building", "Building"), ("retired", "Retired"), ("all", "All")];
        let chip = |(word, label): (&str, &str)| Chip {
            href: self.href(&[("life", word)]),
            label: label.into(),
            on: self.life == word,
        };
        choices.map(chip).into()
    }

    /// The owners that the list is narrowed to; each chip takes its filter away, except the one that adds its own.
    fn owners(&self) -> Vec<Chip> {
        let mut chips = Vec::new();
        for (name, value, title) in
            [("platform", &self.platform, "Platform"), ("application", &self.application, "Application")]
        {
            if !value.is_empty() {
                chips.push(Chip { href: self.href(&[(name, "")]), label: format!("{title}: {value}"), on: true });
            }
        }
        if !self.deployment.is_empty() {
            chips.push(Chip { href: self.href(&[("deployment", "")]), label: "Of one deployment".into(), on: true });
        }
        let on = !self.ownerless.is_empty();
        chips.push(Chip {
            href: self.href(&[("ownerless", if on { "" } else { "yes" })]),
            label: "Without owner".into(),
            on,
        });
        chips
    }

    /// The list narrowed to what one platform group or one team answers for.
    fn of_owner(&self, side: &str, name: &str) -> String {
        self.href(&[(side, name)])
    }
}

fn known<T>(word: &str, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Trouble> {
    if word.is_empty() { Ok(None) } else { read(word).map(Some).ok_or_else(|| unknown(what, word)) }
}

fn unknown(what: &str, word: &str) -> Trouble {
    Trouble::new(
        Kind::Malformed,
        format!("The list can't be narrowed to the {what} `{word}`: there is none."),
        "Go back to the CMDB and choose a filter there.",
    )
}

fn showing(rows: usize, counted: Counted) -> String {
    match (rows, counted.number, counted.more) {
        (0, ..) => "Nothing to show".into(),
        (rows, number, true) => format!("{rows} of more than {number}"),
        (rows, number, false) => format!("{rows} of {number}"),
    }
}
