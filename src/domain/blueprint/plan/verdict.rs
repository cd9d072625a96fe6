//! Who has to approve, and why: each policy compared with what is ordered.

use super::{Expression, Money, Parameters, Policy, Scope, Unplannable, Verdict, Workflow, is_true, plain};

/// What becomes of each policy.
pub(super) fn all(workflow: &Workflow, scope: &Scope) -> Result<Vec<Verdict>, Unplannable> {
    workflow.approval.iter().map(|policy| verdict(policy, &workflow.parameters, scope)).collect()
}

fn verdict(policy: &Policy, parameters: &Parameters, scope: &Scope) -> Result<Verdict, Unplannable> {
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
        why: why(policy, matched, parameters, scope),
    })
}

fn why(policy: &Policy, matched: bool, parameters: &Parameters, scope: &Scope) -> String {
    let facts = policy.when.as_ref().map(|when| facts(&when.value, parameters, scope)).unwrap_or_default();
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
pub(super) fn facts(expression: &Expression, parameters: &Parameters, scope: &Scope) -> String {
    let fact = |path: Vec<String>| {
        let value = path.iter().skip(1).try_fold(scope.get(&path[0])?, |value, name| value.get(name))?;
        let money = || value.as_f64().and_then(Money::from_euros).unwrap_or_default();
        Some(match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["params", name] => format!("{} is {}", parameters.title(name), plain(value)),
            ["price", "monthly"] => format!("the price per month is {}", money()),
            ["price", "before"] => format!("the price per month was {}", money()),
            ["price", "total"] => format!("the price over the lease is {}", money()),
            ["deployment", "params", name] => format!("{name} was {}", plain(value)),
            _ => format!("{} is {}", path.join("."), plain(value)),
        })
    };
    expression.paths().into_iter().filter_map(fact).collect::<Vec<_>>().join(", ")
}
