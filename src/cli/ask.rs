//! One question to the daemon, over a plain socket.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::error::{Cause, Error};

/// How long a daemon that is there takes to accept.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long the whole answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The most bytes of an answer: some 400 for each of 100,000 files, and room.
const MAX_ANSWER_BYTES: usize = 128 << 20;

/// Asks the daemon that listens at an address for a path; returns the body of its answer.
///
/// # Errors
/// `NoDaemon`: nobody is there, or whoever is answers something else.
pub(super) fn get(listen: Option<SocketAddr>, path: &str) -> Result<Vec<u8>, Error> {
    let no_daemon = |why: String| Error::new("asking for", path, Cause::NoDaemon(why));
    let Some(address) = listen.filter(|address| address.port() != 0) else {
        let why = "http.listen names no port to ask at; name the one that the daemon listens at";
        return Err(no_daemon(why.into()));
    };
    let address = reachable(address);
    let answer =
        exchange(address, path).map_err(|error| no_daemon(format!("no daemon answers at {address}: {error}")))?;
    body(&answer).map_err(|what| no_daemon(format!("what answers at {address} is no jsonwarden: {what}")))
}

/// An address to connect to: whoever listens everywhere listens on loopback.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// HTTP/1.0, so that the answer comes whole and ends with the connection.
fn exchange(address: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_LIMIT)?;
    let deadline = Instant::now() + ANSWER_LIMIT;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(io::Error::other("the answer has no end"));
        }
    }
}

/// The body of an answer that says 200.
fn body(answer: &[u8]) -> Result<Vec<u8>, String> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or("its answer is no HTTP")?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| "its answer is no HTTP")?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)).ok_or("its answer is no HTTP")?;
    if status == "200" { Ok(answer[end + 4..].to_vec()) } else { Err(format!("it says {}", status.escape_debug())) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Somebody who gives one answer and goes.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(request[..read].starts_with(b"GET /x HTTP/1.0\r\nHost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn the_body_of_a_good_answer_comes_back_and_any_other_is_no_daemon() {
        let good = answering("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n[]");
        assert_eq!(get(Some(good), "/x").unwrap(), b"[]");
        for bad in ["HTTP/1.0 404 Not Found\r\n\r\n", "SSH-2.0-x\r\n\r\n", ""] {
            assert_eq!(get(Some(answering(bad)), "/x").unwrap_err().exit_status(), 3, "{bad}");
        }
    }

    #[test]
    fn where_nobody_listens_there_is_no_daemon() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for address in [Some(free), None, "127.0.0.1:0".parse().ok()] {
            assert_eq!(get(address, "/x").unwrap_err().exit_status(), 3);
        }
    }

    #[test]
    fn whoever_listens_everywhere_is_asked_on_loopback() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }
}
