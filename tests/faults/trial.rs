//! What is tried with faults, as a command and in process: what it begins with, what must hold at every moment, and at the
//! end.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use jsonwarden::backup::{Keep, Redo};
use jsonwarden::bus::{Bus, EVENTS, Event};
use jsonwarden::config::Rules;
use jsonwarden::disk::Disk;
use jsonwarden::document::{Digest, Mark, Version};
use jsonwarden::repair::{Outcome, finish_redo, restore};
use jsonwarden::verdict::Verdict;
use jsonwarden::write::{Damaged, WriteError, Writer};

use crate::bench::{Bench, DAMAGED, GOOD, Hands, NEWER, judge};

/// What a person did not keep a copy of, and puts an older version over.
pub(crate) const UNSTORED: &[u8] = b"{\"version\": 3, \"nobody\": \"has stored this\"}\n";

/// What is published.
const EVENT: &str = r#"{"type":"t","from":"a"}"#;

/// `GOOD`, with that in it; its time is another each time.
const PUBLISHED: &[u8] =
    b"{\"version\": 1, \"data\": [1, 2, 3], \"events\": [{\"id\": 1, \"time\": \"\", \"type\": \"t\", \"from\": \"a\"}]}\n";

/// What makes `NEWER` of `GOOD`.
const CHANGES: [&str; 2] = ["--set=/version=2", "--set=/data/-=4"];

/// What a command reads from its standard input, in the folder of the bench.
pub(crate) const INPUT: &str = "input";

/// What is done, and what it is tried on.
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    prepare: fn(&Path) -> Bench,
    /// As a command; empty: there is none.
    arguments: &'static [&'static str],
    /// In process; was it done?
    act: fn(&Bench, &Disk) -> bool,
    /// What may stand at the name at any moment; `None`: nothing.
    pub(crate) may_stand: &'static [Option<&'static [u8]>],
    /// Bytes that must be somewhere at every moment.
    pub(crate) precious: &'static [&'static [u8]],
    /// What stands there after the command, or after the recovery from its death.
    pub(crate) ends: &'static [&'static [u8]],
}

fn damaged(place: &Path) -> Bench {
    Bench::with(place, DAMAGED)
}

fn damaged_with_a_second_name(place: &Path) -> Bench {
    let bench = damaged(place);
    fs::hard_link(bench.path(), bench.folder.join("second name")).unwrap();
    bench
}

fn valid(place: &Path) -> Bench {
    let bench = Bench::with(place, UNSTORED);
    bench.hands().store(NEWER, Mark::Good);
    bench
}

fn missing(place: &Path) -> Bench {
    let bench = damaged(place);
    fs::remove_file(bench.path()).unwrap();
    bench
}

/// Its damaged file was swapped out, and a writer who was late has made it valid.
fn late(place: &Path) -> Bench {
    let bench = damaged(place);
    let Outcome::Restored(restored) = bench.hands().outcome(DAMAGED) else { panic!("it was to be repaired") };
    fs::write(bench.folder.join(restored.leftover.unwrap()), NEWER).unwrap();
    bench
}

fn good(place: &Path) -> Bench {
    Bench::with(place, GOOD)
}

/// Its rewrite in place was interrupted, and what stands there is a mix.
fn interrupted(place: &Path) -> Bench {
    let bench = damaged(place);
    let hands = bench.hands();
    hands.quarantine.keep(&hands.document, "truncated", DAMAGED).unwrap();
    let folder = hands.backups.find(&hands.document).unwrap().unwrap();
    folder.lock().unwrap();
    let inode = fs::metadata(bench.path()).unwrap().ino();
    let (digest, damaged) = (Digest::of(GOOD), Digest::of(DAMAGED));
    folder.write_redo(&Redo { version: Version(1), digest, damaged, inode }).unwrap();
    // Longer than the damage was, and not cut yet.
    bench.write(&GOOD[..GOOD.len() - 3]);
    drop(folder);
    bench
}

/// Its newest version's number is such that the next one lets old ones go.
fn with_a_full_shelf(place: &Path) -> Bench {
    let bench = good(place);
    for number in 2..5 {
        bench.hands().store(format!("[{number}]").as_bytes(), Mark::Suspicious);
    }
    bench.hands().store(GOOD, Mark::Good);
    let is_newest = |path: &&PathBuf| path.file_name().unwrap().as_bytes().starts_with(b"00000005-");
    let newest = bench.stored_files().iter().find(is_newest).unwrap().to_owned();
    let name = newest.file_name().unwrap().to_str().unwrap().replacen("00000005-", "00000015-", 1);
    fs::rename(&newest, newest.with_file_name(name)).unwrap();
    bench
}

/// Many versions, of which few are wanted.
fn with_history(place: &Path) -> Bench {
    let bench = Bench::with(place, NEWER);
    for number in 0..4 {
        bench.hands().store(format!("[{number}]").as_bytes(), Mark::Suspicious);
    }
    bench
}

fn repairs(bench: &Bench, disk: &Disk) -> bool {
    matches!(bench.hands_with(disk.clone()).repair(DAMAGED).map(|report| report.outcome), Ok(Outcome::Restored(_)))
}

fn restores(bench: &Bench, disk: &Disk) -> bool {
    restore(&bench.hands_with(disk.clone()).ground(), Version(1)).is_ok()
}

fn settles(bench: &Bench, disk: &Disk) -> bool {
    bench.hands_with(disk.clone()).settle(&bench.leftovers()[0], None).is_ok()
}

fn stores_and_prunes(bench: &Bench, disk: &Disk) -> bool {
    let hands = bench.hands_with(disk.clone());
    let pruned = hands.take(NEWER, Mark::Good).and_then(|_| {
        let folder = hands.backups.make(&hands.document)?;
        folder.lock()?;
        folder.prune(Keep::newest(2))
    });
    pruned.is_ok()
}

fn finishes(bench: &Bench, disk: &Disk) -> bool {
    finish_redo(&bench.hands_with(disk.clone()).ground()).is_ok()
}

/// The safe write, of `NEWER`.
pub(crate) fn writes(bench: &Bench, disk: &Disk) -> bool {
    let writer = Writer::open(disk, &bench.path(), &bench.state, Rules::default());
    writer.is_ok_and(|writer| writer.replace(NEWER).is_ok())
}

fn writes_and_prunes(bench: &Bench, disk: &Disk) -> bool {
    let rules = Rules { keep_last: 2, keep_within: Duration::ZERO, ..Rules::default() };
    let writer = Writer::open(disk, &bench.path(), &bench.state, rules);
    writer.is_ok_and(|writer| writer.replace(NEWER).is_ok())
}

fn writer(bench: &Bench, disk: &Disk) -> jsonwarden::error::Result<Writer> {
    let rules = Rules { settle: Duration::from_millis(1), ..Rules::default() };
    Writer::open(disk, &bench.path(), &bench.state, rules)
}

fn patches(bench: &Bench, disk: &Disk) -> bool {
    let updated = |writer: Writer| writer.update(Damaged::Repair, |_| Ok::<_, WriteError>(NEWER.to_vec())).is_ok();
    writer(bench, disk).is_ok_and(updated)
}

fn publishes(bench: &Bench, disk: &Disk) -> bool {
    let publish = |writer: Writer| {
        let bus = Bus { writer: &writer, pointer: EVENTS.parse().unwrap(), keep: None, archive: None };
        bus.publish(&[Event::new(EVENT, "").unwrap()]).is_ok()
    };
    writer(bench, disk).is_ok_and(publish)
}

fn does_nothing(_: &Bench, _: &Disk) -> bool {
    true
}

/// All that is tried.
pub(crate) const TRIALS: [Trial; 14] = [
    Trial {
        name: "repair --offline",
        prepare: damaged,
        arguments: &["repair", "--offline"],
        act: repairs,
        may_stand: &[Some(DAMAGED), Some(GOOD)],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "repair --offline, in place",
        prepare: damaged_with_a_second_name,
        arguments: &["repair", "--offline"],
        // A rewrite in place goes through mixes, which the redo record announces: looked at after the recovery.
        act: repairs,
        may_stand: &[],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "restore of an old version over a valid one",
        prepare: valid,
        arguments: &["restore", "DOCUMENT", "1"],
        act: restores,
        may_stand: &[Some(UNSTORED), Some(GOOD)],
        precious: &[UNSTORED, NEWER, GOOD],
        ends: &[UNSTORED, GOOD],
    },
    Trial {
        name: "restore of a missing file",
        prepare: missing,
        arguments: &["restore", "DOCUMENT", "latest"],
        act: restores,
        may_stand: &[None, Some(GOOD)],
        precious: &[GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "verify",
        prepare: valid,
        arguments: &["verify", "DOCUMENT"],
        act: does_nothing,
        may_stand: &[Some(UNSTORED)],
        precious: &[UNSTORED, NEWER, GOOD],
        ends: &[UNSTORED],
    },
    Trial {
        name: "a late writer's version",
        prepare: late,
        arguments: &[],
        act: settles,
        may_stand: &[Some(GOOD), Some(NEWER)],
        precious: &[DAMAGED, GOOD, NEWER],
        ends: &[NEWER],
    },
    Trial {
        name: "repair --offline, after an interrupted rewrite",
        prepare: interrupted,
        arguments: &["repair", "--offline"],
        act: finishes,
        may_stand: &[],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "write, and pruning",
        prepare: with_a_full_shelf,
        arguments: &["write", "DOCUMENT"],
        act: writes_and_prunes,
        may_stand: &[Some(GOOD), Some(NEWER)],
        precious: &[GOOD],
        ends: &[GOOD, NEWER],
    },
    Trial {
        name: "a backup, and pruning",
        prepare: with_history,
        arguments: &[],
        act: stores_and_prunes,
        may_stand: &[Some(NEWER)],
        precious: &[NEWER],
        ends: &[NEWER],
    },
    Trial {
        name: "write",
        prepare: good,
        arguments: &["write", "DOCUMENT"],
        act: writes,
        may_stand: &[Some(GOOD), Some(NEWER)],
        precious: &[GOOD],
        ends: &[GOOD, NEWER],
    },
    Trial {
        name: "write over damage",
        prepare: damaged,
        arguments: &["write", "DOCUMENT"],
        act: writes,
        may_stand: &[Some(DAMAGED), Some(GOOD), Some(NEWER)],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD, NEWER],
    },
    Trial {
        name: "patch",
        prepare: good,
        arguments: &["patch", "DOCUMENT", CHANGES[0], CHANGES[1]],
        act: patches,
        may_stand: &[Some(GOOD), Some(NEWER)],
        precious: &[GOOD],
        ends: &[GOOD, NEWER],
    },
    Trial {
        name: "patch of a damaged file",
        prepare: damaged,
        arguments: &["patch", "DOCUMENT", CHANGES[0], CHANGES[1]],
        act: patches,
        may_stand: &[Some(DAMAGED), Some(GOOD), Some(NEWER)],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD, NEWER],
    },
    Trial {
        name: "publish",
        prepare: good,
        arguments: &["publish", "DOCUMENT", EVENT],
        act: publishes,
        may_stand: &[Some(GOOD), Some(PUBLISHED)],
        precious: &[GOOD],
        ends: &[GOOD, PUBLISHED],
    },
];

impl Trial {
    /// A fresh bench to try it on.
    pub(crate) fn prepare(&self, place: &Path) -> Bench {
        let bench = (self.prepare)(place);
        let text = format!(
            "state_dir = \"{}\"\n[defaults]\nsettle = \"1ms\"\n[defaults.backup]\nkeep_last = 2\nkeep_within = \"0s\"\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
            bench.state.display(),
            bench.folder.display()
        );
        fs::write(root(&bench).join("jsonwarden.toml"), text).unwrap();
        fs::write(root(&bench).join(INPUT), NEWER).unwrap();
        bench
    }

    /// Does it in process; was it done?
    pub(crate) fn act(&self, bench: &Bench, disk: &Disk) -> bool {
        (self.act)(bench, disk)
    }

    /// Is there a command for it?
    pub(crate) fn is_a_command(&self) -> bool {
        !self.arguments.is_empty()
    }

    /// The command line.
    pub(crate) fn command(&self, bench: &Bench) -> Vec<OsString> {
        let argument = |argument: &&str| match *argument {
            "DOCUMENT" => bench.path().into_os_string(),
            other => other.into(),
        };
        let configuration = root(bench).join("jsonwarden.toml").into_os_string();
        let mut command = vec![env!("CARGO_BIN_EXE_jsonwarden").into()];
        command.extend(self.arguments.iter().map(argument));
        command.extend([OsString::from("--config"), configuration]);
        command
    }

    /// Does it promise that what it names stands at the end?
    pub(crate) fn is_a_repair(&self) -> bool {
        self.name != "verify"
    }

    /// What stands at the name once it was said to be done.
    fn promised(&self) -> &'static [&'static [u8]] {
        match self.name {
            "write" | "write over damage" | "patch" | "patch of a damaged file" => &[NEWER],
            "publish" => &[PUBLISHED],
            _ => self.ends,
        }
    }

    /// What was said to be done is done. Whatever changes a document says so on its standard output, and only then.
    #[track_caller]
    pub(crate) fn keeps_its_word(&self, bench: &Bench, output: &Output, when: &str) {
        let is_a_change = self.promised() != self.ends;
        if self.is_a_repair() && (output.status.success() || is_a_change && !output.stdout.is_empty()) {
            let present = timeless(&bench.read());
            let text = String::from_utf8_lossy(&present);
            assert!(self.promised().contains(&present.as_slice()), "{}: {when}: {text:?}, and it was done", self.name);
        }
    }

    /// What must hold at every moment.
    #[track_caller]
    pub(crate) fn nothing_is_lost(&self, bench: &Bench, when: &str) {
        let present = fs::read(bench.path()).ok().map(|bytes| timeless(&bytes));
        if !self.may_stand.is_empty() {
            let text = present.as_deref().map(String::from_utf8_lossy);
            assert!(self.may_stand.contains(&present.as_deref()), "{}: {when}: {text:?} at the name", self.name);
        }
        let kept =
            [present.into_iter().collect(), bench.beside(), bench.quarantined(), bench.hands().versions()].concat();
        for precious in self.precious {
            let text = String::from_utf8_lossy(precious);
            assert!(kept.iter().any(|bytes| bytes == precious), "{}: {when}: {text:?} is lost", self.name);
        }
    }

    /// What the next start does, and that it ends well: whole, tidy, and with nothing left to do for a third.
    #[track_caller]
    pub(crate) fn recovers(&self, bench: &Bench, when: &str) {
        start(bench);
        if fs::read(bench.path()).is_err() {
            // The person sees that it is still missing, and asks again.
            let hands = bench.hands();
            let newest = hands.backups.find(&hands.document).unwrap().unwrap().versions().unwrap()[0].version;
            jsonwarden::repair::restore(&hands.ground(), newest).unwrap();
        }
        self.nothing_is_lost(bench, when);
        let present = timeless(&bench.read());
        assert!(self.ends.contains(&present.as_slice()), "{}: {when}: {present:?} stays", self.name);
        assert!(bench.leftovers().is_empty(), "{}: {when}: {:?}", self.name, bench.leftovers());
        let files = bench.stored_files();
        let is_half_done = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(".new") || name == "redo"
        };
        assert!(!files.iter().any(is_half_done), "{}: {when}: {files:?}", self.name);
        let before = (files, bench.read(), bench.hands().versions());
        start(bench);
        assert_eq!(
            (bench.stored_files(), bench.read(), bench.hands().versions()),
            before,
            "{}: {when}: a third start",
            self.name
        );
    }
}

/// The same without the times of its events.
fn timeless(bytes: &[u8]) -> Vec<u8> {
    const KEY: &[u8] = b"\"time\": \"";
    let begins = bytes.windows(KEY.len()).position(|window| window == KEY).map(|at| at + KEY.len());
    let ends = begins.and_then(|begin| Some(begin + bytes[begin..].iter().position(|byte| *byte == b'"')?));
    let Some((begin, end)) = begins.zip(ends) else { return bytes.to_vec() };
    [&bytes[..begin], &timeless(&bytes[end..])].concat()
}

/// As a daemon starts, and after the grace for late writers.
pub(crate) fn start(bench: &Bench) {
    try_to_start(bench, &bench.hands()).unwrap();
    // And the sweeps that follow.
    bench.hands().settle_all(bench);
}

/// An interrupted rewrite is finished, what died half stored is cleared away, leftovers are met, what is damaged is repaired
/// and what is good stored.
pub(crate) fn try_to_start(bench: &Bench, hands: &Hands) -> jsonwarden::error::Result<()> {
    finish_redo(&hands.ground())?;
    if let Some(folder) = hands.backups.find(&hands.document)? {
        folder.lock()?;
        folder.clear()?;
    }
    hands.quarantine.expire(Duration::MAX, jsonwarden::clock::now())?;
    let settle_all = || bench.leftovers().iter().try_for_each(|name| hands.settle(name, None).map(drop));
    settle_all()?;
    match fs::read(bench.path()) {
        Ok(present) if present == DAMAGED => drop(hands.repair(DAMAGED)?),
        Ok(present) if matches!(judge(&present), Verdict::Valid { .. }) => {
            hands.take(&present, Mark::Good)?;
        }
        _ => {}
    }
    settle_all()
}

/// The folder that holds all of a bench.
pub(crate) fn root(bench: &Bench) -> &Path {
    bench.state.parent().unwrap()
}
