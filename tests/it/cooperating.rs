//! Programs that cooperate: many processes write one file, a daemon guards it, and somebody injuries it all the while.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jsonwarden::config::Rules;
use jsonwarden::{Guarded, Options};

use crate::support::{Daemon, LIMIT, Launch, World, command, is_long, skip, wait_until};

/// What the writers write: each its numbers, in order.
type Numbers = BTreeMap<String, Vec<u32>>;

fn launch(world: &World) -> Daemon {
    let files = world.files.to_str().unwrap();
    let settings = format!(
        "sweep_interval = \"1s\"\n[defaults]\nsettle = \"100ms\"\nmax_repairs = 0\n[[watch]]\nname = \"test\"\npaths = [{files:?}]\n"
    );
    Launch::new(world).config(world, &settings).start()
}

/// `jsonwarden write`, with this on its standard input.
fn write(world: &World, path: &Path, bytes: &[u8], options: &[&str]) -> Output {
    let mut command = command();
    command.arg("--state-dir").arg(&world.state).arg("write").arg(path).args(options);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It may have refused before it read.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A writer in a process of its own, when one was asked for: the name, how many numbers, the file, the state directory.
#[test]
fn writes_numbers_when_asked_to() {
    let Some(asked) = std::env::var_os("JSONWARDEN_TEST_WRITER") else { return };
    let asked = asked.into_string().unwrap();
    let [name, count, path, state, acknowledged] = asked.split('|').collect::<Vec<_>>().try_into().unwrap();
    let rules =
        Rules { settle: Duration::from_millis(100), lock_timeout: Duration::from_secs(300), ..Rules::default() };
    let options = Options::new().state_dir(state).rules(rules);
    let guarded = Guarded::<Numbers>::open_with(path, &options).unwrap();
    let mut acknowledged = OpenOptions::new().append(true).create(true).open(acknowledged).unwrap();
    for number in 0..count.parse().unwrap() {
        guarded.update(|numbers| numbers.entry(name.to_owned()).or_default().push(number)).unwrap();
        writeln!(acknowledged, "{number}").unwrap();
    }
}

/// A writer, and how many numbers it has acknowledged.
struct Writer {
    name: String,
    child: Child,
    acknowledged: PathBuf,
}

impl Writer {
    fn start(world: &World, path: &Path, name: String, count: u32) -> Self {
        let acknowledged = world.root.join(format!("acknowledged-{name}"));
        let show = |path: &Path| path.to_str().unwrap().to_owned();
        let asked = [name.clone(), count.to_string(), show(path), show(&world.state), show(&acknowledged)].join("|");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "cooperating::writes_numbers_when_asked_to"]).env("JSONWARDEN_TEST_WRITER", asked);
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        Self { name, child, acknowledged }
    }

    fn count(&self) -> u32 {
        u32::try_from(fs::read_to_string(&self.acknowledged).unwrap_or_default().lines().count()).unwrap()
    }
}

#[test]
fn sixteen_processes_lose_no_acknowledged_update_though_they_are_killed_and_the_file_is_damaged() {
    let (each, damage_every, kill_every) = if is_long() {
        (100, Duration::from_secs(10), Duration::from_secs(2))
    } else {
        (12, Duration::from_secs(2), Duration::from_millis(700))
    };
    let world = World::new();
    let path = world.write("shared.json", b"{}\n");
    let daemon = launch(&world);
    daemon.wait_stored(&path, b"{}\n");
    let mut running: Vec<Writer> =
        (0..16).map(|number| Writer::start(&world, &path, format!("w{number}.0"), each)).collect();
    let mut ended: Vec<Writer> = Vec::new();
    let (begun, mut damaged, mut killed) = (Instant::now(), Instant::now(), Instant::now());
    let (mut injuries, mut kills) = (0, 0);
    while !running.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(if is_long() { 1200 } else { 150 }), "somebody waits for ever");
        if damaged.elapsed() > damage_every {
            fs::write(&path, b"{\"w0.0\": [0, 1, ").unwrap();
            (damaged, injuries) = (Instant::now(), injuries + 1);
        }
        if killed.elapsed() > kill_every && running.len() > 2 {
            let mut one = running.remove(kills % running.len());
            let _ = one.child.kill();
            one.child.wait().unwrap();
            let left = each.saturating_sub(one.count());
            let name = one.name.split('.').next().unwrap();
            running.push(Writer::start(&world, &path, format!("{name}.{}", kills + 1), left));
            ended.push(one);
            (killed, kills) = (Instant::now(), kills + 1);
        }
        for at in (0..running.len()).rev() {
            if let Some(status) = running[at].child.try_wait().unwrap() {
                assert!(status.success(), "{} ended with {status}", running[at].name);
                ended.push(running.remove(at));
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let elapsed = begun.elapsed();
    wait_until(LIMIT, "the last damage is repaired", || {
        fs::read(&path).is_ok_and(|bytes| serde_json::from_slice::<Numbers>(&bytes).is_ok())
    });
    let numbers: Numbers = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut updates = 0;
    for writer in &ended {
        let (held, acknowledged) = (numbers.get(&writer.name).cloned().unwrap_or_default(), writer.count());
        let count = u32::try_from(held.len()).unwrap();
        assert!(held.iter().copied().eq(0..count), "{}: each once and in order: {held:?}", writer.name);
        assert!((acknowledged..=acknowledged + 1).contains(&count), "{}: {count} of {acknowledged}", writer.name);
        updates += acknowledged;
    }
    println!("{updates} updates acknowledged in {elapsed:.1?}, {injuries} injuries, {kills} writers killed, none lost");
    assert!(!daemon.log_text().contains("suspicious"), "{}", daemon.log_text());
}

#[test]
fn what_is_written_is_no_accident_to_the_daemon_however_much_smaller_it_is() {
    let world = World::new();
    let large = crate::support::document(1, 20_000);
    let path = world.write("state.json", &large);
    let daemon = launch(&world);
    daemon.wait_stored(&path, &large);
    for round in 0..10 {
        let bytes = if round % 2 == 0 { b"{}\n".to_vec() } else { large.clone() };
        let done = write(&world, &path, &bytes, &[]);
        assert_eq!(code(&done), 0, "{}", String::from_utf8_lossy(&done.stderr));
        let sweeps = daemon.count("sweep_duration_seconds_count", &[]);
        wait_until(LIMIT, "it was looked at", || daemon.count("sweep_duration_seconds_count", &[]) > sweeps);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    daemon.wait_state(&path, "healthy");
    assert!(
        daemon.state.incidents().iter().all(|line| line["event"] != "suspicious"),
        "{:?}",
        daemon.state.incidents()
    );
    assert_eq!(daemon.count("corruptions_total", &[]), 0);
    // Damage right after a write finds the written bytes.
    assert_eq!(code(&write(&world, &path, b"{\"last\": true}\n", &[])), 0);
    fs::write(&path, b"{\"las").unwrap();
    wait_until(LIMIT, "it is back", || fs::read(&path).is_ok_and(|bytes| bytes == b"{\"last\": true}\n"));
}

#[test]
fn nonsense_changes_nothing_and_its_place_is_named() {
    let world = World::new();
    let path = world.write("state.json", b"{\"n\": 1}\n");
    for (bad, place) in [
        (&b"{\n  \"n\": 1,\n"[..], "3:1: truncated: "),
        (b"{\"n\": 1}}", "1:9: trailing_data: "),
        (b"", "1:1: empty: "),
    ] {
        let refused = write(&world, &path, bad, &[]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(code(&refused), 1, "{said}");
        assert!(said.contains(&format!("{}:{place}", path.display())), "{said}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"{\"n\": 1}\n");
    assert_eq!(fs::read_dir(&world.files).unwrap().count(), 1, "not even a lock");
    assert_eq!(code(&write(&world, &path, b"[1, // why\n]", &["--dialect", "jsonc"])), 0);
    assert_eq!(code(&write(&world, &path, b"[2]", &["--dialect", "yaml"])), 2);
}

#[test]
fn a_holder_who_never_leaves_is_named_at_the_deadline() {
    let world = World::new();
    let path = world.write("state.json", b"{}");
    let lock = File::create(world.files.join("state.json.lock")).unwrap();
    lock.lock().unwrap();
    let begun = Instant::now();
    let refused = write(&world, &path, b"[]", &["--lock-timeout", "300ms"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(code(&refused), 4, "{said}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(said.contains(&format!("process {} ", std::process::id())), "{said}");
    assert_eq!(fs::read(&path).unwrap(), b"{}");
}

#[test]
fn what_is_no_file_is_refused_and_what_a_link_leads_to_is_written() {
    let world = World::new();
    let folder = world.file("folder.json");
    fs::create_dir(&folder).unwrap();
    assert_eq!(code(&write(&world, &folder, b"{}", &[])), 5);
    let pipe = world.file("pipe.json");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    assert_eq!(code(&write(&world, &pipe, b"{}", &[])), 5);
    let (path, link) = (world.write("state.json", b"{}"), world.file("link.json"));
    symlink("state.json", &link).unwrap();
    assert_eq!(code(&write(&world, &link, b"[1]", &[])), 0);
    assert_eq!((fs::read(&path).unwrap(), fs::read_link(&link).unwrap()), (b"[1]".to_vec(), "state.json".into()));
}

/// The first block of the README in this language.
fn example(language: &str) -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, after) = readme.split_once(&format!("```{language}\n")).unwrap();
    after.split_once("```").unwrap().0
}

#[test]
fn the_examples_of_the_readme_write_what_they_say() {
    let world = World::new();
    let binaries = Path::new(env!("CARGO_BIN_EXE_jsonwarden")).parent().unwrap().to_str().unwrap();
    let search = format!("{binaries}:{}", std::env::var("PATH").unwrap());
    for (program, flag, language, theme) in [("python3", "-c", "python", "dark"), ("node", "-e", "javascript", "light")]
    {
        let mut command = Command::new(program);
        command.args([flag, example(language)]).current_dir(&world.files).env("PATH", &search);
        command.env("JSONWARDEN_STATE_DIR", &world.state).env_remove("JSONWARDEN_CONFIG");
        match command.status() {
            Err(error) => skip(&format!("the README's example in {language}"), &error.to_string()),
            Ok(status) => {
                assert!(status.success(), "{language}: {status}");
                let text = fs::read_to_string(world.file("settings.json")).unwrap();
                assert_eq!(text, format!("{{\n  \"theme\": \"{theme}\"\n}}"));
            }
        }
    }
}
