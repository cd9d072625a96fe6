//! Changing a request while nobody has decided: the form of the order with what was ordered, and what it would come to.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use app::idempotency::Sent;
use app::request::{ChangeForm, NewTerms};
use askama::Template;
use domain::ids::RequestId;
use domain::request::number;
use domain::trouble::{FieldError, Kind, Trouble};

use crate::csrf::{AnyFields, Form};
use crate::pages::order_form::{Fields, Typed, site_options};
use crate::pages::see_other;
use crate::pages::summary::Summary;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "requests/change.html")]
struct Change {
    shell: Shell,
    number: String,
    it: ChangeForm,
    typed: Typed,
    /// The revision that whoever sends the form has seen.
    revision: i32,
    summary: Summary,
    errors: Vec<FieldError>,
    /// Why the change was refused as a whole; none when only fields are wrong.
    refusal: Option<Trouble>,
}

impl Change {
    fn fields(&self) -> Fields<'_> {
        Fields { form: &self.it.form, typed: &self.typed, errors: &self.errors }
    }

    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }

    fn sites(&self) -> Vec<(String, String)> {
        site_options(&self.it.form)
    }

    /// The page of the request.
    fn address(&self) -> String {
        format!("/requests/{}", self.it.request.id)
    }

    /// Where the form goes.
    fn sends_to(&self) -> String {
        format!("{}/change", self.address())
    }
}

/// The form with what was ordered.
pub(super) async fn show(app: Data<App>, visitor: Visitor, id: Path<RequestId>) -> Result<HttpResponse, Problem> {
    let it = app::request::change_form(&app, &visitor.principal, *id).await?;
    let typed = Typed::again(&it.form, it.request.clone())?;
    let seen = it.request.revision;
    drawn(&app, &visitor, it, typed, Asked { seen, trouble: None }).await
}

/// The summary alone, while somebody types.
pub(super) async fn preview(
    app: Data<App>,
    visitor: Visitor,
    id: Path<RequestId>,
    sent: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let it = app::request::change_form(&app, &visitor.principal, *id).await?;
    let typed = Typed::of(&it.form, &sent)?;
    Ok(page(StatusCode::OK, &summary(&app, &visitor, &it, &typed).await?))
}

/// Changes the request, or only checks what it would come to.
pub(super) async fn change(
    app: Data<App>,
    visitor: Visitor,
    id: Path<RequestId>,
    sent: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let it = app::request::change_form(&app, &visitor.principal, *id).await?;
    let typed = Typed::of(&it.form, &sent)?;
    let seen = sent.typed("revision").and_then(|seen| seen.parse().ok()).unwrap_or(0);
    if sent.typed("check").is_some() {
        return drawn(&app, &visitor, it, typed, Asked { seen, trouble: None }).await;
    }
    let terms = terms(&typed, seen);
    match app::request::change(&app, &visitor.principal, *id, terms, &Sent::PORTAL).await {
        Ok(_) => {
            let mut response = see_other(&format!("/requests/{id}"));
            let told = "The request is changed. Links in earlier mails are void; everybody is asked again.";
            response.add_cookie(&flash_cookie(&app, told)).map_err(Trouble::bug)?;
            Ok(response)
        }
        Err(trouble) => drawn(&app, &visitor, it, typed, Asked { seen, trouble: Some(trouble) }).await,
    }
}

fn terms(typed: &Typed, revision: i32) -> NewTerms {
    let (parameters, reason) = (typed.parameters.clone(), typed.reason.clone());
    NewTerms { revision, site: typed.site(), parameters, lease: Some(typed.lease()), reason }
}

async fn summary(app: &App, visitor: &Visitor, it: &ChangeForm, typed: &Typed) -> Result<Summary, Trouble> {
    let (who, lease) = (&visitor.principal, Some(typed.lease()));
    let draft = app::request::change_draft(app, who, &it.request, &typed.parameters, lease).await?;
    Ok(Summary::of(draft, &it.form.fields, it.form.usually))
}

/// What a form was made from, and what came of sending it.
struct Asked {
    /// The revision that whoever sent it has seen.
    seen: i32,
    /// Why it was refused, if it was.
    trouble: Option<Trouble>,
}

/// The page with what was typed, what it comes to, and what is wrong with it.
async fn drawn(
    app: &App,
    visitor: &Visitor,
    it: ChangeForm,
    typed: Typed,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let mut trouble = asked.trouble;
    // Only who was told that it has changed meanwhile may send his form over the change.
    let was_told = trouble.as_ref().is_some_and(|trouble| trouble.kind == Kind::Conflict);
    let revision = if was_told { it.request.revision } else { asked.seen };
    if let Some(other) = trouble.take_if(|it| !matches!(it.kind, Kind::Invalid | Kind::Conflict)) {
        return Err(other.into());
    }
    let status = trouble.as_ref().map_or(StatusCode::OK, |trouble| problem::status(trouble.kind));
    let errors = trouble.as_mut().map(|it| std::mem::take(&mut it.fields)).unwrap_or_default();
    let number = number(it.request.number);
    let change = Change {
        shell: visitor.shell(format!("Change {number}"), Section::Requests),
        summary: summary(app, visitor, &it, &typed).await?,
        revision,
        refusal: trouble.filter(|_| errors.is_empty()),
        number,
        it,
        typed,
        errors,
    };
    Ok(page(status, &change))
}
