//! Judging one file: reading it, and what there is to tell of it.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Job;
use super::excerpt::excerpt;
use super::memory::{Memory, Remembered};
use crate::config::{Loaded, OnSuspicious, Rules, Schemas};
use crate::disk::Disk;
use crate::document::{Dialect, DocumentId};
use crate::error::{Cause, Error};
use crate::read::{Look, OpenWriter, Reading, look};
use crate::validate::{self, Content, Reader, dialect_of_name};
use crate::verdict::{Fault, Finding, Found, Kind, Place, Verdict};

/// How often a file that changes while it is read is read again.
const ATTEMPTS: u32 = 10;

/// How files are judged.
pub(super) struct Judge<'a> {
    pub(super) disk: Disk,
    pub(super) loaded: &'a Loaded,
    pub(super) memory: Memory,
    /// Tells findings too.
    pub(super) findings: bool,
    /// What all follow, whatever their watches say.
    pub(super) schemas: Option<Schemas>,
    /// What all are written in.
    pub(super) language: Language,
    /// Shows the lines too.
    pub(super) with_excerpts: bool,
}

/// What files are written in.
#[derive(Clone, Copy)]
pub(super) enum Language {
    /// What their watches say.
    OfWatch,
    /// This dialect; `None`: any.
    One(Option<Dialect>),
}

/// What judging a file came to.
pub(super) struct Judged {
    pub(super) path: PathBuf,
    pub(super) told: Vec<Told>,
    /// The exit status, if it could not be read.
    pub(super) unreadable: Option<u8>,
}

impl Judged {
    /// Is there more to tell than findings?
    pub(super) fn is_bad(&self) -> bool {
        self.told.iter().any(|told| matches!(told.what, What::Bad(_)))
    }
}

/// What something told is.
#[derive(Clone, Copy)]
pub(super) enum What {
    Bad(Kind),
    /// The file is good.
    Found(Finding),
}

/// What there is to tell of a file; the place is known when it is about its bytes.
pub(super) struct Told {
    pub(super) what: What,
    pub(super) place: Option<Place>,
    pub(super) why: String,
    /// The line, and where a caret belongs below it.
    pub(super) excerpt: Option<(String, usize)>,
}

impl Told {
    fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { what: What::Bad(kind), place: None, why: why.into(), excerpt: None }
    }
}

impl From<Fault> for Told {
    fn from(fault: Fault) -> Self {
        Self { place: Some(fault.place), ..Self::new(fault.kind, fault.cause) }
    }
}

impl From<Found> for Told {
    fn from(found: Found) -> Self {
        Self { what: What::Found(found.finding), place: Some(found.place), why: found.to_string(), excerpt: None }
    }
}

impl Judge<'_> {
    /// Does one job.
    pub(super) fn job(&self, job: &Job) -> Judged {
        let (path, judged) = match job {
            Job::Input => (Path::new("-"), self.standard_input()),
            Job::File { named, real, is_literal } => (named.as_path(), self.file(real, *is_literal)),
            Job::Failed { named, error } => return failed(named, error),
        };
        match judged {
            Ok(told) => Judged { path: path.to_owned(), told, unreadable: None },
            Err(error) => failed(path, &error),
        }
    }

    /// The rules for a file, by its real path, and whether it is named literally, here or in its watch.
    fn rules(&self, real: &Path, is_literal: bool) -> (Cow<'_, Rules>, bool) {
        let loaded = self.loaded;
        let watch = loaded.settings.watch_of(real);
        let is_literal = watch.map_or(is_literal, |(_, found)| found.literal);
        let mut rules = Cow::Borrowed(watch.map_or(&loaded.defaults, |(watch, _)| &watch.rules));
        if let Language::One(dialect) = self.language {
            rules.to_mut().dialect = dialect;
        }
        if self.schemas.is_some() {
            rules.to_mut().expectations.schemas.clone_from(&self.schemas);
        }
        (rules, is_literal)
    }

    fn file(&self, real: &Path, is_literal: bool) -> Result<Vec<Told>, Error> {
        let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else {
            return Ok(vec![Told::new(Kind::NotRegular, "this is a folder")]);
        };
        let (rules, literal) = self.rules(real, is_literal);
        let directory = self.disk.open_directory(folder)?;
        let document = DocumentId::new(folder, name);
        for _ in 0..ATTEMPTS {
            let reading = match look(&self.disk, &directory, &document, rules.max_size, OpenWriter::ReadAnyway)? {
                Look::Read(reading) => reading,
                Look::Busy | Look::Changed => {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                Look::Missing => return Ok(vec![Told::new(Kind::Missing, "no such file")]),
                // Links are not followed below a folder.
                Look::Other(_) if !is_literal => return Ok(Vec::new()),
                Look::Other(found) => {
                    return Ok(vec![Told::new(Kind::NotRegular, format!("this is a {}", found.file_type()))]);
                }
                Look::TooLarge(found) => return Ok(vec![too_large(found.bytes, &rules)]),
            };
            let remembered = self.memory.of(&document);
            let reader = self.reader(&rules, &remembered, dialect_of_name(name), literal);
            let verdict = self.weighed(&reading, &reader, &rules, &remembered);
            return Ok(self.told(&reading.bytes, verdict));
        }
        Ok(vec![Told::new(Kind::Unreadable, "it changes faster than it can be read")])
    }

    fn standard_input(&self) -> Result<Vec<Told>, Error> {
        let (rules, literal) = self.rules(Path::new("-"), true);
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(rules.max_size.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| Error::new("reading", "standard input", error))?;
        if bytes.len() as u64 > rules.max_size {
            return Ok(vec![too_large(bytes.len() as u64, &rules)]);
        }
        let reader = self.reader(&rules, &Remembered::default(), None, literal);
        Ok(self.told(&bytes, validate::judge_by(&bytes, &reader, &rules.expectations)))
    }

    /// Who reads it. A dialect that is named here counts alone: what the file was is no matter then.
    fn reader(&self, rules: &Rules, remembered: &Remembered, named: Option<Dialect>, literal: bool) -> Reader {
        let enrolled = match self.language {
            Language::OfWatch => remembered.dialect(),
            Language::One(_) => None,
        };
        Reader { dialect: rules.dialect, enrolled, named, literal }
    }

    /// As the daemon judges: what reads is weighed against the last good version, unless a person accepted these bytes, or
    /// its watch accepts whatever reads. A schema that is named here counts all the same.
    fn weighed(&self, reading: &Reading, reader: &Reader, rules: &Rules, remembered: &Remembered) -> Verdict {
        let verdict = validate::judge(&reading.bytes, reader);
        let is_plain = self.schemas.is_none() && matches!(self.language, Language::OfWatch);
        let reads = match verdict {
            Verdict::Valid { dialect, proves } if proves || reader.enrolled.is_some() => dialect,
            Verdict::Suspicious(dialect, _) => dialect,
            Verdict::Valid { .. } | Verdict::Corrupt(_) | Verdict::Told(_) => return verdict,
        };
        if is_plain && remembered.accepted(reading.digest) {
            return Verdict::Valid { dialect: reads, proves: true };
        }
        if matches!(verdict, Verdict::Suspicious(..)) {
            return verdict;
        }
        let good =
            (rules.on_suspicious != OnSuspicious::Accept).then(|| remembered.good_bytes(reading.digest)).flatten();
        let last_good = good.as_ref().map(|(bytes, dialect)| Content { bytes, dialect: *dialect });
        let now = Content { bytes: &reading.bytes, dialect: reads };
        validate::weigh(now, last_good, &rules.expectations).map_or(verdict, |fault| Verdict::Suspicious(reads, fault))
    }

    fn told(&self, bytes: &[u8], verdict: Verdict) -> Vec<Told> {
        let mut told: Vec<Told> = match verdict {
            Verdict::Valid { dialect, .. } if self.findings => {
                validate::findings(Content { bytes, dialect }).into_iter().map(Told::from).collect()
            }
            // A file that a folder has and a watch would not take is no document.
            Verdict::Valid { .. } => Vec::new(),
            Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => vec![fault.into()],
        };
        if self.with_excerpts {
            for one in &mut told {
                one.excerpt = one.place.map(|place| excerpt(bytes, place));
            }
        }
        told
    }
}

/// A file that cannot be read; one that is not there is a bad one.
fn failed(path: &Path, error: &Error) -> Judged {
    let (told, unreadable) = match error.cause() {
        Cause::Io(cause) if cause.kind() == io::ErrorKind::NotFound => (Told::new(Kind::Missing, "no such file"), None),
        cause => (Told::new(Kind::Unreadable, cause.to_string()), Some(error.exit_status())),
    };
    Judged { path: path.to_owned(), told: vec![told], unreadable }
}

fn too_large(bytes: u64, rules: &Rules) -> Told {
    Told::new(Kind::TooLarge, format!("more bytes than max_size: {bytes} of {}", rules.max_size))
}
