//! `gatehouse plan`: what an order would do, without ordering it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use clap::Args;
use domain::blueprint::plan::{Order, Plan, PlannedWork, RequestFacts, Unplannable};
use domain::blueprint::{Blueprint, nearest};
use serde_json::{Map, Value};

use super::Failure;
use crate::settings::Settings;
use crate::workflows;

#[derive(Args)]
pub struct Arguments {
    /// A blueprint's name, `scale-out-tomcat`, or its file
    blueprint: String,
    /// A parameter, `nodes=4`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// The plan as JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints the plan of an order by nobody in particular.
pub fn run(settings: &Settings, arguments: &Arguments) -> Result<(), Failure> {
    let blueprint = find(settings, &arguments.blueprint)?;
    let parameters = parameters(&blueprint, &arguments.set)?;
    let request = RequestFacts {
        requester: "you".into(),
        team: "your-team".into(),
        project: "your-project".into(),
        organisation: "your-organisation".into(),
        ..RequestFacts::default()
    };
    let order = Order { parameters: &parameters, lease: None, request: &request, on: None };
    let plan = blueprint.plan(&order, &actions::signatures()).map_err(said)?;
    let text = if arguments.json { serde_json::to_string_pretty(&plan)? } else { readable(&plan)? };
    println!("{}", text.trim_end());
    Ok(())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.to_owned())),
        None => Err("write it as NAME=VALUE".into()),
    }
}

/// Why there is no plan; each parameter that does not fit on a line of its own.
fn said(unplannable: Unplannable) -> String {
    match unplannable {
        Unplannable::Fields(fields) => {
            let lines = fields.iter().map(|field| format!("\n  --set {}: {}", field.field, field.message));
            lines.fold("these parameters do not fit".to_owned(), |text, line| text + &line)
        }
        other => other.to_string(),
    }
}

fn find(settings: &Settings, wanted: &str) -> Result<Blueprint, Failure> {
    let is_file = Path::new(wanted).is_file();
    let path = if is_file { Some(Path::new(wanted)) } else { settings.catalog.folder.as_deref() };
    let mut names = Vec::new();
    for file in workflows::read(path)? {
        let text = file.text.unwrap_or_default();
        let Ok(blueprint) = Blueprint::parse_checked(&file.name, &text, &actions::signatures()) else {
            if is_file {
                return Err(format!("`{wanted}` has mistakes; `gatehouse check {wanted}` lists them").into());
            }
            continue;
        };
        if is_file || blueprint.name == wanted {
            return Ok(blueprint);
        }
        names.push(blueprint.name);
    }
    let hint = match nearest(wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there are {}", names.join(", ")),
    };
    Err(format!("there is no blueprint `{wanted}`; {hint}").into())
}

/// The parameters by the kinds that the blueprint declares.
fn parameters(blueprint: &Blueprint, set: &[(String, String)]) -> Result<Map<String, Value>, Failure> {
    let declared = &blueprint.order.parameters;
    for (name, _) in set {
        if !declared.names().any(|known| known == name) {
            let known: Vec<&str> = declared.names().collect();
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", known.join(", ")),
            };
            return Err(format!("{} has no parameter `{name}`; {hint}", blueprint.name).into());
        }
    }
    let set: BTreeMap<&str, &str> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut values = declared.read_form(|name| set.get(name).copied());
    // A form's box that is not ticked means no; what is not set here means the default.
    values.retain(|name, _| set.contains_key(name.as_str()));
    Ok(values)
}

fn readable(plan: &Plan) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{} ({} {})", plan.title, plan.blueprint, plan.version)?;
    writeln!(text, "  {} a month, {} in {}", plan.monthly, plan.total, plan.lease)?;
    let quota: Vec<String> = plan.quota.iter().map(|line| format!("{}: {}", line.title, line.amount)).collect();
    writeln!(text, "  Quota: {}", quota.join(", "))?;
    writeln!(text, "  Platform by {}, application by {}", plan.responsible.platform, plan.responsible.application)?;
    writeln!(text, "\nParameters")?;
    for (name, value) in &plan.parameters {
        writeln!(text, "  {name} = {value}")?;
    }
    writeln!(text, "\nApproval")?;
    for verdict in &plan.approval {
        let approvers: Vec<String> = verdict.approvers.iter().map(ToString::to_string).collect();
        let asked = if verdict.matched { "asked" } else { "not asked" };
        writeln!(text, "  Level {}: {} {asked}. {}", verdict.level, approvers.join(", "), verdict.why)?;
    }
    writeln!(text, "\nSteps")?;
    for step in &plan.steps {
        let work = match &step.work {
            PlannedWork::Do(action) => action.clone(),
            PlannedWork::Undo(key) => format!("undo of {key}"),
        };
        let name = step.name.as_deref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let after = if step.needs.is_empty() { String::new() } else { format!(", after {}", step.needs.join(", ")) };
        writeln!(text, "  {:<12} {}{name} ({work}{after})", step.key, step.title)?;
    }
    Ok(text)
}
