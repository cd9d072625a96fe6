//! What an expression gives, as JSON Schema, found without running it; and the names in it that do not exist.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};
use serde_json::{Map, Value, json};

use super::expression::{Expression, Fault, children, path_of};
use super::mistake::hint;

mod operands;

/// The names that an expression may start with, and the shape of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(String, Value)>);

impl Names {
    pub(super) fn with(mut self, name: &str, shape: Value) -> Self {
        self.0.push((name.to_owned(), shape));
        self
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, shape)| shape)
    }

    /// Whether something is known of what this path leads to; outputs of a deployment's steps are not.
    pub(super) fn knows(&self, path: &[String]) -> bool {
        let is_output = path.len() > 1 && path[0] == "deployment" && path[1] == "steps";
        let shape = path.iter().skip(1).try_fold(self.get(&path[0]).unwrap_or(&UNKNOWN), |shape, name| {
            shape.get("properties").and_then(|properties| properties.get(name))
        });
        !is_output && shape.is_some_and(|shape| *shape != UNKNOWN)
    }

    fn known(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !name.starts_with('@'))
    }
}

/// A table that has exactly these properties.
pub(super) fn table(properties: impl IntoIterator<Item = (String, Value)>) -> Value {
    let properties: Map<String, Value> = properties.into_iter().collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A table that has these properties, and others of which nothing is known.
pub(super) fn open_table(properties: impl IntoIterator<Item = (String, Value)>) -> Value {
    let mut open = table(properties);
    open["additionalProperties"] = UNKNOWN;
    open
}

pub(super) fn list_of(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A shape of which nothing is known.
pub(super) const UNKNOWN: Value = Value::Bool(true);

/// The shape of the expression's value, with the faults of every name in it.
pub(super) fn of(expression: &Expression, names: &Names) -> (Value, Vec<Fault>) {
    let mut reader = Reader { expression, faults: Vec::new() };
    let shape = reader.shape(&expression.written, names);
    (shape, reader.faults)
}

/// Marks a value of an input as a form: parameters as a blueprint declares them.
const FORM: &str = "x-form";
/// Marks a value of an output as the answers to the form under this name of the input.
const ANSWERS: &str = "x-answers-to";

/// Whether a schema is that of a form.
pub(super) fn is_form(schema: &Value) -> bool {
    schema.get(FORM).is_some()
}

/// The names of an output that are answers to a form, each with the name of that form in the input.
pub(super) fn answers(output: &Value) -> Vec<(String, String)> {
    let values = output.get("properties").and_then(Value::as_object).into_iter().flatten();
    let answer = |(name, schema): (&String, &Value)| Some((name.clone(), schema.get(ANSWERS)?.as_str()?.to_owned()));
    values.filter_map(answer).collect()
}

/// The schema without references and without "or null", so that it can be walked.
pub(super) fn inlined(schema: &Value) -> Value {
    inline(schema, schema, 12)
}

fn inline(schema: &Value, root: &Value, depth: u8) -> Value {
    if depth == 0 {
        return UNKNOWN;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return found.map_or(UNKNOWN, |found| inline(found, root, depth - 1));
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(variants) = schema.get(choice).and_then(Value::as_array) {
            let mut real = variants.iter().filter(|variant| variant.get("type") != Some(&json!("null")));
            return match (real.next(), real.next()) {
                (Some(only), None) => inline(only, root, depth - 1),
                _ => UNKNOWN,
            };
        }
    }
    let Value::Object(entries) = schema else { return schema.clone() };
    let entry = |(key, value): (&String, &Value)| match key.as_str() {
        "properties" => (key.clone(), inline_each(value, root, depth)),
        "items" | "additionalProperties" => (key.clone(), inline(value, root, depth - 1)),
        "type" => (key.clone(), single_type(value)),
        _ => (key.clone(), value.clone()),
    };
    Value::Object(entries.iter().map(entry).collect())
}

fn inline_each(properties: &Value, root: &Value, depth: u8) -> Value {
    let properties = properties.as_object().into_iter().flatten();
    Value::Object(properties.map(|(name, value)| (name.clone(), inline(value, root, depth - 1))).collect())
}

fn single_type(value: &Value) -> Value {
    let types = value.as_array();
    types.and_then(|types| types.iter().find(|name| *name != "null")).unwrap_or(value).clone()
}

/// The type of a shape in an author's words; nothing when it is not known.
pub(super) fn kind(shape: &Value) -> Option<&'static str> {
    Some(match shape.get("type")?.as_str()? {
        "string" => "text",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "a boolean",
        "array" => "a list",
        "object" => "a table",
        _ => return None,
    })
}

/// Whether a value of one shape can be where the other is expected; what is not known fits.
pub(super) fn fits(given: &Value, expected: &Value) -> bool {
    match (kind(given), kind(expected)) {
        (Some(given), Some(expected)) => is_kind(given, expected),
        _ => true,
    }
}

/// Whether a kind is what is expected: an integer is a number.
pub(super) fn is_kind(given: &str, expected: &str) -> bool {
    given == expected || (given == "an integer" && expected == "a number")
}

struct Reader<'e> {
    expression: &'e Expression,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn shape(&mut self, node: &IdedExpr, names: &Names) -> Value {
        match &node.expr {
            Expr::Literal(literal) => literal_shape(literal),
            Expr::Ident(name) => self.name(node, name, names),
            Expr::Select(select) if select.test => {
                self.shape(&select.operand, names);
                json!({ "type": "boolean" })
            }
            Expr::Select(select) => self.field(node, &select.operand, &select.field, names),
            Expr::Call(call) => self.call(node, call, names),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, names),
            Expr::List(list) => {
                let items: Vec<Value> = list.elements.iter().map(|element| self.shape(element, names)).collect();
                list_of(joined(&items))
            }
            Expr::Map(_) | Expr::Struct(_) => {
                children(node).into_iter().for_each(|child| drop(self.shape(child, names)));
                json!({ "type": "object" })
            }
            Expr::Unspecified => UNKNOWN,
        }
    }

    fn name(&mut self, node: &IdedExpr, name: &str, names: &Names) -> Value {
        if let Some(shape) = names.get(name) {
            return shape.clone();
        }
        self.faults.push(Fault {
            offset: self.expression.offset(node.id),
            message: format!("there is no `{name}` here"),
            hint: hint(name, names.known()),
        });
        UNKNOWN
    }

    fn field(&mut self, node: &IdedExpr, operand: &IdedExpr, field: &str, names: &Names) -> Value {
        let owner = self.shape(operand, names);
        if owner.get("type") == Some(&json!("array")) {
            let list = path_of(operand).map_or_else(|| "this".to_owned(), |path| format!("`{}`", path.join(".")));
            let message = format!("{list} is a list and has no `{field}`");
            let hint = path_of(operand).map(|path| format!("of each item: `{}.map(x, x.{field})`", path.join(".")));
            self.faults.push(Fault { offset: self.field_offset(node), message, hint });
            return UNKNOWN;
        }
        let Some(properties) = owner.get("properties").and_then(Value::as_object) else { return UNKNOWN };
        if let Some(shape) = properties.get(field) {
            return shape.clone();
        }
        if owner.get("additionalProperties").is_none_or(|more| more == &json!(false)) {
            let message = missing(path_of(operand).unwrap_or_default(), field);
            let hint = hint(field, properties.keys().map(String::as_str));
            self.faults.push(Fault { offset: self.field_offset(node), message, hint });
        }
        UNKNOWN
    }

    /// A selection's own offset is that of its dot.
    fn field_offset(&self, node: &IdedExpr) -> usize {
        let offset = self.expression.offset(node.id);
        let is_dot = self.expression.source().chars().nth(offset) == Some('.');
        offset + usize::from(is_dot)
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr, names: &Names) -> Value {
        let target = call.target.iter().map(|target| self.shape(target, names)).next();
        let arguments: Vec<Value> = call.args.iter().map(|argument| self.shape(argument, names)).collect();
        if let Some((message, hint)) = operands::fault(call, &arguments) {
            self.faults.push(Fault { offset: self.expression.offset(node.id), message, hint });
        }
        let integers = arguments.iter().all(|shape| kind(shape) == Some("an integer"));
        let first = arguments.first().cloned().unwrap_or(UNKNOWN);
        match call.func_name.as_str() {
            operators::ADD if kind(&first) == Some("text") => json!({ "type": "string" }),
            operators::ADD if kind(&first) == Some("a list") => joined(&arguments),
            operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE
                if arguments.iter().all(|shape| matches!(kind(shape), Some("an integer" | "a number"))) =>
            {
                json!({ "type": if integers { "integer" } else { "number" } })
            }
            operators::EQUALS
            | operators::NOT_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::IN
            | "contains"
            | "startsWith"
            | "endsWith"
            | "matches"
            | "bool" => {
                json!({ "type": "boolean" })
            }
            operators::CONDITIONAL => joined(arguments.get(1..).unwrap_or_default()),
            operators::INDEX => first.get("items").cloned().unwrap_or(UNKNOWN),
            "range" => list_of(json!({ "type": "integer" })),
            "first" => target.unwrap_or(first),
            "size" | "int" => json!({ "type": "integer" }),
            "double" => json!({ "type": "number" }),
            "string" => json!({ "type": "string" }),
            _ => UNKNOWN,
        }
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr, names: &Names) -> Value {
        let range = self.shape(&comprehension.iter_range, names);
        let item = range.get("items").cloned().unwrap_or(UNKNOWN);
        let start = self.shape(&comprehension.accu_init, names);
        let inner = names.clone().with(&comprehension.iter_var, item).with(&comprehension.accu_var, UNKNOWN);
        self.shape(&comprehension.loop_cond, &inner);
        self.shape(&comprehension.loop_step, &inner);
        self.shape(&comprehension.result, &inner);
        if kind(&start) == Some("a list") { list_of(UNKNOWN) } else { start }
    }
}

/// What can be said of a value that is one of these: all of it where they are alike, the choice among values, the kind.
fn joined(shapes: &[Value]) -> Value {
    let Some(first) = shapes.first() else { return UNKNOWN };
    if shapes.iter().all(|shape| shape == first) {
        return first.clone();
    }
    if kind(first).is_none() || shapes.iter().any(|shape| kind(shape) != kind(first)) {
        return UNKNOWN;
    }
    let choices: Option<Vec<&Vec<Value>>> = shapes.iter().map(|shape| shape.get("enum")?.as_array()).collect();
    match choices {
        Some(choices) => json!({ "type": first["type"], "enum": choices.into_iter().flatten().collect::<Vec<_>>() }),
        None => json!({ "type": first["type"] }),
    }
}

fn missing(owner: Vec<String>, field: &str) -> String {
    match owner.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["params"] => format!("there is no parameter `{field}`"),
        ["deployment", "params"] => format!("the deployment has no parameter `{field}`"),
        ["steps"] => format!("there is no step `{field}`"),
        ["deployment", "steps"] => format!("the deployment has no step `{field}`"),
        ["steps", step] => format!("the step `{step}` has no output `{field}`"),
        [] => format!("there is no `{field}` in it"),
        _ => format!("`{}` has no `{field}`", owner.join(".")),
    }
}

fn literal_shape(literal: &LiteralValue) -> Value {
    let name = match literal {
        LiteralValue::Boolean(_) => "boolean",
        LiteralValue::Double(_) => "number",
        LiteralValue::Int(_) | LiteralValue::UInt(_) => "integer",
        LiteralValue::String(text) => return json!({ "type": "string", "enum": [text.inner()] }),
        LiteralValue::Bytes(_) | LiteralValue::Null => return UNKNOWN,
    };
    json!({ "type": name })
}
