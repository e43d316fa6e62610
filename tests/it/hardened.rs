//! What an attacker on the port gets: nothing. Loopback only; figures are printed. `JSONWARDEN_LONG=1` sends noise for a minute.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::support::{Daemon, LIMIT, Launch, World, document, is_long, wait_until};

fn guarding(world: &World) -> Daemon {
    world.write("a.json", document(1, 500));
    Launch::new(world).arg(&world.files).start()
}

/// What comes back until the server closes; a reset is an end, too.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // It may refuse, and close, before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn resident_kib(daemon: &Daemon) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", daemon.pid().as_raw_nonzero())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

fn percentile(times: &mut [Duration], share: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * share / 100).min(times.len() - 1)]
}

/// Did the server close it?
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 512]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

#[test]
fn a_thousand_half_open_requests_cost_little_and_keep_no_good_client_out() {
    const CROWD: usize = 1_000;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let world = World::new();
    let daemon = guarding(&world);
    let address = daemon.address();
    for _ in 0..50 {
        assert_eq!(daemon.get("/livez").status, 200);
    }
    let (before, begun) = (resident_kib(&daemon), Instant::now());
    let mut crowd: Vec<TcpStream> = Vec::with_capacity(CROWD);
    let (mut times, mut most) = (Vec::new(), before);
    for number in 0..CROWD {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: ");
        crowd.push(stream);
        if number % 5 == 0 {
            let asked = Instant::now();
            assert_eq!(daemon.get("/livez").status, 200, "at {number}");
            times.push(asked.elapsed());
            most = most.max(resident_kib(&daemon));
        }
    }
    wait_until(Duration::from_secs(10), "all are closed", || {
        crowd.retain_mut(|stream| !is_closed(stream));
        crowd.is_empty()
    });
    let (closed, p50, p98) = (begun.elapsed(), percentile(&mut times, 50), percentile(&mut times, 98));
    let growth = most.max(resident_kib(&daemon)).saturating_sub(before);
    println!(
        "{CROWD} half-open: good client p50 {p50:?}, p98 {p98:?}; all closed {closed:?} after the first; RSS +{growth} KiB"
    );
    assert!(growth < 10 << 10, "RSS grew by {growth} KiB");
}

#[test]
fn a_header_that_is_too_large_gets_431_also_when_it_never_ends() {
    let world = World::new();
    let daemon = guarding(&world);
    for bytes in [9 << 10, 64 << 10, 1 << 20] {
        let request = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(bytes));
        let answer = exchange(daemon.address(), request.as_bytes());
        assert_eq!(status(&answer), "431", "{bytes} bytes: {answer}");
    }
    let line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(1 << 20));
    let answer = exchange(daemon.address(), line.as_bytes());
    assert!(["431", "414"].contains(&status(&answer)), "{answer}");
    let near =
        format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(7 << 10));
    assert_eq!(status(&exchange(daemon.address(), near.as_bytes())), "200");
}

#[test]
fn a_strange_host_is_misdirected_but_for_probes_and_scrapes() {
    let world = World::new();
    let daemon = guarding(&world);
    let ask = |method: &str, path: &str, host: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        status(&exchange(daemon.address(), request.as_bytes())).to_owned()
    };
    for path in ["/", "/healthz", "/health", "/api/v1/files", "/api/v1/incidents", "/api/v1/events", "/nowhere"] {
        assert_eq!(ask("GET", path, "evil.example"), "421", "{path}");
        assert_eq!(ask("HEAD", path, "evil.example:14871"), "421", "{path}");
    }
    for path in ["/livez", "/readyz", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(ask("GET", path, "evil.example"), "200", "{path}");
    }
    for host in ["localhost", "127.0.0.1", "[::1]:80", "10.1.2.3"] {
        assert_eq!(ask("GET", "/healthz", host), "200", "{host}");
    }
}

#[test]
fn only_reading_is_possible_and_no_body_is_taken() {
    let world = World::new();
    let daemon = guarding(&world);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        let request = format!("{method} /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let answer = exchange(daemon.address(), request.as_bytes());
        assert_eq!(status(&answer), "405", "{method}");
        assert!(answer.to_lowercase().contains("\r\nallow: get, head\r\n"), "{answer}");
    }
    for body in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"] {
        let request = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{body}");
        let answer = exchange(daemon.address(), request.as_bytes());
        assert_eq!(status(&answer), "413", "{answer}");
    }
}

#[test]
fn noise_on_the_port_does_nothing() {
    let world = World::new();
    let daemon = guarding(&world);
    let (address, before) = (daemon.address(), resident_kib(&daemon));
    let lasts = Duration::from_secs(if is_long() { 60 } else { 10 });
    let shout = |seed: u64| {
        let (mut state, begun, mut sent, mut connections) = (seed, Instant::now(), 0_u64, 0_u64);
        while begun.elapsed() < lasts {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            connections += 1;
            for _ in 0..=(state % 8) {
                let noise = noise(&mut state);
                sent += noise.len() as u64;
                if stream.write_all(&noise).is_err() {
                    break;
                }
            }
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 64]);
        }
        (sent, connections)
    };
    let (sent, connections) = std::thread::scope(|scope| {
        let threads = [1, 2].map(|seed| scope.spawn(move || shout(seed)));
        threads.map(|thread| thread.join().unwrap()).into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    let growth = resident_kib(&daemon).saturating_sub(before);
    println!("noise for {lasts:?}: {sent} bytes over {connections} connections; RSS +{growth} KiB");
    assert!(!daemon.has_ended() && daemon.get("/livez").status == 200);
    assert!(!daemon.log_text().contains("panicked"), "{}", daemon.log_text());
    assert!(growth < 10 << 10, "RSS grew by {growth} KiB");
    fs::write(world.file("a.json"), "{\"cut").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(world.file("a.json")).is_ok_and(|bytes| bytes == document(1, 500)));
}

/// Up to 300 bytes; every third time they begin like a request.
fn noise(state: &mut u64) -> Vec<u8> {
    let mut next = || {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    };
    let length = usize::try_from(next() % 300).unwrap();
    let mut noise = if next().is_multiple_of(3) { b"GET /metrics HTTP/1.1\r\n".to_vec() } else { Vec::new() };
    noise.extend((0..length).map(|_| next().to_le_bytes()[0]));
    noise
}
