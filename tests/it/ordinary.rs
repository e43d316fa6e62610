//! A week of ordinary life in fast motion: thousands of honest edits, and nothing is repaired, held or undone.

mod edits;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jsonwarden::backup::{Backups, Folder, Keep, New, Taken};
use jsonwarden::config::{Expectations, Rules};
use jsonwarden::decide::{Input, Machine, Next, Policy, Seen, step};
use jsonwarden::disk::Disk;
use jsonwarden::disk::attributes::Attributes;
use jsonwarden::document::{Dialect, Digest, DocumentId, Mark, Stored};
use jsonwarden::validate::{Content, Reader, dialect_of_name, judge, weigh};
use jsonwarden::verdict::{Certainty, Reason, State, Verdict};

use crate::support::{LIMIT, Launch, World, command, is_long, wait_until};
use edits::{Author, Edit, FILES};

/// The edits of all files together; a build that is not optimised takes ten times as long for each.
const EDITS: usize = if cfg!(debug_assertions) { 1_000 } else { 20_000 };

/// So many of the files are no logs; they come first.
const STATES: usize = 8;

/// What a life came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    edits: usize,
    migrations: usize,
    accepted: usize,
    /// Honest edits that were taken for something else, in words.
    false_alarms: Vec<String>,
    repairs: usize,
    undone: usize,
}

/// A guarded file, as the daemon sees it: judged, weighed, stored, and put to the machine.
struct Guarded {
    author: Author,
    rules: Rules,
    folder: Folder,
    machine: Machine,
    last_good: Option<(Vec<u8>, Dialect)>,
    now: Instant,
}

impl Guarded {
    fn new(author: Author, backups: &Backups, folder: &Path) -> Self {
        let expectations = Expectations { shrink_limit: author.shrink_limit(), ..Expectations::default() };
        // The week passes in a minute: what is kept by age would be all of it.
        let (keep_last, keep_within) = (10, Duration::ZERO);
        let rules = Rules { dialect: author.dialect(), expectations, keep_last, keep_within, ..Rules::default() };
        let folder = backups.make(&DocumentId::new(folder, author.name().as_ref())).unwrap();
        Self { author, rules, folder, machine: Machine::new(false), last_good: None, now: Instant::now() }
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        let reader = Reader {
            dialect: self.rules.dialect,
            enrolled: self.last_good.as_ref().map(|(_, dialect)| *dialect),
            named: dialect_of_name(self.author.name().as_ref()),
            literal: false,
        };
        let verdict = judge(bytes, &reader);
        let Verdict::Valid { dialect, .. } = verdict else { return verdict };
        let last_good = self.last_good.as_ref().map(|(bytes, dialect)| Content { bytes, dialect: *dialect });
        match weigh(Content { bytes, dialect }, last_good, &self.rules.expectations) {
            Some(fault) => Verdict::Suspicious(dialect, fault),
            None => verdict,
        }
    }

    fn store(&mut self, bytes: &[u8], dialect: Dialect, mark: Mark) -> Stored {
        let attributes = Attributes { owner: 0, group: 0, mode: 0o600, extended: vec![] };
        let new = New { bytes, digest: Digest::of(bytes), mark, dialect, origin: "file", attributes };
        let stored = match self.folder.take(&new).unwrap() {
            Taken::New(stored) | Taken::Already(stored) => stored,
        };
        self.folder.prune(Keep::of(&self.rules)).unwrap();
        stored
    }

    fn step(&mut self, seen: Seen, tally: &mut Tally) {
        let policy = Policy::of(&self.rules, false);
        let (machine, next, _) = step(self.machine.clone(), Input::Looked(seen), self.now, &policy);
        tally.repairs += usize::from(next == Next::Repair);
        self.machine = machine;
        self.now += Duration::from_secs(7);
    }

    /// One edit, and what the guardian makes of it.
    fn live(&mut self, tally: &mut Tally) {
        let edit = self.author.edit();
        let bytes = self.author.text();
        tally.edits += 1;
        tally.migrations += usize::from(edit == Edit::Migrate);
        let digest = Digest::of(&bytes);
        let valid = Seen::Valid { digest, certainty: Certainty::Certified, is_stored: true, store_at: None };
        let dialect = match self.judge(&bytes) {
            Verdict::Valid { dialect, .. } => {
                self.store(&bytes, dialect, Mark::Good);
                dialect
            }
            Verdict::Suspicious(dialect, fault) if edit == Edit::Migrate => {
                let stored = self.store(&bytes, dialect, Mark::Suspicious);
                self.step(Seen::Odd { reason: Reason::Suspicious, digest, fault }, tally);
                self.folder.mark(&stored, Mark::Accepted, "accept").unwrap();
                tally.accepted += 1;
                dialect
            }
            other => {
                tally.false_alarms.push(format!("{} {edit:?}: {other:?}", self.author.name()));
                return;
            }
        };
        self.step(valid, tally);
        assert_eq!(self.machine.state().0, State::Healthy, "{edit:?}");
        self.last_good = Some((bytes, dialect));
    }

    /// What a repair would put back is the last edit.
    fn is_undone(&self) -> bool {
        let newest = self.folder.versions().unwrap().into_iter().find(|stored| stored.mark.is_last_good());
        newest.map(|stored| self.folder.bytes(stored.version).unwrap())
            != self.last_good.clone().map(|(bytes, _)| bytes)
    }
}

#[test]
fn twenty_thousand_honest_edits_are_neither_repaired_nor_undone() {
    let world = World::new();
    // In memory: what survives a power cut is another test's matter, and waiting for the disk would take minutes.
    let state = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let disk = Disk::default();
    let backups = Backups::new(disk.clone(), disk.open_directory(&state.path().canonicalize().unwrap()).unwrap());
    let mut files: Vec<Guarded> =
        FILES.iter().map(|file| Guarded::new(Author::new(*file, 22), &backups, &world.files)).collect();
    let mut tally = Tally::default();
    for number in 0..EDITS {
        // Logs grow with every edit: they have fewer.
        let is_their_turn = number % 50 >= 40;
        let which = if is_their_turn { number % FILES.len() } else { number % STATES };
        files[which].live(&mut tally);
        if number % 500 < STATES {
            tally.undone += usize::from(files[which].is_undone());
        }
    }
    println!(
        "{} edits, {} migrations, of which {} were accepted by hand",
        tally.edits, tally.migrations, tally.accepted
    );
    assert_eq!((tally.repairs, tally.undone), (0, 0));
    assert_eq!(tally.false_alarms, Vec::<String>::new());
    assert!(tally.edits == EDITS && tally.accepted > 0 && tally.accepted <= tally.migrations, "{tally:?}");
    let undone = files.iter().filter(|file| file.is_undone()).count();
    assert_eq!(undone, 0);
}

#[test]
fn a_daemon_beside_honest_editors_repairs_and_undoes_nothing() {
    let world = World::new();
    let mut authors: Vec<Author> = FILES.iter().map(|file| Author::new(*file, 7)).collect();
    for author in &authors {
        world.write(author.name(), author.text());
    }
    let daemon = Launch::new(&world).config(&world, &settings(&world)).start();
    for author in &authors {
        daemon.wait_stored(&world.file(author.name()), &author.text());
    }
    for round in 0..if is_long() { 200 } else { 20 } {
        for author in &mut authors {
            let edit = author.edit();
            save(&world.file(author.name()), &author.text(), round);
            if edit == Edit::Migrate {
                let path = world.file(author.name());
                wait_until(LIMIT, "the migration is stored", || daemon.state.newest_is(&path, &author.text()));
                // It may have been plausible all the same: then there is nothing to accept.
                command().args(["accept", "--state-dir"]).arg(&world.state).arg(&path).output().unwrap();
            }
        }
    }
    for author in &authors {
        let path = world.file(author.name());
        wait_until(LIMIT, "the last edit is stored", || daemon.state.newest_is(&path, &author.text()));
        assert_eq!(fs::read(&path).unwrap(), author.text(), "{}", author.name());
    }
    wait_until(LIMIT, "all are healthy", || daemon.count("files", &[("state", "healthy")]) == FILES.len());
    assert_eq!(daemon.logged("corrupted").len() + daemon.logged("repaired").len(), 0, "{}", daemon.log_text());
}

/// One watch a file: they differ in dialect and in what may shrink.
fn settings(world: &World) -> String {
    let watch = |author: &Author| {
        let dialect = author.dialect().map_or("auto", Dialect::label);
        format!(
            "[[watch]]\nname = {0:?}\npaths = [\"{1}/{0}\"]\ndialect = {dialect:?}\nshrink_limit = {2}\nbackup.min_interval = \"0s\"\n",
            author.name(),
            world.files.display(),
            author.shrink_limit(),
        )
    };
    FILES.iter().map(|file| watch(&Author::new(*file, 0))).collect()
}

/// As programs save: renamed over, or rewritten in place.
fn save(path: &Path, bytes: &[u8], round: usize) {
    if round.is_multiple_of(2) {
        return fs::write(path, bytes).unwrap();
    }
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes).unwrap();
    fs::rename(temporary, path).unwrap();
}
