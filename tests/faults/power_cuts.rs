//! The power goes, on real file systems: whatever was acknowledged is there, and nothing is torn. The same test without one
//! of the syncs, or with the name before the bytes, must see it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use jsonwarden::disk::{Disk, Step};
use jsonwarden::document::Mark;
use jsonwarden::repair::Outcome;

use crate::bench::{Bench, DAMAGED, GOOD, NEWER};
use crate::strace::{self, Call, Strike, struck};
use crate::support::is_long;
use crate::trial::{start, writes};
use crate::volume::{Kind, Volume};

/// Something that is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// A version is stored.
    Backup,
    /// Damage is repaired by a swap.
    Repair,
    /// A program writes safely.
    Write,
}

const DEEDS: [Deed; 3] = [Deed::Backup, Deed::Repair, Deed::Write];

fn cycles() -> usize {
    if is_long() { 200 } else { 40 }
}

impl Deed {
    /// A durable bench to do it on.
    fn prepare(self, volume: &Volume, root: &Path) -> Bench {
        let bench = Bench::at(root);
        bench.write(GOOD);
        bench.hands().store(GOOD, Mark::Good);
        bench.write(match self {
            Self::Backup => NEWER,
            Self::Repair => DAMAGED,
            Self::Write => GOOD,
        });
        volume.sync();
        bench
    }

    /// Does it; was it acknowledged?
    fn is_done(self, bench: &Bench, disk: &Disk) -> bool {
        let hands = bench.hands_with(disk.clone());
        match self {
            Self::Write => writes(bench, disk),
            Self::Backup => hands.take(NEWER, Mark::Good).is_ok(),
            Self::Repair => match hands.repair(DAMAGED).map(|report| report.outcome) {
                Ok(Outcome::Restored(restored)) => restored.kept.is_ok(),
                _ => false,
            },
        }
    }

    /// What is wrong after the cut.
    fn violation(self, bench: &Bench, acknowledged: bool) -> Option<String> {
        let present = fs::read(bench.path()).unwrap_or_default();
        let versions = match whole_versions(bench) {
            Ok(versions) => versions,
            Err(torn) => return Some(format!("a torn version: {torn}")),
        };
        let kept = [vec![present.clone()], bench.beside(), bench.quarantined()].concat();
        let has = |bytes: &[u8]| kept.iter().any(|one| one == bytes);
        let shown = String::from_utf8_lossy(&present).into_owned();
        match self {
            _ if !versions.contains(&GOOD.to_vec()) => Some("the old version is gone".to_owned()),
            Self::Backup if present != NEWER => Some(format!("the document was touched: {shown:?}")),
            Self::Backup if acknowledged && !versions.contains(&NEWER.to_vec()) => {
                Some("acknowledged, and gone".to_owned())
            }
            Self::Repair if present != GOOD && present != DAMAGED => Some(format!("torn: {shown:?}")),
            Self::Repair if acknowledged && present != GOOD => Some("acknowledged, and undone".to_owned()),
            Self::Write if present != GOOD && present != NEWER => Some(format!("torn: {shown:?}")),
            Self::Write if acknowledged && present != NEWER => Some("acknowledged, and undone".to_owned()),
            Self::Write if acknowledged && !versions.contains(&NEWER.to_vec()) => {
                Some("acknowledged, and not stored".to_owned())
            }
            Self::Repair if !has(DAMAGED) => Some("the damaged bytes are lost".to_owned()),
            Self::Backup | Self::Repair | Self::Write => None,
        }
    }

    /// What is wrong after the next start.
    fn violation_after_recovery(self, bench: &Bench) -> Option<String> {
        start(bench);
        let ends: &[&[u8]] = match self {
            Self::Backup => &[NEWER],
            Self::Repair => &[GOOD],
            Self::Write => &[GOOD, NEWER],
        };
        let is_kept = self != Self::Repair || bench.quarantined() == [DAMAGED];
        let is_well = ends.contains(&bench.read().as_slice()) && is_kept && bench.leftovers().is_empty();
        (!is_well).then(|| "the next start does not end it".to_owned())
    }
}

/// The versions, each as its name says; the error names one that is not.
fn whole_versions(bench: &Bench) -> Result<Vec<Vec<u8>>, String> {
    let hands = bench.hands();
    let Some(folder) = hands.backups.find(&hands.document).unwrap() else { return Ok(Vec::new()) };
    let versions = folder.versions().unwrap();
    versions.iter().map(|stored| folder.bytes(stored.version).map_err(|error| error.to_string())).collect()
}

/// A disk that loses its power before the n-th step (from 1), and the count of its steps.
fn cut_at(point: PathBuf, at: usize) -> (Disk, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&steps);
    let disk = Disk::with_hook(move |_| {
        let step = counted.fetch_add(1, Ordering::Relaxed) + 1;
        if step == at {
            Volume::cut_power(&point);
        }
        if step >= at { Err(std::io::Error::other("no power")) } else { Ok(()) }
    });
    (disk, steps)
}

/// Cuts right after the acknowledgement, then at every step in turn, and so on.
fn cut_again_and_again(kind: Kind, deed: Deed) {
    let Some(volume) = Volume::new(kind) else { return };
    let (begun, mut acknowledged_cuts, mut at) = (Instant::now(), 0, usize::MAX);
    for cycle in 0..cycles() {
        let root = volume.point().join(format!("cycle-{cycle}"));
        let bench = deed.prepare(&volume, &root);
        let (disk, steps) = cut_at(volume.point().to_owned(), at);
        let is_done = deed.is_done(&bench, &disk);
        let was_cut = steps.load(Ordering::Relaxed) >= at;
        if !was_cut {
            assert!(is_done);
            Volume::cut_power(volume.point());
        }
        volume.restore_power();
        let bench = Bench::at(&root);
        let violation = deed.violation(&bench, is_done).or_else(|| deed.violation_after_recovery(&bench));
        assert_eq!(violation, None, "{deed:?} on {}, cut at step {at} (acknowledged: {is_done})", kind.name());
        acknowledged_cuts += usize::from(is_done);
        at = if was_cut { at + 1 } else { 1 };
    }
    assert!(acknowledged_cuts > 0, "nothing was acknowledged before a cut");
    let took = begun.elapsed();
    println!(
        "{deed:?} on {}: {} cuts, {acknowledged_cuts} after the acknowledgement, 0 violations, {took:.1?}",
        kind.name(),
        cycles()
    );
}

#[test]
fn what_is_acknowledged_survives_a_power_cut_and_nothing_is_torn_on_ext4() {
    for deed in DEEDS {
        cut_again_and_again(Kind::Ext4, deed);
    }
}

#[test]
fn what_is_acknowledged_survives_a_power_cut_and_nothing_is_torn_on_xfs() {
    for deed in DEEDS {
        cut_again_and_again(Kind::Xfs, deed);
    }
}

/// Run by the tests below in a process of its own, under strace.
#[test]
#[ignore = "a part of other tests"]
fn a_deed_in_a_process_of_its_own() {
    let Some(root) = std::env::var_os("JSONWARDEN_TEST_BENCH") else { return };
    let name = std::env::var("JSONWARDEN_TEST_DEED").unwrap();
    let deed = DEEDS.into_iter().find(|deed| format!("{deed:?}") == name).unwrap();
    let mut bench = Bench::at(Path::new(&root));
    bench.state = std::env::var_os("JSONWARDEN_TEST_STATE").unwrap().into();
    assert!(deed.is_done(&bench, &Disk::default()));
}

/// The command line of that process.
fn in_a_process(deed: Deed, bench: &Bench) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec!["env".into()];
    let mut variable = |name: &str, value: &Path| {
        let mut set = OsString::from(format!("{name}="));
        set.push(value);
        command.push(set);
    };
    variable("JSONWARDEN_TEST_BENCH", bench.folder.parent().unwrap());
    variable("JSONWARDEN_TEST_STATE", &bench.state);
    variable("JSONWARDEN_TEST_DEED", Path::new(&format!("{deed:?}")));
    command.push(std::env::current_exe().unwrap().into());
    let name = "power_cuts::a_deed_in_a_process_of_its_own";
    command.extend(["--exact", name, "--ignored", "--test-threads", "1"].map(OsString::from));
    command
}

/// Which sync a mutant does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    /// That of the file that is about to get a name.
    FileSync,
    /// That of the folder in which it got it.
    DirectorySync,
}

/// The sync that this mutant leaves out: of the staged file, or the last one of the folder that the names are in.
fn left_out(deed: Deed, without: Without, bench: &Bench, calls: Vec<Call>) -> Call {
    let folder = match deed {
        Deed::Repair | Deed::Write => bench.folder.clone(),
        Deed::Backup => bench.stored_files()[0].parent().unwrap().to_owned(),
    };
    let file = if deed == Deed::Backup { "/.new-" } else { ".part>" };
    let is_it = |call: &Call| match without {
        Without::FileSync => call.line.contains(file),
        Without::DirectorySync => call.line.contains(&format!("<{}>", folder.display())),
    };
    let mut syncs = calls.into_iter().filter(|call| call.name == "fsync" && is_it(call));
    match without {
        Without::FileSync => syncs.next().unwrap(),
        Without::DirectorySync => syncs.next_back().unwrap(),
    }
}

/// Does the test see a power cut after the acknowledgement of this mutant? Of four cuts, how often.
fn caught(kind: Kind, deed: Deed, without: Without) -> Option<usize> {
    let volume = Volume::new(kind)?;
    // What the state directory makes durable must not do so for the folder, or the mutant is none.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for turn in 0..4 {
        let root = volume.point().join(format!("turn-{turn}"));
        let prepare = |name: &str| {
            let mut bench = deed.prepare(&volume, &root.join(name));
            let is_apart = deed != Deed::Backup && without == Without::DirectorySync;
            if is_apart {
                bench.state = elsewhere.path().join(format!("{turn}-{name}"));
                fs::create_dir(&bench.state).unwrap();
            }
            bench.hands().store(GOOD, Mark::Good);
            volume.sync();
            bench
        };
        let model = prepare("model");
        let (calls, output) = strace::calls(model.folder.parent().unwrap(), &in_a_process(deed, &model));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let call = left_out(deed, without, &model, calls);
        let bench = prepare("mutant");
        // The trace is no part of what loses its power.
        let struck = struck(elsewhere.path(), &in_a_process(deed, &bench), &call, Strike::Pretend);
        assert!(struck.was_hit() && struck.output.status.success(), "{call:?}");
        Volume::cut_power(volume.point());
        volume.restore_power();
        let mut after = Bench::at(&root.join("mutant"));
        after.state = bench.state;
        seen += usize::from(deed.violation(&after, true).is_some());
    }
    Some(seen)
}

#[test]
fn a_mutant_without_the_file_s_or_the_folder_s_sync_is_caught() {
    if !strace::is_there() {
        return;
    }
    for kind in [Kind::Ext4, Kind::Xfs] {
        for deed in DEEDS {
            for without in [Without::FileSync, Without::DirectorySync] {
                let Some(seen) = caught(kind, deed, without) else { return };
                println!("{deed:?} on {} {without:?}: caught at {seen} of 4 cuts", kind.name());
                assert!(seen > 0, "{deed:?} on {} {without:?}: the test sees nothing", kind.name());
            }
        }
    }
}

/// A disk that gives a file its name before it is durable, and then loses its power.
fn names_first(point: PathBuf, deed: Deed, bench: &Bench) -> Disk {
    let (document, is_over) = (bench.path(), AtomicUsize::new(0));
    let versions = bench.stored_files()[0].parent().unwrap().to_owned();
    let is_backup = deed == Deed::Backup;
    let folder = if is_backup { versions } else { bench.folder.clone() };
    Disk::with_hook(move |step| {
        if is_over.load(Ordering::Relaxed) > 0 {
            return Err(std::io::Error::other("no power"));
        }
        if step == Step::Sync {
            let staged = fs::read_dir(&folder)?.flatten().find(|entry| {
                let name = entry.file_name();
                name.as_bytes().starts_with(b".new-") || name.as_bytes().ends_with(b".part")
            });
            // A safe write stores the bytes before it stages them.
            let Some(staged) = staged else { return Ok(()) };
            is_over.store(1, Ordering::Relaxed);
            let staged = staged.path();
            let digest = jsonwarden::document::Digest::of(NEWER);
            let name = folder.join(format!("00000002-20261122T040005.123456Z-{digest}.json"));
            fs::rename(&staged, if is_backup { &name } else { &document })?;
            fs::File::open(&folder)?.sync_all()?;
            Volume::cut_power(&point);
        }
        Ok(())
    })
}

#[test]
fn a_mutant_that_gives_the_name_before_the_bytes_are_durable_is_caught() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        for deed in DEEDS {
            let mut seen = 0;
            for _ in 0..2 {
                let Some(volume) = Volume::new(kind) else { return };
                let root = volume.point().join("mutant");
                let bench = deed.prepare(&volume, &root);
                let disk = names_first(volume.point().to_owned(), deed, &bench);
                assert!(!deed.is_done(&bench, &disk));
                volume.restore_power();
                seen += usize::from(deed.violation(&Bench::at(&root), false).is_some());
            }
            println!("{deed:?} on {} with the name first: caught at {seen} of 2 cuts", kind.name());
            assert!(seen > 0, "{deed:?} on {}: the test sees nothing", kind.name());
        }
    }
}
