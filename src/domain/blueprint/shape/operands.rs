//! What the operators of an expression can't take, and comparisons that can never be true.

use cel::common::ast::{CallExpr, operators};
use serde_json::Value;

use super::kind;
use crate::blueprint::mistake::{did_you_mean, nearest};
use crate::blueprint::schema::plain;

/// What is wrong with the operands of a call, and a hint.
pub(super) fn fault(call: &CallExpr, operands: &[Value]) -> Option<(String, Option<String>)> {
    match (call.func_name.as_str(), operands) {
        (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => {
            incomparable(a, b).map(|message| (message, None)).or_else(|| never(a, b))
        }
        (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [a, b]) => {
            incomparable(a, b).map(|message| (message, None))
        }
        (operators::IN, [item, list]) => never_in(item, list),
        (operators::SUBSTRACT, [a, b]) => not_numbers("-", a, b),
        (operators::MULTIPLY, [a, b]) => not_numbers("*", a, b),
        (operators::DIVIDE, [a, b]) => not_numbers("/", a, b),
        (operators::ADD, [a, b]) => {
            let (left, right) = (class(a)?, class(b)?);
            (left != right)
                .then(|| (format!("`+` can't join {} and {}", kind(a).unwrap_or(left), kind(b).unwrap_or(right)), None))
        }
        (operators::LOGICAL_AND, _) => not_booleans("&&", operands),
        (operators::LOGICAL_OR, _) => not_booleans("||", operands),
        (operators::LOGICAL_NOT, _) => not_booleans("!", operands),
        (operators::CONDITIONAL, [condition, ..]) => not_booleans("?", std::slice::from_ref(condition)),
        _ => None,
    }
}

/// The kinds that can meet: numbers of both kinds are one.
fn class(shape: &Value) -> Option<&'static str> {
    kind(shape).map(|kind| if kind == "an integer" { "a number" } else { kind })
}

fn incomparable(a: &Value, b: &Value) -> Option<String> {
    let is_different = class(a)? != class(b)?;
    is_different.then(|| format!("{} is compared with {}", kind(a).unwrap_or_default(), kind(b).unwrap_or_default()))
}

fn not_numbers(sign: &str, a: &Value, b: &Value) -> Option<(String, Option<String>)> {
    let wrong = [a, b].into_iter().filter_map(class).find(|class| *class != "a number")?;
    Some((format!("`{sign}` needs two numbers, and one side is {wrong}"), None))
}

fn not_booleans(sign: &str, operands: &[Value]) -> Option<(String, Option<String>)> {
    let wrong = operands.iter().filter_map(kind).find(|kind| *kind != "a boolean")?;
    Some((format!("`{sign}` needs true or false, and {wrong} was found"), None))
}

/// A choice compared with something that is not among its values.
fn never(a: &Value, b: &Value) -> Option<(String, Option<String>)> {
    let (a, b) = (a.get("enum")?.as_array()?, b.get("enum")?.as_array()?);
    if a.iter().any(|value| b.contains(value)) {
        return None;
    }
    // The one value is what was written, the many are the choice.
    let (choice, written) = if b.len() == 1 { (a, b) } else { (b, a) };
    stray(choice, written)
}

/// Values in a list of which the choice has none.
fn never_in(item: &Value, list: &Value) -> Option<(String, Option<String>)> {
    stray(item.get("enum")?.as_array()?, list.get("items")?.get("enum")?.as_array()?)
}

fn stray(choice: &[Value], written: &[Value]) -> Option<(String, Option<String>)> {
    let value = plain(written.iter().find(|value| !choice.contains(value))?);
    let choice: Vec<String> = choice.iter().map(plain).collect();
    let near = nearest(&value, choice.iter().map(String::as_str));
    let hint = did_you_mean(near).or_else(|| Some(format!("the choice is {}", choice.join(", "))));
    Some((format!("`{value}` is none of the values to choose from, so it is never met"), hint))
}
