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
    /// `None`: they are not known any more, for an earlier line about the version was damaged.
    pub attributes: Option<Attributes>,
}

/// The line that says it.
pub(super) fn format(version: Version, remark: &Remark, origin: &str) -> String {
    let mut fields = json!({
        "v": 1, "version": version, "digest": remark.digest.to_string(), "mark": remark.mark, "origin": origin, "dialect": remark.dialect,
        "bytes": remark.bytes, "file_bytes": remark.file_bytes,
    });
    if let Some(Attributes { owner, group, mode, extended }) = &remark.attributes {
        let extended: Map<String, Value> =
            extended.iter().map(|(name, value)| (hex(name.to_bytes()), Value::String(hex(value)))).collect();
        fields["owner"] = json!(owner);
        fields["group"] = json!(group);
        fields["mode"] = json!(format!("{mode:04o}"));
        fields["extended_hex"] = Value::Object(extended);
    }
    fields.as_object().map(line::seal).unwrap_or_default()
}

/// Is a line about this written twice? One that is lost where the mark is out of the ordinary would make good of what is
/// suspicious, or the other way round. Between the two stands an empty line: no bit that flips takes both.
pub(super) fn is_told_twice(mark: Mark) -> bool {
    matches!(mark, Mark::Suspicious | Mark::Accepted)
}

/// A line, twice.
pub(super) fn twice(line: &str) -> String {
    format!("{line}\n{line}")
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
        let (mut from, known) = (self.text.len(), self.lines.len());
        self.text.extend_from_slice(text);
        for line in text.split(|byte| *byte == b'\n') {
            let place = from..from + line.len();
            from = place.end + 1;
            self.lines.extend(subject(line).map(|version| (version, place)));
        }
        // Mostly the next line is about the next version, and there may be a hundred thousand before it.
        if !self.lines[known.saturating_sub(1)..].is_sorted_by_key(|(version, _)| *version) {
            self.lines.sort_by_key(|(version, _)| *version);
        }
    }

    /// Its text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The last remark about a version that is whole.
    pub(super) fn remark(&self, version: Version) -> Option<Remark> {
        self.remarks(version).next()
    }

    /// The last remark about the version with these bytes: a record that was put back from a copy may speak of others.
    pub(super) fn remark_on(&self, version: Version, digest: Digest) -> Option<Remark> {
        self.remarks(version).find(|remark| remark.digest == digest)
    }

    /// The remarks about a version that are whole, the last one first.
    fn remarks(&self, version: Version) -> impl Iterator<Item = Remark> {
        let end = self.lines.partition_point(|(found, _)| *found <= version);
        let about_it = self.lines[..end].iter().rev().take_while(move |(found, _)| *found == version);
        about_it.filter_map(|(_, place)| self.read(place)).map(|(_, remark)| remark)
    }

    /// The digest, the mark and the length in bytes of every version that is told of, whether or not it is still there.
    pub(super) fn last_remarks(&self) -> BTreeMap<Version, (Digest, Mark, u64)> {
        let remarks = self.lines.iter().filter_map(|(_, place)| self.read(place));
        remarks.map(|(version, Remark { digest, mark, bytes, .. })| (version, (digest, mark, bytes))).collect()
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
    let mut last_lines: BTreeMap<Version, (&str, Mark)> = BTreeMap::new();
    for line in lines(text).filter_map(|line| std::str::from_utf8(line).ok()) {
        last_lines.extend(remark_of(line.as_bytes()).map(|(version, remark)| (version, (line, remark.mark))));
    }
    let gone: Vec<Version> = last_lines.keys().copied().filter(|version| !is_there(*version)).collect();
    for version in &gone[..gone.len().saturating_sub(SLACK_LINES)] {
        last_lines.remove(version);
    }
    let is_twice = |version: Version, mark: Mark| is_told_twice(mark) && is_there(version);
    let wanted: usize =
        last_lines.iter().map(|(version, (_, mark))| if is_twice(*version, *mark) { 2 } else { 1 }).sum();
    if lines(text).count() <= wanted + SLACK_LINES {
        return None;
    }
    let kept = last_lines.into_iter().map(|(version, (line, mark))| {
        let line = format!("{line}\n");
        if is_twice(version, mark) { twice(&line) } else { line }
    });
    Some(kept.collect::<String>().into_bytes())
}

fn remark(fields: &Map<String, Value>) -> Option<(Version, Remark)> {
    let number = |name: &str| fields.get(name)?.as_u64();
    let remark = Remark {
        digest: fields.get("digest")?.as_str()?.parse().ok()?,
        mark: serde_json::from_value(fields.get("mark")?.clone()).ok()?,
        dialect: serde_json::from_value(fields.get("dialect")?.clone()).ok()?,
        bytes: number("bytes")?,
        file_bytes: number("file_bytes").or_else(|| number("bytes"))?,
        attributes: attributes(fields),
    };
    Some((Version(number("version")?), remark))
}

fn attributes(fields: &Map<String, Value>) -> Option<Attributes> {
    let small = |name: &str| u32::try_from(fields.get(name)?.as_u64()?).ok();
    let extended = fields.get("extended_hex")?.as_object()?;
    let extended: Option<Vec<(CString, Vec<u8>)>> = extended
        .iter()
        .map(|(name, value)| Some((CString::new(unhex(name)?).ok()?, unhex(value.as_str()?)?)))
        .collect();
    Some(Attributes {
        owner: small("owner")?,
        group: small("group")?,
        mode: u32::from_str_radix(fields.get("mode")?.as_str()?, 8).ok()?,
        extended: extended?,
    })
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
            attributes: Some(Attributes { owner: 1000, group: 100, mode: 0o640, extended }),
        }
    }

    #[test]
    fn a_remark_says_what_it_said_also_of_a_version_whose_attributes_are_not_known() {
        for remark in [some(), Remark { attributes: None, ..some() }] {
            let record = Record::new(format(Version(3), &remark, "file").as_bytes());
            assert_eq!(record.remark(Version(3)), Some(remark));
        }
    }

    #[test]
    fn a_remark_is_about_the_bytes_that_it_names() {
        let (one, other) = (some(), Remark { digest: Digest::of(b"[]"), mark: Mark::Good, ..some() });
        let text = format(Version(3), &one, "file") + &format(Version(3), &other, "file");
        let record = Record::new(text.as_bytes());
        assert_eq!(record.remark_on(Version(3), one.digest), Some(one));
        assert_eq!(record.remark_on(Version(3), other.digest), Some(other));
        assert_eq!(record.remark_on(Version(3), Digest::of(b"")), None);
    }

    #[test]
    fn no_bit_that_flips_takes_both_lines_of_a_mark_that_is_out_of_the_ordinary() {
        let (before, good) = (format(Version(1), &some(), "file"), Remark { mark: Mark::Good, ..some() });
        let text = before + &twice(&format(Version(2), &some(), "file")) + &format(Version(3), &good, "file");
        for bit in 0..text.len() * 8 {
            let mut rotten = text.clone().into_bytes();
            rotten[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::new(&rotten).remark(Version(2)), Some(some()), "bit {bit}");
            assert!(is_damaged(&rotten), "bit {bit}");
        }
        let many: String = (0..200).map(|_| text.clone()).collect();
        let compacted = compacted(many.as_bytes(), |_| true).unwrap();
        assert_eq!(String::from_utf8(compacted).unwrap().matches("\"version\":2").count(), 2);
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
