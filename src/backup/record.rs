//! `record.jsonl`: what is thought of each version, one sealed line a remark; of several about one version the last holds.
//! A version without a line, or whose line is damaged, still counts by its name and digest.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::disk::attributes::Attributes;
use crate::document::{Dialect, Digest, Mark, Version};
use crate::line::{self, hex, unhex};

/// What is known of a version beside its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remark {
    pub digest: Digest,
    pub mark: Mark,
    pub dialect: Dialect,
    pub bytes: u64,
    /// How many bytes its file has: fewer, if it is compressed.
    pub file_bytes: u64,
    pub attributes: Attributes,
}

/// The line that says it.
pub(super) fn format(version: Version, remark: &Remark, origin: &str) -> String {
    let Attributes { owner, group, mode, extended } = &remark.attributes;
    let extended: Map<String, Value> =
        extended.iter().map(|(name, value)| (hex(name.to_bytes()), Value::String(hex(value)))).collect();
    let fields = json!({
        "v": 1, "version": version, "digest": remark.digest.to_string(), "mark": remark.mark, "origin": origin, "dialect": remark.dialect,
        "bytes": remark.bytes, "file_bytes": remark.file_bytes, "owner": owner, "group": group, "mode": format!("{mode:04o}"), "extended_hex": extended,
    });
    fields.as_object().map(line::seal).unwrap_or_default()
}

/// A `record.jsonl`: a line of it is parsed only when it is asked for, since an hour of writes leaves thousands.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: Vec<u8>,
    /// What each line says that it is about, and where it is: by version, and of one version the last line last.
    lines: Vec<(Version, Range<usize>)>,
}

impl Record {
    /// The record with this text.
    pub(super) fn new(text: &[u8]) -> Self {
        let mut record = Self::default();
        record.append(text);
        record
    }

    /// The same, with this appended.
    pub(super) fn append(&mut self, text: &[u8]) {
        let mut from = self.text.len();
        self.text.extend_from_slice(text);
        for line in text.split(|byte| *byte == b'\n') {
            let place = from..from + line.len();
            from = place.end + 1;
            self.lines.extend(subject(line).map(|version| (version, place)));
        }
        self.lines.sort_by_key(|(version, _)| *version);
    }

    /// Its text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The last remark about a version that is whole.
    pub(super) fn remark(&self, version: Version) -> Option<Remark> {
        let end = self.lines.partition_point(|(found, _)| *found <= version);
        let about_it = self.lines[..end].iter().rev().take_while(|(found, _)| *found == version);
        about_it.filter_map(|(_, place)| self.read(place)).map(|(_, remark)| remark).next()
    }

    /// The highest number that was ever given, and the remark about it.
    pub(super) fn newest(&self) -> Option<(Version, Remark)> {
        self.lines.iter().rev().find_map(|(_, place)| self.read(place))
    }

    fn read(&self, place: &Range<usize>) -> Option<(Version, Remark)> {
        remark_of(&self.text[place.clone()])
    }
}

/// What our lines begin with, up to the number.
const BEGINNING: &[u8] = b"{\"v\":1,\"version\":";

/// The version that a line says it is about: of one that begins as ours do without parsing it, so what it says counts only
/// once the line has been read.
fn subject(line: &[u8]) -> Option<Version> {
    let Some(rest) = line.strip_prefix(BEGINNING) else {
        return remark_of(line).map(|(version, _)| version);
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok().map(Version)
}

/// Where each version came from when it was stored.
pub(super) fn origins(text: &[u8]) -> HashMap<Version, String> {
    let mut origins = HashMap::new();
    for fields in lines(text).filter_map(|line| line::open(std::str::from_utf8(line).ok()?)) {
        let version = fields.get("version").and_then(Value::as_u64).map(Version);
        let origin = fields.get("origin").and_then(Value::as_str);
        if let Some((version, origin)) = version.zip(origin) {
            origins.entry(version).or_insert_with(|| origin.to_owned());
        }
    }
    origins
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn remark_of(line: &[u8]) -> Option<(Version, Remark)> {
    remark(&line::open(std::str::from_utf8(line).ok()?)?)
}

/// Has any line of a record been torn or changed?
pub(super) fn is_damaged(text: &[u8]) -> bool {
    lines(text).any(|line| std::str::from_utf8(line).ok().and_then(line::open).is_none())
}

/// Beyond this many lines for each that is wanted, a record is worth rewriting.
const SLACK_LINES: usize = 128;

/// The record without what is no longer wanted; `None`: it is not worth it. The lines about `SLACK_LINES` versions that were
/// removed stay, newest first: a leftover may still be one of them.
pub(super) fn compacted(text: &[u8], is_there: impl Fn(Version) -> bool) -> Option<Vec<u8>> {
    let mut last_lines: BTreeMap<Version, &[u8]> = BTreeMap::new();
    for line in lines(text) {
        last_lines.extend(remark_of(line).map(|(version, _)| (version, line)));
    }
    let gone = last_lines.keys().filter(|version| !is_there(**version)).count();
    let mut surplus = gone.saturating_sub(SLACK_LINES);
    let wanted = last_lines.len() - surplus;
    if lines(text).count() <= wanted + SLACK_LINES {
        return None;
    }
    let mut kept = Vec::new();
    for (version, line) in last_lines {
        if surplus > 0 && !is_there(version) {
            surplus -= 1;
        } else {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
    }
    Some(kept)
}

fn remark(fields: &Map<String, Value>) -> Option<(Version, Remark)> {
    let number = |name: &str| fields.get(name)?.as_u64();
    let small = |name: &str| number(name).and_then(|number| u32::try_from(number).ok());
    let extended = fields.get("extended_hex")?.as_object()?;
    let extended: Option<Vec<(CString, Vec<u8>)>> = extended
        .iter()
        .map(|(name, value)| Some((CString::new(unhex(name)?).ok()?, unhex(value.as_str()?)?)))
        .collect();
    let attributes = Attributes {
        owner: small("owner")?,
        group: small("group")?,
        mode: u32::from_str_radix(fields.get("mode")?.as_str()?, 8).ok()?,
        extended: extended?,
    };
    let remark = Remark {
        digest: fields.get("digest")?.as_str()?.parse().ok()?,
        mark: serde_json::from_value(fields.get("mark")?.clone()).ok()?,
        dialect: serde_json::from_value(fields.get("dialect")?.clone()).ok()?,
        bytes: number("bytes")?,
        file_bytes: number("file_bytes").or_else(|| number("bytes"))?,
        attributes,
    };
    Some((Version(number("version")?), remark))
}

/// The name of the file.
pub(super) const NAME: &CStr = c"record.jsonl";

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Remark {
        let extended = vec![(c"user.a".to_owned(), vec![0, 255])];
        Remark {
            digest: Digest::of(b"{}"),
            mark: Mark::Suspicious,
            dialect: Dialect::Json,
            bytes: 2,
            file_bytes: 2,
            attributes: Attributes { owner: 1000, group: 100, mode: 0o640, extended },
        }
    }

    #[test]
    fn the_last_remark_about_a_version_holds() {
        let mut remark = some();
        let mut text = format(Version(1), &remark, "file");
        remark.mark = Mark::Accepted;
        text += &format(Version(1), &remark, "accept");
        text += "torn {\"v\":1";
        assert_eq!(Record::new(text.as_bytes()).remark(Version(1)), Some(remark));
    }

    #[test]
    fn a_line_that_is_torn_says_nothing_whatever_it_begins_with() {
        let (older, newer) = (some(), Remark { mark: Mark::Accepted, ..some() });
        let mut record = Record::new(format(Version(7), &older, "file").as_bytes());
        let torn = format(Version(7), &newer, "accept").replace("accepted", "uncertified");
        record.append(format!("{torn}{}", format(Version(8), &newer, "file").split_at(40).0).as_bytes());
        assert_eq!(record.remark(Version(7)), Some(older.clone()));
        assert_eq!(record.newest(), Some((Version(7), older)));
        record.append(
            format!("\n{}{}", format(Version(12), &newer, "file"), format(Version(9), &some(), "file")).as_bytes(),
        );
        assert_eq!((record.newest(), record.remark(Version(9))), (Some((Version(12), newer)), Some(some())));
        assert_eq!((record.remark(Version(8)), record.remark(Version(13))), (None, None));
    }

    #[test]
    fn a_line_of_ours_is_known_by_its_beginning() {
        assert!(format(Version(1), &some(), "file").as_bytes().starts_with(BEGINNING));
    }
}
