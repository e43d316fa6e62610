//! Random lives of one file: programs that save it, damage and resets, our own commands, and a daemon that comes and goes.
//! In whatever order: what is suspicious beside the last good version never becomes good unless somebody said so, and no
//! save that is plausible is ever undone.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use jsonwarden::config::Expectations;
use jsonwarden::document::Dialect;
use jsonwarden::validate::{Content, Reader, judge_after};
use jsonwarden::verdict::Verdict;
use serde_json::Value;

use crate::patching::{run, said, status};
use crate::support::{Daemon, LIMIT, Launch, StateDirectory, World, document, is_long, wait_until};

/// So many things happen to the file.
fn steps() -> usize {
    if is_long() { 250 } else { 40 }
}

/// A stored version, as `history` and the folder show it.
struct Kept {
    number: u64,
    bytes: Vec<u8>,
    mark: String,
}

impl Kept {
    fn is_good(&self) -> bool {
        self.mark != "suspicious"
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Good,
    Suspicious,
    Damaged,
}

struct Life {
    world: World,
    path: PathBuf,
    daemon: Option<Daemon>,
    /// xorshift64.
    dice: u64,
    generation: u64,
    /// What is suspicious is taken for damage.
    restores: bool,
    /// What somebody said was meant.
    meant: HashSet<Vec<u8>>,
    told: Vec<String>,
}

impl Life {
    fn new(seed: u64, on_suspicious: &str, min_interval: &str) -> Self {
        let world = World::new();
        let text = format!(
            "sweep_interval = \"1s\"\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nsettle = \"100ms\"\nmax_repairs = 0\n\
             backup.min_interval = \"{min_interval}\"\nbackup.keep_last = 10000\non_suspicious = \"{on_suspicious}\"\n",
            world.files.display()
        );
        fs::write(world.root.join("jsonwarden.toml"), text).unwrap();
        let path = world.write("a.json", document(1, 3_500));
        let told = vec![format!("seed {seed}, {on_suspicious}")];
        let (restores, meant) = (on_suspicious == "restore", HashSet::new());
        Self { world, path, daemon: None, dice: seed, generation: 1, restores, meant, told }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }

    fn start(&mut self) {
        self.daemon =
            Some(Launch::new(&self.world).arg("--config").arg(self.world.root.join("jsonwarden.toml")).start());
    }

    /// A command; its exit status.
    fn command(&mut self, arguments: &[&str], input: &[u8]) -> i32 {
        let config = self.world.root.join("jsonwarden.toml");
        let all = [&["--config", config.to_str().unwrap()], arguments].concat();
        let output = run(&self.world, &all, Some(std::str::from_utf8(input).unwrap()));
        self.told.push(format!("{arguments:?}: {} {}", status(&output), said(&output)));
        status(&output)
    }

    fn present(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// The stored versions, oldest first.
    fn kept(&self) -> Vec<Kept> {
        let config = self.world.root.join("jsonwarden.toml");
        let arguments = ["--config", config.to_str().unwrap(), "history", "a.json", "--json"];
        let output = run(&self.world, &arguments, None);
        let Ok(Value::Array(marks)) = serde_json::from_slice::<Value>(&output.stdout) else { return Vec::new() };
        let mark = |number: u64| {
            let one = marks.iter().find(|one| one["version"].as_u64() == Some(number));
            one.map(|one| one["mark"].as_str().unwrap().to_owned())
        };
        let stored = StateDirectory(self.world.state.clone()).versions(&self.path);
        let known = stored.into_iter().filter_map(|one| Some((mark(one.version)?, one)));
        known.map(|(mark, one)| Kept { number: one.version, bytes: one.bytes, mark }).collect()
    }

    /// What bytes are beside the last good ones.
    fn is(&self, bytes: &[u8], last_good: Option<&[u8]>) -> Is {
        let reader = Reader { enrolled: last_good.map(|_| Dialect::Json), literal: true, ..Reader::default() };
        let beside = last_good.map(|bytes| Content { bytes, dialect: Dialect::Json });
        match judge_after(bytes, &reader, beside, &Expectations::default()) {
            Verdict::Valid { .. } => Is::Good,
            Verdict::Suspicious(..) if self.meant.contains(bytes) => Is::Good,
            Verdict::Suspicious(..) => Is::Suspicious,
            Verdict::Corrupt(_) | Verdict::Told(_) => Is::Damaged,
        }
    }

    fn last_good(kept: &[Kept]) -> Option<&[u8]> {
        kept.iter().rev().find(|one| one.is_good()).map(|one| one.bytes.as_slice())
    }

    /// Every good version could follow the good one before it, or somebody said that it is meant.
    fn assert_lawful(&self) {
        let mut last_good: Option<Vec<u8>> = None;
        for one in self.kept().into_iter().filter(Kept::is_good) {
            let is_lawful = self.is(&one.bytes, last_good.as_deref()) == Is::Good;
            let is_meant = one.mark != "accepted" || self.meant.contains(&one.bytes);
            assert!(is_lawful && is_meant, "version {} is {}\n{}", one.number, one.mark, self.told.join("\n"));
            last_good = Some(one.bytes);
        }
    }

    /// Waits until the daemon, if there is one, has done what there is to do.
    fn settle(&self) {
        let Some(daemon) = &self.daemon else { return };
        let standing = || -> (String, usize) {
            let files: Value = serde_json::from_str(&daemon.get("/api/v1/files").body).unwrap();
            let word = |key: &str| files[0][key].as_str().unwrap_or_default().to_owned();
            (format!("{} {}", word("state"), word("reason")), usize::from(!files[0]["incident"].is_null()))
        };
        wait_until(LIMIT, &format!("it is settled:\n{}", self.told.join("\n")), || {
            let (state, incidents) = standing();
            let (present, kept) = (self.present(), self.kept());
            let Some(newest) = kept.last() else { return false };
            let stands = newest.bytes == present;
            match state.as_str() {
                "healthy " => stands && newest.is_good() && incidents == 0,
                "held suspicious" if self.is(&present, Self::last_good(&kept)) == Is::Damaged => {
                    !newest.is_good() && incidents == 1
                }
                "held suspicious" => stands && !newest.is_good() && incidents == 1,
                _ => false,
            }
        });
    }

    /// A program saves the file; whatever reads stays there.
    fn save(&mut self, bytes: &[u8]) {
        let kept = self.kept();
        let is = self.is(bytes, Self::last_good(&kept));
        self.told.push(format!("saved {} bytes: {is:?}", bytes.len()));
        fs::write(&self.path, bytes).unwrap();
        self.settle();
        let is_held = kept.last().is_some_and(|newest| !newest.is_good()) && !self.restores;
        let is_wrong = is == Is::Damaged || (is == Is::Suspicious && self.restores);
        if self.daemon.is_none() || !is_wrong || is_held {
            assert!(self.present() == bytes, "a save was undone\n{}", self.told.join("\n"));
        } else {
            let is_back = Some(self.present().as_slice()) == Self::last_good(&kept);
            assert!(is_back, "it was not put back\n{}", self.told.join("\n"));
        }
    }

    /// What a command works on: the present bytes, the last good ones once it has looked, and whether damage can be repaired.
    fn ground(&self) -> (Vec<u8>, Is, Option<Vec<u8>>, bool) {
        let (present, kept) = (self.present(), self.kept());
        let last_good = Self::last_good(&kept).map(<[u8]>::to_vec);
        let is = self.is(&present, last_good.as_deref());
        let last_good = if is == Is::Good { Some(present.clone()) } else { last_good };
        (present, is, last_good, self.restores || kept.last().is_some_and(Kept::is_good))
    }

    #[track_caller]
    fn assert_ended(&self, ended: i32, expected: i32) {
        assert_eq!(ended, expected, "{}", self.told.join("\n"));
    }

    fn patch(&mut self) {
        let (present, is, last_good, is_repairable) = self.ground();
        self.generation += 1;
        let set = format!("/x={}", self.generation);
        let ended = self.command(&["patch", "a.json", "--set", &set], b"");
        let is_wrong = is == Is::Damaged || self.restores;
        let is_possible = is == Is::Good || (is_wrong && is_repairable && last_good.is_some());
        self.assert_ended(ended, if is_possible { 0 } else { 5 });
        assert!(is_possible || self.present() == present);
    }

    fn write(&mut self, bytes: &[u8], is_meant: bool) {
        let (present, is, last_good, _) = self.ground();
        let is_plausible = self.is(bytes, last_good.as_deref()) == Is::Good;
        // A small document is meant by whoever writes it, but it ends no hold.
        let is_meant_by_itself = !self.restores && is != Is::Suspicious;
        let ended = if is_meant {
            self.meant.insert(bytes.to_vec());
            self.command(&["write", "a.json", "--accept"], bytes)
        } else {
            self.command(&["write", "a.json"], bytes)
        };
        if is_meant_by_itself {
            self.meant.insert(bytes.to_vec());
        }
        self.assert_ended(ended, if is_plausible || is_meant || is_meant_by_itself { 0 } else { 5 });
        assert!(self.present() == if ended == 0 { bytes.to_vec() } else { present }, "{}", self.told.join("\n"));
    }

    fn accept(&mut self) {
        let (present, is, ..) = self.ground();
        if is == Is::Suspicious {
            self.meant.insert(present);
        }
        let ended = self.command(&["accept", "a.json"], b"");
        self.assert_ended(ended, i32::from(is != Is::Suspicious));
    }

    fn restore(&mut self) {
        let kept = self.kept();
        let Some(chosen) = (!kept.is_empty()).then(|| self.roll(kept.len() as u64)) else { return };
        let Kept { number, bytes, .. } = &kept[usize::try_from(chosen).unwrap()];
        self.meant.insert(bytes.clone());
        let ended = self.command(&["restore", "a.json", &number.to_string()], b"");
        self.assert_ended(ended, 0);
        assert!(self.present() == *bytes, "{}", self.told.join("\n"));
    }

    fn repair(&mut self) {
        let (present, is, last_good, is_repairable) = self.ground();
        let ended = self.command(&["repair"], b"");
        let (expected, now) = match is {
            Is::Good => (0, Some(present)),
            Is::Suspicious if !self.restores => (1, Some(present)),
            _ if is_repairable => (0, last_good),
            _ => (5, Some(present)),
        };
        self.assert_ended(ended, expected);
        assert!(Some(self.present()) == now, "{}", self.told.join("\n"));
    }

    fn come_or_go(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.terminate();
            self.told.push("the daemon ends".into());
        } else {
            self.told.push("the daemon begins".into());
            self.start();
        }
    }

    fn step(&mut self) {
        self.generation += 1;
        let size = 3_000 + usize::try_from(self.roll(1_500)).unwrap();
        let whole = document(self.generation, size);
        let small = document(self.generation, 600);
        match self.roll(18) {
            0..4 => self.save(&whole),
            4 => self.save(b"{}"),
            5 => self.save(&small),
            6 => self.save(&whole[..whole.len() / 2]),
            7 | 8 => self.patch(),
            9 | 10 => self.write(&whole, false),
            11 => self.write(&small, false),
            12 => self.write(b"{}", false),
            13 => self.write(&small, true),
            14 => self.accept(),
            15 => self.restore(),
            16 => self.repair(),
            _ => self.come_or_go(),
        }
        self.settle();
        self.assert_lawful();
    }
}

impl Life {
    /// Something happens, and nobody looks what comes of it.
    fn hurry(&mut self) {
        self.generation += 1;
        let whole = document(self.generation, 4_000);
        let small = document(self.generation, 600);
        let save = |bytes: &[u8]| fs::write(&self.path, bytes).unwrap();
        match self.dice % 10 {
            0 => save(b"{}"),
            1 => save(&small),
            2 => save(&whole[..2_000]),
            3 => save(&whole),
            4 => drop(self.command(&["patch", "a.json", "--set", "/x=1"], b"")),
            5 => drop(self.command(&["write", "a.json"], &whole)),
            6 => {
                if self.command(&["write", "a.json"], &small) == 0 {
                    self.meant.insert(small);
                }
            }
            7 => drop(self.command(&["repair"], b"")),
            8 => {
                // What is accepted is what stands there by then.
                self.meant.insert(self.present());
                self.command(&["accept", "a.json"], b"");
                self.meant.insert(self.present());
            }
            _ => self.come_or_go(),
        }
        let pause = std::time::Duration::from_millis(self.roll(200));
        std::thread::sleep(pause);
    }
}

fn lived(seed: u64, on_suspicious: &str) {
    let mut life = Life::new(seed, on_suspicious, "0s");
    life.start();
    life.settle();
    for _ in 0..steps() {
        life.step();
    }
}

/// The seed that somebody asks for, or this one.
fn seed(usual: u64) -> u64 {
    std::env::var("JSONWARDEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(usual)
}

#[test]
fn in_whatever_order_nothing_suspicious_becomes_good_and_no_honest_save_is_undone() {
    lived(seed(0x9e37_79b9_7f4a_7c15), "alert");
}

#[test]
fn where_suspicion_is_damage_it_is_put_right_in_whatever_order() {
    lived(seed(0x2545_f491_4f6c_dd1d), "restore");
}

/// Nobody waits for anybody: only the law is looked at, and that an honest save stays.
#[test]
fn in_a_hurry_too() {
    for on_suspicious in ["alert", "restore"] {
        let mut life = Life::new(seed(0x5851_f42d_4c95_7f2d), on_suspicious, "500ms");
        life.start();
        life.settle();
        for round in 0..steps() / 4 {
            for _ in 0..life.roll(8) {
                life.hurry();
            }
            life.generation += 1;
            let whole = document(life.generation, 4_000);
            fs::write(&life.path, &whole).unwrap();
            life.told.push(format!("round {round}: saved whole"));
            life.settle();
            assert!(life.present() == whole, "a save was undone\n{}", life.told.join("\n"));
            life.assert_lawful();
        }
    }
}
