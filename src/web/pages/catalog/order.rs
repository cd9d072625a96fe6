//! The order page: a form made from the blueprint's parameters, with what it comes to beside it.
//!
//! With scripts the summary follows what is typed; without, the button "Check" shows the same. A refused form comes
//! back with everything that was typed.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Query};
use app::App;
use app::catalog::OrderForm;
use app::request::{Order, What};
use askama::Template;
use domain::blueprint::Period;
use domain::blueprint::schema::{FieldKind, FormField, plain};
use domain::ids::{ProjectId, RequestId};
use domain::request::Request;
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::icon;
use crate::csrf::{AnyFields, Form};
use crate::pages::see_other;
use crate::pages::summary::Summary;
use crate::problem::{self, Problem};
use crate::shell::{Section, Shell, page};
use crate::visitor::{Visitor, flash_cookie};

#[derive(Template)]
#[template(path = "catalog/order.html")]
struct OrderPage {
    shell: Shell,
    form: OrderForm,
    typed: Typed,
    summary: Summary,
    errors: Vec<FieldError>,
    /// Why the order was refused as a whole; none when only fields are wrong.
    refusal: Option<Trouble>,
}

/// The form as it was filled in.
#[derive(Clone, Debug)]
struct Typed {
    parameters: Map<String, Value>,
    /// The texts, to show them again as they were typed.
    texts: Vec<(String, String)>,
    project: ProjectId,
    /// In days.
    lease: String,
    reason: String,
    /// The same form sent twice orders once.
    key: String,
    /// The version whose form it is.
    version: String,
}

impl Typed {
    /// What the form says before anybody typed.
    fn fresh(form: &OrderForm) -> Result<Self, Trouble> {
        let project = form.projects.first().ok_or_else(|| Trouble::not_found("project"))?.id;
        Ok(Self {
            parameters: Map::new(),
            texts: Vec::new(),
            project,
            lease: form.blueprint.lease.default.days().to_string(),
            reason: String::new(),
            key: app::secret::fresh(),
            version: form.blueprint.version.to_string(),
        })
    }

    /// What was ordered before, as far as the form still has it.
    fn again(form: &OrderForm, before: Request) -> Result<Self, Trouble> {
        let fresh = Self::fresh(form)?;
        let mut parameters = before.parameters;
        parameters.retain(|name, value| !value.is_null() && form.fields.iter().any(|field| field.name == *name));
        let project = form.projects.iter().find(|project| project.id == before.project);
        Ok(Self {
            texts: parameters.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            parameters,
            project: project.map_or(fresh.project, |project| project.id),
            lease: before.plan.map_or(fresh.lease, |plan| plan.lease.days().to_string()),
            reason: before.reason,
            ..fresh
        })
    }

    fn of(form: &OrderForm, sent: &Form<AnyFields>) -> Result<Self, Trouble> {
        let fresh = Self::fresh(form)?;
        let typed = |field| sent.typed(field).unwrap_or_default().to_owned();
        Ok(Self {
            parameters: form.blueprint.order.parameters.read_form(|field| sent.typed(field)),
            texts: sent.pairs.clone(),
            project: typed("project").parse().unwrap_or(fresh.project),
            lease: typed("lease"),
            reason: typed("reason"),
            key: typed("key"),
            version: typed("version"),
        })
    }

    /// The lease; what is no number of days is none that any blueprint allows.
    fn lease(&self) -> Period {
        self.lease.trim().parse().ok().filter(|days| *days <= 36_500).map_or(Period::default(), Period::of_days)
    }

    /// The text of a field: as it was typed, else the default.
    fn value(&self, field: &FormField) -> String {
        let typed = self.texts.iter().find(|(name, _)| *name == field.name).map(|(_, text)| text.clone());
        typed.unwrap_or_else(|| field.default.as_ref().map(plain).unwrap_or_default())
    }

    fn is_ticked(&self, field: &FormField) -> bool {
        let value = self.parameters.get(&field.name).or(field.default.as_ref());
        value == Some(&Value::Bool(true))
    }
}

impl OrderPage {
    async fn of(app: &App, visitor: &Visitor, form: OrderForm, typed: Typed) -> Result<Self, Trouble> {
        let shell = visitor.shell(format!("Order {}", form.blueprint.title), Section::Catalog);
        let summary = summary(app, visitor, &form, &typed).await?;
        Ok(Self { shell, form, typed, summary, errors: Vec::new(), refusal: None })
    }

    fn icon(&self) -> &'static str {
        icon(&self.form.blueprint.name)
    }

    fn error(&self, field: &str) -> &str {
        self.errors.iter().find(|error| error.field == field).map_or("", |error| &error.message)
    }

    /// The headings of the form with their fields, in the order of the blueprint.
    fn groups(&self) -> Vec<(&str, Vec<&FormField>)> {
        let mut groups: Vec<(&str, Vec<&FormField>)> = Vec::new();
        for field in &self.form.fields {
            let title = if field.group.is_empty() { "Parameters" } else { &field.group };
            match groups.iter_mut().find(|(known, _)| *known == title) {
                Some((_, fields)) => fields.push(field),
                None => groups.push((title, vec![field])),
            }
        }
        groups
    }

    fn project_options(&self) -> Vec<(String, String)> {
        let projects = self.form.projects.iter();
        projects.map(|project| (project.id.to_string(), project.title.clone())).collect()
    }
}

/// The pairs that a list offers.
fn pairs(field: &FormField) -> Vec<(&str, &str)> {
    field.options.iter().map(|option| (option.value.as_str(), option.label.as_str())).collect()
}

/// A bound as the number field wants it; empty for none.
fn bound(limit: &Option<f64>) -> String {
    limit.map(|limit| limit.to_string()).unwrap_or_default()
}

/// A label in two parts, `Small` and what follows its colon.
fn halves(label: &str) -> (&str, &str) {
    label.split_once(": ").unwrap_or((label, ""))
}

async fn summary(app: &App, visitor: &Visitor, form: &OrderForm, typed: &Typed) -> Result<Summary, Trouble> {
    let (name, lease) = (&form.blueprint.name, Some(typed.lease()));
    let who = &visitor.principal;
    let draft = app::catalog::draft(app, who, typed.project, name, &typed.parameters, lease).await?;
    Ok(Summary::of(draft, &form.fields, form.usually))
}

/// What an address may ask of the form.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// The request whose parameters are to be ordered again.
    copy: Option<RequestId>,
}

pub(super) async fn show(
    app: Data<App>,
    visitor: Visitor,
    name: Path<String>,
    wish: Query<Wish>,
) -> Result<HttpResponse, Problem> {
    let form = app::catalog::form(&app, &visitor.principal, &name).await?;
    let typed = match wish.copy {
        Some(id) => Typed::again(&form, app::request::show(&app, &visitor.principal, id).await?.request)?,
        None => Typed::fresh(&form)?,
    };
    Ok(page(StatusCode::OK, &OrderPage::of(&app, &visitor, form, typed).await?))
}

/// The summary alone, while somebody types.
pub(super) async fn preview(
    app: Data<App>,
    visitor: Visitor,
    name: Path<String>,
    sent: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let form = app::catalog::form(&app, &visitor.principal, &name).await?;
    let typed = Typed::of(&form, &sent)?;
    Ok(page(StatusCode::OK, &summary(&app, &visitor, &form, &typed).await?))
}

/// Sends the order, or only checks it.
pub(super) async fn order(
    app: Data<App>,
    visitor: Visitor,
    name: Path<String>,
    sent: Form<AnyFields>,
) -> Result<HttpResponse, Problem> {
    let form = app::catalog::form(&app, &visitor.principal, &name).await?;
    let typed = Typed::of(&form, &sent)?;
    let who = &visitor.principal;
    let outcome = if sent.typed("check").is_some() {
        let lease = Some(typed.lease());
        app::catalog::plan(&app, who, typed.project, &name, &typed.parameters, lease).await.map(|_| None)
    } else {
        app::request::submit(&app, who, wanted(&form, &typed)).await.map(Some)
    };
    match outcome {
        Ok(Some(request)) => {
            let mut response = see_other(&format!("/requests/{}", request.id));
            response.add_cookie(&flash_cookie(&app, "Your order is on its way.")).map_err(Trouble::bug)?;
            Ok(response)
        }
        Ok(None) => Ok(page(StatusCode::OK, &OrderPage::of(&app, &visitor, form, typed).await?)),
        Err(trouble) => refused(&app, &visitor, form, typed, trouble).await,
    }
}

fn wanted(form: &OrderForm, typed: &Typed) -> Order {
    Order {
        what: What::Provision {
            project: typed.project,
            blueprint: form.blueprint.name.clone(),
            version: Some(typed.version.clone()),
            parameters: typed.parameters.clone(),
            lease: Some(typed.lease()),
        },
        reason: typed.reason.clone(),
        via: "portal",
        key: typed.key.clone(),
    }
}

/// The form again, with what was typed and what is wrong.
async fn refused(
    app: &App,
    visitor: &Visitor,
    form: OrderForm,
    mut typed: Typed,
    mut trouble: Trouble,
) -> Result<HttpResponse, Problem> {
    if !matches!(trouble.kind, Kind::Invalid | Kind::Conflict) {
        return Err(trouble.into());
    }
    // Sent again, it is another order, of the version that is shown now.
    typed.version = form.blueprint.version.to_string();
    typed.key = app::secret::fresh();
    let status = problem::status(trouble.kind);
    let errors = std::mem::take(&mut trouble.fields);
    let refusal = errors.is_empty().then_some(trouble);
    let order = OrderPage::of(app, visitor, form, typed).await?;
    Ok(page(status, &OrderPage { errors, refusal, ..order }))
}
