//! The README's session, run as printed: ```` ```console ```` blocks, in order, in a home of its own, without root.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jsonwarden::verdict::{Finding, Kind};

use crate::support::{LIMIT, STRANGER, World, command, is_root, wait_until};

/// The port of the contract, which the session must not collide with here.
const PORT: &str = "14871";

/// A command of the README and what it prints; `…` stands for anything.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    command: String,
    output: Vec<String>,
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut in_session = false;
    for line in readme.lines() {
        match line.strip_prefix("```") {
            Some(language) => in_session = language == "console",
            None if !in_session => {}
            None => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command: command.to_owned(), output: vec![] }),
                (None, Some(step)) => step.output.push(line.to_owned()),
                (None, None) => panic!("output before any command: {line:?}"),
            },
        }
    }
    steps
}

/// Does `output` look like `expected`, where `…` stands for anything and any blanks and line ends are one blank?
fn looks_like(expected: &str, output: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, output) = (words(expected), words(output));
    let parts: Vec<&str> = expected.split('…').map(str::trim).collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    if parts.len() == 1 || !output.starts_with(first) {
        return output == expected;
    }
    let mut rest = &output[first.len()..];
    for part in &parts[1..parts.len() - 1] {
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last)
}

/// A reader's home: an own user where we are root, the binary in the search path.
struct Reader {
    home: PathBuf,
    port: String,
    daemon: Option<Child>,
}

impl Reader {
    fn new(world: &World) -> Self {
        let (home, programs) = (world.root.join("home"), world.root.join("home/bin"));
        fs::create_dir_all(&programs).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_jsonwarden"), programs.join("jsonwarden")).unwrap();
        fs::set_permissions(&world.root, fs::Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            chown(&home, Some(STRANGER), Some(STRANGER)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        Self { home, port, daemon: None }
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("bash");
        let path = format!("{}/bin:{}", self.home.display(), std::env::var("PATH").unwrap());
        shell.args(["-euc", &command.replace(PORT, &self.port)]).current_dir(&self.home).env_clear();
        shell.env("HOME", &self.home).env("PATH", path).env("LANG", "C.UTF-8");
        shell.env("JSONWARDEN_LISTEN", format!("127.0.0.1:{}", self.port)).stdin(Stdio::null());
        if is_root() {
            shell.uid(STRANGER).gid(STRANGER);
        }
        shell
    }

    /// Runs a step: the daemon stays; what prints something is repeated until it prints what the README says.
    fn follow(&mut self, step: &Step) {
        if step.command.starts_with("jsonwarden run") {
            let daemon = self.shell(&format!("exec {}", step.command)).stderr(Stdio::null()).spawn().unwrap();
            self.daemon = Some(daemon);
            let ready = format!("curl -sf http://127.0.0.1:{}/readyz", self.port);
            wait_until(LIMIT, "the README's daemon is ready", || self.succeeds(&ready));
            return;
        }
        if step.output.is_empty() {
            assert!(self.succeeds(&step.command), "failed: {}", step.command);
            return;
        }
        let mut printed = String::new();
        wait_until(LIMIT, &format!("$ {}\nprints\n{}", step.command, step.output.join("\n")), || {
            let output = self.shell(&step.command).output().unwrap();
            let now = String::from_utf8_lossy(&output.stdout).into_owned();
            if now != printed {
                println!("$ {}\n{now}{}", step.command, String::from_utf8_lossy(&output.stderr));
            }
            printed = now;
            looks_like(&step.output.join("\n"), &printed)
        });
    }

    fn succeeds(&self, command: &str) -> bool {
        self.shell(command).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn the_session_of_the_readme_can_be_repeated() {
    let steps = steps(&readme());
    assert!(steps.iter().any(|step| step.command.starts_with("jsonwarden run")), "{steps:?}");
    let world = World::new();
    let mut reader = Reader::new(&world);
    for step in &steps {
        reader.follow(step);
    }
}

#[test]
fn every_configuration_in_the_readme_is_right() {
    let world = World::new();
    let text = readme();
    let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let path = world.root.join("jsonwarden.toml");
        fs::write(&path, block).unwrap();
        let output = command().args(["config", "check", "--config"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{block}{output:?}");
    }
}

#[test]
fn every_kind_and_finding_stands_in_the_table_of_the_readme() {
    let text = readme();
    let (_, after) = text.split_once("## What it calls wrong").unwrap();
    let section = after.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> =
        section.lines().filter(|line| line.starts_with("| `")).map(|row| row.split(" | ").collect()).collect();
    let labels = Kind::ALL.iter().map(|kind| kind.label()).chain(Finding::ALL.iter().map(|finding| finding.label()));
    let mut count = 0;
    for label in labels {
        let row =
            rows.iter().find(|row| row[0] == format!("| `{label}`")).unwrap_or_else(|| panic!("no row for {label}"));
        assert!(row.len() == 4 && !row[1].trim().is_empty() && !row[2].trim().is_empty(), "{row:?}");
        count += 1;
    }
    assert_eq!(rows.len(), count, "a row for something that is no kind");
}

#[test]
fn the_test_command_of_the_readme_is_there() {
    assert!(readme().contains("\ntests/run\n"));
    let mode = fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}

#[test]
fn a_session_is_read_and_compared() {
    let text = "a\n```sh\n$ not this\n```\n```console\n$ one\n$ two\nout … put\n```\n$ nor this\n";
    let step = |command: &str, output: &[&str]| Step {
        command: command.to_owned(),
        output: output.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(steps(text), [step("one", &[]), step("two", &["out … put"])]);
    assert!(looks_like("out … put", "out   of the input put"));
    assert!(looks_like("…/a.json", "/home/a.json") && looks_like("same", "same ") && looks_like("1 …", "1 x"));
    assert!(looks_like("head\n… 1", "head\nfirst line\nlast line 1"));
    assert!(
        !looks_like("same", "same thing") && !looks_like("…/a.json", "/home/b.json") && !looks_like("a … b", "a c")
    );
}
