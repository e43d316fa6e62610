//! Where the kernel gives no leases, what was replaced does not pile up beside the file; and what somebody has open stays.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use jsonwarden::config::{Expectations, LockKind};
use jsonwarden::disk::Disk;
use jsonwarden::document::{Dialect, DocumentId};
use jsonwarden::quarantine::Quarantine;
use jsonwarden::repair::{self, Disposal, Ground, Patience};
use jsonwarden::validate::{self, Reader};
use jsonwarden::{Options, backup::Backups};

use crate::support::{LIMIT, Launch, Mount, StateDirectory, World, command, skip, wait_until};

/// A world whose files lie where there are no leases.
struct Place {
    kind: &'static str,
    world: World,
    _mounts: [Mount; 2],
}

impl Place {
    fn new(kind: &'static str) -> Option<Self> {
        let world = World::new();
        let below = world.root.join("below");
        let memory = Mount::tmpfs(&below, "size=64m,mode=755")?;
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| below.join(name));
        for folder in [&lower, &upper, &work] {
            fs::create_dir(folder).unwrap();
        }
        let [lower, upper, work] = [lower, upper, work].map(|folder| folder.to_str().unwrap().to_owned());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let own = match kind {
            "overlayfs" => Mount::new(kind, &["-t", "overlay", "overlay", "-o", &options], &world.files)?,
            _ => Mount::fuse(Path::new(&upper), &world.files)?,
        };
        // The one below the other last: so they go.
        Some(Self { kind, world, _mounts: [own, memory] })
    }

    fn all() -> impl Iterator<Item = Self> {
        ["overlayfs", "a FUSE"].into_iter().filter_map(Self::new)
    }

    fn document(&self) -> PathBuf {
        self.world.file("state.json")
    }

    fn options(&self) -> Options {
        Options::new().state_dir(&self.world.state)
    }

    /// What lies beside the document that is ours.
    fn beside(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.world.files).unwrap().map(|entry| entry.unwrap().path());
        let is_ours = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".jsonwarden-");
        entries.filter(is_ours).collect()
    }

    /// The one of them that is this file.
    fn leftover(&self, inode: u64) -> Option<PathBuf> {
        self.beside().into_iter().find(|path| fs::metadata(path).is_ok_and(|found| found.ino() == inode))
    }

    /// The bytes that lie beside the document, or in quarantine.
    fn keeps(&self, bytes: &[u8]) -> bool {
        let beside = self.beside().iter().any(|path| fs::read(path).is_ok_and(|found| found == bytes));
        let quarantined = StateDirectory(self.world.state.clone()).quarantine(&self.document());
        beside || quarantined.iter().any(|(_, found)| found == bytes)
    }

    fn write(&self, generation: usize) {
        let bytes = format!("{{\"generation\": {generation}, \"data\": [1, 2, 3]}}\n");
        jsonwarden::write(self.document(), bytes.as_bytes(), &self.options()).unwrap();
    }

    /// Looks at a leftover as whoever waited for so long.
    fn settle(&self, path: &Path, patience: Patience) -> Disposal {
        let disk = Disk::default();
        let state = || disk.open_directory(&self.world.state).unwrap();
        let directory = disk.open_directory(&self.world.files).unwrap();
        let document = self.document();
        let reader = Reader { dialect: None, enrolled: Some(Dialect::Json), named: None, literal: true };
        let ground = Ground {
            disk: &disk,
            directory: &directory,
            document: &DocumentId::new(&self.world.files, document.file_name().unwrap()),
            backups: &Backups::new(disk.clone(), state()),
            quarantine: &Quarantine::new(disk.clone(), state()),
            judge: &|bytes| validate::judge(bytes, &reader),
            limit_bytes: 64 << 20,
            expectations: &Expectations::default(),
            passes_suspicious: false,
            lock: LockKind::Auto,
        };
        repair::settle_among(&ground, path.file_name().unwrap(), None, 0, patience).unwrap()
    }
}

/// A program that has a file open, or only mapped, and writes it when it is told to.
struct Holder(Child);

impl Holder {
    #[track_caller]
    fn new(how: &str, path: &Path) -> Option<Self> {
        const PROGRAM: &str = r#"
import mmap, sys
file = open(sys.argv[2], "r+b", buffering=0)
if sys.argv[1] == "mapped":
    mapped = mmap.mmap(file.fileno(), 0)
    file.close()
print("open", flush=True)
text = sys.stdin.readline().strip().encode()
if sys.argv[1] == "mapped":
    mapped[:] = text.ljust(len(mapped))
else:
    file.truncate(0)
    file.write(text)
"#;
        let mut python = Command::new("python3");
        python.args(["-c", PROGRAM, how]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = python.spawn() else {
            skip("a program that keeps a file open", "no python3");
            return None;
        };
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "open\n");
        Some(Self(child))
    }

    fn writes_late(mut self, text: &str) {
        writeln!(self.0.stdin.take().unwrap(), "{text}").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

/// What may lie there: those that a look comes for, those that came since, and what is hardly older than a second.
fn is_few(place: &Place, moments: &[Instant]) -> bool {
    const FEW: usize = 52;
    let just_now = moments.iter().filter(|moment| moment.elapsed() < Duration::from_secs(2)).count();
    place.beside().len() <= FEW + just_now
}

/// Until what was left last has lain there long enough to be in the way.
fn grow_old() {
    let last = Instant::now();
    wait_until(LIMIT, "the youngest is old enough", || last.elapsed() > Duration::from_secs(2));
}

#[test]
fn a_thousand_writes_leave_no_thousand_files() {
    const WAITING: usize = 200;
    for (place, writes) in Place::all().zip([1000, 250]) {
        place.write(0);
        let writer = place.options().writer(place.document()).unwrap();
        let mut moments = Vec::new();
        for generation in 1..=writes {
            writer.replace(format!("{{\"generation\": {generation}, \"data\": [1, 2, 3]}}").as_bytes()).unwrap();
            moments.push(Instant::now());
            let just_now = moments.iter().rev().take_while(|moment| moment.elapsed() < Duration::from_secs(2)).count();
            let left = place.beside().len();
            assert!(left <= WAITING + just_now, "{}: {left}, {just_now} of them just now", place.kind);
        }
        println!("{}: {:.1?} a write, {} beside", place.kind, moments[0].elapsed() / writes, place.beside().len());
        wait_until(LIMIT, "it is tidy", || {
            grow_old();
            place.write(0);
            place.beside().len() < 100
        });
    }
}

#[test]
fn programs_that_write_once_each_tidy_up_one_after_the_other() {
    for place in Place::all() {
        let mut moments = Vec::new();
        for generation in 0..80 {
            place.write(generation);
            moments.push(Instant::now());
            assert!(is_few(&place, &moments), "{}: {generation}", place.kind);
        }
    }
}

#[test]
fn what_a_program_has_open_stays_however_many_come_after_it_and_what_it_writes_late_is_kept() {
    for place in Place::all() {
        for (how, late) in [("open", "{\"late\":"), ("mapped", "{\"late\":"), ("open", "{\"late\": true}")] {
            let _ = fs::remove_file(place.document());
            place.write(1000);
            let inode = fs::metadata(place.document()).unwrap().ino();
            let Some(holder) = Holder::new(how, &place.document()) else { return };
            let mut moments = Vec::new();
            for generation in 0..60 {
                place.write(generation);
                moments.push(Instant::now());
            }
            wait_until(LIMIT, "all but the newest are old enough", || {
                moments.iter().filter(|moment| moment.elapsed() > Duration::from_secs(1)).count() > 30
            });
            place.write(60);
            let held = place.leftover(inode).unwrap_or_else(|| panic!("{}, {how}: it is gone", place.kind));
            assert!(is_few(&place, &moments), "{}, {how}: the others are not", place.kind);
            assert_eq!(place.settle(&held, Patience::of(Duration::ZERO)), Disposal::Open, "{}, {how}", place.kind);
            holder.writes_late(late);
            let written = fs::read(&held).unwrap();
            assert!(written.starts_with(late.as_bytes()), "{}, {how}", place.kind);
            for generation in 61..75 {
                place.write(generation);
            }
            place.settle(&held, Patience::of(Duration::ZERO));
            assert!(place.keeps(&written), "{}, {how}: {late}", place.kind);
            let now = fs::read_to_string(place.document()).unwrap();
            assert!(now.contains("\"generation\": 74"), "{}, {how}: {now}", place.kind);
        }
    }
}

#[test]
fn a_late_version_that_is_the_newest_gets_to_the_name_and_with_it_what_its_writer_writes_next() {
    for place in Place::all() {
        place.write(1);
        let inode = fs::metadata(place.document()).unwrap().ino();
        let mut late = Some(File::options().write(true).open(place.document()).unwrap());
        place.write(2);
        let held = place.leftover(inode).unwrap();
        let mut write = |bytes: &[u8]| late.as_mut().unwrap().write_all(bytes).unwrap();
        write(b"{\"generation\": 3, \"data\": [1, 2, 3]}");
        if place.kind != "overlayfs" {
            // It has two names there as long as somebody has it open.
            late = None;
        }
        wait_until(LIMIT, "it is swapped in", || place.settle(&held, Patience::USUAL) == Disposal::SwappedIn);
        let mut expected = b"{\"generation\": 3, \"data\": [1, 2, 3]}\n".to_vec();
        assert_eq!(fs::read(place.document()).unwrap(), expected, "{}", place.kind);
        if let Some(mut late) = late.take() {
            late.write_all(b"\n\n").unwrap();
            expected.push(b'\n');
            assert_eq!(fs::read(place.document()).unwrap(), expected, "{}", place.kind);
        }
    }
}

#[test]
fn a_save_that_came_out_of_an_exchange_whose_author_died_there_gets_back_to_the_name() {
    for place in Place::all() {
        place.write(1);
        place.write(2);
        let [left] = &place.beside()[..] else { panic!("{}: {:?}", place.kind, place.beside()) };
        let (saved, elsewhere) = (b"{\"generation\": 3, \"data\": []}", place.world.file("elsewhere"));
        fs::write(&elsewhere, saved).unwrap();
        // What happened to it last is the exchange, not the write.
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(&elsewhere).unwrap().set_modified(long_ago).unwrap();
        fs::rename(&elsewhere, left).unwrap();
        wait_until(LIMIT, "it is put back", || place.settle(left, Patience::USUAL) == Disposal::SwappedIn);
        assert_eq!(fs::read(place.document()).unwrap(), saved, "{}", place.kind);
    }
}

#[test]
fn what_nobody_has_open_goes_after_its_grace_and_where_others_may_write_unseen_later() {
    let patience = |unseen| Patience { unseen, ..Patience::of(Duration::ZERO) };
    for place in Place::all() {
        place.write(1);
        place.write(2);
        let [left] = &place.beside()[..] else { panic!("{}: {:?}", place.kind, place.beside()) };
        assert_eq!(place.settle(left, Patience::USUAL), Disposal::Waiting, "{}: it is too young", place.kind);
        let in_an_hour = patience(Duration::from_secs(3600));
        let are_all_seen = place.kind == "overlayfs" && sees_all_processes();
        let expected = if are_all_seen { Disposal::Removed } else { Disposal::Unsure };
        // A FUSE may learn late that it has one name by now.
        wait_until(LIMIT, place.kind, || place.settle(left, in_an_hour) == expected);
        if expected == Disposal::Unsure {
            assert_eq!(place.settle(left, patience(Duration::ZERO)), Disposal::Removed, "{}", place.kind);
        }
        assert!(place.beside().is_empty(), "{}", place.kind);
    }
}

/// Not so in a container, nor without rights over the first process.
fn sees_all_processes() -> bool {
    let is_first = |namespace| namespace == Path::new("pid:[4026531836]");
    fs::read_link("/proc/self/ns/pid").is_ok_and(is_first) && fs::read_dir("/proc/1/fdinfo").is_ok()
}

#[test]
fn the_command_line_tidies_up_after_itself_and_publishes_in_steps() {
    for place in Place::all() {
        let run = |arguments: &[&str], input: &str| {
            let mut child = command()
                .args(arguments)
                .arg(place.document())
                .env("JSONWARDEN_STATE_DIR", &place.world.state)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child.wait().unwrap().code()
        };
        for number in 0..100 {
            assert_eq!(run(&["write"], &format!("{{\"number\": {number}}}")), Some(0), "{}", place.kind);
        }
        assert_eq!(run(&["write"], "{\"number\": "), Some(1), "{}", place.kind);
        assert_eq!(run(&["patch", "--set", "/number=100"], ""), Some(0), "{}", place.kind);
        grow_old();
        assert_eq!(run(&["write"], "{\"number\": 101}"), Some(0), "{}", place.kind);
        let left = place.beside().len();
        println!("{}: {left} left of 102", place.kind);
        assert!(left < 90, "{}: {left}", place.kind);
    }
}

#[test]
fn a_daemon_that_repairs_there_keeps_what_was_damaged() {
    for place in Place::all() {
        place.write(1);
        let good = fs::read(place.document()).unwrap();
        let config = format!("[[watch]]\nname = \"w\"\npaths = [{:?}]\nsettle = \"200ms\"\n", place.document());
        let daemon = Launch::new(&place.world).config(&place.world, &config).start();
        daemon.wait_stored(&place.document(), &good);
        fs::write(place.document(), b"{\"generation\": ").unwrap();
        wait_until(LIMIT, "it is repaired", || fs::read(place.document()).unwrap() == good);
        wait_until(LIMIT, "it is kept", || {
            daemon.state.quarantine(&place.document()).iter().any(|(_, bytes)| bytes == b"{\"generation\": ")
        });
        assert_eq!(place.beside().len(), 1, "{}: a late writer may still come", place.kind);
        assert!(daemon.state.incidents_of(&place.document(), "left_beside").is_empty(), "{}", place.kind);
    }
}
