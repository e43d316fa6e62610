//! Every hard case on every file system that people have, in one table: what happened, how long it took, what it is called in
//! `status`, and whether the bytes are right.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Daemon, IMAGES, LIMIT, Launch, Mount, World, document, skip, wait_until};

const TORN: &[u8] = b"{\"version\": 1, \"ke";

fn good() -> Vec<u8> {
    document(1, 20_000)
}

/// A world whose files lie on one file system.
struct Place {
    kind: &'static str,
    world: World,
    /// Leases are to be had there: writers are seen, and a file can be rewritten in place.
    has_leases: bool,
    /// What is mounted there, the one below the others last: so they go.
    mounts: Vec<Mount>,
}

impl Place {
    fn new(kind: &'static str) -> Option<Self> {
        let world = World::new();
        let (files, below) = (&world.files, world.root.join("below"));
        let has_leases = !["overlay", "fuse"].contains(&kind);
        let mut mounts = Vec::new();
        if !has_leases {
            mounts.push(Mount::tmpfs(&below, "size=64m,mode=755")?);
        }
        let folder = |name: &str| {
            let path = below.join(name);
            fs::create_dir(&path).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let own = match kind {
            "tmpfs" => Mount::tmpfs(files, "size=64m,mode=755")?,
            "overlay" => {
                let [lower, upper, work] = ["lower", "upper", "work"].map(folder);
                let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
                Mount::new("overlayfs", &["-t", "overlay", "overlay", "-o", &options], files)?
            }
            "fuse" => Mount::fuse(Path::new(&folder("passed")), files)?,
            image => Mount::image(files, IMAGES.iter().find(|found| found.kind == image)?)?,
        };
        mounts.insert(0, own);
        Some(Self { kind, world, has_leases, mounts })
    }
}

/// How a case is to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Another file with the good bytes.
    Swapped,
    /// The same file with the good bytes.
    Rewritten,
    /// It is held, and as it was.
    Held,
}

/// One damaged file.
struct Case {
    name: &'static str,
    path: PathBuf,
    end: End,
    inode: u64,
    damaged: Instant,
}

/// A line of the table.
struct Row {
    place: &'static str,
    case: &'static str,
    outcome: &'static str,
    took: Duration,
    called: String,
}

impl Case {
    fn new(name: &'static str, path: &Path, end: End) -> Self {
        fs::write(path, good()).unwrap();
        Self { name, path: path.to_owned(), end, inode: 0, damaged: Instant::now() }
    }

    fn damage(&mut self) {
        self.inode = fs::metadata(&self.path).unwrap().ino();
        fs::write(&self.path, TORN).unwrap();
        self.damaged = Instant::now();
    }

    fn has_ended(&self, daemon: &Daemon) -> bool {
        match self.end {
            End::Held => daemon.state_of(&self.path).as_deref() == Some("held"),
            End::Swapped | End::Rewritten => fs::read(&self.path).is_ok_and(|bytes| bytes == good()),
        }
    }

    #[track_caller]
    fn finish(&self, place: &'static str, daemon: &Daemon) -> Row {
        wait_until(LIMIT, &format!("{place}, {}: the end", self.name), || self.has_ended(daemon));
        let took = self.damaged.elapsed();
        let is_same_file = fs::metadata(&self.path).unwrap().ino() == self.inode;
        let bytes = fs::read(&self.path).unwrap();
        let outcome = match self.end {
            End::Swapped => {
                assert!(bytes == good() && !is_same_file, "{place}, {}", self.name);
                "swapped"
            }
            End::Rewritten => {
                assert!(bytes == good() && is_same_file, "{place}, {}", self.name);
                "in place"
            }
            End::Held => {
                assert!(bytes == TORN && is_same_file, "{place}, {}", self.name);
                "held"
            }
        };
        if self.end != End::Held {
            let real = fs::canonicalize(&self.path).unwrap();
            wait_until(LIMIT, &format!("{place}, {}: what was damaged is kept", self.name), || {
                daemon.state.quarantine(&real).iter().any(|(_, bytes)| bytes == TORN)
            });
            daemon.wait_state(&real, "healthy");
        }
        Row { place, case: self.name, outcome, took, called: called(daemon, &self.path) }
    }
}

/// What `status` says of repairs of a file.
fn called(daemon: &Daemon, path: &Path) -> String {
    let real = fs::canonicalize(path).unwrap();
    let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
    let file = files.as_array().unwrap().iter().find(|file| file["path"].as_str().map(Path::new) == Some(&real));
    let said = |key: &str| file.and_then(|file| file[key].as_str()).map(str::to_owned);
    match (said("unrepairable"), said("best_effort")) {
        (Some(why), _) => format!("no: {why}"),
        (None, Some(how)) => format!("best effort: {how}"),
        (None, None) => "yes".to_owned(),
    }
}

/// Makes a folder's names unchangeable; `false`: this file system does not know that.
fn freeze(folder: &Path, flag: &str) -> bool {
    let changed = Command::new("chattr").arg(flag).arg(folder).output();
    changed.is_ok_and(|ended| ended.status.success())
}

/// All the cases in one place.
fn rows(mut place: Place) -> Vec<Row> {
    let (kind, world) = (place.kind, &place.world);
    let rewritten = if place.has_leases { End::Rewritten } else { End::Held };
    let mut cases = vec![
        Case::new("swap", &world.file("swap.json"), End::Swapped),
        Case::new("hard link", &world.file("linked.json"), rewritten),
    ];
    fs::hard_link(world.file("linked.json"), world.file("another name")).unwrap();
    // As in most folders, its names take more than the inode holds: on XFS a name could otherwise be the one for which it needs
    // a block, which a full disk has not.
    for number in 0..40 {
        world.write(format!("something else {number}"), "");
    }
    for folder in ["real", "frozen"] {
        fs::create_dir(world.file(folder)).unwrap();
    }
    let link = world.file("link.json");
    symlink("real/target", &link).unwrap();
    cases.push(Case::new("symbolic link", &link, End::Swapped));
    let (mounted, at) = (world.write("mounted", good()), world.write("mounted.json", good()));
    if let Some(mount) = Mount::bind(&mounted, &at) {
        place.mounts.insert(0, mount);
        cases.push(Case::new("bind mount of a file", &at, rewritten));
    }
    let frozen = world.file("frozen");
    let case = Case::new("immutable folder", &frozen.join("a.json"), rewritten);
    if freeze(&frozen, "+i") {
        cases.push(case);
    }
    // Where writers cannot be seen, two equal reads must do, and the repair does not wait.
    let mut kept_open = Case::new("writer keeps it open", &world.file("open.json"), End::Swapped);

    let config = format!(
        "sweep_interval = \"1s\"\n[defaults]\nmax_repairs = 0\n[[watch]]\nname = \"w\"\npaths = [\"{}\", \"{}\"]\n",
        world.files.display(),
        link.display()
    );
    let daemon = Launch::new(world).config(world, &config).start();
    for case in cases.iter().chain([&kept_open]) {
        daemon.wait_stored(&fs::canonicalize(&case.path).unwrap(), &good());
    }
    let writer = fs::OpenOptions::new().write(true).open(&kept_open.path).unwrap();
    for case in cases.iter_mut().chain([&mut kept_open]) {
        case.damage();
    }
    let mut rows: Vec<Row> = cases.iter().map(|case| case.finish(kind, &daemon)).collect();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("real/target"), "{kind}: the link stays");
    let other_name = fs::read(world.file("another name")).unwrap();
    assert_eq!(other_name, fs::read(world.file("linked.json")).unwrap(), "{kind}: both names have the same file");
    if place.has_leases {
        let now = fs::read(&kept_open.path).unwrap();
        assert_eq!(now, TORN, "{kind}: under a writer nothing is done");
        kept_open.damaged = Instant::now();
    }
    drop(writer);
    rows.push(kept_open.finish(kind, &daemon));
    if let Some(own) = place.mounts.last().filter(|_| place.has_leases) {
        rows.push(on_a_full_disk(kind, own, world, &daemon));
    }
    freeze(&frozen, "-i");
    rows
}

/// The repair of a file whose file system has not a byte left.
fn on_a_full_disk(kind: &'static str, mount: &Mount, world: &World, daemon: &Daemon) -> Row {
    mount.fill_but(mount.all_bytes() * 3 / 20);
    let has_spare = || {
        let spare = fs::metadata(world.file(".jsonwarden-spare"));
        spare.is_ok_and(|spare| spare.len() >= good().len() as u64)
    };
    wait_until(LIMIT, &format!("{kind}: there is a spare"), has_spare);
    mount.fill();
    let path = world.file("swap.json");
    let mut full = Case { name: "full disk", path, end: End::Swapped, inode: 0, damaged: Instant::now() };
    full.damage();
    mount.fill();
    full.finish(kind, daemon)
}

#[test]
fn every_hard_case_ends_as_promised_on_every_file_system() {
    let kinds = ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse"];
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let places: Vec<_> = kinds.into_iter().filter_map(Place::new).collect();
        if places.is_empty() {
            skip("the matrix of file systems", "none can be mounted");
        }
        let threads: Vec<_> = places.into_iter().map(|place| scope.spawn(|| rows(place))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut table = String::new();
    for Row { place, case, outcome, took, called } in &rows {
        let took = took.as_secs_f64();
        writeln!(table, "{place:8} {case:22} {outcome:9} {took:6.2} s  repairable: {called}").unwrap();
    }
    println!("{table}");
}
