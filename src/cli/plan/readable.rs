//! A plan as people read it in a terminal.

use std::fmt::{Error, Write};

use domain::blueprint::plan::{Plan, PlannedStep, PlannedWork, Verdict};
use domain::blueprint::schema::plain;
use domain::site::Site;

use crate::cli::table;

/// Everything that an approver would see, in sections.
pub(super) fn readable(plan: &Plan, site: Option<&Site>) -> Result<String, Error> {
    let mut text = String::new();
    writeln!(text, "{} ({} {})", plan.title, plan.blueprint, plan.version)?;
    let before = plan.action.is_some();
    let monthly_before = if before { format!(" (now {})", plan.monthly_before) } else { String::new() };
    let quota = plan.quota.iter().map(|line| {
        let before = if before { format!(" (now {})", line.before) } else { String::new() };
        format!("{} {}{before}", line.title, line.amount)
    });
    let site = site.map(|site| format!("{} ({})", site.title, site.name));
    let mut facts = vec![
        ("Site".to_owned(), site.unwrap_or_default()),
        ("Price".to_owned(), format!("{} a month{monthly_before}, {} in {}", plan.monthly, plan.total, plan.lease)),
        ("Quota".to_owned(), quota.collect::<Vec<_>>().join(", ")),
        ("Names".to_owned(), plan.names.join(", ")),
        ("Platform by".to_owned(), plan.responsible.platform.clone()),
        ("Application by".to_owned(), plan.responsible.application.clone()),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    table(&mut text, &[], facts.into_iter().map(|(name, value)| vec![name, value]).collect())?;
    if !plan.parameters.is_empty() {
        writeln!(text, "\nParameters")?;
        table(&mut text, &[], plan.parameters.iter().map(|(name, value)| vec![name.clone(), plain(value)]).collect())?;
    }
    writeln!(text, "\nApproval")?;
    if plan.approval.is_empty() {
        writeln!(text, "  Nobody has to approve it.")?;
    }
    table(&mut text, &["Level", "Who", "Asked", "Why"], plan.approval.iter().map(approval).collect())?;
    writeln!(text, "\nSteps")?;
    table(&mut text, &["Step", "Does", "Name", "After"], plan.steps.iter().map(step).collect())?;
    Ok(text)
}

fn approval(verdict: &Verdict) -> Vec<String> {
    let approvers: Vec<String> = verdict.approvers.iter().map(ToString::to_string).collect();
    let asked = if verdict.matched { "yes" } else { "no" };
    vec![verdict.level.to_string(), approvers.join(", "), asked.to_owned(), verdict.why.clone()]
}

fn step(step: &PlannedStep) -> Vec<String> {
    let work = match &step.work {
        PlannedWork::Do(action) => action.clone(),
        PlannedWork::Undo(key) => format!("undo of {key}"),
    };
    let skipped = step.skip.as_ref().map(|why| format!("not run: {why}"));
    let after = skipped.unwrap_or_else(|| step.needs.join(", "));
    vec![step.key.clone(), format!("{} ({work})", step.title), step.name.clone().unwrap_or_default(), after]
}
