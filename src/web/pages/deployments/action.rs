//! A day-2 action: the form of its parameters with what it comes to beside it, like an order.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use app::App;
use app::deployment::ActionForm;
use app::request::{Order, What};
use askama::Template;
use domain::ids::{RequestId, RunId};
use domain::trouble::{FieldError, Kind, Trouble};
use serde_json::{Map, Value};

use super::show::deployment_id;
use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::pages::summary::Summary;
use crate::parameters::{FieldGroup, groups};
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "deployments/action.html")]
struct Action {
    shell: Shell,
    form: ActionForm,
    groups: Vec<FieldGroup>,
    reason: String,
    key: String,
    /// What it comes to; none when nothing can be planned, and `refusal` says why.
    summary: Option<Summary>,
    errors: Vec<FieldError>,
    refusal: Option<Trouble>,
}

impl Action {
    /// The page of the deployment.
    fn address(&self) -> String {
        format!("/deployments/{}", self.form.deployment.id)
    }

    /// Where the form goes.
    fn sends_to(&self) -> String {
        format!("{}/actions/{}", self.address(), self.form.offered.name)
    }
}

/// What was typed: parameters, and the fields that every action has.
#[derive(Default)]
struct Typed {
    pairs: Vec<(String, String)>,
    parameters: Map<String, Value>,
    reason: String,
    key: String,
    /// The last run on the deployment when the form was shown.
    seen: Option<RunId>,
}

impl Typed {
    fn of(form: &ActionForm, sent: &Form<AnyFields>) -> Self {
        let text = |name: &str| sent.typed(name).unwrap_or_default().to_owned();
        Self {
            pairs: sent.pairs.clone(),
            parameters: form.read(|name| sent.typed(name)),
            reason: text("reason"),
            key: text("key"),
            seen: text("seen").parse().ok(),
        }
    }
}

/// The form as it is at first.
pub(super) async fn show(
    app: Data<App>,
    visitor: Visitor,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, action) = path.into_inner();
    let form = app::deployment::action_form(&app, &visitor.principal, deployment_id(&id)?, &action).await?;
    let typed = Typed { parameters: defaults(&form), ..Typed::default() };
    drawn(&app, &visitor, form, typed, Occasion::First).await
}

/// Asks for the action, or only checks what it would come to.
pub(super) async fn ask(
    app: Data<App>,
    visitor: Visitor,
    path: Path<(String, String)>,
    sent: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let (id, action) = path.into_inner();
    let id = deployment_id(&id)?;
    let form = match app::deployment::action_form(&app, &visitor.principal, id, &action).await {
        Ok(form) => form,
        Err(trouble) => return sent_before(&app, &visitor, &sent, trouble).await,
    };
    let typed = Typed::of(&form, &sent);
    if sent.typed("check").is_some() {
        return drawn(&app, &visitor, form, typed, Occasion::Checked).await;
    }
    let what = What::Action { deployment: id, action, parameters: typed.parameters.clone(), seen: typed.seen };
    let order = Order { what, reason: typed.reason.clone(), via: "portal", key: typed.key.clone() };
    match app::request::submit(&app, &visitor.principal, order).await {
        Ok(request) => on_its_way(&app, request.id),
        Err(trouble) => drawn(&app, &visitor, form, typed, Occasion::Refused(trouble)).await,
    }
}

/// The same form may have been sent before, and what it asked for be what works on the deployment now.
async fn sent_before(
    app: &App,
    visitor: &Visitor,
    sent: &Form<AnyFields>,
    trouble: Trouble,
) -> Result<HttpResponse, Problem> {
    let key = sent.typed("key").unwrap_or_default();
    match app::request::ordered_with(app, &visitor.principal, key).await? {
        Some(request) => on_its_way(app, request.id),
        None => Err(trouble.into()),
    }
}

fn on_its_way(app: &App, request: RequestId) -> Result<HttpResponse, Problem> {
    let mut response = see_other(&format!("/requests/{request}"));
    response.add_cookie(&flash_cookie(app, "Your request is on its way.")).map_err(Trouble::bug)?;
    Ok(response)
}

/// Why the form is shown.
enum Occasion {
    /// Nobody has typed anything yet: what is missing is no mistake.
    First,
    /// Somebody asked what it comes to.
    Checked,
    Refused(Trouble),
}

/// The summary alone, while somebody types.
pub(super) async fn preview(
    app: Data<App>,
    visitor: Visitor,
    path: Path<(String, String)>,
    sent: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let (id, action) = path.into_inner();
    let form = app::deployment::action_form(&app, &visitor.principal, deployment_id(&id)?, &action).await?;
    let typed = Typed::of(&form, &sent);
    let draft = app::deployment::action_draft(&app, &visitor.principal, &form, &typed.parameters).await?;
    Ok(page(StatusCode::OK, &Summary::of(draft, &form.fields, None)))
}

/// The page with what was typed, what it comes to, and what is wrong with it.
async fn drawn(
    app: &App,
    visitor: &Visitor,
    form: ActionForm,
    typed: Typed,
    occasion: Occasion,
) -> Result<HttpResponse, Problem> {
    let draft = app::deployment::action_draft(app, &visitor.principal, &form, &typed.parameters).await;
    let (summary, unplanned) = match draft {
        Ok(draft) => {
            let wrong = (!draft.errors.is_empty()).then(|| Trouble::invalid(draft.errors.clone()));
            (Some(Summary::of(draft, &form.fields, None)), wrong)
        }
        Err(trouble) => (None, Some(trouble)),
    };
    let is_first = matches!(occasion, Occasion::First);
    let mut trouble = match occasion {
        Occasion::First => unplanned.filter(|trouble| trouble.fields.is_empty()),
        Occasion::Checked => unplanned,
        Occasion::Refused(trouble) => Some(trouble),
    };
    let kind = trouble.as_ref().map(|trouble| trouble.kind).filter(|_| !is_first);
    if let Some(other) = trouble.take_if(|it| !matches!(it.kind, Kind::Invalid | Kind::Conflict)) {
        return Err(other.into());
    }
    let errors = trouble.as_mut().map(|it| std::mem::take(&mut it.fields)).unwrap_or_default();
    let typed_text = |name: &str| typed.pairs.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
    let action = Action {
        shell: visitor.shell(format!("{}: {}", form.deployment.name, form.offered.title), Section::Deployments),
        groups: groups(form.fields.clone(), typed_text, &errors),
        summary,
        refusal: trouble.filter(|_| errors.is_empty()),
        reason: typed.reason,
        // What was refused and is sent again is another request.
        key: app::secret::fresh(),
        errors,
        form,
    };
    Ok(page(kind.map_or(StatusCode::OK, problem::status), &action))
}

fn defaults(form: &ActionForm) -> Map<String, Value> {
    let given = form.fields.iter().filter_map(|field| Some((field.name.clone(), field.default.clone()?)));
    given.collect()
}
