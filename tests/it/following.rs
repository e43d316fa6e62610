//! `tail` of chosen events while the document rotates and readers come and go: none is missed, and none comes twice.

use std::io::{Read, Write};
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use crate::bus::{Talking, archive, events, tail};
use crate::support::{LIMIT, World, wait_until};

/// So many events are published, of two types in turn: the odd ones are "a".
const COUNT: u64 = 120;

const PUBLISH: [&str; 5] = ["publish", "bus.json", "-", "--keep", "3"];

/// Publishes the events of these numbers, each in a step of its own: each rotates the document.
fn publish(publisher: &mut Talking, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let kind = if number % 2 == 1 { "a" } else { "b" };
        writeln!(publisher.input, "{{\"type\":\"{kind}\",\"data\":{number}}}").unwrap();
        assert_eq!(publisher.hears(), number.to_string());
    }
}

/// The number of an event of type "a", which is what it was published as.
fn number(line: &str) -> u64 {
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&event["type"], &event["data"]), (&"a".into(), &event["id"]), "{line}");
    event["id"].as_u64().unwrap()
}

fn odd(from: u64, to: u64) -> Vec<u64> {
    (from..=to).filter(|number| number % 2 == 1).collect()
}

/// Hears until this event has come.
fn hear_up_to(reader: &mut Talking, last: u64) -> Vec<u64> {
    let mut heard = Vec::new();
    while heard.last() != Some(&last) {
        heard.push(number(&reader.hears()));
    }
    heard
}

#[test]
fn chosen_events_come_once_though_the_document_rotates_many_times_between_two_looks() {
    let world = World::new();
    let mut publisher = Talking::to(&world, &PUBLISH);
    publish(&mut publisher, 1..=7);
    // The first that it asks for have left the document already.
    let mut reader = Talking::to(&world, &["tail", "bus.json", "--type", "a", "--from", "2"]);
    assert_eq!(hear_up_to(&mut reader, 7), [3, 5, 7]);
    for begun in [8, 28, 48] {
        // Asleep it sees nothing of 20 rotations, and after them nothing in the document is what it saw last.
        reader.signal(Signal::STOP);
        publish(&mut publisher, begun..begun + 20);
        assert_eq!(events(&world).len(), 3);
        reader.signal(Signal::CONT);
        assert_eq!(hear_up_to(&mut reader, begun + 19), odd(begun, begun + 19));
    }
    assert_eq!(tail(&world, &["--type", "b", "--from", "1"]), (1..=67).filter(|id| id % 2 == 0).collect::<Vec<_>>());
}

#[test]
fn a_reader_with_a_cursor_that_is_killed_again_and_again_misses_nothing() {
    const FOLLOW: [&str; 6] = ["tail", "bus.json", "--type", "a", "--cursor", "place"];
    let world = World::new();
    let mut publisher = Talking::to(&world, &PUBLISH);
    publish(&mut publisher, 1..=1);
    let publishing = thread::spawn(move || {
        publish(&mut publisher, 2..=COUNT);
        // Its last event is one that the reader does not want.
        publisher
    });
    let (mut heard, mut kills) = (Vec::<u64>::new(), 0);
    while heard.last().is_none_or(|last| last + 20 < COUNT) {
        let mut reader = Talking::to(&world, &FOLLOW);
        let mut now: Vec<u64> = (0..4).map(|_| number(&reader.hears())).collect();
        reader.signal(Signal::KILL);
        reader.child.wait().unwrap();
        now.extend(rest(&mut reader));
        join(&mut heard, now);
        kills += 1;
    }
    let mut reader = Talking::to(&world, &FOLLOW);
    let now = hear_up_to(&mut reader, COUNT - 1);
    join(&mut heard, now);
    drop(publishing.join().unwrap());
    // What it does not print counts as seen, too.
    wait_until(LIMIT, "the place is kept", || std::fs::read(world.file("place")).unwrap() == b"120\n");
    reader.signal(Signal::TERM);
    assert_eq!(reader.child.wait().unwrap().code(), Some(0));
    assert_eq!(rest(&mut reader), [0_u64; 0], "and nothing came behind the last");
    assert_eq!(heard, odd(1, COUNT));
    assert_eq!(tail(&world, &["--cursor", "place"]), [0_u64; 0], "whoever goes on from there has seen all");
    let moved = std::fs::read_to_string(archive(&world)).unwrap().lines().count() as u64;
    println!("{kills} readers were killed, {moved} of {COUNT} events moved to the archive");
    assert!(kills > 2 && moved == COUNT - 3, "{kills} kills, {moved} moved");
}

/// What a process that has ended said last; a line that it did not finish nobody has heard.
fn rest(reader: &mut Talking) -> Vec<u64> {
    let mut text = String::new();
    reader.output.read_to_string(&mut text).unwrap();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(number).collect()
}

/// Goes on with what the next reader heard. Between a line and its place in the cursor a reader can be killed: that one
/// line, and no other, may come again, with the same number.
fn join(heard: &mut Vec<u64>, now: Vec<u64>) {
    let is_again = heard.last().is_some_and(|last| now.first() == Some(last));
    heard.extend(now.into_iter().skip(usize::from(is_again)));
}
