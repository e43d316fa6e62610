//! What else answers a scrape.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::thread;

use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::installed;

pub(crate) const PYTHON: &str = "Python prometheus_client";

/// A thread that sends this text to whoever asks for anything, until the process ends: the floor.
pub(crate) fn bare_server(text: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let length = text.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A request as small as ours comes in one piece.
            let _ = stream.read(&mut [0; 4_096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// So many series of two labels, fifty to a family, as ours have on average.
pub(crate) fn prometheus_crate(series: usize) -> Registry {
    let registry = Registry::new();
    for family in 0..series.div_ceil(50) {
        let options = Opts::new(format!("jsonwarden_family_{family}_total"), "Things counted, by kind.");
        let gauges = IntGaugeVec::new(options, &["watch", "kind"]).unwrap();
        for number in 0..50.min(series - family * 50) {
            let labels = [&format!("watch-{number:03}"), "conflict_markers"];
            gauges.with_label_values(&labels).set(i64::try_from(number).unwrap());
        }
        registry.register(Box::new(gauges)).unwrap();
    }
    registry
}

/// The bytes of its text.
pub(crate) fn encode(registry: &Registry) -> usize {
    let mut text = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut text).unwrap();
    text.len()
}

const SCRIPT: &str = r"
import sys, wsgiref.simple_server
from prometheus_client import CollectorRegistry, Gauge, make_wsgi_app
class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_): pass
registry = CollectorRegistry()
for family in range(0, int(sys.argv[1]), 50):
    gauge = Gauge(f'jsonwarden_family_{family}', 'Things counted, by kind.', ['watch', 'kind'], registry=registry)
    for number in range(min(50, int(sys.argv[1]) - family)):
        gauge.labels(f'watch-{number:03}', 'conflict_markers').set(number)
server = wsgiref.simple_server.make_server('127.0.0.1', 0, make_wsgi_app(registry), handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
";

/// A server of as many series in Python, until it is dropped.
pub(crate) struct PythonServer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl PythonServer {
    /// `None`: it is not installed.
    pub(crate) fn start(series: usize) -> Option<Self> {
        if !installed::has_module("prometheus_client") {
            return None;
        }
        let mut python = installed::python();
        python.args(["-c", SCRIPT, &series.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Some(Self { child, address: SocketAddr::from(([127, 0, 0, 1], port.trim().parse().unwrap())) })
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
