//! The fields of an order, made from the blueprint's parameters: of one that is new, and of one that is changed.

use app::catalog::OrderForm;
use askama::Template;
use domain::blueprint::Period;
use domain::blueprint::schema::{FieldKind, FormField, plain};
use domain::ids::ProjectId;
use domain::request::Request;
use domain::trouble::{FieldError, Trouble};
use serde_json::{Map, Value};

use crate::csrf::{AnyFields, Form};
use crate::problem;

/// The form as it was filled in.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) parameters: Map<String, Value>,
    /// The texts, to show them again as they were typed.
    texts: Vec<(String, String)>,
    pub(super) project: ProjectId,
    /// Empty takes the project's first.
    pub(super) site: String,
    /// In days.
    pub(super) lease: String,
    pub(super) reason: String,
    /// The same form sent twice orders once.
    pub(super) key: String,
    /// The version whose form it is.
    pub(super) version: String,
}

impl Typed {
    /// What the form says before anybody typed.
    pub(super) fn fresh(form: &OrderForm) -> Result<Self, Trouble> {
        let project = form.projects.first().ok_or_else(|| Trouble::not_found("project"))?.id;
        Ok(Self {
            parameters: Map::new(),
            texts: Vec::new(),
            project,
            site: String::new(),
            lease: form.blueprint.lease.default.days().to_string(),
            reason: String::new(),
            key: app::secret::fresh(),
            version: form.blueprint.version.to_string(),
        })
    }

    /// What was ordered before, as far as the form still has it.
    pub(super) fn again(form: &OrderForm, before: Request) -> Result<Self, Trouble> {
        let fresh = Self::fresh(form)?;
        let mut parameters = before.parameters;
        parameters.retain(|name, value| !value.is_null() && form.fields.iter().any(|field| field.name == *name));
        let project = form.projects.iter().find(|project| project.id == before.project);
        Ok(Self {
            texts: parameters.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            parameters,
            project: project.map_or(fresh.project, |project| project.id),
            site: before.site,
            lease: before.plan.map_or(fresh.lease, |plan| plan.lease.days().to_string()),
            reason: before.reason,
            ..fresh
        })
    }

    pub(super) fn of(form: &OrderForm, sent: &Form<AnyFields>) -> Result<Self, Trouble> {
        let fresh = Self::fresh(form)?;
        let typed = |field| sent.typed(field).unwrap_or_default().to_owned();
        Ok(Self {
            parameters: form.blueprint.order.parameters.read_form(|field| sent.typed(field)),
            texts: sent.pairs.clone(),
            project: typed("project").parse().unwrap_or(fresh.project),
            site: typed("site"),
            lease: typed("lease"),
            reason: typed("reason"),
            key: typed("key"),
            version: typed("version"),
        })
    }

    /// The lease; what is no number of days is none that any blueprint allows.
    pub(super) fn lease(&self) -> Period {
        self.lease.trim().parse().ok().filter(|days| *days <= 36_500).map_or(Period::default(), Period::of_days)
    }

    /// The site that was chosen, if one was.
    pub(super) fn site(&self) -> Option<String> {
        Some(self.site.clone()).filter(|site| !site.is_empty())
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

/// The sites to choose from, as pairs of a list; none where there is but one.
pub(super) fn site_options(form: &OrderForm) -> Vec<(String, String)> {
    if form.sites.len() < 2 {
        return Vec::new();
    }
    let usual = (String::new(), "The project's usual site".to_owned());
    let named = form.sites.iter().map(|site| (site.name.clone(), site.title.clone()));
    std::iter::once(usual).chain(named).collect()
}

/// The fields with what was typed and what is wrong with it.
#[derive(Template)]
#[template(path = "components/order_fields.html")]
pub(super) struct Fields<'f> {
    pub(super) form: &'f OrderForm,
    pub(super) typed: &'f Typed,
    pub(super) errors: &'f [FieldError],
}

/// What it prints was escaped when it was rendered.
impl askama::filters::HtmlSafe for Fields<'_> {}

impl Fields<'_> {
    fn error(&self, field: &str) -> &str {
        problem::message_at(self.errors, field)
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
