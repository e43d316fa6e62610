//! One-shot commands that are tried with faults: what each begins with, what must hold at every moment, and at the end.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwarden::document::Mark;
use jsonwarden::repair::finish_redo;

use crate::bench::{Bench, DAMAGED, GOOD, NEWER};

/// What a person did not keep a copy of, and puts an older version over.
pub(crate) const UNSTORED: &[u8] = b"{\"version\": 3, \"nobody\": \"has stored this\"}\n";

/// A command, and what it is tried on.
pub(crate) struct Trial {
    pub(crate) name: &'static str,
    prepare: fn(&Path) -> Bench,
    arguments: &'static [&'static str],
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

pub(crate) const TRIALS: [Trial; 5] = [
    Trial {
        name: "repair --offline",
        prepare: damaged,
        arguments: &["repair", "--offline"],
        may_stand: &[Some(DAMAGED), Some(GOOD)],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "repair --offline, in place",
        prepare: damaged_with_a_second_name,
        arguments: &["repair", "--offline"],
        // A rewrite in place goes through mixes, which the redo record announces: looked at after the recovery.
        may_stand: &[],
        precious: &[DAMAGED, GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "restore of an old version over a valid one",
        prepare: valid,
        arguments: &["restore", "DOCUMENT", "1"],
        may_stand: &[Some(UNSTORED), Some(GOOD)],
        precious: &[UNSTORED, NEWER, GOOD],
        ends: &[UNSTORED, GOOD],
    },
    Trial {
        name: "restore of a missing file",
        prepare: missing,
        arguments: &["restore", "DOCUMENT", "latest"],
        may_stand: &[None, Some(GOOD)],
        precious: &[GOOD],
        ends: &[GOOD],
    },
    Trial {
        name: "verify",
        prepare: valid,
        arguments: &["verify", "DOCUMENT"],
        may_stand: &[Some(UNSTORED)],
        precious: &[UNSTORED, NEWER, GOOD],
        ends: &[UNSTORED],
    },
];

impl Trial {
    /// A fresh bench to try it on.
    pub(crate) fn prepare(&self, place: &Path) -> Bench {
        let bench = (self.prepare)(place);
        let text = format!(
            "state_dir = \"{}\"\n[defaults]\nsettle = \"1ms\"\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
            bench.state.display(),
            bench.folder.display()
        );
        fs::write(root(&bench).join("jsonwarden.toml"), text).unwrap();
        bench
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

    /// What must hold at every moment.
    #[track_caller]
    pub(crate) fn nothing_is_lost(&self, bench: &Bench, when: &str) {
        let present = fs::read(bench.path()).ok();
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
        let present = bench.read();
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

/// As a daemon starts, and after the grace for late writers: an interrupted rewrite is finished, leftovers are met, what is
/// good is stored and what is damaged repaired.
fn start(bench: &Bench) {
    let hands = bench.hands();
    finish_redo(&hands.ground()).unwrap();
    if let Some(folder) = hands.backups.find(&hands.document).unwrap() {
        folder.lock().unwrap();
        folder.clear().unwrap();
    }
    hands.quarantine.expire(Duration::MAX, jsonwarden::clock::now()).unwrap();
    hands.settle_all(bench);
    if fs::read(bench.path()).is_ok_and(|bytes| bytes == DAMAGED) {
        hands.outcome(DAMAGED);
        hands.settle_all(bench);
    }
}

/// The folder that holds all of a bench.
pub(crate) fn root(bench: &Bench) -> &Path {
    bench.state.parent().unwrap()
}
