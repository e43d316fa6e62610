//! `record.jsonl`: what is thought of each version, one sealed line a remark; of several about one version the last holds.
//! A version without a line, or whose line is damaged, still counts by its name and digest.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};

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

/// All remarks of a `record.jsonl`.
pub(super) fn parse(text: &[u8]) -> HashMap<Version, Remark> {
    lines(text).filter_map(remark_of).collect()
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

    #[test]
    fn the_last_remark_about_a_version_holds() {
        let mut remark = Remark {
            digest: Digest::of(b"{}"),
            mark: Mark::Suspicious,
            dialect: Dialect::Json,
            bytes: 2,
            file_bytes: 2,
            attributes: Attributes {
                owner: 1000,
                group: 100,
                mode: 0o640,
                extended: vec![(c"user.a".to_owned(), vec![0, 255])],
            },
        };
        let mut text = format(Version(1), &remark, "file");
        remark.mark = Mark::Accepted;
        text += &format(Version(1), &remark, "accept");
        text += "torn {\"v\":1";
        assert_eq!(parse(text.as_bytes()).get(&Version(1)), Some(&remark));
    }
}
