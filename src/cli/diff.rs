//! `diff`: what two versions of a file differ in, or a version and the file as it is, by path.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value as Json, json};

use super::differing::{change_json, counts_json, counts_text, line};
use super::hand::Hand;
use super::live::Live;
use super::moment::{VersionWanted, newest_at, parse_moment};
use super::store::versions;
use super::{Ended, Failure, Session, say, shown};
use crate::backup::Folder;
use crate::clock::Timestamp;
use crate::difference::{Counts, TooMany, VALUES_MAX, compare};
use crate::document::{Dialect, Stored};
use crate::error::{Cause, Error};
use crate::salvage::{Salvaged, salvage};
use crate::validate::Content;
use crate::verdict::Fault;

/// So many differences are listed in a JSON document; the counts are of all.
const LISTED_MAX: usize = 100_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The guarded file
    path: PathBuf,
    /// One version: it is compared with the file as it is. Two: with one another. A number, "latest", or "latest~2"
    /// [default: the last good one, with the file as it is]
    #[arg(value_name = "VERSION", num_args = 0..=2)]
    versions: Vec<VersionWanted>,
    /// The old one is the version that was the newest at this time: RFC 3339, or a span ago such as "10m"
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Timestamp>,
    /// As one JSON document
    #[arg(long)]
    json: bool,
}

/// One of two documents.
struct Side {
    /// In words.
    name: String,
    /// In a document.
    json: Json,
    bytes: Vec<u8>,
    dialect: Dialect,
}

/// The file as it is: a document, or damaged.
enum Newer {
    Whole(Side),
    Damaged(Fault, Option<Side>),
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let (wanted_old, wanted_new) = arguments.wanted()?;
    let (folder, versions) = versions(&arguments.path, session)?;
    let found = match (arguments.at, wanted_old) {
        (Some(moment), _) => newest_at(&versions, moment),
        (None, Some(wanted)) => wanted.among(&versions),
        (None, None) => versions.iter().find(|stored| stored.mark.is_last_good()),
    };
    let old = stored_side(arguments, &folder, found)?;
    let newer = match wanted_new {
        Some(wanted) => Newer::Whole(stored_side(arguments, &folder, wanted.among(&versions))?),
        None => live_side(arguments, session)?,
    };
    let telling = Telling { arguments, old: &old };
    match &newer {
        Newer::Whole(new) => telling.tell(new, None, session),
        Newer::Damaged(fault, survives) => telling.damaged(fault, survives.as_ref(), session),
    }
}

impl Arguments {
    /// The older version and the newer one, as far as they are named.
    fn wanted(&self) -> Result<(Option<VersionWanted>, Option<VersionWanted>), Failure> {
        match (self.at, self.versions.as_slice()) {
            (Some(_), [_, _, ..]) => {
                let why = "--at says which version is the old one: name at most one more".to_owned();
                Err(Error::new("comparing", &self.path, Cause::Usage(why)).into())
            }
            (Some(_), versions) => Ok((None, versions.first().copied())),
            (None, versions) => Ok((versions.first().copied(), versions.get(1).copied())),
        }
    }
}

fn stored_side(arguments: &Arguments, folder: &Folder, found: Option<&Stored>) -> Result<Side, Failure> {
    let why = "no such version is stored; `jsonwarden history` lists those that are";
    let none = || Error::new("looking for", &arguments.path, Cause::Absent(why.to_owned()));
    let stored = found.ok_or_else(none)?;
    Ok(Side {
        name: format!("version {} of {:.0}", stored.version, stored.taken),
        json: json!({
            "version": stored.version.0, "time": stored.taken.to_string(), "mark": stored.mark.label(),
            "digest": stored.digest.to_string(),
        }),
        bytes: folder.bytes(stored.version)?,
        dialect: stored.dialect,
    })
}

fn live_side(arguments: &Arguments, session: &Session<'_>) -> Result<Newer, Failure> {
    let hand = Hand::on(&arguments.path, session)?;
    let live = Live::read(&hand)?;
    let json = json!({"live": true, "bytes": live.bytes.len(), "verdict": live.verdict.label()});
    let name = "the file as it is".to_owned();
    Ok(match live.content() {
        Ok(Content { bytes, dialect }) => Newer::Whole(Side { name, json, bytes: bytes.to_vec(), dialect }),
        Err(fault) => {
            let survives = |Salvaged { bytes, dialect, piece, .. }| {
                let mut json = json.clone();
                json["survives"] = json!({"piece": piece.label(), "bytes": bytes.len()});
                Side { name: "what survives in it".to_owned(), json, bytes, dialect }
            };
            Newer::Damaged(fault.clone(), salvage(&live.bytes, hand.reader()).map(survives))
        }
    })
}

struct Telling<'a> {
    arguments: &'a Arguments,
    old: &'a Side,
}

impl Telling<'_> {
    /// A damaged file differs from every version, whatever survives in it.
    fn damaged(&self, fault: &Fault, survives: Option<&Side>, session: &mut Session<'_>) -> Ended {
        let path = shown(&self.arguments.path);
        say(format_args!("{path}:{}: {}: {}", fault.place, fault.kind, fault.cause));
        if let Some(survives) = survives {
            return self.tell(survives, Some(fault), session).map(|_| 1);
        }
        say(format_args!("{path}: nothing in it survives that could be compared"));
        if self.arguments.json {
            let new = json!({"live": true, "survives": null});
            let told = self.document(&new, &Counts::default(), false, &[], Some(fault));
            writeln!(session.out, "{told:#}")?;
        }
        Ok(1)
    }

    fn tell(&self, new: &Side, fault: Option<&Fault>, session: &mut Session<'_>) -> Ended {
        let path = shown(&self.arguments.path);
        say(format_args!("{path}: {} -> {}", self.old.name, new.name));
        let (before, after) = (self.old.content(), new.content());
        let counts = if self.arguments.json {
            let mut listed = Vec::new();
            let counts = compare(before, after, VALUES_MAX, &mut |change| {
                if listed.len() < LISTED_MAX {
                    listed.push(change_json(&change));
                }
            });
            let counts = counts.map_err(|error| self.too_many(error))?;
            let is_same = before.bytes == after.bytes;
            let told = self.document(&new.json, &counts, is_same, &listed, fault);
            writeln!(session.out, "{told:#}")?;
            counts
        } else {
            let mut printed: io::Result<()> = Ok(());
            let counts = compare(before, after, VALUES_MAX, &mut |change| {
                if printed.is_ok() {
                    printed = line(&change, session.out);
                }
            });
            printed?;
            counts.map_err(|error| self.too_many(error))?
        };
        let is_same = before.bytes == after.bytes;
        match (counts.is_none(), is_same) {
            (true, true) => say(format_args!("{path}: no difference: the same bytes")),
            (true, false) => say(format_args!("{path}: no difference but formatting, or the order of keys")),
            (false, _) => say(format_args!("{path}: {}", counts_text(&counts))),
        }
        Ok(u8::from(!counts.is_none()))
    }

    fn too_many(&self, error: TooMany) -> Failure {
        Error::new("comparing", &self.arguments.path, Cause::Refused(error.to_string())).into()
    }

    fn document(&self, new: &Json, counts: &Counts, is_same: bool, listed: &[Json], fault: Option<&Fault>) -> Json {
        let mut told = json!({
            "path": self.arguments.path.to_string_lossy(), "old": self.old.json, "new": new,
            "same": fault.is_none() && counts.is_none(), "same_bytes": fault.is_none() && is_same,
            "formatting_only": fault.is_none() && counts.is_none() && !is_same,
        });
        if let (Json::Object(told), Json::Object(counts)) = (&mut told, counts_json(counts)) {
            told.extend(counts);
        }
        told["changes"] = listed.into();
        if let Some(fault) = fault {
            let place = fault.place;
            told["damage"] = json!({
                "kind": fault.kind.label(), "line": place.line, "column": place.column, "offset": place.offset,
                "cause": fault.cause,
            });
        }
        told
    }
}

impl Side {
    fn content(&self) -> Content<'_> {
        Content { bytes: &self.bytes, dialect: self.dialect }
    }
}
