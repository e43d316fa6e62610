//! Many programs at one file, killed at random, while somebody damages it and a daemon guards it: every update that was
//! acknowledged is there once, in the order of its writer.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Daemon, LIMIT, Launch, World, command, is_long, wait_until};

const WRITERS: usize = 16;

/// From one damage to the next.
const DAMAGE_PERIOD: Duration = Duration::from_secs(10);

/// From one kill to the next.
const KILL_PERIOD: Duration = Duration::from_millis(400);

fn updates() -> usize {
    if is_long() { 500 } else { 100 }
}

/// One document, its daemon, and what happens to it.
struct Ring {
    world: World,
    path: PathBuf,
    config: PathBuf,
    /// Processes that may be killed.
    prey: Mutex<Vec<Pid>>,
    kills: AtomicUsize,
    damages: AtomicUsize,
    is_over: AtomicBool,
    begun: Instant,
}

impl Ring {
    fn new(text: &str) -> (Self, Daemon) {
        let world = World::new();
        let path = world.write("shared.json", text);
        let config = world.root.join("jsonwarden.toml");
        let rules = format!(
            "sweep_interval = \"500ms\"\n[defaults]\nsettle = \"100ms\"\nmax_repairs = 0\n\
             [defaults.backup]\nmin_interval = \"0s\"\n[[watch]]\nname = \"shared\"\npaths = [{:?}]\n",
            path.display().to_string()
        );
        fs::write(&config, &rules).unwrap();
        let daemon = Launch::new(&world).config(&world, &rules).start();
        daemon.wait_stored(&path, text.as_bytes());
        let ring = Self {
            world,
            path,
            config,
            prey: Mutex::default(),
            kills: AtomicUsize::new(0),
            damages: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            begun: Instant::now(),
        };
        (ring, daemon)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command();
        command.arg("-c").arg(&self.config).arg("--state-dir").arg(&self.world.state).args(arguments);
        command.current_dir(&self.world.files);
        command
    }

    /// Lets all writers run, with a saboteur and a killer beside them.
    fn run(&self, writer: impl Fn(usize) + Sync) {
        thread::scope(|scope| {
            scope.spawn(|| self.sabotage());
            scope.spawn(|| self.kill());
            let _end = End(&self.is_over);
            let writer = &writer;
            thread::scope(|writers| {
                for number in 0..WRITERS {
                    writers.spawn(move || writer(number));
                }
            });
        });
        let (kills, damages) = (self.kills.load(Ordering::SeqCst), self.damages.load(Ordering::SeqCst));
        println!("{:.1} s, {kills} writers killed, {damages} times damaged", self.begun.elapsed().as_secs_f64());
        assert!(kills > 0);
    }

    fn sabotage(&self) {
        let mut next = Instant::now() + DAMAGE_PERIOD / 2;
        while !self.is_over.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
            if Instant::now() >= next {
                next += DAMAGE_PERIOD;
                let bytes = fs::read(&self.path).unwrap();
                fs::write(&self.path, &bytes[..bytes.len() / 2]).unwrap();
                self.damages.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn kill(&self) {
        let mut turn = 0_usize;
        while !self.is_over.load(Ordering::SeqCst) {
            thread::sleep(KILL_PERIOD);
            let prey = self.prey.lock().unwrap();
            turn = turn.wrapping_mul(25).wrapping_add(7);
            if let Some(pid) = prey.get(turn % prey.len().max(1)) {
                // Nobody reaps it while the list is locked, so the number is still its own.
                kill_process(*pid, Signal::KILL).unwrap();
                self.kills.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Starts a process that may be killed until it is let go.
    fn release(&self, command: &mut Command) -> Child {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        self.prey.lock().unwrap().push(Pid::from_child(&child));
        child
    }

    /// Waits for its end: `true` if it did what it should, `false` if it was killed; anything else is a failure.
    fn has_done(&self, mut child: Child) -> bool {
        let pid = Pid::from_child(&child);
        drop(child.stdin.take());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
        self.prey.lock().unwrap().retain(|one| *one != pid);
        let ended = child.wait().unwrap();
        assert!(ended.success() || ended.code().is_none(), "{ended}: {said}");
        ended.success()
    }

    /// The document as it is in the end, once what was damaged last is whole.
    fn document(&self) -> Value {
        let mut document = Value::Null;
        wait_until(LIMIT, "the document reads", || {
            document = serde_json::from_slice(&fs::read(&self.path).unwrap()).unwrap_or_default();
            !document.is_null()
        });
        document
    }
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Are these in order, each once, with all of those among them?
#[track_caller]
fn assert_has_all_in_order(who: usize, found: &[u64], acknowledged: &[u64]) {
    assert!(found.is_sorted_by(|one, other| one < other), "writer {who}: {found:?}");
    let lost: Vec<&u64> = acknowledged.iter().filter(|number| !found.contains(number)).collect();
    assert!(lost.is_empty(), "writer {who}: {lost:?} were acknowledged, and are not in {found:?}");
}

#[test]
fn patches_of_many_processes_are_all_there_once_and_in_order() {
    let empty: Vec<String> = (0..WRITERS).map(|writer| format!("  \"w{writer}\": []")).collect();
    let (ring, _daemon) = Ring::new(&format!("{{\n{}\n}}\n", empty.join(",\n")));
    let acknowledged: Vec<Mutex<Vec<u64>>> = (0..WRITERS).map(|_| Mutex::default()).collect();
    ring.run(|writer| {
        for number in 0..updates() as u64 {
            let set = format!("/w{writer}/-={number}");
            let patch =
                ring.release(&mut ring.command(&["patch", "shared.json", "--lock-timeout", "5m", "--set", &set]));
            if ring.has_done(patch) {
                acknowledged[writer].lock().unwrap().push(number);
            }
        }
    });
    let document = ring.document();
    for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
        let found = document[format!("w{writer}")].as_array().unwrap().clone();
        let found: Vec<u64> = found.iter().map(|number| number.as_u64().unwrap()).collect();
        let acknowledged = acknowledged.into_inner().unwrap();
        assert!(!acknowledged.is_empty());
        assert_has_all_in_order(writer, &found, &acknowledged);
    }
}

/// A publisher that takes lines.
struct Publisher {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Publisher {
    fn start(ring: &Ring) -> Self {
        let arguments = ["publish", "shared.json", "-", "--lock-timeout", "5m", "--keep", "200"];
        let mut child = ring.release(&mut ring.command(&arguments));
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// The number that the event got; `None`: the publisher was killed.
    fn publish(&mut self, event: &str) -> Option<u64> {
        writeln!(self.input, "{event}").ok()?;
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        line.trim().parse().ok()
    }

    fn end(self, ring: &Ring) -> bool {
        drop(self.input);
        ring.has_done(self.child)
    }
}

/// One event by a process of its own.
fn publish_once(ring: &Ring, event: &str) -> Option<u64> {
    let arguments = ["publish", "shared.json", event, "--lock-timeout", "5m", "--keep", "200"];
    let mut child = ring.release(&mut ring.command(&arguments));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    ring.has_done(child);
    line.trim().parse().ok()
}

#[test]
fn events_of_many_publishers_are_all_there_once_and_in_order_and_whoever_follows_has_them() {
    let (ring, _daemon) = Ring::new("{\n  \"events\": []\n}\n");
    let heard = ring.world.root.join("heard");
    let mut follow = ring.command(&["tail", "shared.json", "--from", "1"]);
    let mut follower = follow.stdout(fs::File::create(&heard).unwrap()).spawn().unwrap();
    let acknowledged = Mutex::new(BTreeMap::new());
    ring.run(|writer| {
        let mut publisher = None;
        for number in 0..updates() as u64 {
            let event = format!("{{\"type\":\"t\",\"from\":\"{writer}\",\"data\":{number}}}");
            let id = if number % 10 == 0 {
                publish_once(&ring, &event)
            } else {
                let mut one = publisher.take().unwrap_or_else(|| Publisher::start(&ring));
                let id = one.publish(&event);
                match id {
                    Some(_) => publisher = Some(one),
                    None => assert!(!one.end(&ring), "a publisher that was not killed acknowledges"),
                }
                id
            };
            if let Some(id) = id {
                assert_eq!(
                    acknowledged.lock().unwrap().insert(id, (writer, number)),
                    None,
                    "each number is given once"
                );
            }
        }
        if let Some(publisher) = publisher {
            publisher.end(&ring);
        }
    });
    assert!(ring.document()["events"].as_array().unwrap().len() <= 200);
    let read = || ring.command(&["tail", "shared.json", "--no-follow", "--from", "1"]).stdout(Stdio::piped()).output();
    let lines = String::from_utf8(read().unwrap().stdout).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<u64> = events.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    for (id, (writer, number)) in acknowledged.lock().unwrap().iter() {
        let event = &events[usize::try_from(*id).unwrap() - 1];
        let said = (event["from"].as_str().unwrap().parse().unwrap(), event["data"].as_u64().unwrap());
        assert_eq!(said, (*writer, *number), "event {id}");
    }
    for writer in 0..WRITERS {
        let own = events.iter().filter(|event| event["from"].as_str() == Some(&writer.to_string()));
        let found: Vec<u64> = own.map(|event| event["data"].as_u64().unwrap()).collect();
        let acknowledged = acknowledged.lock().unwrap();
        let own = acknowledged.values().filter(|(one, _)| *one == writer).map(|(_, number)| *number);
        assert_has_all_in_order(writer, &found, &own.collect::<Vec<_>>());
    }
    wait_until(LIMIT, "the follower has all", || fs::read_to_string(&heard).unwrap() == lines);
    kill_process(Pid::from_child(&follower), Signal::TERM).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}
