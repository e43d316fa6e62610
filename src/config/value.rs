//! One value: how it has to be written, and what it then is.

use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use globset::GlobSet;
use toml::Spanned;
use toml::de::DeValue;

use super::quantity::{parse_share, parse_size, parse_span, size_text, span_text};
use super::schemas::SchemaFiles;
use super::target::Context;
use super::{Share, Target};

/// How a value has to be written, and within which bounds.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Span(RangeInclusive<Duration>),
    /// In bytes.
    Size(RangeInclusive<u64>),
    /// In bytes a second.
    Rate(RangeInclusive<u64>),
    Share,
    /// From 0 to 1.
    Ratio,
    Count(RangeInclusive<u32>),
    Flag,
    Word(&'static [&'static str]),
    /// Text that a function finds fit.
    Text(fn(&str) -> Result<(), String>),
    /// A list of such texts.
    Texts(fn(&str) -> Result<(), String>),
    /// `IP:PORT`, or nothing.
    Address,
    Path,
    /// A table of schemas: `by`, a pointer, and `versions`, a path each.
    Schemas,
    Targets,
    Patterns,
    /// Something whose feature is not built, and whose form is fixed with it.
    Unsettled,
}

/// What was written, understood.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Span(Duration),
    Size(u64),
    Rate(u64),
    Share(Share),
    Ratio(f64),
    Count(u32),
    Flag(bool),
    Word(&'static str),
    Text(String),
    Texts(Vec<String>),
    Address(Option<SocketAddr>),
    Path(PathBuf),
    Schemas(SchemaFiles),
    Targets(Vec<Target>),
    Patterns(GlobSet, Vec<String>),
    Unsettled,
}

/// What is wrong, and where in the text.
pub(super) type Fault = (Range<usize>, String);

impl Form {
    /// Understands a value.
    ///
    /// # Errors
    /// Every fault found in it.
    pub(super) fn read(&self, value: &Spanned<DeValue<'_>>, context: &Context<'_>) -> Result<Value, Vec<Fault>> {
        match self {
            Self::Targets => {
                let texts = texts_of(value)?;
                if texts.is_empty() {
                    return Err(vec![(value.span(), "no paths; name at least one file, folder or glob".into())]);
                }
                each(&texts, |text| context.target(text)).map(Value::Targets)
            }
            Self::Texts(is_fit) => each(&texts_of(value)?, |text| is_fit(text).map(|()| text.into())).map(Value::Texts),
            Self::Patterns => patterns(&texts_of(value)?, context),
            Self::Schemas => schemas(value, context).map(Value::Schemas),
            _ => self.single(value.get_ref(), context).map_err(|what| vec![(value.span(), what)]),
        }
    }

    /// Understands the text of an option or a variable.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read_text(&self, text: &str, context: &Context<'_>) -> Result<Value, String> {
        self.single(&DeValue::String(text.into()), context)
    }

    fn single(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Value, String> {
        match (self, value) {
            (Self::Span(bounds), DeValue::String(text)) => {
                within(bounds, parse_span(text)?, |span| span_text(*span)).map(Value::Span)
            }
            (Self::Size(bounds), DeValue::String(text)) => sized(bounds, parse_size(text)?),
            (Self::Size(bounds), DeValue::Integer(_)) => sized(bounds, integer(value)?),
            (Self::Rate(bounds), DeValue::String(text)) => {
                let size = text.strip_suffix("/s").ok_or(r#"a rate ends in "/s", such as "8MiB/s""#)?;
                within(bounds, parse_size(size)?, |bytes| format!("{}/s", size_text(*bytes))).map(Value::Rate)
            }
            (Self::Share, DeValue::String(text)) => parse_share(text).map(Value::Share),
            (Self::Share, DeValue::Integer(_)) => integer(value).map(|bytes| Value::Share(Share::Bytes(bytes))),
            (Self::Ratio, DeValue::Float(_) | DeValue::Integer(_)) => ratio(value),
            (Self::Count(bounds), DeValue::Integer(_)) => {
                let count = u32::try_from(integer(value)?).unwrap_or(u32::MAX);
                within(bounds, count, u32::to_string).map(Value::Count)
            }
            (Self::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Self::Word(words), DeValue::String(text)) => word(words, text).map(Value::Word),
            (Self::Text(is_fit), DeValue::String(text)) => is_fit(text).map(|()| Value::Text(text.to_string())),
            (Self::Address, DeValue::String(text)) => address(text).map(Value::Address),
            (Self::Path, DeValue::String(text)) => context.path(text).map(Value::Path),
            (Self::Unsettled, _) => Ok(Value::Unsettled),
            _ => Err(format!("{} does not belong here; write {}", a(value), self.example())),
        }
    }

    /// How such a value looks.
    fn example(&self) -> String {
        match self {
            Self::Span(_) => r#"a span with its unit in quotes, such as "10s""#.into(),
            Self::Size(_) => r#"a size, such as "64MiB""#.into(),
            Self::Rate(_) => r#"a rate, such as "8MiB/s""#.into(),
            Self::Share => r#"a share or a size, such as "5%" or "2GiB""#.into(),
            Self::Ratio => "a number from 0 to 1".into(),
            Self::Count(_) => "a whole number".into(),
            Self::Flag => "true or false".into(),
            Self::Word(words) => format!("one of {}", quoted(words)),
            Self::Text(_) | Self::Path => "text in quotes".into(),
            Self::Address => r#"IP:PORT in quotes, such as "127.0.0.1:14871""#.into(),
            Self::Texts(_) | Self::Targets | Self::Patterns => r#"a list of texts, such as ["a", "b"]"#.into(),
            Self::Schemas => SCHEMAS_EXAMPLE.into(),
            Self::Unsettled => "what the manual says".into(),
        }
    }
}

fn texts_of(value: &Spanned<DeValue<'_>>) -> Result<Vec<Spanned<String>>, Vec<Fault>> {
    let wrong = |value: &Spanned<DeValue<'_>>| {
        (
            value.span(),
            format!(r#"{} does not belong here; write a list of texts, such as ["a", "b"]"#, a(value.get_ref())),
        )
    };
    let list = value.get_ref().as_array().ok_or_else(|| vec![wrong(value)])?;
    let texts = list.iter().map(|item| match item.get_ref() {
        DeValue::String(text) => Ok(Spanned::new(item.span(), text.to_string())),
        _ => Err(wrong(item)),
    });
    gathered(texts)
}

fn each<T>(texts: &[Spanned<String>], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Vec<Fault>> {
    gathered(texts.iter().map(|text| read(text.get_ref()).map_err(|what| (text.span(), what))))
}

/// All that is right, or all that is wrong.
fn gathered<T>(results: impl Iterator<Item = Result<T, Fault>>) -> Result<Vec<T>, Vec<Fault>> {
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => right.push(value),
            Err(fault) => wrong.push(fault),
        }
    }
    if wrong.is_empty() { Ok(right) } else { Err(wrong) }
}

fn patterns(texts: &[Spanned<String>], context: &Context<'_>) -> Result<Value, Vec<Fault>> {
    let plain: Vec<String> = texts.iter().map(|text| text.get_ref().clone()).collect();
    match context.exclusions(&plain) {
        Ok(set) => Ok(Value::Patterns(set, plain)),
        Err((index, what)) => Err(vec![(texts.get(index).map_or(0..0, Spanned::span), what)]),
    }
}

/// How schemas by version are written.
const SCHEMAS_EXAMPLE: &str = r#"a table such as { by = "/version", versions = { "1" = "v1.json", "2" = "v2.json" } }"#;

fn schemas(value: &Spanned<DeValue<'_>>, context: &Context<'_>) -> Result<SchemaFiles, Vec<Fault>> {
    let wrong =
        |span: Range<usize>| vec![(span, format!("this is not how schemas are named; write {SCHEMAS_EXAMPLE}"))];
    let table = value.get_ref().as_table().ok_or_else(|| wrong(value.span()))?;
    if let Some((key, _)) = table.iter().find(|(key, _)| !matches!(key.get_ref().as_ref(), "by" | "versions")) {
        return Err(vec![(key.span(), format!("unknown key `{}`; write `by` and `versions`", key.get_ref()))]);
    }
    let (Some(by), Some(versions)) = (table.get("by"), table.get("versions")) else { return Err(wrong(value.span())) };
    let pointer = by.get_ref().as_str().ok_or_else(|| wrong(by.span()))?;
    super::keys::json_pointer(pointer).map_err(|what| vec![(by.span(), what)])?;
    let versions =
        versions.get_ref().as_table().filter(|table| !table.is_empty()).ok_or_else(|| wrong(versions.span()))?;
    let files = gathered(versions.iter().map(|(version, path)| {
        let text = path.get_ref().as_str().ok_or_else(|| (path.span(), "a schema is named by its file".to_owned()))?;
        let path = context.path(text).map_err(|what| (path.span(), what))?;
        Ok((version.get_ref().to_string(), path))
    }))?;
    Ok(SchemaFiles { by: Some(pointer.to_owned()), versions: files })
}

fn sized(bounds: &RangeInclusive<u64>, bytes: u64) -> Result<Value, String> {
    within(bounds, bytes, |bytes| size_text(*bytes)).map(Value::Size)
}

fn within<T: PartialOrd>(bounds: &RangeInclusive<T>, value: T, text: impl Fn(&T) -> String) -> Result<T, String> {
    if value < *bounds.start() {
        return Err(format!("{} is too little; the least is {}", text(&value), text(bounds.start())));
    }
    if value > *bounds.end() {
        return Err(format!("{} is too much; the most is {}", text(&value), text(bounds.end())));
    }
    Ok(value)
}

fn integer(value: &DeValue<'_>) -> Result<u64, String> {
    let wrong = || "a number below zero, or too large; write a whole number from 0 on".to_string();
    let integer = value.as_integer().ok_or_else(wrong)?;
    u64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| wrong())
}

fn ratio(value: &DeValue<'_>) -> Result<Value, String> {
    let text = value.as_float().map(toml::de::DeFloat::as_str).or(value.as_integer().map(toml::de::DeInteger::as_str));
    let ratio = text.and_then(|text| text.parse::<f64>().ok()).filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.map(Value::Ratio).ok_or_else(|| "out of bounds; write a number from 0 to 1".into())
}

fn word(words: &[&'static str], text: &str) -> Result<&'static str, String> {
    words.iter().copied().find(|word| *word == text).ok_or_else(|| match nearest(text, words.iter().copied()) {
        Some(near) => format!("{text:?} is unknown; did you mean {near:?}?"),
        None => format!("{text:?} is unknown; write one of {}", quoted(words)),
    })
}

fn address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| format!("{text:?} is no address; write IP:PORT, such as \"127.0.0.1:14871\", or \"\""))
}

/// The word that somebody meant, if one is near.
pub(super) fn nearest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near =
        words.map(|word| (strsim::damerau_levenshtein(text, word), word)).min_by_key(|(distance, _)| *distance)?;
    (near.0 <= (near.1.len() / 3).clamp(1, 3)).then_some(near.1)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

fn a(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    format!("{} {kind}", if kind.starts_with(['a', 'i']) { "an" } else { "a" })
}
