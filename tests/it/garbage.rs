//! Writers that leave garbage in one write of ten: what is valid is never undone.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Launch, World, document, is_long, wait_until};

const WRITERS: u64 = 12;

/// One writer's file and what became of its writes.
struct Writer {
    path: PathBuf,
    number: u64,
    /// Every valid version that it wrote.
    written: HashSet<Vec<u8>>,
    garbage: u64,
    undone: Vec<String>,
}

impl Writer {
    fn new(world: &World, number: u64) -> Self {
        let path = world.write(format!("writer-{number}.json"), document(number * 100_000, 3_000));
        Self { path, number, written: HashSet::from([document(number * 100_000, 3_000)]), garbage: 0, undone: vec![] }
    }

    /// Writes until `end`; every tenth write is garbage. Before each write that follows a valid one, that one must stand.
    fn run(mut self, end: Instant) -> Self {
        let mut valid: Option<Vec<u8>> = None;
        let mut turn = self.number;
        while Instant::now() < end {
            turn += 1;
            if let Some(expected) = valid.take() {
                self.expect(&expected, turn);
            }
            let version = document(self.number * 100_000 + turn, 3_000);
            if turn.is_multiple_of(10) {
                self.garbage += 1;
                self.put(&version[..version.len() / 2], turn);
                // The next valid write comes at any moment of the second in which the daemon believes and repairs.
                thread::sleep(Duration::from_millis((turn * 7 + self.number * 131) * 37 % 2_400));
            } else {
                self.put(&version, turn);
                self.written.insert(version.clone());
                valid = Some(version);
                thread::sleep(Duration::from_millis(20 + turn * 61 % 180));
            }
        }
        if let Some(expected) = valid {
            self.expect(&expected, turn);
        }
        self
    }

    fn expect(&mut self, expected: &[u8], turn: u64) {
        if fs::read(&self.path).unwrap_or_default() != expected {
            self.undone.push(format!("{}: the write before turn {turn} is gone", self.path.display()));
        }
    }

    /// In place and by rename, in turn; garbage is always in place.
    fn put(&self, bytes: &[u8], turn: u64) {
        if turn.is_multiple_of(2) {
            fs::write(&self.path, bytes).unwrap();
        } else {
            let temporary = self.path.with_extension("tmp");
            fs::write(&temporary, bytes).unwrap();
            fs::rename(&temporary, &self.path).unwrap();
        }
    }
}

#[test]
fn no_valid_update_is_undone_while_garbage_is() {
    let world = World::new();
    let writers: Vec<Writer> = (0..WRITERS).map(|number| Writer::new(&world, number)).collect();
    let settings = format!(
        "[defaults]\nmax_repairs = 0\n[[watch]]\nname = \"garbage\"\npaths = [{:?}]\n",
        world.files.to_str().unwrap()
    );
    let daemon = Launch::new(&world).config(&world, &settings).start();
    for writer in &writers {
        daemon.wait_stored(&writer.path, &fs::read(&writer.path).unwrap());
    }

    let end = Instant::now() + Duration::from_secs(if is_long() { 600 } else { 40 });
    let running: Vec<_> = writers.into_iter().map(|writer| thread::spawn(move || writer.run(end))).collect();
    let writers: Vec<Writer> = running.into_iter().map(|thread| thread.join().unwrap()).collect();

    // Whatever stands at the end is made whole, from something that was really written.
    for writer in &writers {
        wait_until(Duration::from_secs(30), "a valid version stands", || {
            fs::read(&writer.path).is_ok_and(|bytes| writer.written.contains(&bytes))
        });
    }
    let undone: Vec<&String> = writers.iter().flat_map(|writer| &writer.undone).collect();
    let garbage: u64 = writers.iter().map(|writer| writer.garbage).sum();
    let valid: usize = writers.iter().map(|writer| writer.written.len()).sum();
    let repairs = daemon.count("restores_total", &[("outcome", "repaired")]);
    println!("{valid} valid writes, {garbage} of garbage, {repairs} repairs, {} valid writes undone", undone.len());
    assert!(undone.is_empty(), "{undone:#?}");
    assert!(repairs > 0, "nothing was repaired: the test shows nothing");
    for writer in &writers {
        let torn =
            daemon.state.versions(&writer.path).into_iter().find(|stored| !writer.written.contains(&stored.bytes));
        assert!(torn.is_none(), "stored, but never written: {torn:?}");
    }
}
