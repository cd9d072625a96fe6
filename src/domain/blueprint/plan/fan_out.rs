//! From declared steps to planned ones: each instance with its key, its needs and what is known of it already.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use super::late::each_value;
use super::verdict::{Titles, facts};
use super::{Each, Expression, PlannedStep, PlannedWork, Scope, Signature, StepDeclaration, Work, Workflow, is_true};
use crate::blueprint::expression::path_of;
use crate::blueprint::template::{Template, fill_all};

/// Instances of one step; more is a mistake rather than an order.
const MAX_INSTANCES: usize = 100;

/// Where steps that say nothing of their title have it from.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub actions: &'a [Signature],
    /// What was ordered; its steps are those that a day-2 action may undo.
    pub order: &'a Workflow,
}

impl Words<'_> {
    fn of(&self, action: &str) -> Option<&Signature> {
        self.actions.iter().find(|signature| signature.name == action)
    }

    /// The title of a step that undoes the one with this id.
    fn of_undo(&self, id: &str) -> Option<String> {
        let before = self.order.steps.iter().find(|step| step.id.value == id)?;
        let Work::Do(action) = &before.work else { return None };
        let known = self.of(&action.value)?;
        let title = before.title.as_ref().map_or(known.title, |title| title.value.source());
        Some(known.undo_title_of(title))
    }
}

/// Plans every step of a workflow, in the order of its declaration.
pub(super) fn steps(workflow: &Workflow, scope: &Scope, words: Words<'_>) -> Result<Vec<PlannedStep>, String> {
    let mut planned: Vec<PlannedStep> = Vec::new();
    for declaration in in_order(&workflow.steps) {
        for each in instances(declaration, &planned, scope)? {
            let step = step(declaration, each, &planned, workflow, scope, words)?;
            planned.push(step);
        }
    }
    let mut planned = in_turn(workflow, planned);
    leave_out_detours(&mut planned);
    Ok(planned)
}

/// Lets each instance of a step that goes in turn wait for the end of the turn before.
fn in_turn(workflow: &Workflow, mut planned: Vec<PlannedStep>) -> Vec<PlannedStep> {
    for declaration in &workflow.steps {
        let Some(turn) = &declaration.in_turn else { continue };
        let instances: Vec<usize> = (0..planned.len()).filter(|&at| planned[at].id == declaration.id.value).collect();
        for pair in instances.windows(2) {
            let n = planned[pair[0]].each.as_ref().map(|each| each.n);
            let before = key(&turn.value, n);
            if planned.iter().any(|step| step.key == before) {
                planned[pair[1]].needs.push(before);
            }
        }
    }
    in_line(planned)
}

/// Each step behind what it needs; else as they stand.
fn in_line(mut waiting: Vec<PlannedStep>) -> Vec<PlannedStep> {
    let mut line: Vec<PlannedStep> = Vec::new();
    let mut placed: HashSet<String> = HashSet::new();
    while !waiting.is_empty() {
        let next = waiting.iter().position(|step| step.needs.iter().all(|need| placed.contains(need)));
        // A circle, which a check refuses, is left as it stands.
        let step = waiting.remove(next.unwrap_or(0));
        placed.insert(step.key.clone());
        line.push(step);
    }
    line
}

/// Leaves out each need that is met by waiting for another one, so that the graph reads as the work goes. Each step
/// stands behind what it needs.
pub fn leave_out_detours(planned: &mut [PlannedStep]) {
    let mut before: HashMap<String, HashSet<String>> = HashMap::new();
    for step in planned {
        let beyond: HashSet<&String> = step.needs.iter().filter_map(|need| before.get(need)).flatten().collect();
        let all = step.needs.iter().chain(beyond.iter().copied()).cloned().collect();
        step.needs = step.needs.iter().filter(|need| !beyond.contains(need)).cloned().collect();
        before.insert(step.key.clone(), all);
    }
}

/// The steps so that each stands behind what it needs; a cycle, which a check refuses, is left as it stands.
fn in_order(steps: &[StepDeclaration]) -> Vec<&StepDeclaration> {
    let mut ordered: Vec<&StepDeclaration> = Vec::new();
    let mut waiting: Vec<(&StepDeclaration, Vec<String>)> = steps.iter().map(|step| (step, needed_ids(step))).collect();
    while !waiting.is_empty() {
        let placed: Vec<&str> = ordered.iter().map(|step| step.id.value.as_str()).collect();
        let next = waiting.iter().position(|(_, needs)| needs.iter().all(|id| placed.contains(&id.as_str())));
        ordered.push(waiting.remove(next.unwrap_or(0)).0);
    }
    ordered
}

/// Ids of the steps that a step waits for: those it names, and those whose outputs it reads.
pub(in crate::blueprint) fn needed_ids(step: &StepDeclaration) -> Vec<String> {
    let mut ids: Vec<String> = step.needs.iter().map(|need| need.value.clone()).collect();
    let conditions = step.when.iter().chain(&step.for_each);
    ids.extend(conditions.flat_map(|expression| expression.value.steps()));
    collect_steps(&step.with.json(), &mut ids);
    ids.sort();
    ids.dedup();
    ids
}

fn collect_steps(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if let Ok(template) = Template::parse(text) {
                ids.extend(template.expressions().flat_map(|(expression, _)| expression.steps()));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_steps(item, ids)),
        Value::Object(entries) => entries.values().for_each(|item| collect_steps(item, ids)),
        _ => {}
    }
}

impl PlannedStep {
    /// Whether its input, its condition or its place in a fan-out reads what the other step returns.
    pub fn reads(&self, other: &Self) -> bool {
        let condition = self.when.as_deref().and_then(|when| Expression::parse(when).ok());
        let mut read: Vec<String> = condition.iter().flat_map(Expression::steps).collect();
        collect_steps(&self.with, &mut read);
        read.contains(&other.id) || self.each.as_ref().is_some_and(|each| each.of.as_ref() == Some(&other.key))
    }
}

/// The step whose instances a step takes over one by one: `for_each: steps.node`.
pub(in crate::blueprint) fn inherited(for_each: &Expression) -> Option<String> {
    match path_of(&for_each.written)?.as_slice() {
        [root, id] if root == "steps" => Some(id.clone()),
        _ => None,
    }
}

fn instances(step: &StepDeclaration, planned: &[PlannedStep], scope: &Scope) -> Result<Vec<Option<Each>>, String> {
    let Some(for_each) = &step.for_each else { return Ok(vec![None]) };
    if let Some(source) = inherited(&for_each.value) {
        let sources = planned.iter().filter(|candidate| candidate.id == source);
        let take = |source: &PlannedStep| {
            let n = source.each.as_ref().map_or(1, |each| each.n);
            Some(Each { n, item: Value::Null, of: Some(source.key.clone()) })
        };
        return Ok(sources.map(take).collect());
    }
    let source = for_each.value.source();
    let value = for_each.value.evaluate(scope).map_err(|why| format!("`{source}`: {why}"))?;
    let Value::Array(items) = value else { return Err(format!("`for_each: {source}` is no list: {value}")) };
    if items.len() > MAX_INSTANCES {
        return Err(format!("`for_each: {source}` gives {} steps; at most {MAX_INSTANCES} are allowed", items.len()));
    }
    let counts = items.iter().all(Value::is_u64);
    let number = |index: usize, item: &Value| {
        let counted = item.as_u64().filter(|_| counts).and_then(|n| u32::try_from(n).ok());
        counted.unwrap_or_else(|| u32::try_from(index + 1).unwrap_or(u32::MAX))
    };
    let take = |(index, item): (usize, Value)| {
        Some(Each { n: number(index, &item), item: if counts { Value::Null } else { item }, of: None })
    };
    Ok(items.into_iter().enumerate().map(take).collect())
}

fn step(
    declaration: &StepDeclaration,
    each: Option<Each>,
    planned: &[PlannedStep],
    workflow: &Workflow,
    scope: &Scope,
    words: Words<'_>,
) -> Result<PlannedStep, String> {
    let mut scope = scope.clone();
    if let Some(each) = &each {
        scope.insert("each".into(), each_value(each, foreseen(each, planned)));
    }
    let with = declaration.with.json();
    let n = each.as_ref().map(|each| each.n);
    let titles = Titles { asked: &workflow.parameters, ordered: &words.order.parameters };
    let (when, skip) = condition(declaration, each.as_ref(), titles, &scope)?;
    Ok(PlannedStep {
        key: key(&declaration.id.value, n),
        id: declaration.id.value.clone(),
        work: work(&declaration.work, n),
        title: title(declaration, &scope, words),
        name: name(&with, n, &scope),
        needs: needs(declaration, each.as_ref(), planned),
        with,
        when,
        skip,
        each,
        retry: declaration.retry,
    })
}

fn key(id: &str, n: Option<u32>) -> String {
    n.map_or_else(|| id.to_owned(), |n| format!("{id}[{n}]"))
}

fn work(work: &Work, n: Option<u32>) -> PlannedWork {
    match work {
        Work::Do(action) => PlannedWork::Do(action.value.clone()),
        Work::Undo(step) => PlannedWork::Undo(key(&step.value, n)),
    }
}

/// What of an item can be said before the run: of another step's output only its name.
fn foreseen(each: &Each, planned: &[PlannedStep]) -> Value {
    let Some(of) = &each.of else { return each.item.clone() };
    let name = planned.iter().find(|step| step.key == *of).and_then(|step| step.name.clone());
    name.map_or(Value::Null, |name| Value::Object(Map::from_iter([("name".to_owned(), Value::from(name))])))
}

/// Decides a condition now, or leaves it for when the step is ready.
fn condition(
    declaration: &StepDeclaration,
    each: Option<&Each>,
    titles: Titles<'_>,
    scope: &Scope,
) -> Result<(Option<String>, Option<String>), String> {
    let Some(when) = declaration.when.as_ref().map(|when| &when.value) else { return Ok((None, None)) };
    let reads_output = |path: &Vec<String>| path[0] == "each" && path.get(1).is_none_or(|field| field != "n");
    let waits = each.is_some_and(|each| each.of.is_some()) && when.paths().iter().any(reads_output);
    if when.is_late() || waits {
        return Ok((Some(when.source().to_owned()), None));
    }
    if is_true(when, scope)? {
        return Ok((None, None));
    }
    Ok((None, Some(format!("{}. It runs only when {}.", facts(when, titles, scope), when.source()))))
}

fn title(declaration: &StepDeclaration, scope: &Scope, words: Words<'_>) -> String {
    if let Some(title) = &declaration.title {
        return title.value.fill_text(scope).unwrap_or_else(|_| title.value.source().to_owned());
    }
    match &declaration.work {
        Work::Do(action) => {
            words.of(&action.value).map_or_else(|| action.value.clone(), |known| known.title.to_owned())
        }
        Work::Undo(step) => words.of_undo(&step.value).unwrap_or_else(|| format!("Take back {}", step.value)),
    }
}

/// The name of what will be made, where the input says it before the run.
fn name(with: &Value, n: Option<u32>, scope: &Scope) -> Option<String> {
    let text = with.get("name").or_else(|| with.get("pattern"))?;
    let filled = fill_all(text, scope).ok()?;
    let number = n.unwrap_or(1).to_string();
    Some(filled.as_str()?.replace("{n}", &number))
}

/// Same number to same number where the fan-out is taken over, else every instance of what is needed.
fn needs(declaration: &StepDeclaration, each: Option<&Each>, planned: &[PlannedStep]) -> Vec<String> {
    let chain = each.map(|each| taken_over(each, planned)).unwrap_or_default();
    let mut keys: BTreeMap<usize, String> = BTreeMap::new();
    for id in needed_ids(declaration) {
        let same = chain.iter().find(|key| planned.iter().any(|step| step.key == **key && step.id == id));
        let reads_all = reads_whole_list(declaration, &id);
        for (place, step) in planned.iter().enumerate().filter(|(_, step)| step.id == id) {
            if same.is_none_or(|same| reads_all || *same == step.key) {
                keys.insert(place, step.key.clone());
            }
        }
    }
    keys.into_values().collect()
}

/// Whether the input or the condition reads `steps.<id>` as a whole, beside taking over its fan-out.
fn reads_whole_list(declaration: &StepDeclaration, id: &str) -> bool {
    let mut read = declaration.when.iter().flat_map(|when| when.value.steps()).collect();
    collect_steps(&declaration.with.json(), &mut read);
    read.iter().any(|step| step == id)
}

/// Keys of the instances that a step takes over, through every step in between.
fn taken_over(each: &Each, planned: &[PlannedStep]) -> Vec<String> {
    let mut keys = Vec::new();
    let mut next = each.of.clone();
    while let Some(key) = next {
        next = planned.iter().find(|step| step.key == key).and_then(|step| step.each.as_ref()?.of.clone());
        keys.push(key);
    }
    keys
}
