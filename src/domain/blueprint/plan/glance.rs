//! A blueprint at a glance: what it costs at least and who would have to approve, before anybody fills in a form.

use serde_json::{Map, Value};

use super::{Blueprint, LEASE, Level, Order, Plan, RequestFacts, Unplannable};
use crate::action::Signature;
use crate::blueprint::schema::{FieldKind, Parameters};
use crate::money::Money;
use crate::trouble::FieldError;

/// What the catalog's card says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Per month, for the smallest order.
    pub price_from: Money,
    /// Who would be asked for an order of the defaults.
    pub levels: Vec<Level>,
}

impl Blueprint {
    /// What an order would come to for this requester: the smallest for the price, the defaults for the approvers.
    pub fn glance(&self, request: &RequestFacts, actions: &[Signature]) -> Result<Glance, Unplannable> {
        let parameters = &self.order.parameters;
        let usual = self.planned_over(samples(parameters, false), request, actions)?;
        let least = self.planned_over(samples(parameters, true), request, actions)?;
        Ok(Glance { price_from: least.monthly.min(usual.monthly), levels: usual.levels() })
    }

    /// The plan of a form that is not finished: what is missing or does not fit is told, and the rest is planned with
    /// the default in its place.
    pub fn draft(&self, order: &Order<'_>, actions: &[Signature]) -> Result<(Plan, Vec<FieldError>), Unplannable> {
        let errors = match self.plan(order, actions) {
            Err(Unplannable::Fields(errors)) => errors,
            other => return other.map(|plan| (plan, Vec::new())),
        };
        let workflow = self.workflow_of(order)?;
        let is_wrong = |name: &str| errors.iter().any(|error| error.field == name);
        let samples = samples(&workflow.parameters, false);
        let mut given = order.parameters.clone();
        given.retain(|name, value| samples.contains_key(name) && !is_wrong(name) && !value.is_null());
        let filled = |(name, sample): (String, Value)| {
            let value = given.remove(&name).unwrap_or(sample);
            (name, value)
        };
        let parameters: Map<String, Value> = samples.into_iter().map(filled).collect();
        let order = Order { lease: order.lease.filter(|_| !is_wrong(LEASE)), ..*order };
        Ok((self.plan_over(parameters, &order, actions)?, errors))
    }

    fn planned_over(
        &self,
        parameters: Map<String, Value>,
        request: &RequestFacts,
        actions: &[Signature],
    ) -> Result<Plan, Unplannable> {
        let order = Order { parameters: &parameters, lease: None, request, on: None };
        self.plan_over(parameters.clone(), &order, actions)
    }
}

/// The defaults, and for what has none the least value of its kind; or the least value of everything.
pub(in crate::blueprint) fn samples(parameters: &Parameters, least: bool) -> Map<String, Value> {
    let declared = parameters.declared().iter();
    declared
        .map(|parameter| {
            let field = &parameter.field;
            let first = parameter.schema.get("enum").and_then(|options| options.get(0)).cloned();
            let minimum = parameter.schema.get("minimum").cloned();
            let default = field.default.clone();
            let known = if least { minimum.or(first).or(default) } else { default.or(first).or(minimum) };
            let value = known.unwrap_or_else(|| match field.kind {
                FieldKind::Integer => 1.into(),
                FieldKind::Number => 1.0.into(),
                FieldKind::Boolean => false.into(),
                FieldKind::Text | FieldKind::Choice => "sample".into(),
            });
            (field.name.clone(), value)
        })
        .collect()
}
