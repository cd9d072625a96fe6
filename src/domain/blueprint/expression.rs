//! Expressions in CEL: typed, bounded in cost, with no way to reach a shell, a file, a clock or the network.
//!
//! Bounds hold twice. Statically: length, brackets, size of the syntax tree and nesting of loops. And while it runs:
//! each turn of a loop and each added value costs, and an expression that has used up its budget is refused.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, operators};
use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, ExecutionError, Value as Cel};
use serde_json::{Map, Value};

mod functions;

pub(super) use functions::{FUNCTIONS, MACROS};

use super::mistake::hint;
use super::source::shortened;

const MAX_CHARACTERS: usize = 1_000;
const MAX_BRACKETS: usize = 20;
const MAX_NODES: usize = 300;
const MAX_LOOPS: usize = 2;

/// The names an expression sees, with their values.
pub type Scope = Map<String, Value>;

static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// An expression that has been read and is within its bounds; by default one that could not be read.
#[derive(Clone, Debug, Default)]
pub struct Expression {
    source: String,
    /// As it was written, for the check.
    pub(super) written: IdedExpr,
    /// With arithmetic over mixed numbers and with its loops counted.
    bounded: IdedExpr,
    /// Character offset of each node in the source.
    offsets: HashMap<u64, usize>,
}

/// Why an expression can't be used, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Characters before the place.
    pub offset: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    fn at(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: None }
    }
}

impl Expression {
    /// Reads an expression and refuses one that could cost too much.
    pub fn parse(source: &str) -> Result<Self, Fault> {
        refuse_by_text(source)?;
        let program = LANGUAGE.compile(source).map_err(|errors| syntax_fault(source, &errors))?;
        let written = program.expression().clone();
        let mut offsets = HashMap::new();
        collect_offsets(&written, program.source_info(), &mut offsets);
        let size = count(&written);
        if size > MAX_NODES {
            return Err(Fault::at(0, format!("the expression has {size} parts; at most {MAX_NODES} are allowed")));
        }
        if loops(&written) > MAX_LOOPS {
            return Err(Fault::at(
                0,
                format!("loops are nested deeper than {MAX_LOOPS}; the expression could cost too much"),
            ));
        }
        let mut bounded = written.clone();
        bound(&mut bounded, &[]);
        let expression = Self { source: source.to_owned(), written, bounded, offsets };
        expression.refuse_unknown_functions(&expression.written)?;
        Ok(expression)
    }

    /// The text as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How many characters stand before this node.
    pub(super) fn offset(&self, id: u64) -> usize {
        self.offsets.get(&id).copied().unwrap_or(0)
    }

    /// The value over these names. The error is a sentence for the author.
    pub(crate) fn evaluate(&self, scope: &Scope) -> Result<Value, String> {
        let mut context = Context::with_env(Arc::clone(&LANGUAGE));
        functions::add_functions(&mut context).map_err(|error| error.to_string())?;
        for (name, value) in scope {
            context.add_variable_from_value(name.as_str(), to_cel(value));
        }
        let value = Cel::resolve(&self.bounded, &context).map_err(|error| explain(&error))?;
        from_cel(&value)
    }

    /// Paths such as `params.nodes` that the expression reads, each once, in the order they stand in it.
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        collect_paths(&self.written, &mut Vec::new(), &mut found);
        found
    }

    /// Ids of the steps whose outputs the expression reads.
    pub(super) fn steps(&self) -> Vec<String> {
        let paths = self.paths();
        paths.into_iter().filter(|path| path.len() > 1 && path[0] == "steps").map(|mut path| path.remove(1)).collect()
    }

    /// Whether it reads anything that is known only while a run goes on.
    pub fn is_late(&self) -> bool {
        self.paths().iter().any(|path| path[0] == "steps")
    }

    fn refuse_unknown_functions(&self, node: &IdedExpr) -> Result<(), Fault> {
        if let Expr::Call(call) = &node.expr {
            let name = call.func_name.as_str();
            let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if is_name && !FUNCTIONS.iter().any(|(known, ..)| *known == name) {
                let known = FUNCTIONS.iter().chain(&MACROS).map(|(known, ..)| *known);
                return Err(Fault {
                    offset: self.name_offset(name),
                    message: format!("there is no function `{name}`"),
                    hint: hint(name, known),
                });
            }
        }
        children(node).into_iter().try_for_each(|child| self.refuse_unknown_functions(child))
    }

    /// Where the name stands: a call's own offset is that of its bracket.
    fn name_offset(&self, name: &str) -> usize {
        self.source.find(&format!("{name}(")).map_or(0, |bytes| self.source[..bytes].chars().count())
    }
}

fn refuse_by_text(source: &str) -> Result<(), Fault> {
    if source.trim().is_empty() {
        return Err(Fault::at(0, "an expression is expected here, and nothing was found"));
    }
    let characters = source.chars().count();
    if characters > MAX_CHARACTERS {
        return Err(Fault::at(
            0,
            format!("the expression has {characters} characters; at most {MAX_CHARACTERS} are allowed"),
        ));
    }
    let mut open = 0_usize;
    for (offset, character) in source.chars().enumerate() {
        match character {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_BRACKETS {
            return Err(Fault::at(offset, format!("brackets are nested deeper than {MAX_BRACKETS}")));
        }
    }
    Ok(())
}

fn syntax_fault(source: &str, errors: &cel::ParseErrors) -> Fault {
    let Some(first) = errors.errors.first() else {
        return Fault::at(0, format!("`{source}` is not an expression"));
    };
    let (line, column) = first.pos;
    let before: usize = source
        .split_inclusive('\n')
        .take(usize::try_from(line - 1).unwrap_or(0))
        .map(|text| text.chars().count())
        .sum();
    let offset = before + usize::try_from(column - 1).unwrap_or(0);
    let message = format!("`{}` is not an expression: {}", shortened(source), said(&first.msg));
    Fault::at(offset.min(source.trim_end().chars().count()), message)
}

/// What the parser says, without its grammar.
fn said(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    let quoted = message.split('\'').nth(1).unwrap_or_default();
    match message.split(" '").next().unwrap_or_default() {
        _ if message.contains("<EOF>") => "it ends too early".to_owned(),
        "mismatched input" | "extraneous input" | "no viable alternative at input" => {
            format!("`{quoted}` does not fit there")
        }
        "missing" => format!("`{quoted}` is missing"),
        _ if message.starts_with("token recognition error") => format!("`{quoted}` does not belong there"),
        _ => message.to_owned(),
    }
}

/// The parts of a node, in the order they are written.
pub(super) fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(c) => vec![&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(value) => value.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Select(select) => vec![&select.operand],
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

fn children_mut(node: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Comprehension(c) => {
            let c = &mut **c;
            vec![&mut c.iter_range, &mut c.accu_init, &mut c.loop_cond, &mut c.loop_step, &mut c.result]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(|entry| entry_parts_mut(&mut entry.expr)).collect(),
        Expr::Struct(value) => value.entries.iter_mut().flat_map(|entry| entry_parts_mut(&mut entry.expr)).collect(),
        Expr::Select(select) => vec![&mut select.operand],
    }
}

fn entry_parts_mut(entry: &mut EntryExpr) -> Vec<&mut IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}

fn count(node: &IdedExpr) -> usize {
    1 + children(node).into_iter().map(count).sum::<usize>()
}

fn loops(node: &IdedExpr) -> usize {
    let inside = children(node).into_iter().map(loops).max().unwrap_or(0);
    inside + usize::from(matches!(node.expr, Expr::Comprehension(_)))
}

fn collect_offsets(node: &IdedExpr, info: &cel::common::ast::SourceInfo, offsets: &mut HashMap<u64, usize>) {
    if let Some((start, _)) = info.offset_for(node.id) {
        offsets.insert(node.id, usize::try_from(start).unwrap_or(0));
    }
    children(node).into_iter().for_each(|child| collect_offsets(child, info, offsets));
}

/// Lets numbers of both kinds meet in arithmetic, and makes each turn of a loop cost.
fn bound(node: &mut IdedExpr, accumulators: &[String]) {
    let mut inner = accumulators.to_vec();
    if let Expr::Comprehension(comprehension) = &mut node.expr {
        inner.push(comprehension.accu_var.clone());
        let condition = std::mem::take(&mut comprehension.loop_cond);
        comprehension.loop_cond = IdedExpr {
            id: condition.id,
            expr: Expr::Call(CallExpr { func_name: "@turn".to_owned(), target: None, args: vec![condition] }),
        };
    }
    if let Expr::Call(call) = &mut node.expr {
        let gathers = matches!(call.args.first().map(|arg| &arg.expr), Some(Expr::Ident(name)) if inner.contains(name));
        if call.args.len() == 2 && !gathers {
            let function = match call.func_name.as_str() {
                operators::ADD => Some("@add"),
                operators::SUBSTRACT => Some("@subtract"),
                operators::MULTIPLY => Some("@multiply"),
                operators::DIVIDE => Some("@divide"),
                _ => None,
            };
            if let Some(function) = function {
                function.clone_into(&mut call.func_name);
            }
        }
    }
    children_mut(node).into_iter().for_each(|child| bound(child, &inner));
}

fn collect_paths(node: &IdedExpr, bound: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if let Some(path) = path_of(node) {
        if !bound.contains(&path[0]) && !path[0].starts_with('@') && !found.contains(&path) {
            found.push(path);
        }
        return;
    }
    if let Expr::Comprehension(comprehension) = &node.expr {
        collect_paths(&comprehension.iter_range, bound, found);
        let outside = bound.len();
        bound.push(comprehension.iter_var.clone());
        bound.push(comprehension.accu_var.clone());
        for part in
            [&comprehension.accu_init, &comprehension.loop_cond, &comprehension.loop_step, &comprehension.result]
        {
            collect_paths(part, bound, found);
        }
        bound.truncate(outside);
        return;
    }
    children(node).into_iter().for_each(|child| collect_paths(child, bound, found));
}

/// The names of `a.b.c`, if the node is such a path.
pub(super) fn path_of(node: &IdedExpr) -> Option<Vec<String>> {
    match &node.expr {
        Expr::Ident(name) => Some(vec![name.clone()]),
        Expr::Select(select) => {
            let mut path = path_of(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        _ => None,
    }
}

fn explain(error: &ExecutionError) -> String {
    match error {
        ExecutionError::FunctionError { message, .. } => message.clone(),
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("there is no `{name}`"),
        other => other.to_string(),
    }
}

fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(value) => value.as_i64().map_or_else(|| Cel::Float(value.as_f64().unwrap_or(0.0)), Cel::Int),
        Value::String(value) => Cel::String(Arc::new(value.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(entries) => {
            let map = entries.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value)));
            Cel::Map(CelMap { map: Arc::new(map.collect()) })
        }
    }
}

/// The value as JSON, keys in order, so that equal inputs give equal plans.
fn from_cel(value: &Cel) -> Result<Value, String> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(value) => Value::from(*value),
        Cel::Int(value) => Value::from(*value),
        Cel::UInt(value) => Value::from(*value),
        Cel::Float(value) if value.is_finite() => Value::from(*value),
        Cel::Float(_) => return Err("the number is not finite".to_owned()),
        Cel::String(text) => Value::from(text.as_str()),
        Cel::List(items) => Value::Array(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            let mut entries = map
                .map
                .iter()
                .map(|(key, value)| Ok((key.to_string(), from_cel(value)?)))
                .collect::<Result<Vec<_>, String>>()?;
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        _ => return Err("an expression gives text, numbers, booleans, lists or tables".to_owned()),
    })
}
