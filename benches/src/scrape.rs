//! What a scrape costs with 100 watches of 10 files each: the whole answer over HTTP on loopback, beside the same bytes sent
//! ready by a bare server, beside `/livez`, and beside what programs commonly answer a scrape with, with as many series.

mod others;

use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use std::{io::Read as _, io::Write as _};

use crate::numbers::{Effort, Rounds, passed};
use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};
use crate::table::{Beside, Table};

use others::{PythonServer, bare_server, prometheus_crate};

const WATCHES: usize = 100;
const FILES: usize = 10;

fn start(world: &World) -> Daemon {
    let mut text = String::from("http.listen = \"127.0.0.1:0\"\n");
    for watch in 0..WATCHES {
        let folder = world.files.join(format!("watch-{watch:03}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..FILES {
            fs::write(folder.join(format!("{file}.json")), document(file as u64, 500)).unwrap();
        }
        write!(text, "[[watch]]\nname = \"watch-{watch:03}\"\npaths = [{:?}]\n", folder.to_str().unwrap()).unwrap();
    }
    let daemon = Launch::new(world).config(world, &text).start();
    wait_until(LIMIT, "all is stored", || daemon.count("files_without_backup", &[]) == 0);
    daemon
}

/// Seconds until the whole answer is there.
fn ask(address: SocketAddr, path: &str) -> f64 {
    let (mut answer, request) =
        (Vec::new(), format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"));
    let took = passed(|| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.read_to_end(&mut answer).unwrap();
    });
    assert!(answer.starts_with(b"HTTP/1.") && answer[8..12] == *b" 200", "{}", String::from_utf8_lossy(&answer));
    took.as_secs_f64()
}

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let world = World::new();
    let daemon = start(&world);
    let text = daemon.get("/metrics").body;
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let (address, bare) = (daemon.address(), bare_server(&text));
    let python = PythonServer::start(series);
    let registry = prometheus_crate(series);
    let rounds =
        Rounds::of(effort.rounds(200, 50), 4 + usize::from(python.is_some()), |candidate, _| match candidate {
            0 => ask(address, "/metrics"),
            1 => ask(bare, "/metrics"),
            2 => ask(address, "/livez"),
            3 => passed(|| assert!(others::encode(&registry) > series)).as_secs_f64(),
            _ => ask(python.as_ref().unwrap().address, "/metrics"),
        });
    let shown = |candidate| {
        let (middle, worst) = (rounds.median(candidate) * 1e3, rounds.quantile(candidate, 0.98) * 1e3);
        format!("{middle:.2} ms, 98 of 100 within {worst:.2} ms")
    };
    let beside = ["bare server, the same bytes ready", "/livez", "prometheus crate, no HTTP", others::PYTHON];
    let beside = beside.into_iter().enumerate().map(|(at, who)| match who {
        others::PYTHON if python.is_none() => Beside::absent(who),
        _ => Beside::paired(who, shown(at + 1), rounds.ratio(at + 1)),
    });
    table.row(format!("scrape: {WATCHES} watches, {series} series, {} bytes", text.len()), shown(0), beside.collect());
}
