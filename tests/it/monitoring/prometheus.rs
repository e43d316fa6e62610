//! A real Prometheus, with the scrape configuration and the alert rules that are shipped.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Daemon, LIMIT, World, skip, wait_until};

/// A running server, stopped when dropped; where nobody drops it, timeout(1) stops it.
pub(super) struct Prometheus {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// What is shipped for Prometheus.
pub(super) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus").join(name)
}

/// The text, in which `old` must stand.
#[track_caller]
fn with(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "no {old:?} in\n{text}");
    text.replace(old, new)
}

/// The shipped files in a folder of their own: this daemon's port, what waits for minutes waits for half a second.
fn settings(world: &World, daemon: &Daemon) -> PathBuf {
    let scrape = fs::read_to_string(shipped("scrape.yml")).unwrap();
    let scrape = with(&scrape, "127.0.0.1:14871", &daemon.address().to_string());
    let scrape = with(&scrape, "scrape_interval: 30s", "scrape_interval: 500ms\n    scrape_timeout: 500ms");
    let rules = fs::read_to_string(shipped("alerts.yml")).unwrap();
    let is_minutes = |line: &str| line.trim().starts_with("for: ") && line.ends_with('m');
    let at_once = |line: &str| if is_minutes(line) { "        for: 500ms".to_owned() } else { line.to_owned() };
    let rules: Vec<String> = rules.lines().map(at_once).collect();
    fs::write(world.root.join("alerts.yml"), rules.join("\n")).unwrap();
    let path = world.root.join("prometheus.yml");
    fs::write(&path, format!("global: {{evaluation_interval: 500ms}}\n{scrape}")).unwrap();
    path
}

impl Prometheus {
    /// Starts one that scrapes this daemon, and waits until it has; `None`, told as a skip: it is not installed.
    pub(super) fn start(world: &World, daemon: &Daemon) -> Option<Self> {
        if Command::new("prometheus").arg("--version").stderr(Stdio::null()).stdout(Stdio::null()).status().is_err() {
            skip("a real Prometheus", "it is not installed (apt-get install prometheus)");
            return None;
        }
        let config = settings(world, daemon);
        // Somebody else may take the free port first.
        let started = (0..3).find_map(|_| Self::spawn(world, &config)).expect("it starts");
        wait_until(LIMIT, "a scrape", || started.value("up{job=\"jsonwarden\"}") == Some(1.0));
        Some(started)
    }

    fn spawn(world: &World, config: &Path) -> Option<Self> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = world.root.join("prometheus.log");
        let mut command = Command::new("timeout");
        command.args(["150", "prometheus", "--config.file"]).arg(config).arg("--storage.tsdb.path");
        command.arg(world.root.join("tsdb")).args(["--web.listen-address", &address.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        let mut server = Self { child: command.spawn().unwrap(), address, log };
        let mut ended = false;
        wait_until(LIMIT, "Prometheus is ready", || {
            ended = server.child.try_wait().unwrap().is_some();
            ended || server.get("/-/ready").is_ok()
        });
        (!ended).then_some(server)
    }

    /// HTTP/1.0, to which the answer comes in one piece.
    fn get(&self, target: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {target} HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no answer"))?;
        let is_ready = head.starts_with("HTTP/1.0 200 ") || target.starts_with("/api/");
        if is_ready { Ok(body.to_owned()) } else { Err(io::Error::other(head.to_owned())) }
    }

    /// What the API answers.
    #[track_caller]
    pub(super) fn ask(&self, target: &str) -> Value {
        let body = self.get(target).unwrap_or_else(|error| panic!("{target}: {error}"));
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{target}: {error}: {body:?}"))
    }

    /// The samples that an expression gives now.
    ///
    /// # Errors
    /// Why it cannot be answered.
    pub(super) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let escaped = expression.bytes().fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"));
        let answer = self.ask(&format!("/api/v1/query?query={escaped}"));
        answer["data"]["result"].as_array().cloned().ok_or_else(|| answer.to_string())
    }

    /// The one number that an expression gives.
    pub(super) fn value(&self, expression: &str) -> Option<f64> {
        self.query(expression).unwrap().first()?["value"][1].as_str()?.parse().ok()
    }

    /// Were all rules evaluated, without an error?
    pub(super) fn has_evaluated_all(&self) -> bool {
        let answer = self.ask("/api/v1/rules");
        let rules: Vec<&Value> = answer["data"]["groups"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|group| group["rules"].as_array())
            .flatten()
            .collect();
        assert!(rules.iter().all(|rule| rule["health"] != "err"), "{answer:#}");
        !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok")
    }

    /// The alerts that fire.
    pub(super) fn firing(&self) -> Vec<Value> {
        let answer = self.ask("/api/v1/alerts");
        let alerts = answer["data"]["alerts"].as_array().unwrap().iter();
        alerts.filter(|alert| alert["state"] == "firing").map(|alert| alert["labels"].clone()).collect()
    }

    /// Waits until one fires with this label.
    #[track_caller]
    pub(super) fn wait_fires(&self, name: &str, (label, value): (&str, &str)) {
        let is_it = |labels: &Value| labels["alertname"] == name && labels[label] == value;
        wait_until(LIMIT, &format!("{name} fires with {label}={value}"), || self.firing().iter().any(is_it));
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- Prometheus\n{}---", fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
