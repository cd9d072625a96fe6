//! What an order would do, as a value: steps, names, price, quota, who has to approve and why.
//!
//! One plan serves the order page, the mails, the API, the command line and the engine, so that what was shown is
//! what is approved and what is built. Nothing here asks a system outside.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::expression::{Expression, Scope};
use super::schema::{Parameters, plain};
use super::source::shortened;
use super::{
    Approvers, Blueprint, Confirm, DayTwo, Located, OnTimeout, Period, Policy, QUOTA_KINDS, Quorum, Retry,
    StepDeclaration, Work, Workflow,
};
use crate::action::Signature;
use crate::ci::{CiClass, Relation};
use crate::money::Money;
use crate::trouble::FieldError;

mod fan_out;
mod glance;
mod late;
mod verdict;

use fan_out::Words;
pub use fan_out::leave_out_detours;
pub(super) use fan_out::{inherited, needed_ids};
pub use glance::Glance;
pub(super) use glance::samples;
pub use late::{Bindings, StepOutput, outputs_by_step};

/// What the lease is called among the fields of an order.
pub const LEASE: &str = "lease";

/// What is ordered, by whom and for what.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// As they were given; defaults are filled in by the plan.
    pub parameters: &'a Map<String, Value>,
    /// The blueprint's default, when none was chosen.
    pub lease: Option<Period>,
    pub request: &'a RequestFacts,
    /// The deployment and the action on it, for a day-2 action.
    pub on: Option<(&'a str, &'a DeploymentFacts)>,
}

/// What expressions see as `request`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestFacts {
    /// Empty until the request has one.
    pub number: String,
    /// The requester's name.
    pub requester: String,
    /// The group that answers for the application.
    pub team: String,
    pub project: String,
    pub organisation: String,
}

/// What expressions of a day-2 action see as `deployment`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeploymentFacts {
    pub name: String,
    pub params: Map<String, Value>,
    /// Outputs of the steps that are done, by step id; a list where the step was fanned out.
    pub steps: Map<String, Value>,
    /// The lease that goes on, so that an action's total is over the same time.
    pub lease: Period,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unplannable {
    /// Parameters that do not fit.
    Fields(Vec<FieldError>),
    /// The blueprint has no such day-2 action.
    NoSuchAction(String),
    /// An expression of the blueprint has no value over these parameters.
    Fault(String),
}

impl fmt::Display for Unplannable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) => {
                let messages: Vec<&str> = fields.iter().map(|field| field.message.as_str()).collect();
                f.write_str(&messages.join(" "))
            }
            Self::NoSuchAction(action) => write!(f, "The blueprint has no action `{action}`."),
            Self::Fault(why) => write!(f, "The blueprint can't be planned with these parameters: {why}."),
        }
    }
}

impl std::error::Error for Unplannable {}

/// What an order or an action would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub blueprint: String,
    pub version: semver::Version,
    pub title: String,
    /// The day-2 action; none for an order.
    pub action: Option<String>,
    /// Every parameter, defaults filled in.
    pub parameters: Map<String, Value>,
    /// The deployment's parameters once the run is done.
    pub parameters_after: Map<String, Value>,
    pub lease: Period,
    /// Per month, once the run is done.
    pub monthly: Money,
    /// Per month, before; zero for an order.
    pub monthly_before: Money,
    /// `monthly` over the lease.
    pub total: Money,
    pub quota: Vec<QuotaLine>,
    pub approval: Vec<Verdict>,
    pub steps: Vec<PlannedStep>,
    /// Names that machines, pools and spaces will bear if nobody takes them first.
    pub names: Vec<String>,
    pub application: Option<PlannedApplication>,
    pub responsible: Responsibilities,
    /// What expressions that are resolved later see.
    pub bindings: Bindings,
}

/// Who answers for what will be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Responsibilities {
    pub platform: String,
    pub application: String,
}

/// How much of one kind a deployment takes of its project's quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLine {
    pub kind: String,
    pub title: String,
    /// Once the run is done.
    pub amount: i64,
    /// Before it; zero for an order.
    pub before: i64,
}

/// What became of one approval policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub level: u32,
    pub approvers: Vec<Approvers>,
    pub quorum: Quorum,
    pub within: Period,
    pub on_timeout: OnTimeout,
    pub confirm: Confirm,
    /// Whether these approvers are asked.
    pub matched: bool,
    /// Why they are, or are not, in words.
    pub why: String,
}

/// A level of approval: the union of the policies that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    pub level: u32,
    pub approvers: Vec<Approvers>,
    pub quorum: Quorum,
    pub within: Period,
    pub on_timeout: OnTimeout,
    pub confirm: Confirm,
    pub why: Vec<String>,
}

/// The application service that the CMDB will get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedApplication {
    pub class: CiClass,
    pub name: String,
    /// Relations to the CIs of a step, by its id.
    pub relations: Vec<(Relation, String)>,
}

/// One step of a run to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// `pool`, or `node[2]` when fanned out.
    pub key: String,
    /// The declaration it comes from, `node`.
    pub id: String,
    pub work: PlannedWork,
    /// What a person reads.
    pub title: String,
    /// The name of what it makes, where it is known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Keys of the steps that have to be done before.
    pub needs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// The input, its templates not yet filled: [`Bindings::resolve`] fills them when the step is ready.
    pub with: Value,
    /// A condition that can only be decided when the step is ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Why it will not run, when that is known already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// What a planned step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedWork {
    /// Calls this action.
    Do(String),
    /// Undoes the deployment's step with this key.
    Undo(String),
}

/// The instance of a fanned-out step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Each {
    /// The number in the key.
    pub n: u32,
    /// The item of the list; null when it is another step's output.
    pub item: Value,
    /// The key of the step whose output it is.
    pub of: Option<String>,
}

impl Plan {
    /// What the deployment will be called: its application's name, or else the first of the names it takes.
    pub fn deployment_name(&self) -> Option<&str> {
        let application = self.application.as_ref().map(|application| application.name.as_str());
        application.or_else(|| self.names.first().map(String::as_str))
    }

    /// What an order of it is called, so that it is told from others: "Linux VM intranet-test".
    pub fn order_title(&self) -> String {
        self.deployment_name().map_or_else(|| self.title.clone(), |name| format!("{} {name}", self.title))
    }

    /// The levels at which somebody has to approve, lowest first. None: nobody has to.
    pub fn levels(&self) -> Vec<Level> {
        let mut levels: BTreeMap<u32, Level> = BTreeMap::new();
        for verdict in self.approval.iter().filter(|verdict| verdict.matched) {
            let level = levels.entry(verdict.level).or_insert_with(|| Level {
                level: verdict.level,
                approvers: Vec::new(),
                quorum: verdict.quorum,
                within: verdict.within,
                on_timeout: verdict.on_timeout,
                confirm: verdict.confirm,
                why: Vec::new(),
            });
            level.approvers.extend(verdict.approvers.iter().cloned());
            level.approvers.sort();
            level.approvers.dedup();
            level.quorum = stricter(level.quorum, verdict.quorum);
            level.within = level.within.min(verdict.within);
            level.confirm = level.confirm.max(verdict.confirm);
            level.why.push(verdict.why.clone());
        }
        levels.into_values().collect()
    }
}

fn stricter(a: Quorum, b: Quorum) -> Quorum {
    match (a, b) {
        (Quorum::AtLeast(a), Quorum::AtLeast(b)) => Quorum::AtLeast(a.max(b)),
        _ => Quorum::All,
    }
}

impl Blueprint {
    /// What the order would do. `actions` give the steps their titles.
    pub fn plan(&self, order: &Order<'_>, actions: &[Signature]) -> Result<Plan, Unplannable> {
        let workflow = self.workflow_of(order)?;
        let parameters = workflow.parameters.complete(order.parameters, &outer_scope(order));
        match (parameters, self.lease_of(order)) {
            (Err(wrong), lease) => Err(Unplannable::Fields(wrong.into_iter().chain(lease.err()).collect())),
            (Ok(parameters), _) => self.plan_over(parameters, order, actions),
        }
    }

    /// The form, the approval and the steps of what is ordered.
    fn workflow_of(&self, order: &Order<'_>) -> Result<&Workflow, Unplannable> {
        Ok(self.day_two_of(order)?.map_or(&self.order, |day_two| &day_two.workflow))
    }

    fn day_two_of(&self, order: &Order<'_>) -> Result<Option<&DayTwo>, Unplannable> {
        let Some((name, _)) = order.on else { return Ok(None) };
        self.day_two(name).map(Some).ok_or_else(|| Unplannable::NoSuchAction(name.to_owned()))
    }

    /// The plan over parameters that are complete.
    fn plan_over(
        &self,
        parameters: Map<String, Value>,
        order: &Order<'_>,
        actions: &[Signature],
    ) -> Result<Plan, Unplannable> {
        let day_two = self.day_two_of(order)?;
        let workflow = day_two.map_or(&self.order, |day_two| &day_two.workflow);
        let mut scope = outer_scope(order);
        scope.insert("params".into(), Value::Object(parameters.clone()));
        let after = self.parameters_after(day_two, order, &scope)?;
        let lease = self.lease_of(order).map_err(|wrong| Unplannable::Fields(vec![wrong]))?;
        let before = order.on.map(|(_, deployment)| &deployment.params);

        let monthly = self.monthly(&after, &scope)?;
        let monthly_before = before.map_or(Ok(Money::default()), |params| self.monthly(params, &scope))?;
        let total = monthly.over_days(lease.days());
        scope.insert("size".into(), self.size_of(&after));
        scope.insert("price".into(), price_value(monthly, monthly_before, total));
        let steps =
            fan_out::steps(workflow, &scope, Words { actions, order: &self.order }).map_err(Unplannable::Fault)?;
        Ok(Plan {
            blueprint: self.name.clone(),
            version: self.version.clone(),
            title: day_two.map_or(&self.title, |day_two| &day_two.title).clone(),
            action: day_two.map(|day_two| day_two.action.value.clone()),
            quota: self.quota_lines(&after, before, &scope)?,
            approval: verdict::all(workflow, &self.order, &scope)?,
            names: names_of(&steps),
            application: self.planned_application(&after, &scope)?,
            responsible: self.responsibilities(&after, &scope)?,
            bindings: Bindings::new(scope, workflow),
            steps,
            parameters,
            parameters_after: after,
            lease,
            monthly,
            monthly_before,
            total,
        })
    }

    /// The names that a form's defaults may use.
    pub fn form_scope(order: &Order<'_>) -> Scope {
        outer_scope(order)
    }

    /// Everything the blueprint needs to know the parameters of, after this order or action.
    fn parameters_after(
        &self,
        day_two: Option<&DayTwo>,
        order: &Order<'_>,
        scope: &Scope,
    ) -> Result<Map<String, Value>, Unplannable> {
        let Some((day_two, (_, deployment))) = day_two.zip(order.on) else {
            return Ok(object(scope, "params"));
        };
        let mut after = deployment.params.clone();
        for (name, expression) in &day_two.sets {
            after.insert(name.value.clone(), evaluate(expression, scope)?);
        }
        Ok(after)
    }

    fn lease_of(&self, order: &Order<'_>) -> Result<Period, FieldError> {
        if let Some((_, deployment)) = order.on {
            return Ok(deployment.lease);
        }
        let lease = order.lease.unwrap_or(self.lease.default);
        if lease > self.lease.max || lease.seconds == 0 {
            let message = format!("Lease must be between 1 day and {}.", self.lease.max);
            return Err(FieldError { field: LEASE.to_owned(), message });
        }
        Ok(lease)
    }

    /// The same names, with the deployment's own parameters as `params`.
    fn over(&self, params: &Map<String, Value>, scope: &Scope) -> Scope {
        let mut scope = scope.clone();
        scope.insert("params".into(), Value::Object(params.clone()));
        scope.insert("size".into(), self.size_of(params));
        scope
    }

    fn size_of(&self, params: &Map<String, Value>) -> Value {
        let chosen = self.order.parameters.chosen_size(params);
        let size = self.sizes.iter().find(|size| Some(size.name.as_str()) == chosen);
        size.map_or(Value::Null, |size| json!(size))
    }

    fn monthly(&self, params: &Map<String, Value>, scope: &Scope) -> Result<Money, Unplannable> {
        let value = evaluate(&self.price, &self.over(params, scope))?;
        value.as_f64().and_then(Money::price).ok_or_else(|| Unplannable::Fault(no_price(&self.price.value, &value)))
    }

    fn quota_lines(
        &self,
        after: &Map<String, Value>,
        before: Option<&Map<String, Value>>,
        scope: &Scope,
    ) -> Result<Vec<QuotaLine>, Unplannable> {
        let amount = |expression: &Located<Expression>, params: &Map<String, Value>| {
            let value = evaluate(expression, &self.over(params, scope))?;
            let fault =
                || Unplannable::Fault(format!("the quota `{}` is no whole number: {value}", expression.value.source()));
            value.as_i64().filter(|amount| *amount >= 0).ok_or_else(fault)
        };
        let line = |(kind, expression): &(String, Located<Expression>)| {
            Ok(QuotaLine {
                kind: kind.clone(),
                title: QUOTA_KINDS
                    .iter()
                    .find(|(known, _)| known == kind)
                    .map_or(kind.as_str(), |(_, title)| title)
                    .to_owned(),
                amount: amount(expression, after)?,
                before: before.map_or(Ok(0), |before| amount(expression, before))?,
            })
        };
        self.quota.iter().map(line).collect()
    }

    fn planned_application(
        &self,
        after: &Map<String, Value>,
        scope: &Scope,
    ) -> Result<Option<PlannedApplication>, Unplannable> {
        let Some(application) = &self.application else { return Ok(None) };
        let name = application.name.value.fill_text(&self.over(after, scope)).map_err(Unplannable::Fault)?;
        let relations = application.relations.iter().map(|(relation, step)| (*relation, step.value.clone())).collect();
        Ok(Some(PlannedApplication { class: application.class, name, relations }))
    }

    fn responsibilities(&self, after: &Map<String, Value>, scope: &Scope) -> Result<Responsibilities, Unplannable> {
        let scope = self.over(after, scope);
        let platform = self.responsible.platform.value.fill_text(&scope).map_err(Unplannable::Fault)?;
        let application = self.responsible.application.value.fill_text(&scope).map_err(Unplannable::Fault)?;
        Ok(Responsibilities { platform, application })
    }
}

/// What is wrong with an expression that gives a number which can be no price.
pub(super) fn no_price(price: &Expression, value: &Value) -> String {
    let (source, given, limit) = (shortened(price.source()), value.to_string(), Money::PRICE_LIMIT);
    let given = if source == given { String::new() } else { format!(" gives {given}, which") };
    format!("`{source}`{given} is no price: a month costs from 0 to less than {limit}")
}

fn outer_scope(order: &Order<'_>) -> Scope {
    let mut scope = Scope::new();
    scope.insert("request".into(), json!(order.request));
    if let Some((_, deployment)) = order.on {
        scope.insert("deployment".into(), json!(deployment));
    }
    scope
}

fn object(scope: &Scope, name: &str) -> Map<String, Value> {
    scope.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn price_value(monthly: Money, before: Money, total: Money) -> Value {
    json!({ "monthly": monthly.euros(), "before": before.euros(), "total": total.euros() })
}

fn evaluate(expression: &Located<Expression>, scope: &Scope) -> Result<Value, Unplannable> {
    let value = expression.value.evaluate(scope);
    value.map_err(|why| Unplannable::Fault(format!("`{}`: {why}", expression.value.source())))
}

fn names_of(steps: &[PlannedStep]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in steps.iter().filter(|step| step.skip.is_none()).filter_map(|step| step.name.as_ref()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The value of a condition, which has to be true or false.
fn is_true(expression: &Expression, scope: &Scope) -> Result<bool, String> {
    let value = expression.evaluate(scope).map_err(|why| format!("`{}`: {why}", expression.source()))?;
    value.as_bool().ok_or_else(|| format!("`{}` is neither true nor false: {value}", expression.source()))
}
