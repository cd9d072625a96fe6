//! A blueprint at a glance: what it costs at least and who would have to approve, before anybody fills in a form.

use serde_json::{Map, Value};

use super::{Blueprint, Level, Order, Plan, RequestFacts, Unplannable};
use crate::action::Signature;
use crate::blueprint::schema::{FieldKind, Parameters};
use crate::money::Money;

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
