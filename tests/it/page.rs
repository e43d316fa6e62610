//! What a person and a program see over HTTP: the status page, and events as they happen. Never what stands in a file.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};

fn guarding(world: &World) -> Daemon {
    let text = format!("[[watch]]\nname = \"w\"\npaths = [\"{}\"]\nsettle = \"200ms\"\n", world.files.display());
    Launch::new(world).config(world, &text).start()
}

/// Follows the events; what was read is in the second.
fn follow(daemon: &Daemon) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(daemon.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    (stream, Vec::new())
}

#[track_caller]
fn hear(following: &mut (TcpStream, Vec<u8>), words: &str) -> String {
    let (stream, heard) = following;
    loop {
        let text = String::from_utf8_lossy(heard).into_owned();
        if text.contains(words) {
            return text;
        }
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended before {words:?}: {text}");
        heard.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn a_repair_is_followed_as_it_happens_and_shown_afterwards_without_what_stands_in_the_file() {
    let world = World::new();
    let good = b"{\"password\": \"hunter2\", \"level\": 7}\n";
    let file = world.write("<i>a&b.json", good);
    let daemon = guarding(&world);
    daemon.wait_stored(&file, good);
    let mut following = follow(&daemon);
    hear(&mut following, "retry: 5000");
    fs::write(&file, "{\"password\": \"hunter2\", \"lev").unwrap();
    let heard = hear(&mut following, "\"event\":\"repaired\"");
    assert!(heard.contains("text/event-stream") && heard.contains("\"event\":\"corrupted\""), "{heard}");
    assert!(heard.contains("\"kind\":\"truncated\"") && heard.contains("<i>a&b.json"), "{heard}");
    wait_until(LIMIT, "the page shows it", || daemon.get("/").body.contains(">repaired<"));
    let page = daemon.get("/");
    assert!(page.body.contains("&lt;i&gt;a&amp;b.json") && !page.body.contains("<i>"), "{}", page.body);
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(!page.body.contains("<script"), "{}", page.body);
    for told in [heard, page.body, daemon.get("/api/v1/incidents").body, daemon.get("/api/v1/files").body] {
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn whoever_follows_and_takes_nothing_or_leaves_holds_up_nobody() {
    let world = World::new();
    let good = document(1, 500);
    let file = world.write("a.json", &good);
    let daemon = guarding(&world);
    daemon.wait_stored(&file, &good);
    let slow: Vec<_> = (0..8).map(|_| follow(&daemon)).collect();
    drop((0..40).map(|_| follow(&daemon)).collect::<Vec<_>>());
    fs::write(&file, "{\"cut").unwrap();
    wait_until(LIMIT, "it is repaired", || fs::read(&file).is_ok_and(|bytes| bytes == good));
    // The places of those that left are free again.
    wait_until(LIMIT, "another may follow", || {
        let mut another = follow(&daemon);
        let mut buffer = [0; 64];
        let count = another.0.read(&mut buffer).unwrap();
        buffer[..count].starts_with(b"HTTP/1.1 200 ")
    });
    assert_eq!(daemon.get("/livez").status, 200);
    drop(slow);
    daemon.terminate();
}
