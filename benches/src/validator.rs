//! How fast documents are judged, beside what else reads JSON: CPU time of one thread.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;

use jsonwarden::validate::{Reader, judge};
use jsonwarden::verdict::Verdict;
use serde::de::IgnoredAny;

use crate::documents::{catalogue, coordinates, hostile, registry, state_files, tweets};
use crate::numbers::{Effort, Rounds, cpu_seconds};
use crate::programs::PROGRAMS;
use crate::table::{Beside, Table};

/// A way to decide whether bytes are JSON.
type Validator = (&'static str, fn(&[u8]) -> bool);

const OTHERS: [Validator; 4] = [
    ("serde_json IgnoredAny", |bytes| {
        simdutf8::basic::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    }),
    ("serde_json Value", |bytes| serde_json::from_slice::<serde_json::Value>(bytes).is_ok()),
    // It works in place: the copy that it needs is part of the price.
    ("simd-json tape", |bytes| simd_json::to_tape(&mut bytes.to_vec()).is_ok()),
    ("jiter next_skip", |bytes| {
        let mut reader = jiter::Jiter::new(bytes);
        reader.next_skip().is_ok() && reader.finish().is_ok()
    }),
];

fn accepts(bytes: &[u8]) -> bool {
    matches!(judge(bytes, &Reader::default()), Verdict::Valid { .. })
}

/// Documents of every shape, then hostile ones.
pub(crate) fn measure(effort: Effort, table: &mut Table) {
    let all = [
        ("2,000 state files of 2 to 20 KB", state_files()),
        ("a registry of 90 MB", vec![registry(92 << 20)]),
        ("shaped as twitter.json", vec![tweets(1_500)]),
        ("shaped as citm_catalog.json", vec![catalogue(6_000)]),
        ("shaped as canada.json", vec![coordinates(55_000)]),
    ];
    for (name, documents) in &all {
        compare(effort, table, name, documents);
    }
    let worst = hostile().into_iter().map(|(name, document)| {
        (cpu_seconds(|| drop(black_box(judge(black_box(&document), &Reader::default())))), name)
    });
    if let Some((seconds, name)) = worst.max_by(|one, other| one.0.total_cmp(&other.0)) {
        table.row(
            "validator: the slowest of 15 hostile documents of 64 MiB",
            format!("{seconds:.2} s ({name})"),
            vec![],
        );
    }
}

/// As many passes over the documents as make 64 MiB.
fn compare(effort: Effort, table: &mut Table, name: &str, documents: &[Vec<u8>]) {
    let bytes: usize = documents.iter().map(Vec::len).sum();
    let passes = (64 << 20) / bytes + 1;
    let rounds = Rounds::of(effort.rounds(15, 3), 1 + OTHERS.len(), |candidate, _| {
        let accepts = if candidate == 0 { accepts } else { OTHERS[candidate - 1].1 };
        cpu_seconds(|| {
            for document in (0..passes).flat_map(|_| documents) {
                assert!(accepts(black_box(document)));
            }
        })
    });
    let speed = |seconds: f64| format!("{:.2} GB/s", (bytes * passes) as f64 / 1e9 / seconds);
    let in_process = OTHERS.iter().enumerate();
    let mut beside: Vec<Beside> = in_process
        .map(|(at, (who, _))| Beside::paired(*who, speed(rounds.median(at + 1)), rounds.ratio(at + 1)))
        .collect();
    // Other programs read one document as a whole: of small ones it is their start that would be measured.
    if let [document] = documents {
        beside.extend(PROGRAMS.iter().map(|program| program.beside(document, rounds.median(0) / passes as f64)));
    }
    table.row(format!("validator: {name}"), speed(rounds.median(0)), beside);
}

/// Reading a file of 8 KB that the kernel has in memory: open, read, close. What judging adds to that is what it costs.
pub(crate) fn measure_beside_reading(effort: Effort, table: &mut Table) {
    const FILES: usize = 5_000;
    let file = tempfile::NamedTempFile::new().unwrap();
    let document = registry(7_600);
    fs::write(file.path(), &document).unwrap();
    let mut buffer = Vec::with_capacity(document.len());
    let rounds = Rounds::of(effort.rounds(15, 5), 2, |candidate, _| {
        cpu_seconds(|| {
            for _ in 0..FILES {
                buffer.clear();
                File::open(file.path()).unwrap().read_to_end(&mut buffer).unwrap();
                assert!(candidate != 0 || accepts(&buffer));
            }
        }) / FILES as f64
    });
    let what = format!("read and judge a file of {} bytes", document.len());
    table.rounds(what, &rounds, &["open, read and close alone"], |seconds| format!("{:.2} µs", seconds * 1e6));
}
