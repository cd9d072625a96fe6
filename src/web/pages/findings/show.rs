//! The page of one finding: what differs, where it comes from, what would mend it, and who bears it until when.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use askama::Template;
use chrono::{DateTime, Utc};
use domain::finding::life::{Kept, State};
use domain::ids::FindingId;
use domain::money::Money;
use domain::person::Role;
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use crate::csrf::Form;
use crate::pages::see_other;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "findings/show.html")]
struct Show {
    shell: Shell,
    it: Kept,
    now: DateTime<Utc>,
    may_waive: bool,
    sees_reconcile: bool,
    typed: Typed,
    errors: Vec<FieldError>,
}

/// The form as it was typed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    until: String,
    reason: String,
}

impl Show {
    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }

    fn money(&self) -> Option<Money> {
        self.it.found.cents.map(Money::from_cents)
    }
}

/// The page.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<FindingId>) -> Result<HttpResponse, Problem> {
    shown(&app, &visitor, *id, (Typed::default(), Vec::new()), StatusCode::OK).await
}

async fn shown(
    app: &App,
    visitor: &Visitor,
    id: FindingId,
    (typed, errors): (Typed, Vec<FieldError>),
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let who = &visitor.principal;
    let it = app::finding::show(app, who, id).await?;
    let bearable = matches!(it.state, State::Open | State::Waived(_));
    let view = Show {
        shell: visitor.shell(it.found.matter.kind().title(), Section::Cmdb),
        now: app.clock.now(),
        may_waive: bearable && who.has_everywhere(Role::Operator),
        sees_reconcile: who.scope() == domain::person::Scope::Everything,
        it,
        typed,
        errors,
    };
    Ok(page(status, &view))
}

/// Bears it until the end of a day.
pub(super) async fn waive(
    app: Data<App>,
    visitor: Visitor,
    id: Path<FindingId>,
    form: Form<Typed>,
) -> Result<HttpResponse, Problem> {
    let typed = form.fields;
    let done = match super::super::ci::instant(typed.until.trim()) {
        Ok(Some(until)) => {
            app::finding::waive(&app, &visitor.principal, "portal", *id, (until, &typed.reason)).await.map(drop)
        }
        Ok(None) | Err(_) => Err(Trouble::field("until", "Write the last day, such as 2026-12-24.")),
    };
    match done {
        Ok(()) => {
            let mut response = see_other(&format!("/findings/{id}"));
            response.add_cookie(&flash_cookie(&app, "It is waived until then.")).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) if trouble.kind == Kind::Invalid => {
            shown(&app, &visitor, *id, (typed, trouble.fields), problem::status(Kind::Invalid)).await
        }
        Err(trouble) => Err(trouble.into()),
    }
}
