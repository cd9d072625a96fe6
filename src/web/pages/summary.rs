//! What an order or an action comes to, beside its form: price, names, quota, approvers and why, the plan as a graph.

use std::time::Duration;

use app::catalog::Draft;
use app::quota::QuotaAfter;
use askama::Template;
use domain::blueprint::plan::{Plan, Verdict};
use domain::blueprint::schema::FormField;
use domain::trouble::FieldError;

use crate::drawing::Drawing;
use crate::pages::plan;

/// The summary of a draft; also what htmx puts in its place while somebody types.
#[derive(Template)]
#[template(path = "components/summary.html")]
pub(super) struct Summary {
    plan: Plan,
    /// What is still to be filled in, in words; empty when the form is complete.
    unfinished: String,
    quota: Vec<QuotaAfter>,
    graph: Drawing,
    usually: Option<Duration>,
}

impl Summary {
    /// The summary of a draft of this form; `usually` is how long such a thing took before.
    pub(super) fn of(draft: Draft, fields: &[FormField], usually: Option<Duration>) -> Self {
        let Draft { mut plan, errors, quota } = draft;
        if !errors.is_empty() {
            // They would be made of what is not typed yet.
            plan.steps.iter_mut().for_each(|step| step.name = None);
        }
        Self { graph: plan::drawing(&plan), plan, unfinished: unfinished(&errors, fields), quota, usually }
    }

    fn steps(&self) -> usize {
        self.plan.steps.iter().filter(|step| step.skip.is_none()).count()
    }
}

/// The fields that still need something, by their titles.
fn unfinished(errors: &[FieldError], fields: &[FormField]) -> String {
    let title = |error: &FieldError| {
        let field = fields.iter().find(|field| field.name == error.field);
        field.map_or_else(|| crate::look::words(&error.field), |field| field.title.clone())
    };
    match errors {
        [] => String::new(),
        errors => {
            format!("Still to be filled in or corrected: {}.", errors.iter().map(title).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The approvers of a policy, in words.
fn approvers(verdict: &Verdict) -> String {
    let names: Vec<String> = verdict.approvers.iter().map(ToString::to_string).collect();
    names.join(" or ")
}
