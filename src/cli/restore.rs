//! `restore`: a version that a person wants back.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;

use super::hand::Hand;
use super::moment::{VersionWanted, newest_at, parse_moment};
use super::store::resolved;
use super::{Ended, Failure, Session, shown};
use crate::backup::Folder;
use crate::clock::Timestamp;
use crate::config::quantity::size_text;
use crate::document::Stored;
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, look};
use crate::repair::{Outcome, Returned, restore};
use crate::verdict::Verdict;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The guarded file; it need not be there any more
    path: PathBuf,
    /// Its number, "latest", or "latest~2" for the second before; needed where the file is valid [default: the newest good
    /// one]
    version: Option<VersionWanted>,
    /// The version that was the newest at this time: RFC 3339, or a span ago such as "10m"
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "version")]
    at: Option<Timestamp>,
    /// Into this new file instead; the guarded file is left alone
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Says what would be done, and does nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments, session: &mut Session<'_>) -> Ended {
    let hand = Hand::on(&arguments.path, session)?;
    let (folder, versions) = hand.versions()?;
    if arguments.output.is_none() && !arguments.dry_run {
        hand.finish_interrupted()?;
    }
    let present = Present::of(&hand)?;
    if arguments.output.is_none() && !arguments.chooses() && matches!(present, Present::Valid) {
        let why = "it is valid: say which version to put in its place, as a VERSION or with --at".to_owned();
        return Err(Error::new("restoring", hand.document.path(), Cause::Usage(why)).into());
    }
    let stored = arguments.wanted(&hand, &folder, &versions)?;
    match &arguments.output {
        Some(output) => write_out(arguments, output, &folder, &stored, session),
        None if arguments.dry_run => tell_plan(&hand, &folder, &stored, &present, session),
        None => put_back(&hand, &stored, session),
    }
}

impl Arguments {
    /// Does it say which version?
    fn chooses(&self) -> bool {
        self.version.is_some() || self.at.is_some()
    }

    fn wanted(&self, hand: &Hand, folder: &Folder, versions: &[Stored]) -> Result<Stored, Failure> {
        let found = match (self.at, self.version) {
            (Some(moment), _) => newest_at(versions, moment).cloned(),
            (None, Some(version)) => version.among(versions).cloned(),
            (None, None) => {
                let why = "no stored version is good; `jsonwarden history` lists them: name one".to_owned();
                let none = || Error::new("restoring", hand.document.path(), Cause::Refused(why));
                return Ok(hand.newest_good(folder, versions).ok_or_else(none)?);
            }
        };
        let why = "no such version is stored; `jsonwarden history` lists those that are".to_owned();
        Ok(found.ok_or_else(|| Error::new("looking for", hand.document.path(), Cause::Absent(why)))?)
    }
}

/// What stands at the name.
enum Present {
    Valid,
    /// In words, why.
    Bad(String),
    Missing,
    /// It cannot be replaced now; in words, why.
    Untouchable(String),
}

impl Present {
    fn of(hand: &Hand) -> Result<Self, Error> {
        let limit_bytes = hand.rules.max_size;
        let read = |ground: &crate::repair::Ground| {
            look(ground.disk, ground.directory, ground.document, limit_bytes, OpenWriter::ReadAnyway)
        };
        Ok(match hand.with_ground(read)? {
            Look::Read(reading) => match hand.judge_present(&reading.bytes)? {
                Verdict::Valid { .. } => Self::Valid,
                Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => {
                    Self::Bad(format!("{}: {}", fault.kind, fault.cause))
                }
            },
            Look::Missing => Self::Missing,
            Look::Busy | Look::Changed => Self::Untouchable("a program is writing it".to_owned()),
            Look::Other(found) => Self::Untouchable(format!("it is a {}", found.file_type())),
            Look::TooLarge(_) => Self::Untouchable("it has more bytes than its max_size".to_owned()),
        })
    }
}

fn named(stored: &Stored) -> String {
    format!("version {} ({}, taken {:.0})", stored.version, size_text(stored.bytes), stored.taken)
}

fn write_out(
    arguments: &Arguments,
    output: &Path,
    folder: &Folder,
    stored: &Stored,
    session: &mut Session<'_>,
) -> Ended {
    let bytes = folder.bytes(stored.version)?;
    let output = session.surroundings.current_dir.join(output);
    if arguments.dry_run {
        writeln!(session.out, "{} would be written to {}", named(stored), shown(&output))?;
        return Ok(0);
    }
    let no_file = || Error::new("writing", &output, Cause::Usage("this names no file; name one".to_owned()));
    let (parent, name) = (output.parent().ok_or_else(no_file)?, output.file_name().ok_or_else(no_file)?);
    let directory = session.disk.open_directory(&resolved(&session.disk, parent)?)?.as_ours();
    let file = session.disk.create(&directory, name, 0o600).map_err(|error| match error.io_kind() {
        Some(ErrorKind::AlreadyExists) => {
            Error::new("writing", &output, Cause::Refused("it is there already; name a new file".to_owned()))
        }
        _ => error,
    })?;
    session.disk.write(&file, &output, &bytes)?;
    session.disk.sync(&file, &output)?;
    writeln!(session.out, "{} written to {}", named(stored), shown(&output))?;
    Ok(0)
}

fn tell_plan(hand: &Hand, folder: &Folder, stored: &Stored, present: &Present, session: &mut Session<'_>) -> Ended {
    // A damaged version would not be put back.
    folder.bytes(stored.version)?;
    let document = &hand.document;
    writeln!(session.out, "{document}: {} would be put back", named(stored))?;
    let kept = match present {
        Present::Valid => "what stands there is valid, and would be kept as a version".to_owned(),
        Present::Bad(why) => format!("what stands there would be kept ({why})"),
        Present::Missing => "nothing stands there".to_owned(),
        Present::Untouchable(why) => format!("it would be refused: {why}"),
    };
    writeln!(session.out, "{document}: {kept}")?;
    Ok(if matches!(present, Present::Untouchable(_)) { 5 } else { 0 })
}

fn put_back(hand: &Hand, stored: &Stored, session: &mut Session<'_>) -> Ended {
    let refused = |why: String| Failure::Failed(Error::new("restoring", hand.document.path(), Cause::Refused(why)));
    let (document, name) = (&hand.document, named(stored));
    let returned = hand.with_ground(|ground| restore(ground, stored.version));
    hand.tell_daemon(session);
    match returned? {
        Returned::Already => writeln!(session.out, "{document}: {name} stands there already")?,
        Returned::BroughtBack => writeln!(session.out, "{document}: {name} is back")?,
        Returned::Replacing(report) => match report.outcome {
            Outcome::Restored(restored) => {
                writeln!(session.out, "{document}: {name} is back; {}", kept(&restored.kept))?;
            }
            Outcome::Held(_, why) | Outcome::BeingRead(why) => return Err(refused(why)),
            Outcome::Busy => return Err(refused("a program has it open for writing".to_owned())),
            Outcome::Changed | Outcome::Yielded => {
                return Err(refused("it was written meanwhile; look at it, and try again".to_owned()));
            }
            Outcome::NothingGood => return Err(refused("the version is gone".to_owned())),
        },
    }
    Ok(0)
}

/// Where what was replaced is.
pub(super) fn kept(kept: &Result<PathBuf, Error>) -> String {
    match kept {
        Ok(path) => format!("what it replaced is kept in {}", shown(path)),
        Err(error) => format!("what it replaced stays beside it, for now: {error}"),
    }
}
