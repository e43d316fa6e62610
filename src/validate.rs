//! Judging: what these bytes are to the programs that read the document. Pure functions; judging never fails, because
//! corruption is data here, not an error.
//!
//! A document is judged by what its readers accept, not by taste. `syntax` is the one seam to a grammar: it says where
//! and why a text stops being a value. `dialect` asks it in the languages that the document may be written in;
//! `fault` says what kind of damage the bytes show, and `cause` what probably happened.

mod plain;
#[cfg(target_arch = "x86_64")]
mod wide;
mod token;
mod json5;
mod syntax;
mod text;
mod dialect;
mod extent;
mod cause;
mod fault;
mod tokens;
mod unquote;
mod pointer;
mod paths;
mod measure;
mod number;
mod tree;
mod identity;
mod keyed;
mod redacted;
mod schema;
mod plausibility;
mod findings;
#[cfg(test)]
mod table;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod judging;

use crate::config::Expectations;
use crate::document::Dialect;
use crate::verdict::{Fault, Kind, Verdict};
use dialect::read;
use syntax::{Stop, Top};
use text::{BYTE_ORDER_MARK, Text};

pub use dialect::dialect_of_name;
pub(crate) use extent::{Extent, extent};
pub use findings::findings;
pub(crate) use identity::identical;
pub(crate) use keyed::ByHash;
pub use plausibility::{smaller, still_suspicious, unmet, weigh, weigh_small};
pub(crate) use pointer::escaped;
pub use schema::{breach_as, check_schema, schema_breach, version_of};
pub(crate) use syntax::Inside;
pub(crate) use tokens::{Token, Tokens, What, behind_blanks};
pub(crate) use tree::{Index, Member, Shape, Tree};
pub use tree::{TooMany, Value};
pub(crate) use unquote::unquote;

/// Who reads the document, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// The dialect that the watch names; `None`: whatever any supported dialect reads.
    pub dialect: Option<Dialect>,
    /// The dialect that the document's versions were read in; `None` at enrolment.
    pub enrolled: Option<Dialect>,
    /// What the file's name promises ([`dialect_of_name`]); asked first at enrolment, so that an append-only `.jsonl`
    /// that has one line yet, or a `.jsonc` that has no comment yet, is not taken for plain JSON.
    pub named: Option<Dialect>,
    /// Is the file named literally? Then any top-level value proves it to be guarded JSON.
    pub literal: bool,
}

/// Valid bytes, and the dialect that they were read in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The dialect.
    pub dialect: Dialect,
}

/// The order in which dialects are asked at enrolment: the plainest first.
const AT_ENROLMENT: [Dialect; 5] = [Dialect::Json, Dialect::Python, Dialect::Jsonl, Dialect::Jsonc, Dialect::Json5];

/// Says what `bytes` are to `reader`. Linear in the length of `bytes`, whatever they hold, and without recursion.
#[must_use]
pub fn judge(bytes: &[u8], reader: &Reader) -> Verdict {
    let text = Text::new(bytes);
    match reader.dialect.or(reader.enrolled) {
        Some(own) => judge_as(own, &text, reader),
        None => enrol(&text, reader),
    }
}

/// Do `bytes` read in `dialect`? If not, where and why they stop.
///
/// # Errors
/// The fault that the text shows.
pub fn reads_as(bytes: &[u8], dialect: Dialect) -> Result<(), Fault> {
    let text = Text::new(bytes);
    match read(&text, dialect) {
        Ok(_) => Ok(()),
        Err(stop) => match fault::explain(&text, stop, dialect) {
            Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => Err(fault),
            Verdict::Valid { .. } => Ok(()),
        },
    }
}

/// Says what `bytes` are to `reader`, and whether they are what is expected of every version, whatever was before: a valid
/// version that is not is suspicious.
#[must_use]
pub fn judge_by(bytes: &[u8], reader: &Reader, expectations: &Expectations) -> Verdict {
    judge_after(bytes, reader, None, expectations)
}

/// The same, and whether they may follow the last good version.
#[must_use]
pub fn judge_after(bytes: &[u8], reader: &Reader, last_good: Option<Content>, expectations: &Expectations) -> Verdict {
    let verdict = judge(bytes, reader);
    let Verdict::Valid { dialect, .. } = verdict else { return verdict };
    match weigh(Content { bytes, dialect }, last_good, expectations) {
        Some(fault) => Verdict::Suspicious(dialect, fault),
        None => verdict,
    }
}

/// Judges a document whose dialect is known: it must still read in that one.
fn judge_as(own: Dialect, text: &Text, reader: &Reader) -> Verdict {
    match read(text, own) {
        Ok(top) => valid(own, top, reader),
        Err(stop) => match read_otherwise(text, own, stop) {
            Some(other) => Verdict::Suspicious(other, in_another(text, stop, (own, other), reader)),
            None => fault::explain(text, stop, own),
        },
    }
}

/// Judges a document that has no version yet: the first dialect that reads it is its own.
fn enrol(text: &Text, reader: &Reader) -> Verdict {
    let mut first_stop = None;
    for dialect in reader.named.into_iter().chain(AT_ENROLMENT) {
        match read(text, dialect) {
            // Plain JSON was asked first: it says where the second document begins.
            Ok(_) if dialect == Dialect::Jsonl && reader.named.is_none() && text.is_doubled() => {}
            Ok(top) => return valid(dialect, top, reader),
            Err(stop) => first_stop = first_stop.or(Some((dialect, stop))),
        }
        if first_stop.is_some_and(|(first, stop)| !any_other_might(text, first, stop)) {
            break;
        }
    }
    let (dialect, stop) = first_stop.unwrap_or((Dialect::Json, Stop::END));
    fault::explain(text, stop, dialect)
}

/// Which other dialect than `own` reads a text in which `own` stops at `stop`? JSON Lines is never asked: every doubled
/// one-line document would pass for it.
fn read_otherwise(text: &Text, own: Dialect, stop: Stop) -> Option<Dialect> {
    if !any_other_might(text, own, stop) {
        return None;
    }
    let others = [Dialect::Json, Dialect::Python, Dialect::Jsonc, Dialect::Json5];
    others.into_iter().filter(|other| *other != own).find(|other| read(text, *other).is_ok())
}

/// Can it be worth asking other dialects? None reads what is not UTF-8. And a text that ends inside an object or array
/// ends there in every dialect: they agree on all that stands before.
fn any_other_might(text: &Text, first: Dialect, stop: Stop) -> bool {
    let ends_inside = stop.is_end() && stop.depth > 0;
    // JSON5 takes a byte order mark for a blank wherever it stands; but nobody writes one into the middle of a document.
    let joins_texts = text.body().get(stop.offset..).is_some_and(|rest| rest.starts_with(BYTE_ORDER_MARK));
    text.is_whole() && !joins_texts && (first == Dialect::Jsonl || !ends_inside)
}

fn valid(dialect: Dialect, top: Top, reader: &Reader) -> Verdict {
    Verdict::Valid { dialect, proves: reader.literal || top == Top::Container }
}

fn in_another(text: &Text, stop: Stop, (own, other): (Dialect, Dialect), reader: &Reader) -> Fault {
    let (own_label, other) = (own.label(), other.label());
    let cause = if reader.enrolled == Some(own) {
        format!("it reads as {other}, but no longer as {own_label}, which it was")
    } else {
        format!("it reads as {other}, but not as {own_label}, which it has to be")
    };
    Fault { kind: Kind::Dialect, place: text.place(stop.offset), cause }
}
