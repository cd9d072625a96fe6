//! Who has to approve, and why: each policy compared with what is ordered.

use super::{Expression, Money, Parameters, Policy, Scope, Unplannable, Verdict, Workflow, is_true, plain};

/// The parameters by whose titles people know what a policy looks at.
#[derive(Clone, Copy)]
pub(super) struct Titles<'a> {
    /// Of what is asked for now, `params`.
    pub asked: &'a Parameters,
    /// Of what the deployment was ordered with, `deployment.params`.
    pub ordered: &'a Parameters,
}

/// What becomes of each policy.
pub(super) fn all(workflow: &Workflow, order: &Workflow, scope: &Scope) -> Result<Vec<Verdict>, Unplannable> {
    let titles = Titles { asked: &workflow.parameters, ordered: &order.parameters };
    workflow.approval.iter().map(|policy| verdict(policy, titles, scope)).collect()
}

fn verdict(policy: &Policy, titles: Titles<'_>, scope: &Scope) -> Result<Verdict, Unplannable> {
    let matched = match &policy.when {
        None => true,
        Some(when) => is_true(&when.value, scope).map_err(Unplannable::Fault)?,
    };
    Ok(Verdict {
        level: policy.level,
        approvers: policy.approvers.iter().map(|approvers| approvers.value.clone()).collect(),
        quorum: policy.quorum,
        within: policy.within,
        on_timeout: policy.on_timeout,
        confirm: policy.confirm,
        matched,
        why: why(policy, matched, titles, scope),
    })
}

fn why(policy: &Policy, matched: bool, titles: Titles<'_>, scope: &Scope) -> String {
    let facts = policy.when.as_ref().map(|when| facts(&when.value, titles, scope)).unwrap_or_default();
    match (&policy.because, &policy.when) {
        (Some(because), _) if matched && facts.is_empty() => because.clone(),
        (Some(because), _) if matched => format!("{because} ({facts})"),
        (None, None) => "Every such request is approved here.".to_owned(),
        (None, _) if matched => format!("Asked because {facts}."),
        (Some(because), _) => format!("Not needed: {facts}. {because}"),
        (_, Some(when)) => format!("Not needed: {facts}. Asked only when `{}`.", when.value.source()),
    }
}

/// "Environment is test, the price per month is 75.00 €".
pub(super) fn facts(expression: &Expression, titles: Titles<'_>, scope: &Scope) -> String {
    let fact = |path: Vec<String>| {
        let value = path.iter().skip(1).try_fold(scope.get(&path[0])?, |value, name| value.get(name))?;
        let money = || value.as_f64().and_then(Money::from_euros).unwrap_or_default();
        Some(match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["params", name] => format!("{} is {}", titles.asked.title(name), plain(value)),
            ["price", "monthly"] => format!("the price per month is {}", money()),
            ["price", "before"] => format!("the price per month was {}", money()),
            ["price", "total"] => format!("the price over the lease is {}", money()),
            ["deployment", "params", name] => format!("{} was {}", titles.ordered.title(name), plain(value)),
            _ => format!("{} is {}", path.join("."), plain(value)),
        })
    };
    expression.paths().into_iter().filter_map(fact).collect::<Vec<_>>().join(", ")
}
