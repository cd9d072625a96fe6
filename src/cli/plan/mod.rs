//! `gatehouse plan`: what an order or a day-2 action would do, without ordering it.

mod readable;

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use domain::blueprint::plan::{DeploymentFacts, Order, Plan, RequestFacts, Unplannable};
use domain::blueprint::schema::Parameters;
use domain::blueprint::{Blueprint, nearest};
use domain::site::{Site, Sites};
use domain::trouble::FieldError;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Failure, print};
use crate::settings::Settings;
use crate::{systems, workflows};

#[derive(Args)]
pub struct Arguments {
    /// A blueprint's name, `scale-out-tomcat`, or its file
    blueprint: String,
    /// A parameter, `nodes=4`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Plan this day-2 action instead of an order
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// A parameter of the deployment that the action is on; may be repeated, defaults are filled in
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, requires = "action")]
    deployed: Vec<(String, String)>,
    /// The site where it would be built, by its name in the settings
    #[arg(long, value_name = "NAME", conflicts_with = "action")]
    site: Option<String>,
    /// The plan as JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints the plan of an order by nobody in particular.
pub fn run(settings: &Settings, arguments: &Arguments) -> Result<(), Failure> {
    refuse_twice("--set", &arguments.set)?;
    refuse_twice("--deployed", &arguments.deployed)?;
    let blueprint = find(settings, &arguments.blueprint)?;
    let site = arguments.site.as_deref().map(|name| site(&systems::sites(settings), name)).transpose()?;
    let plan = planned(&blueprint, arguments)?;
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&Placed { site: site.as_ref().map(|site| &site.name), plan: &plan })?,
        false => readable::readable(&plan, site.as_ref())?,
    };
    print(&text)
}

/// The plan with the site for which it was asked.
#[derive(Serialize)]
struct Placed<'p> {
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'p String>,
    #[serde(flatten)]
    plan: &'p Plan,
}

fn site(sites: &Sites, name: &str) -> Result<Site, String> {
    sites.find(name).cloned().ok_or_else(|| {
        let names: Vec<&str> = sites.names().collect();
        let hint = nearest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| format!("there are {}", names.join(", ")));
        format!("the settings have no site `{name}`; {hint}")
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".into()),
    }
}

/// Refuses a parameter that is given twice: which of the values was meant is not ours to guess.
fn refuse_twice(option: &str, given: &[(String, String)]) -> Result<(), String> {
    let twice = given.iter().enumerate().find(|(nth, (name, _))| given[..*nth].iter().any(|(other, _)| other == name));
    twice.map_or(Ok(()), |(_, (name, _))| Err(format!("{option} {name} is given twice; leave one of them out")))
}

fn planned(blueprint: &Blueprint, arguments: &Arguments) -> Result<Plan, Failure> {
    let request = RequestFacts {
        requester: "you".into(),
        team: "your-team".into(),
        project: "your-project".into(),
        organisation: "your-organisation".into(),
        ..RequestFacts::default()
    };
    let form = match &arguments.action {
        None => &blueprint.order.parameters,
        Some(action) => {
            &blueprint.day_two(action).ok_or_else(|| no_such_action(blueprint, action))?.workflow.parameters
        }
    };
    let parameters = typed(form, &arguments.set);
    let mut order = Order { parameters: &parameters, lease: None, request: &request, on: None };
    let deployed = typed(&blueprint.order.parameters, &arguments.deployed);
    let deployed = match &arguments.action {
        None => Ok(Map::new()),
        Some(_) => blueprint.order.parameters.complete(&deployed, &Blueprint::form_scope(&order)),
    };
    // What the deployment lacks is told together with what is wrong with the action's own parameters.
    let params = deployed.as_ref().ok().cloned().unwrap_or_default();
    let deployment = DeploymentFacts { params, lease: blueprint.lease.default, ..DeploymentFacts::default() };
    order.on = arguments.action.as_deref().map(|action| (action, &deployment));
    let plan = blueprint.plan(&order, &actions::signatures());
    match (plan, deployed) {
        (Ok(plan), Ok(_)) => Ok(plan),
        (Err(Unplannable::Fields(fields)), deployed) => Err(unfit(&fields, &deployed.err().unwrap_or_default()).into()),
        (_, Err(deployed)) => Err(unfit(&[], &deployed).into()),
        (Err(fault), Ok(_)) => Err(fault.to_string().into()),
    }
}

/// Each parameter that does not fit, on a line of its own.
fn unfit(set: &[FieldError], deployed: &[FieldError]) -> String {
    let lines = set.iter().map(|wrong| ("--set", wrong)).chain(deployed.iter().map(|wrong| ("--deployed", wrong)));
    let lines = lines.map(|(option, wrong)| format!("\n  {option} {}: {}", wrong.field, wrong.message));
    lines.fold("these parameters do not fit".to_owned(), |text, line| text + &line)
}

fn no_such_action(blueprint: &Blueprint, wanted: &str) -> String {
    let names: Vec<&str> = blueprint.actions.iter().map(|day_two| day_two.action.value.as_str()).collect();
    let hint = match nearest(wanted, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "it has none.".to_owned(),
        None => format!("there are {}", names.join(", ")),
    };
    format!("{} has no action `{wanted}`; {hint}", blueprint.name)
}

/// The blueprint of this name among those that the settings' catalog offers, or of this file.
fn find(settings: &Settings, wanted: &str) -> Result<Blueprint, Failure> {
    let actions = actions::signatures();
    if Path::new(wanted).is_file() || wanted.ends_with(".yaml") || wanted.ends_with(".yml") {
        let text = workflows::file(Path::new(wanted)).text.map_err(|mistake| mistake.to_string())?;
        let mistakes = |_| format!("`{wanted}` has mistakes; `gatehouse check {wanted}` lists them");
        return Ok(Blueprint::parse_checked(wanted, &text, &actions).map_err(mistakes)?);
    }
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for file in workflows::read(settings.catalog.folder.as_deref())? {
        match Blueprint::parse_checked(&file.name, &file.text.unwrap_or_default(), &actions) {
            Ok(blueprint) if blueprint.name == wanted => return Ok(blueprint),
            Ok(blueprint) => names.push(blueprint.name),
            Err(_) => wrong.push(file.name),
        }
    }
    Err(no_such_blueprint(wanted, &names, &wrong).into())
}

fn no_such_blueprint(wanted: &str, names: &[String], wrong: &[String]) -> String {
    let hint = match nearest(wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean `{name}`?"),
        None if names.is_empty() => ", nor any other.".to_owned(),
        None => format!("; there are {}.", names.join(", ")),
    };
    let passed_over = match wrong {
        [] => String::new(),
        wrong => format!(" What has mistakes was passed over, `gatehouse check` lists them: {}", wrong.join(", ")),
    };
    format!("there is no blueprint `{wanted}`{hint}{passed_over}")
}

/// The values by the kinds that the blueprint declares; names that it does not know stay, so that the plan tells them
/// with everything else.
fn typed(declared: &Parameters, set: &[(String, String)]) -> Map<String, Value> {
    let set: BTreeMap<&str, &str> = set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut values = declared.read_form(|name| set.get(name).copied());
    // A form's box that is not ticked means no; what is not set here means the default.
    values.retain(|name, _| set.contains_key(name.as_str()));
    let unknown = set.iter().filter(|(name, _)| !declared.names().any(|known| known == **name));
    values.extend(unknown.map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
    values
}
