use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream as Client};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use super::*;
use crate::config::WatchName;
use crate::document::DocumentId;
use crate::event::{FileStatus, Status, Subject};
use crate::health::{Check, Health, Level};
use crate::record::feeds::Feeds;
use crate::record::metrics::Metrics;
use crate::record::recent::Recent;
use crate::stage::Latch;
use crate::steer::{Orders, Standing};
use crate::verdict::{Kind, Reason, State};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a port of its own, and the strings that a test pulls.
struct Site {
    address: SocketAddr,
    health: Arc<Health>,
    feeds: Arc<Feeds>,
    draining: Arc<AtomicBool>,
    status: watch::Sender<Arc<Status>>,
    latch: Option<Latch>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<tokio::task::JoinHandle<Result<(), Fatal>>>,
    runtime: tokio::runtime::Runtime,
}

fn site(limits: Limits) -> Site {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (latch, latched) = Latch::new("first sweep");
    let (status, receiver) = watch::channel(Arc::new(Status::default()));
    let (health, draining) = (Arc::new(Health::new()), Arc::new(AtomicBool::new(false)));
    let feeds = Arc::new(Feeds::default());
    let heartbeat = Heartbeat::new("expose");
    let view = View {
        status: receiver,
        metrics: Arc::new(Metrics::new(&[], "0.1.0", "unknown").unwrap()),
        recent: Arc::new(Recent::default()),
        feeds: feeds.clone(),
        health: health.clone(),
        heartbeats: vec![heartbeat.clone()],
        latches: vec![latched],
        draining: draining.clone(),
        hosts: Hosts::new(&[]),
        identity: Identity { state_dir: "/state".into() },
        orders: Orders { documents: mpsc::channel(1).0, reload: mpsc::channel(1).0 },
        disk: crate::disk::Disk::default(),
    };
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let ended =
        Some(runtime.spawn(run(Listeners { tcp: Some(listener), socket: None }, view, limits, stopped, heartbeat)));
    Site { address, health, feeds, draining, status, latch: Some(latch), stop: Some(stop), ended, runtime }
}

impl Site {
    fn connect(&self) -> Client {
        let client = Client::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Sends a request as it is, and returns all that comes back until the server closes.
    fn send(&self, request: &[u8]) -> String {
        let mut client = self.connect();
        // The server may refuse, and close, before it has read everything.
        let _ = client.write_all(request);
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
    }

    /// Was the connection closed without an answer, or with this one?
    fn closes(mut client: &Client) -> bool {
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).is_ok() || !rest.is_empty()
    }
}

fn code(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn readiness_waits_for_the_latches_and_ends_with_the_drain() {
    let mut site = site(Limits::default());
    assert_eq!(code(&site.get("/livez")), "200");
    let answer = site.get("/readyz");
    assert_eq!((code(&answer), body(&answer)), ("503", "[-] first sweep: not yet\nnot ready\n"));
    site.latch = None;
    assert_eq!(body(&site.get("/health/ready?verbose")), "[+] first sweep\n[+] drain\nready\n");
    site.draining.store(true, Ordering::Relaxed);
    assert_eq!(code(&site.get("/readyz")), "503");
    assert_eq!(body(&site.get("/health/live?verbose")), "[+] expose\nalive\n");
}

#[test]
fn health_tells_every_check_and_fails_only_when_unhealthy() {
    let site = site(Limits::default());
    let status = |answer: &str| -> serde_json::Value { serde_json::from_str(body(answer)).unwrap() };
    let answer = site.get("/healthz");
    assert_eq!((code(&answer), &status(&answer)["status"]), ("200", &"healthy".into()));
    site.health.set(Check::EventSource, Level::Degraded, "polling");
    let answer = site.get("/health");
    assert_eq!((code(&answer), &status(&answer)["status"]), ("200", &"degraded".into()));
    assert_eq!(status(&answer)["checks"]["event_source"]["detail"], "polling");
    site.health.set(Check::StateDir, Level::Unhealthy, "read-only");
    assert_eq!(code(&site.get("/healthz")), "503");
    assert_eq!(code(&site.get("/livez")), "200");
}

#[test]
fn files_are_listed_from_the_newest_status_with_names_made_safe() {
    let site = site(Limits::default());
    assert_eq!(body(&site.get("/api/v1/files")), "[\n]\n");
    let name = OsStr::from_bytes(b"a\n\xff.json");
    let subject = Subject { document: DocumentId::new(Path::new("/srv"), name), watch: WatchName::new("w") };
    let file = FileStatus {
        state: State::Held,
        reason: Some(Reason::NoVersion),
        kind: Some(Kind::Empty),
        ..FileStatus::unproven(subject)
    };
    site.status.send_replace(Arc::new(Status {
        files: [file].into_iter().collect(),
        judged: 1,
        first_sweep_done: true,
        standing: Standing::default(),
    }));
    let files: serde_json::Value = serde_json::from_str(body(&site.get("/api/v1/files"))).unwrap();
    assert_eq!(files[0]["path"], "/srv/a\\x0a\\xff.json");
    assert_eq!(files[0]["path_bytes"], "2f7372762f610aff2e6a736f6e");
    assert_eq!((&files[0]["state"], &files[0]["reason"]), (&"held".into(), &"no_version".into()));
    assert!(files[0]["last_good"].is_null());
    assert!(body(&site.get("/healthz")).contains("1 held"));
}

#[test]
fn metrics_have_the_content_type_that_prometheus_3_insists_on() {
    let site = site(Limits::default());
    site.get("/livez");
    let answer = site.get("/metrics");
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    assert!(answer.contains("jsonwarden_http_requests_total{code=\"200\",handler=\"livez\"} 1\n"));
    assert!(answer.contains("jsonwarden_health_check_ok{check=\"stages\"} 1\n"));
}

#[test]
fn only_reading_is_possible_and_only_what_is_there() {
    let site = site(Limits::default());
    let answer = site.send(b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(code(&answer), "405");
    assert!(answer.contains("allow: GET, HEAD\r\n"));
    let answer = site.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(code(&answer), "413");
    for path in ["/index.html", "/metrics/", "/api/v1/files/..", "/%2e%2e/etc/passwd"] {
        assert_eq!(code(&site.get(path)), "404", "{path}");
    }
    let answer = site.send(b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!((code(&answer), body(&answer)), ("200", ""));
    assert!(answer.contains("x-content-type-options: nosniff\r\n"));
    assert!(!answer.to_lowercase().contains("access-control"));
}

#[test]
fn a_strangers_host_name_is_refused_but_for_probes_and_scrapes() {
    let site = site(Limits::default());
    let ask = |path: &str, host: &str| {
        site.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
    };
    for path in ["/healthz", "/api/v1/files", "/api/v1/incidents", "/"] {
        assert_eq!(code(&ask(path, "evil.example")), "421", "{path}");
    }
    for path in ["/livez", "/metrics", "/health/live"] {
        assert_eq!(code(&ask(path, "evil.example")), "200", "{path}");
    }
    assert_eq!(code(&ask("/healthz", "10.1.2.3:14871")), "200");
}

#[test]
fn headers_are_bounded_in_size_and_number() {
    let site = site(Limits::default());
    let long = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert_eq!(code(&site.send(long.as_bytes())), "431");
    let nine = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(9 << 10));
    assert_eq!(code(&site.send(nine.as_bytes())), "431");
    let many = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(33));
    assert_eq!(code(&site.send(many.as_bytes())), "431");
    assert_eq!(code(&site.get("/livez")), "200");
}

#[test]
fn half_a_request_line_is_closed_in_time() {
    let site = site(Limits { header: Duration::from_millis(100), ..Limits::default() });
    let mut client = site.connect();
    client.write_all(b"GET /liv").unwrap();
    assert!(Site::closes(&client));
    assert_eq!(code(&site.get("/livez")), "200");
}

#[test]
fn random_bytes_are_survived() {
    let site = site(Limits::default());
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200 {
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(300)
        .collect();
        let mut client = site.connect();
        let _ = client.write_all(&noise);
        let _ = client.shutdown(Shutdown::Write);
        assert!(Site::closes(&client));
    }
    assert_eq!(code(&site.get("/livez")), "200");
}

#[test]
fn two_hundred_half_open_requests_do_not_keep_a_good_client_out() {
    let site = site(Limits { header: PATIENCE, ..Limits::default() });
    let mut crowd = Vec::new();
    for number in 0..200 {
        let mut client = site.connect();
        let _ = client.write_all(b"GET /livez HTTP/1.1\r\nHost: ");
        crowd.push(client);
        if number % 50 == 49 {
            assert_eq!(code(&site.get("/livez")), "200");
        }
    }
    assert!(Site::closes(&crowd[0]));
}

#[test]
fn the_drain_waits_for_no_idle_client_and_not_long_for_a_slow_one() {
    let mut site = site(Limits { drain: Duration::from_millis(100), header: PATIENCE, ..Limits::default() });
    let mut slow = site.connect();
    slow.write_all(b"GET /livez HTTP/1.1\r\n").unwrap();
    assert_eq!(code(&site.get("/livez")), "200");
    drop(site.stop.take());
    let ended = site.ended.take().unwrap();
    site.runtime.block_on(async { tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap() });
    assert!(Site::closes(&slow));
    assert!(Client::connect(site.address).is_err());
}

#[test]
fn the_status_page_is_plain_and_may_load_nothing_from_elsewhere() {
    let site = site(Limits::default());
    site.health.set(Check::StateDir, Level::Degraded, "<script>alert(1)</script>");
    let answer = site.get("/");
    assert_eq!(code(&answer), "200");
    assert!(answer.contains("content-type: text/html; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("content-security-policy: default-src 'none'; style-src 'self';"), "{answer}");
    assert!(!body(&answer).contains("<script") && body(&answer).contains("&lt;script&gt;"), "{answer}");
    assert!(!body(&answer).contains("http://") && !body(&answer).contains("https://"), "{answer}");
    assert!(site.get("/style.css").contains("content-type: text/css"));
}

#[test]
fn events_are_followed_beyond_the_limits_of_other_answers_and_end_with_the_daemon() {
    let mut site = site(Limits { header: Duration::from_millis(100), ..Limits::default() });
    let mut client = site.connect();
    client.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    while !heard.contains("retry: 5000") {
        let count = client.read(&mut buffer).unwrap();
        heard.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(heard.contains("content-type: text/event-stream\r\n"), "{heard}");
    let question = b"HEAD /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(code(&site.send(question)), "200", "and takes no place");
    let mut others = Vec::new();
    while let Some(other) = site.feeds.listen() {
        others.push(other);
    }
    assert_eq!(code(&site.get("/api/v1/events")), "503", "too many follow");
    assert_eq!(code(&site.get("/livez")), "200");
    drop(site.stop.take());
    assert!(Site::closes(&client));
}
