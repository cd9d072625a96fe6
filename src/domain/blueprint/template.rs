//! Text with `${…}` in it: data put into text, or a whole value that keeps its type.

use serde_json::Value;

use super::expression::{Expression, Fault, Scope};

/// Text that may hold expressions.
#[derive(Clone, Debug, Default)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    /// An expression, and how many characters stand before it in the template.
    Expression(Box<Expression>, usize),
}

impl Template {
    /// Reads a text. `$${` stands for a literal `${`.
    pub fn parse(source: &str) -> Result<Self, Fault> {
        let characters: Vec<char> = source.chars().collect();
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        while at < characters.len() {
            match characters[at..] {
                ['$', '$', '{', ..] => {
                    text.push_str("${");
                    at += 3;
                }
                ['$', '{', ..] => {
                    let start = at + 2;
                    let end = closing_brace(&characters, start).ok_or_else(|| Fault {
                        offset: at,
                        message: "`${` is not closed by `}`".to_owned(),
                        hint: Some("write `$${` for a literal `${`".to_owned()),
                    })?;
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(expression(&characters[start..end], start)?);
                    at = end + 1;
                }
                _ => {
                    text.push(characters[at]);
                    at += 1;
                }
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    /// The text as its author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The expressions in it, with the characters that stand before each.
    pub(super) fn expressions(&self) -> impl Iterator<Item = (&Expression, usize)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Expression(expression, offset) => Some((&**expression, *offset)),
            Piece::Text(_) => None,
        })
    }

    /// The expression, where the whole text is one: its value keeps its type.
    pub(super) fn whole(&self) -> Option<&Expression> {
        match self.pieces.as_slice() {
            [Piece::Expression(expression, _)] => Some(expression),
            _ => None,
        }
    }

    /// The value over these names. The error is a sentence.
    pub fn fill(&self, scope: &Scope) -> Result<Value, String> {
        if let Some(expression) = self.whole() {
            return expression.evaluate(scope).map_err(|why| format!("`${{{}}}`: {why}", expression.source()));
        }
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Expression(expression, _) => {
                    let value =
                        expression.evaluate(scope).map_err(|why| format!("`${{{}}}`: {why}", expression.source()))?;
                    filled.push_str(&in_text(expression, &value)?);
                }
            }
        }
        Ok(Value::String(filled))
    }

    /// The value as text, over these names.
    pub(crate) fn fill_text(&self, scope: &Scope) -> Result<String, String> {
        match self.fill(scope)? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }
}

/// Fills every template in a JSON value, at any depth.
pub(crate) fn fill_all(value: &Value, scope: &Scope) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => {
            Template::parse(text).map_err(|fault| format!("`{text}`: {}", fault.message))?.fill(scope)?
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| fill_all(item, scope)).collect::<Result<_, _>>()?),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), fill_all(value, scope)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

fn in_text(expression: &Expression, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err(format!("`${{{}}}` stands inside text and gives no text, number or boolean", expression.source())),
    }
}

fn expression(characters: &[char], start: usize) -> Result<Piece, Fault> {
    let source: String = characters.iter().collect();
    let expression = Expression::parse(&source).map_err(|fault| Fault { offset: fault.offset + start, ..fault })?;
    Ok(Piece::Expression(Box::new(expression), start))
}

/// The `}` that ends an expression, past braces and quotes within it.
fn closing_brace(characters: &[char], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, &character) in characters.iter().enumerate().skip(start) {
        match (quote, character) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}
