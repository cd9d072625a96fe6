//! Being away: who decides meanwhile.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, post, resource};
use app::App;
use app::approval::Away;
use askama::Template;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{FormOn, Visitor, flash_cookie};

/// The routes of a person's absence.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(resource("/account/absence").route(get().to(show)).route(post().to(go_away)))
        .service(resource("/account/absence/end").app_data(FormOn("/account/absence")).route(post().to(come_back)));
}

#[derive(Template)]
#[template(path = "account/absence.html")]
struct Absence {
    shell: Shell,
    away: Option<Away>,
    typed: Typed,
    errors: Vec<FieldError>,
}

/// The form as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Typed {
    delegate: String,
    from: String,
    until: String,
}

impl Absence {
    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }
}

impl Typed {
    /// From the morning of the first day to the end of the last.
    fn days(&self) -> Result<(DateTime<Utc>, DateTime<Utc>), Trouble> {
        let day = |text: &str, field: &str| {
            let parsed = text.trim().parse::<NaiveDate>().ok();
            parsed.ok_or_else(|| Trouble::field(field, "Write a day, such as 2026-12-24."))
        };
        Ok(whole_days(day(&self.from, "from")?, day(&self.until, "until")?))
    }
}

/// From the morning of the first day to the end of the last.
pub(crate) fn whole_days(first: NaiveDate, last: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    let after = last.checked_add_days(Days::new(1)).unwrap_or(last);
    (first.and_time(NaiveTime::MIN).and_utc(), after.and_time(NaiveTime::MIN).and_utc())
}

async fn show(app: Data<App>, visitor: Visitor) -> Result<HttpResponse, Problem> {
    let today = app.clock.now().date_naive().to_string();
    let typed = Typed { from: today.clone(), until: today, ..Typed::default() };
    shown(&app, &visitor, typed, Vec::new(), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    typed: Typed,
    errors: Vec<FieldError>,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let away = app::approval::away(app, &visitor.principal).await?;
    Ok(page(status, &Absence { shell: visitor.shell("Away", Section::None), away, typed, errors }))
}

async fn go_away(app: Data<App>, visitor: Visitor, form: Form<Typed>) -> Result<HttpResponse, Problem> {
    let typed = form.fields;
    let set = match typed.days() {
        Ok((from, until)) => {
            app::approval::go_away(&app, &visitor.principal, &typed.delegate, from, until, "portal").await
        }
        Err(trouble) => Err(trouble),
    };
    match set {
        Ok(()) => and_say(&app, "You are away then; questions go to who stands in."),
        Err(trouble) if trouble.kind == Kind::Invalid => {
            shown(&app, &visitor, typed, trouble.fields, problem::status(Kind::Invalid)).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}

async fn come_back(app: Data<App>, visitor: Visitor, _form: Form<AnyFields>) -> Result<HttpResponse, Problem> {
    app::approval::come_back(&app, &visitor.principal, "portal").await?;
    and_say(&app, "Welcome back. Questions come to you again.")
}

fn and_say(app: &App, sentence: &str) -> Result<HttpResponse, Problem> {
    let mut response = see_other("/account/absence");
    response.add_cookie(&flash_cookie(app, sentence)).map_err(Trouble::bug)?;
    Ok(response)
}
