//! The value of a document, built from its tokens, whatever its dialect.

use serde_json::{Map, Number, Value};

use super::super::Content;
use super::super::syntax::Inside;
use super::super::tokens::{Tokens, What};
use super::super::unquote::unquote;

/// Deeper nesting is not built: what works on values recurses.
pub(super) const MAX_DEPTH: usize = 128;

/// Where a document goes deeper than [`MAX_DEPTH`].
pub(super) struct TooDeep {
    pub(super) offset: usize,
}

/// Calls `visit` with each value of the top level and its number, from 0, until it says that it has seen enough: with one
/// value, or with one a line.
///
/// # Errors
/// A value is too deep.
pub(super) fn each(content: Content, mut visit: impl FnMut(usize, Value) -> bool) -> Result<(), TooDeep> {
    let mut open: Vec<Open> = Vec::new();
    let mut index = 0;
    for token in Tokens::new(content) {
        let done = match token.what {
            What::Open(_) if open.len() == MAX_DEPTH => return Err(TooDeep { offset: token.offset }),
            What::Open(Inside::Object) => {
                open.push(Open::Object(Map::new(), String::new()));
                continue;
            }
            What::Open(Inside::Array) => {
                open.push(Open::Array(Vec::new()));
                continue;
            }
            What::Key => {
                if let Some(Open::Object(_, key)) = open.last_mut() {
                    *key = unquote(token.raw).into_owned();
                }
                continue;
            }
            What::Close => open.pop().map_or(Value::Null, Open::closed),
            What::Scalar => scalar(token.raw),
        };
        match open.last_mut() {
            Some(parent) => parent.take(done),
            None if !visit(index, done) => return Ok(()),
            None => index += 1,
        }
    }
    Ok(())
}

/// A container that is not whole yet.
enum Open {
    /// With the key of the value that follows.
    Object(Map<String, Value>, String),
    Array(Vec<Value>),
}

impl Open {
    fn take(&mut self, value: Value) {
        match self {
            Self::Object(members, key) => {
                members.insert(std::mem::take(key), value);
            }
            Self::Array(values) => values.push(value),
        }
    }

    fn closed(self) -> Value {
        match self {
            Self::Object(members, _) => Value::Object(members),
            Self::Array(values) => Value::Array(values),
        }
    }
}

fn scalar(raw: &[u8]) -> Value {
    match raw {
        b"null" => Value::Null,
        b"true" => Value::Bool(true),
        b"false" => Value::Bool(false),
        [b'"' | b'\'', ..] => Value::String(unquote(raw).into_owned()),
        _ => Value::Number(number(raw)),
    }
}

/// A number. What JSON has no number for (`Infinity`, `1e999`) is the largest there is; `NaN` is 0.
fn number(raw: &[u8]) -> Number {
    if let Ok(number) = serde_json::from_slice(raw) {
        return number;
    }
    let text = std::str::from_utf8(raw).unwrap_or_default();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let size = match hexadecimal {
        #[expect(clippy::cast_precision_loss, reason = "as every reader of hexadecimal numbers does")]
        Some(digits) => u128::from_str_radix(digits, 16).map_or(f64::MAX, |whole| whole as f64),
        None => digits.parse().unwrap_or_default(),
    };
    if size.fract() == 0.0 && size <= 9_007_199_254_740_991.0 {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and small enough to be exact")]
        return Number::from(if is_negative { -size as i64 } else { size as i64 });
    }
    let size = if size.is_nan() { 0.0 } else { size.min(f64::MAX) };
    Number::from_f64(if is_negative { -size } else { size }).unwrap_or(Number::from(0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::Dialect;

    fn values(text: &str, dialect: Dialect) -> Vec<Value> {
        let mut values = Vec::new();
        let read = each(Content { bytes: text.as_bytes(), dialect }, |_, value| {
            values.push(value);
            true
        });
        assert!(read.is_ok());
        values
    }

    #[test]
    fn every_dialect_gives_the_value_that_its_readers_see() {
        let text = r#"{"a":[1,-2.5,true,null,"x\n"],"b":{"c":[]},"a~":1e3,"b":{}}"#;
        assert_eq!(values(text, Dialect::Json), [serde_json::from_str::<Value>(text).unwrap()]);
        let relaxed = "{a:'x', b:+0x1F, c:.5, d:-Infinity, e:5., /* no */ f:NaN,}";
        let value = json!({"a": "x", "b": 31, "c": 0.5, "d": f64::MIN, "e": 5, "f": 0.0});
        assert_eq!(values(relaxed, Dialect::Json5), [value]);
        assert_eq!(values("{\"a\":1}\n\n[2]\n", Dialect::Jsonl), [json!({"a": 1}), json!([2])]);
        assert_eq!(values("// x\n[1e999,]", Dialect::Jsonc), [json!([f64::MAX])]);
    }

    #[test]
    fn what_is_too_deep_is_not_built() {
        let deep = "[".repeat(5_000_000) + &"]".repeat(5_000_000);
        let content = Content { bytes: deep.as_bytes(), dialect: Dialect::Json };
        assert!(each(content, |_, _| true).is_err_and(|too_deep| too_deep.offset == MAX_DEPTH));
    }
}
