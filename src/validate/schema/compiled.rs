//! A schema, compiled, and what it has against a value.

use std::fmt::Display;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::super::{Reader, judge};
use super::budget::{KEYWORD, Spent, step, with_deep_stack, within};
use crate::document::Dialect;
use crate::verdict::Verdict;

/// So many questions are asked of any document. (Measured: a million take 0.2 s.)
const STEPS: u64 = 2_000_000;

/// And so many more for each value that it holds.
const STEPS_PER_VALUE: u64 = 200;

/// Saying where costs more for each question: all that every branch has against the value is gathered. It is given this
/// share of them.
const LOCATING_SHARE: u64 = 20;

/// A schema this short, on a document this shallow, takes little of a stack.
const SHORT_BYTES: usize = 16 << 10;
const SHALLOW: usize = 32;

/// What the library says of a schema may quote all of it.
const MAX_SAID_CHARS: usize = 300;

/// A schema that documents can be held against.
pub(super) struct Compiled {
    validator: Validator,
    /// It is short: nothing in it can lead far.
    is_short: bool,
}

/// Where a document does not follow its schema, and why.
pub(super) struct Breach {
    /// The JSON Pointer of the value.
    pub(super) pointer: String,
    pub(super) cause: String,
}

/// Compiles a schema.
///
/// # Errors
/// What is wrong with it, in words that go on from "the schema FILE".
pub(super) fn compile(bytes: &[u8]) -> Result<Compiled, String> {
    let strict = Reader { dialect: Some(Dialect::Json), literal: true, ..Reader::default() };
    if let Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) = judge(bytes, &strict) {
        return Err(format!("is no JSON: {} at {}; mend it", fault.cause, fault.place));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut schema: Value =
        serde_json::from_slice(text).map_err(|error| format!("cannot be read: {error}; mend it"))?;
    // First as it was written: its own meta-schema may know no other keyword.
    build(&schema)?;
    add_steps(&mut schema);
    build(&schema).map(|validator| Compiled { validator, is_short: bytes.len() <= SHORT_BYTES })
}

/// No file and no address is ever asked for what a schema refers to, and patterns take linear time.
fn build(schema: &Value) -> Result<Validator, String> {
    let built = || {
        let options = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex())
            .with_keyword(KEYWORD, step);
        options.build(schema).map_err(|error| wrong(&error))
    };
    with_deep_stack(built).unwrap_or_else(|| Err("is too deep or too odd to be compiled; simplify it".to_owned()))
}

fn wrong(error: &ValidationError) -> String {
    if let ValidationErrorKind::Referencing(error) = error.kind() {
        let said = shortened(error);
        return format!("refers to what is not in it ({said}); other files and addresses are never asked: put it in");
    }
    let place = error.instance_path().to_string();
    format!("is no JSON Schema: at {place:?}, {}; mend it", shortened(error))
}

fn shortened(said: impl Display) -> String {
    let said = said.to_string();
    match said.char_indices().nth(MAX_SAID_CHARS) {
        Some((end, _)) => format!("{}…", &said[..end]),
        None => said,
    }
}

/// Puts our rule into every schema within a schema. What lies below an unknown keyword may be referred to as a
/// schema, so it is taken for one. (JSON is read no deeper than 128 levels: this recursion is small.)
fn add_steps(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            for (keyword, value) in members.iter_mut() {
                match keyword.as_str() {
                    "enum" | "const" | "default" | "example" | "examples" | "required" | "dependentRequired"
                    | "$vocabulary" => {}
                    "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
                    | "dependencies" => each_member(value, add_steps),
                    _ => add_steps(value),
                }
            }
            let mut step = Map::new();
            step.insert(KEYWORD.to_owned(), Value::Bool(true));
            // Last, so that what refers to another by its number still finds it.
            let all_of = members.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
            all_of.as_array_mut().into_iter().for_each(|schemas| schemas.push(Value::Object(step.clone())));
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(add_steps),
        _ => {}
    }
}

fn each_member(value: &mut Value, act: fn(&mut Value)) {
    value.as_object_mut().map(Map::values_mut).into_iter().flatten().for_each(act);
}

impl Compiled {
    /// Where `value` does not follow the schema, which is called `name`; `None`: it does.
    pub(super) fn breach(&self, value: &Value, name: &str) -> Option<Breach> {
        let (count, depth) = size(value);
        let steps = STEPS + STEPS_PER_VALUE * count;
        let is_shallow = self.is_short && depth <= SHALLOW;
        let everywhere = |cause| Some(Breach { pointer: String::new(), cause });
        match within(steps, is_shallow, || self.validator.is_valid(value)) {
            Ok(true) => return None,
            Ok(false) => {}
            Err(spent) => return everywhere(given_up(spent, name)),
        }
        match within(steps / LOCATING_SHARE, is_shallow, || {
            self.validator.iter_errors(value).next().map(|error| told(&error, name))
        }) {
            Ok(breach) => breach.or_else(|| everywhere(format!("it breaks its schema {name}"))),
            // That it is wrong is known; where, would cost too much.
            Err(_) => everywhere(format!("it breaks its schema {name}, which is too branched to say where")),
        }
    }
}

fn given_up(spent: Spent, name: &str) -> String {
    match spent {
        Spent::Steps => format!("its schema {name} asks too much of it to be answered"),
        Spent::Stack => format!("nested too deep to be held against its schema {name}"),
    }
}

/// How many values there are in a value, and how deep they lie. (The depth is bounded, and so is this recursion.)
fn size(value: &Value) -> (u64, usize) {
    let sum = |values: &mut dyn Iterator<Item = &Value>| {
        let (count, depth) =
            values.map(size).fold((0, 0), |(sum, deepest), (count, depth)| (sum + count, deepest.max(depth)));
        (count + 1, depth + 1)
    };
    match value {
        Value::Array(values) => sum(&mut values.iter()),
        Value::Object(members) => sum(&mut members.values()),
        _ => (1, 0),
    }
}

fn told(error: &ValidationError, name: &str) -> Breach {
    let pointer = error.instance_path().to_string();
    let rule = error.schema_path().to_string();
    let what = type_of(error.instance());
    let detail = detail(error.kind()).map(|detail| format!(": {detail}")).unwrap_or_default();
    let cause = format!("{pointer:?}, {what}, breaks the rule {rule:?} of its schema {name}{detail}");
    Breach { pointer, cause }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "a null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// What the schema itself says of it.
fn detail(kind: &ValidationErrorKind) -> Option<String> {
    match kind {
        ValidationErrorKind::Required { property } => Some(format!("{} is missing", shortened(property))),
        ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => Some(format!("the type is to be {wanted}")),
        ValidationErrorKind::Format { format } => Some(format!("the format is to be {}", shortened(format))),
        _ => None,
    }
}
