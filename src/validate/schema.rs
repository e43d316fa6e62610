//! JSON Schemas: does a valid version follow the one that its watch names? What is said of a breach names the place, the
//! rule and the type of the value, never the value: it may be a secret.

mod budget;
mod compiled;
mod tree;

use serde_json::Value;

use super::Content;
use super::plausibility::Found;
use super::pointer::find;
use crate::config::{Schema, Schemas};
use crate::document::Dialect;
use crate::verdict::Kind;
use compiled::{Breach, Compiled};

/// Says what is wrong with a schema, if anything is; it is compiled once, here or at its first use.
///
/// # Errors
/// It is no JSON, or no JSON Schema, or refers to another file: in words that go on from "the schema FILE".
pub fn check_schema(schema: &Schema) -> Result<(), String> {
    compiled(schema).map(|_| ()).map_err(Clone::clone)
}

/// A version that does not follow its schema, as a fault; in a file of JSON Lines every line has to.
pub(super) fn breach(now: Content, schemas: &Schemas) -> Option<Found> {
    let mut first = None;
    let read = tree::each(now, |index, value| {
        first = breach_of(&value, schemas).map(|breach| in_line(breach, index, now.dialect));
        first.is_none()
    });
    if let Err(too_deep) = read {
        let cause = format!("nested more than {} levels deep: too deep to be held against its schema", tree::MAX_DEPTH);
        return first.map(|breach| found(now, &breach)).or(Some((Kind::Schema, too_deep.offset, cause)));
    }
    first.map(|breach| found(now, &breach))
}

/// What its schema has against a valid version, in words; `None`: nothing.
#[must_use]
pub fn schema_breach(now: Content, schemas: &Schemas) -> Option<String> {
    breach(now, schemas).map(|(_, _, cause)| cause)
}

/// What `schema` has against a version that says of itself, at `by`, that it is of `version`: as it would be after a
/// migration that changes nothing else. `None`: nothing.
#[must_use]
pub fn breach_as(now: Content, by: &str, version: &str, schema: &Schema) -> Option<String> {
    let mut first = None;
    let read = tree::each(now, |index, mut value| {
        if let Some(place) = value.pointer_mut(by) {
            let number = || version.parse::<u64>().ok().filter(|_| place.is_number());
            *place = number().map_or_else(|| version.into(), Value::from);
        }
        first = breach_by(&value, schema).map(|breach| in_line(breach, index, now.dialect));
        first.is_none()
    });
    read.err().map(|_| "nested too deep to be held against it".to_owned()).or(first.map(|breach| breach.cause))
}

/// The version that a document says it is of; `None`: it does not say. Of JSON Lines, the first line's.
#[must_use]
pub fn version_of(now: Content, by: &str) -> Option<String> {
    let mut version = None;
    // What is too deep to be built says nothing here.
    let _ = tree::each(now, |_, value| {
        version = value.pointer(by).and_then(version_text);
        false
    });
    version
}

fn found(now: Content, breach: &Breach) -> Found {
    let offset = find(now, &breach.pointer).map_or(0, |token| token.offset);
    (Kind::Schema, offset, breach.cause.clone())
}

fn in_line(mut breach: Breach, index: usize, dialect: Dialect) -> Breach {
    if dialect == Dialect::Jsonl {
        breach.pointer = format!("/{index}{}", breach.pointer);
        breach.cause = format!("in value {}, {}", index + 1, breach.cause);
    }
    breach
}

fn breach_of(value: &Value, schemas: &Schemas) -> Option<Breach> {
    let (pointer, versions) = match schemas {
        Schemas::One(schema) => return breach_by(value, schema),
        Schemas::By { pointer, versions } => (pointer, versions),
    };
    let at_version = |cause: String| Some(Breach { pointer: pointer.clone(), cause });
    let Some(version) = value.pointer(pointer).and_then(version_text) else {
        return at_version(format!("it has no version at {pointer:?}, so no schema is known for it"));
    };
    match versions.iter().find(|(known, _)| *known == version) {
        Some((_, schema)) => breach_by(value, schema),
        None => at_version(format!("the version at {pointer:?} is none that a schema is given for")),
    }
}

/// A version as it is written in the configuration: a text, or a number in its shortest form.
fn version_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            Some(number.as_f64().filter(|_| number.is_f64()).map_or(number.to_string(), |float| float.to_string()))
        }
        _ => None,
    }
}

fn breach_by(value: &Value, schema: &Schema) -> Option<Breach> {
    match compiled(schema) {
        Ok(compiled) => compiled.breach(value, &schema.name().to_string()),
        // Settings hold only schemas that were checked.
        Err(why) => Some(Breach { pointer: String::new(), cause: format!("its schema {} {why}", schema.name()) }),
    }
}

fn compiled(schema: &Schema) -> Result<&Compiled, &String> {
    static OTHER: String = String::new();
    schema.made(compiled::compile).map_or(Err(&OTHER), Result::as_ref)
}

#[cfg(test)]
mod tests;
