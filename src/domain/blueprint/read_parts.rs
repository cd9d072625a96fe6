//! The sections of a blueprint, each read by one function.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::expression::Expression;
use super::mistake::{Mistakes, Position, hint};
use super::read::{Table, expression, found, is_name, list, template, text, workflow};
use super::source::{Entry, Node, Tree};
use super::{
    Application, Approvers, Confirm, DayTwo, Lease, Located, OnTimeout, Period, Policy, QUOTA_KINDS, Quorum,
    Responsible, Retry, Size, StepDeclaration, Work,
};
use crate::ci::{CiClass, Relation};

const CI_CLASSES: [&str; 13] = [
    "business_application",
    "application_service",
    "server",
    "virtual_machine",
    "load_balancer_service",
    "pool_member",
    "application_server",
    "database",
    "container_engine",
    "container_space",
    "workload",
    "image",
    "cluster",
];
const RELATIONS: [&str; 6] = ["runs_on", "hosted_on", "depends_on", "contains", "instantiates", "member_of"];

pub(super) fn responsible(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Responsible> {
    let node = table.required("responsible", mistakes)?;
    let table = Table::open(node, "`responsible`", &["platform", "application"], mistakes)?;
    let platform = table.template("platform", mistakes);
    let application = table.template("application", mistakes);
    Some(Responsible { platform: platform?, application: application? })
}

/// The sizes that the file declares, or else those every blueprint may use.
pub(super) fn sizes(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Vec<Size> {
    let Some(node) = table.get("sizes") else { return common_sizes() };
    let Some(table) = Table::open_free(node, "`sizes`", mistakes) else { return common_sizes() };
    let sizes: Vec<Size> =
        table.entries().iter().filter_map(|entry| size(&entry.key, &entry.value, mistakes)).collect();
    if table.entries().is_empty() {
        mistakes.add(node.at, "`sizes` names no size");
    }
    sizes
}

fn common_sizes() -> Vec<Size> {
    [("small", "Small", 2, 4, 40, 25.0), ("medium", "Medium", 4, 8, 80, 48.0), ("large", "Large", 8, 32, 160, 120.0)]
        .into_iter()
        .map(|(name, title, cpu, memory_gb, disk_gb, monthly)| Size {
            name: name.to_owned(),
            title: title.to_owned(),
            cpu,
            memory_gb,
            disk_gb,
            monthly,
        })
        .collect()
}

fn size(name: &str, node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Size> {
    let table = Table::open(node, "a size", &["title", "cpu", "memory_gb", "disk_gb", "monthly"], mistakes)?;
    let title = table.text("title", mistakes).map_or_else(|| capitalised(name), |title| title.value);
    for key in ["cpu", "memory_gb", "disk_gb"] {
        table.required(key, mistakes);
    }
    let monthly = match table.required("monthly", mistakes).map(|node| (&node.tree, node.at)) {
        Some((Tree::Float(monthly), _)) if *monthly >= 0.0 => Some(*monthly),
        Some((Tree::Integer(monthly), _)) => u32::try_from(*monthly).ok().map(f64::from),
        Some((_, at)) => {
            mistakes.add(at, "`monthly` is a price in euros, such as 25.0");
            None
        }
        None => None,
    };
    let cpu = table.whole("cpu", 1, mistakes);
    let memory_gb = table.whole("memory_gb", 1, mistakes);
    let disk_gb = table.whole("disk_gb", 1, mistakes);
    Some(Size { name: name.to_owned(), title, cpu: cpu?, memory_gb: memory_gb?, disk_gb: disk_gb?, monthly: monthly? })
}

/// `memory_gb` as `Memory gb`: the title of what has none.
pub(super) fn capitalised(name: &str) -> String {
    let spaced = name.replace(['_', '-'], " ");
    let mut characters = spaced.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

pub(super) fn lease(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Lease> {
    let node = table.required("lease", mistakes)?;
    let table = Table::open(node, "`lease`", &["default", "max", "grace"], mistakes)?;
    let default = table.period("default", Period::of_days(90), mistakes)?;
    let max = table.period("max", default, mistakes)?;
    let grace = table.period("grace", Period::of_days(7), mistakes)?;
    if default > max || default.seconds == 0 {
        mistakes.add(node.at, format!("the default lease of {default} must lie between 1 day and the longest, {max}"));
        return None;
    }
    Some(Lease { default, max, grace })
}

pub(super) fn price(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Located<Expression>> {
    let node = table.required("price", mistakes)?;
    let table = Table::open(node, "`price`", &["monthly"], mistakes)?;
    table.required("monthly", mistakes)?;
    table.expression("monthly", mistakes)
}

pub(super) fn quota(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Vec<(String, Located<Expression>)> {
    let Some(node) = table.get("quota") else { return Vec::new() };
    let kinds = QUOTA_KINDS.map(|(kind, _)| kind);
    let Some(table) = Table::open(node, "`quota`", &kinds, mistakes) else { return Vec::new() };
    let entries = table.entries().iter();
    entries.filter_map(|entry| Some((entry.key.clone(), expression(&entry.value, mistakes)?))).collect()
}

pub(super) fn policy(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Policy> {
    let keys = ["level", "when", "approvers", "quorum", "within", "on_timeout", "confirm", "because"];
    let table = Table::open(node, "an approval", &keys, mistakes)?;
    table.required("level", mistakes);
    let level = table.whole("level", 1, mistakes);
    let when = table.expression("when", mistakes);
    let approvers = approvers(&table, mistakes);
    let quorum = quorum(&table, mistakes);
    let within = table.period("within", Period::of_days(2), mistakes);
    let choices = [("escalate", OnTimeout::Escalate), ("reject", OnTimeout::Reject)];
    let on_timeout = choice(&table, "on_timeout", &choices, OnTimeout::Escalate, mistakes);
    let choices = [("link", Confirm::Link), ("sign_in", Confirm::SignIn)];
    let confirm = choice(&table, "confirm", &choices, Confirm::Link, mistakes);
    Some(Policy {
        level: level?,
        when,
        approvers,
        quorum: quorum?,
        within: within?,
        on_timeout: on_timeout?,
        confirm: confirm?,
        because: table.text("because", mistakes).map(|text| text.value),
        at: table.at(),
    })
}

fn approvers(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Vec<Located<Approvers>> {
    let Some(node) = table.required("approvers", mistakes) else { return Vec::new() };
    let items = match &node.tree {
        Tree::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        mistakes.add(node.at, "this approval names nobody; `group:name`, `person:mail` or `manager` is expected");
    }
    items.iter().filter_map(|item| approver(item, mistakes)).collect()
}

fn approver(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Located<Approvers>> {
    let text = text(node, "approvers", mistakes)?;
    let parsed = Approvers::parse(&text.value);
    if parsed.is_none() {
        let message = format!("`{}` names nobody; `group:name`, `person:mail` or `manager` is expected", text.value);
        mistakes.add(text.at, message);
    }
    Some(Located { value: parsed?, at: text.at })
}

fn quorum(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Quorum> {
    let Some(node) = table.get("quorum") else { return Some(Quorum::AtLeast(1)) };
    match &node.tree {
        Tree::Text(word) if word == "all" => Some(Quorum::All),
        Tree::Text(word) if word == "any" => Some(Quorum::AtLeast(1)),
        Tree::Integer(number) if (1..=100).contains(number) => u32::try_from(*number).ok().map(Quorum::AtLeast),
        _ => {
            mistakes.add(
                node.at,
                format!("`quorum` is `any`, `all` or a number of approvers, and {} was found", found(node)),
            );
            None
        }
    }
}

fn choice<T: Copy>(
    table: &Table<'_>,
    key: &str,
    choices: &[(&str, T)],
    default: T,
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    let Some(node) = table.get(key) else { return Some(default) };
    let word = text(node, key, mistakes)?;
    let chosen = choices.iter().find(|(name, _)| *name == word.value).map(|(_, value)| *value);
    if chosen.is_none() {
        let hint = hint(&word.value, choices.iter().map(|(name, _)| *name));
        mistakes.add_with_hint(word.at, format!("`{key}` can't be `{}`", word.value), hint);
    }
    chosen
}

pub(super) fn step(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<StepDeclaration> {
    let keys = ["id", "do", "undo", "needs", "when", "for_each", "with", "title", "retry"];
    let table = Table::open(node, "a step", &keys, mistakes)?;
    let id = table.name("id", mistakes);
    if let Some(id) = &id
        && !id.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        mistakes.add(id.at, format!("a step's id is a name in expressions: `{}` may not have a `-`", id.value));
    }
    let work = work(&table, mistakes);
    let needs = table.get("needs").map_or(&[][..], |node| list(node, "needs", mistakes));
    let needs = needs.iter().filter_map(|item| text(item, "needs", mistakes)).collect();
    let when = table.expression("when", mistakes);
    let for_each = table.expression("for_each", mistakes);
    let with = with(&table, mistakes);
    Some(StepDeclaration {
        id: id?,
        work: work?,
        needs,
        when,
        for_each,
        with: with?,
        title: table.text("title", mistakes).map(|title| title.value),
        retry: table.get("retry").and_then(|node| retry(node, mistakes)),
    })
}

fn work(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Work> {
    match (table.get("do"), table.get("undo")) {
        (Some(node), None) => text(node, "do", mistakes).map(Work::Do),
        (None, Some(node)) => text(node, "undo", mistakes).map(Work::Undo),
        (Some(_), Some(node)) => {
            mistakes.add(node.at, "a step has either `do` or `undo`, not both");
            None
        }
        (None, None) => {
            mistakes.add(table.at(), "a step needs `do` (an action) or `undo` (a step of the deployment)");
            None
        }
    }
}

/// The input, whose templates must at least be expressions.
fn with(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Node> {
    let Some(node) = table.get("with") else {
        return Some(Node { at: table.at(), text_at: table.at(), tree: Tree::Table(Vec::new()) });
    };
    Table::open_free(node, "`with`", mistakes)?;
    read_templates(node, mistakes).then(|| node.clone())
}

fn read_templates(node: &Node, mistakes: &mut Mistakes<'_>) -> bool {
    match &node.tree {
        Tree::Text(text) => template(node, text, mistakes).is_some(),
        // Each is read, also behind a wrong one, so that all mistakes are told.
        Tree::List(items) => items.iter().filter(|item| !read_templates(item, mistakes)).count() == 0,
        Tree::Table(entries) => entries.iter().filter(|entry| !read_templates(&entry.value, mistakes)).count() == 0,
        _ => true,
    }
}

fn retry(node: &Node, mistakes: &mut Mistakes<'_>) -> Option<Retry> {
    let table = Table::open(node, "`retry`", &["attempts", "wait", "at_most"], mistakes)?;
    let attempts = table.whole("attempts", 1, mistakes);
    let wait = table.period("wait", Period { seconds: 2 }, mistakes);
    let at_most = table.period("at_most", Period { seconds: 300 }, mistakes);
    Some(Retry { attempts: attempts.unwrap_or(5), wait: wait?, at_most: at_most? })
}

pub(super) fn day_two_actions(table: &Table<'_>, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Vec<DayTwo> {
    let items = table.get("actions").map_or(&[][..], |node| list(node, "actions", mistakes));
    items.iter().filter_map(|item| day_two(item, sizes, mistakes)).collect()
}

fn day_two(node: &Node, sizes: &[Size], mistakes: &mut Mistakes<'_>) -> Option<DayTwo> {
    let keys = ["action", "title", "summary", "parameters", "sets", "approval", "steps"];
    let table = Table::open(node, "an action", &keys, mistakes)?;
    let action = table.name("action", mistakes);
    let title = table.required_text("title", mistakes);
    let workflow = workflow(&table, sizes, mistakes);
    let sets = table.get("sets").and_then(|node| Table::open_free(node, "`sets`", mistakes));
    let sets = sets.map_or_else(Vec::new, |table| {
        let entries = table.entries().iter();
        entries
            .filter_map(|entry| {
                let key = Located { value: entry.key.clone(), at: entry.key_at };
                Some((key, expression(&entry.value, mistakes)?))
            })
            .collect()
    });
    Some(DayTwo {
        action: action?,
        title: title?.value,
        summary: table.text("summary", mistakes).map(|text| text.value).unwrap_or_default(),
        workflow: workflow?,
        sets,
    })
}

pub(super) fn application(table: &Table<'_>, mistakes: &mut Mistakes<'_>) -> Option<Application> {
    let cmdb = Table::open(table.get("cmdb")?, "`cmdb`", &["application"], mistakes)?;
    let node = cmdb.required("application", mistakes)?;
    let table = Table::open(node, "`application`", &["class", "name", "needs", "relations"], mistakes)?;
    let class = table.required_text("class", mistakes);
    let class = class.and_then(|word| known_word::<CiClass>(&word.value, word.at, "CI class", &CI_CLASSES, mistakes));
    let name = table.template("name", mistakes);
    let needs = table.get("needs").map_or(&[][..], |node| list(node, "needs", mistakes));
    let needs = needs.iter().filter_map(|item| text(item, "needs", mistakes)).collect();
    let relations = table.get("relations").map_or(&[][..], |node| list(node, "relations", mistakes));
    let relations = relations.iter().flat_map(|item| relation(item, mistakes)).collect();
    Some(Application { class: class?, name: name?, needs, relations })
}

/// The step that registers the application service; its id is what other steps need.
pub(super) const APPLICATION_STEP: &str = "application";

/// The `application` section as a step, so that it is checked, planned, built and undone like any other.
pub(super) fn application_step(application: &Application, steps: &[StepDeclaration]) -> StepDeclaration {
    let at = application.name.at;
    let is_list = |id: &str| steps.iter().any(|step| step.id.value == id && step.for_each.is_some());
    let relation = |(relation, step): &(Relation, Located<String>)| {
        let (word, step) = (json!(relation), &step.value);
        let word = word.as_str().unwrap_or_default();
        if is_list(step) {
            format!("steps.{step}.map(x, {{'relation': '{word}', 'to': x.ci}})")
        } else {
            format!("[{{'relation': '{word}', 'to': steps.{step}.ci}}]")
        }
    };
    let relations: Vec<String> = application.relations.iter().map(relation).collect();
    let text = |key: &str, text: String| Entry {
        key: key.to_owned(),
        key_at: at,
        value: Node { at, text_at: at, tree: Tree::Text(text) },
    };
    let class = json!(application.class);
    let mut with = vec![
        text("class", class.as_str().unwrap_or_default().to_owned()),
        text("name", application.name.value.source().to_owned()),
    ];
    if !relations.is_empty() {
        with.push(text("relations", format!("${{{}}}", relations.join(" + "))));
    }
    StepDeclaration {
        id: Located { value: APPLICATION_STEP.to_owned(), at },
        work: Work::Do(Located { value: "cmdb.register".to_owned(), at }),
        needs: application.needs.clone(),
        when: None,
        for_each: None,
        with: Node { at, text_at: at, tree: Tree::Table(with) },
        title: None,
        retry: None,
    }
}

fn relation(node: &Node, mistakes: &mut Mistakes<'_>) -> Vec<(Relation, Located<String>)> {
    let Some(table) = Table::open_free(node, "a relation", mistakes) else { return Vec::new() };
    let mut relations = Vec::new();
    for entry in table.entries() {
        let word = known_word::<Relation>(&entry.key, entry.key_at, "relation", &RELATIONS, mistakes);
        let Some(target) = text(&entry.value, &entry.key, mistakes) else { continue };
        match target.value.strip_prefix("steps.") {
            Some(step) if is_name(step) => {
                let step = Located { value: step.to_owned(), at: target.at.right(6) };
                relations.extend(word.map(|word| (word, step)));
            }
            _ => mistakes.add(target.at, format!("`{}` is no step; `steps.<id>` is expected", target.value)),
        }
    }
    relations
}

/// A word that one of our enums knows.
fn known_word<T: DeserializeOwned>(
    word: &str,
    at: Position,
    what: &str,
    known: &[&str],
    mistakes: &mut Mistakes<'_>,
) -> Option<T> {
    let value = serde_json::from_value(Value::from(word)).ok();
    if value.is_none() {
        mistakes.add_with_hint(at, format!("there is no {what} `{word}`"), hint(word, known.iter().copied()));
    }
    value
}
