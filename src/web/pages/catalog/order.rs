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
use domain::ids::RequestId;
use domain::trouble::{FieldError, Kind, Trouble};
use serde::Deserialize;

use super::icon;
use crate::csrf::{AnyFields, Form};
use crate::pages::order_form::{Fields, Typed, site_options};
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

impl OrderPage {
    async fn of(app: &App, visitor: &Visitor, form: OrderForm, typed: Typed) -> Result<Self, Trouble> {
        let shell = visitor.shell(format!("Order {}", form.blueprint.title), Section::Catalog);
        let summary = summary(app, visitor, &form, &typed).await?;
        Ok(Self { shell, form, typed, summary, errors: Vec::new(), refusal: None })
    }

    /// Where the form goes.
    fn sends_to(&self) -> String {
        format!("/catalog/{}", self.form.blueprint.name)
    }

    fn icon(&self) -> &'static str {
        icon(&self.form.blueprint.name)
    }

    fn fields(&self) -> Fields<'_> {
        Fields { form: &self.form, typed: &self.typed, errors: &self.errors }
    }

    fn error(&self, field: &str) -> &str {
        problem::message_at(&self.errors, field)
    }

    fn project_options(&self) -> Vec<(String, String)> {
        let projects = self.form.projects.iter();
        projects.map(|project| (project.id.to_string(), project.title.clone())).collect()
    }

    fn sites(&self) -> Vec<(String, String)> {
        site_options(&self.form)
    }
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
    let form = app::catalog::form(&app, &visitor.principal, &name, visitor.project).await?;
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
    let form = app::catalog::form(&app, &visitor.principal, &name, visitor.project).await?;
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
    let form = app::catalog::form(&app, &visitor.principal, &name, visitor.project).await?;
    let typed = Typed::of(&form, &sent)?;
    let outcome = if sent.typed("check").is_some() {
        check(&app, &visitor, &name, &typed).await.map(|()| None)
    } else {
        app::request::submit(&app, &visitor.principal, wanted(&form, &typed)).await.map(Some)
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

/// Whether an order as it was typed would be taken.
async fn check(app: &App, visitor: &Visitor, blueprint: &str, typed: &Typed) -> Result<(), Trouble> {
    let (who, lease) = (&visitor.principal, Some(typed.lease()));
    let plan = app::catalog::plan(app, who, typed.project, blueprint, &typed.parameters, lease).await;
    let site = app::site::chosen(app, who, typed.project, typed.site().as_deref()).await;
    Trouble::both(plan, site).map(drop)
}

fn wanted(form: &OrderForm, typed: &Typed) -> Order {
    Order {
        what: What::Provision {
            project: typed.project,
            site: typed.site(),
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
