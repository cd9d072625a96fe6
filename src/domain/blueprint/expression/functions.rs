//! What an expression may call, each bounded in what it costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cel::extractors::Arguments;
use cel::{Context, ExecutionError, Value as Cel};

/// The longest list that `range` makes.
const MAX_RANGE: i64 = 1_000;
/// Turns of loops, and list items joined, in one evaluation.
const MAX_TURNS: usize = 10_000;
/// Bytes of text in one value.
const MAX_TEXT: usize = 64 * 1024;

/// What an expression may call beside its operators, how, and what it gives. There is nothing here that looks outside.
pub(in crate::blueprint) const FUNCTIONS: [(&str, &str, &str); 13] = [
    ("bool", "bool(text)", "the boolean that a text says"),
    ("contains", "text.contains(part)", "whether the part is in the text"),
    ("double", "double(value)", "a number"),
    ("endsWith", "text.endsWith(end)", "whether the text ends so"),
    ("first", "first(list, n)", "the first `n` items"),
    ("int", "int(value)", "an integer"),
    ("matches", "text.matches(pattern)", "whether the regular expression is found in the text"),
    ("max", "max(a, b)", "the greatest of them"),
    ("min", "min(a, b)", "the least of them"),
    ("range", "range(n), range(a, b)", "1 to `n`; or `a` + 1 to `b`: what is added when `a` grows to `b`"),
    ("size", "size(list)", "how many items a list, or characters a text has"),
    ("startsWith", "text.startsWith(start)", "whether the text begins so"),
    ("string", "string(value)", "text"),
];
/// Loops over lists, and the question whether a name is there.
pub(in crate::blueprint) const MACROS: [(&str, &str, &str); 6] = [
    ("all", "list.all(x, condition)", "whether it holds for every item"),
    ("exists", "list.exists(x, condition)", "whether it holds for an item"),
    ("exists_one", "list.exists_one(x, condition)", "whether it holds for exactly one item"),
    ("filter", "list.filter(x, condition)", "the items for which it holds"),
    ("has", "has(table.name)", "whether the table has the name"),
    ("map", "list.map(x, value)", "a value for each item"),
];

type Answer = Result<Cel, ExecutionError>;

/// Makes the functions known, with a budget for one evaluation.
pub(super) fn add_functions(context: &mut Context<'_, '_>) -> Result<(), cel::DeclarationError> {
    let budget = Arc::new(AtomicUsize::new(MAX_TURNS));
    let (turns, items, ranged) = (Arc::clone(&budget), Arc::clone(&budget), budget);
    context.add_function("@turn", move |goes_on: Cel| -> Answer {
        spend(&turns, 1)?;
        Ok(goes_on)
    })?;
    context.add_function("@add", move |a: Cel, b: Cel| add(a, b, &items))?;
    context.add_function("@subtract", |a: Cel, b: Cel| arithmetic("-", a, b, i64::checked_sub, |a, b| a - b))?;
    context.add_function("@multiply", |a: Cel, b: Cel| arithmetic("*", a, b, i64::checked_mul, |a, b| a * b))?;
    context.add_function("@divide", divide)?;
    context.add_function("range", move |Arguments(arguments): Arguments| range(&arguments, &ranged))?;
    context.add_function("first", first)?;
    context.add_function("max", cel::functions::max)?;
    context.add_function("min", cel::functions::min)
}

fn refuse(message: impl ToString) -> ExecutionError {
    ExecutionError::function_error("", message)
}

fn spend(budget: &AtomicUsize, cost: usize) -> Result<(), ExecutionError> {
    budget
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost))
        .map(|_| ())
        .map_err(|_| refuse(format!("the expression costs too much: more than {MAX_TURNS} turns or items")))
}

fn arithmetic(sign: &str, a: Cel, b: Cel, whole: fn(i64, i64) -> Option<i64>, real: fn(f64, f64) -> f64) -> Answer {
    if let (Cel::Int(a), Cel::Int(b)) = (&a, &b) {
        return whole(*a, *b).map(Cel::Int).ok_or_else(|| refuse(format!("{a} {sign} {b} is too large a number")));
    }
    match (number(&a), number(&b)) {
        (Some(a), Some(b)) => Ok(Cel::Float(real(a, b))),
        _ => Err(refuse(format!("`{sign}` needs two numbers, not {} and {}", kind(&a), kind(&b)))),
    }
}

fn divide(a: Cel, b: Cel) -> Answer {
    if number(&b) == Some(0.0) {
        return Err(refuse("a number is divided by zero"));
    }
    arithmetic("/", a, b, i64::checked_div, |a, b| a / b)
}

fn add(a: Cel, b: Cel, budget: &AtomicUsize) -> Answer {
    match (a, b) {
        (Cel::String(a), Cel::String(b)) => {
            if a.len() + b.len() > MAX_TEXT {
                return Err(refuse("the expression costs too much: a text grows too long"));
            }
            Ok(Cel::String(Arc::new(format!("{a}{b}"))))
        }
        (Cel::List(a), Cel::List(b)) => {
            spend(budget, a.len() + b.len())?;
            Ok(Cel::List(Arc::new(a.iter().chain(b.iter()).cloned().collect())))
        }
        (a, b) if number(&a).is_some() && number(&b).is_some() => arithmetic("+", a, b, i64::checked_add, |a, b| a + b),
        (a, b) => Err(refuse(format!("`+` can't join {} and {}", kind(&a), kind(&b)))),
    }
}

/// `range(n)` counts 1 to n; `range(a, b)` counts a + 1 to b: what is to be added when a grows to b.
fn range(arguments: &[Cel], budget: &AtomicUsize) -> Answer {
    let (from, to) = match arguments {
        [Cel::Int(to)] => (0, *to),
        [Cel::Int(from), Cel::Int(to)] => (*from, *to),
        _ => return Err(refuse("`range` takes one or two integers")),
    };
    let length = to.saturating_sub(from).max(0);
    if length > MAX_RANGE {
        return Err(refuse(format!("`range` counts at most {MAX_RANGE}, not {length}")));
    }
    spend(budget, usize::try_from(length).unwrap_or(MAX_TURNS))?;
    Ok(Cel::List(Arc::new((from.saturating_add(1)..=to).map(Cel::Int).collect())))
}

/// The first `n` items of a list.
fn first(list: Arc<Vec<Cel>>, n: i64) -> Answer {
    let n = usize::try_from(n).unwrap_or(0);
    Ok(Cel::List(Arc::new(list.iter().take(n).cloned().collect())))
}

#[expect(clippy::cast_precision_loss, reason = "prices and sizes are far below 2^52")]
fn number(value: &Cel) -> Option<f64> {
    match value {
        Cel::Int(value) => Some(*value as f64),
        Cel::UInt(value) => Some(*value as f64),
        Cel::Float(value) => Some(*value),
        _ => None,
    }
}

fn kind(value: &Cel) -> &'static str {
    match value {
        Cel::List(_) => "a list",
        Cel::Map(_) => "a table",
        Cel::Int(_) | Cel::UInt(_) => "an integer",
        Cel::Float(_) => "a number",
        Cel::String(_) => "text",
        Cel::Bool(_) => "a boolean",
        Cel::Null => "nothing",
        _ => "something else",
    }
}
