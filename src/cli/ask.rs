//! Asking a daemon: over its socket, or over HTTP where that is all there is.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::error::{Cause, Error};

/// How long a daemon that is there takes to accept.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long the whole answer to a question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// And to an order, which may wait for writers.
pub(super) const ORDER_LIMIT: Duration = Duration::from_secs(45);

/// The most bytes of an answer: some 400 for each of 100,000 files, and room.
const MAX_ANSWER_BYTES: usize = 128 << 20;

/// Asks the daemon that listens at an address for a path; returns the body of its answer.
///
/// # Errors
/// `NoDaemon`: nobody is there, or whoever is answers something else.
pub(super) fn get(listen: Option<SocketAddr>, path: &str) -> Result<Vec<u8>, Error> {
    let no_daemon = |why: String| Error::new("asking for", path, Cause::NoDaemon(why));
    let nowhere = |why: &str| no_daemon(format!("no daemon answers at its socket, and {why}; is one running?"));
    let address = match listen {
        None => return Err(nowhere("http.listen is off")),
        Some(address) if address.port() == 0 => return Err(nowhere("http.listen leaves the port to the system")),
        Some(address) => reachable(address),
    };
    let asked = || {
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_LIMIT)?;
        exchange(&mut stream, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n"), ANSWER_LIMIT)
    };
    let answer = asked().map_err(|error| no_daemon(format!("no daemon answers at {address}: {error}")))?;
    let no_jsonwarden = |what: String| no_daemon(format!("what answers at {address} is no jsonwarden: {what}"));
    match parsed(&answer).map_err(|what| no_jsonwarden(what.to_owned()))? {
        (200, body) => Ok(body.to_vec()),
        (status, _) => Err(no_jsonwarden(format!("it says {status}"))),
    }
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

/// Asks over a socket for a path; returns the body of the answer.
///
/// # Errors
/// `NoDaemon`: whoever listens answers something else, or not in time.
pub(super) fn get_local(mut stream: UnixStream, path: &str) -> Result<Vec<u8>, Error> {
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    let no_daemon = |why: String| Error::new("asking the daemon for", path, Cause::NoDaemon(why));
    let answer = exchange(&mut stream, &request, ANSWER_LIMIT).map_err(|error| no_daemon(error.to_string()))?;
    match parsed(&answer).map_err(|what| no_daemon(what.to_owned()))? {
        (200, body) => Ok(body.to_vec()),
        (status, _) => Err(no_daemon(format!("it says {status}"))),
    }
}

/// Gives an order over a socket; returns the members of the answer.
///
/// # Errors
/// Why the daemon did not obey; or `NoDaemon`: it did not answer.
pub(super) fn post_local(
    mut stream: UnixStream,
    order: &str,
    body: &Map<String, Value>,
    limit: Duration,
) -> Result<Map<String, Value>, Cause> {
    let body = Value::Object(body.clone()).to_string();
    let length = body.len();
    let request = format!("POST /api/v1/{order} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
    let no_daemon = |why: String| Cause::NoDaemon(format!("the daemon did not answer: {why}"));
    let answer = exchange(&mut stream, &request, limit).map_err(|error| no_daemon(error.to_string()))?;
    let (status, body) = parsed(&answer).map_err(|what| no_daemon(what.to_owned()))?;
    let members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let why = members.get("error").and_then(Value::as_str);
    if status == 200 {
        Ok(members)
    } else {
        Err(cause(status, why.map_or_else(|| format!("it says {status}"), str::to_owned)))
    }
}

/// The cause that a daemon turned into a status (`expose/order.rs`).
fn cause(status: u16, why: String) -> Cause {
    match status {
        400 => Cause::Usage(why),
        403 => Cause::Io(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        404 => Cause::Absent(why),
        409 => Cause::Refused(why),
        423 => Cause::Locked(why),
        503 => Cause::NoDaemon(why),
        _ => Cause::Io(io::Error::other(why)),
    }
}

/// What both kinds of connections can do.
trait Stream: Read + Write {
    fn limit(&self, read: Duration, write: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn limit(&self, read: Duration, write: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(read))?;
        self.set_write_timeout(Some(write))
    }
}

impl Stream for UnixStream {
    fn limit(&self, read: Duration, write: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(read))?;
        self.set_write_timeout(Some(write))
    }
}

/// HTTP/1.0, so that the answer comes whole and ends with the connection.
fn exchange(stream: &mut impl Stream, request: &str, limit: Duration) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + limit;
    stream.limit(limit, limit)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.limit(left, limit)?;
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

/// The status and the body of an answer.
fn parsed(answer: &[u8]) -> Result<(u16, &[u8]), &'static str> {
    const NO_HTTP: &str = "its answer is no HTTP";
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or(NO_HTTP)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| NO_HTTP)?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)).ok_or(NO_HTTP)?;
    Ok((status.parse().map_err(|_| NO_HTTP)?, &answer[end + 4..]))
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
