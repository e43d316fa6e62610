//! The patterns, each from the good bytes and those of the version before.

/// A way to damage a file.
pub(super) struct Pattern {
    pub(super) name: &'static str,
    /// What it may be called (contract, "Kinds").
    pub(super) kinds: &'static [&'static str],
    /// From the good bytes and the version before to the damaged bytes.
    pub(super) damage: fn(&[u8], &[u8]) -> Vec<u8>,
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern { name: "empty", kinds: &["empty"], damage: |_, _| vec![] },
    Pattern { name: "all NUL", kinds: &["nul_filled"], damage: |good, _| vec![0; good.len()] },
    Pattern {
        name: "NUL tail",
        kinds: &["nul_filled"],
        damage: |good, _| overwritten(good, good.len() / 2, good.len()),
    },
    Pattern { name: "NUL run", kinds: &["nul_filled"], damage: |good, _| overwritten(good, 1_000, 1_512) },
    Pattern { name: "torn anywhere", kinds: &["truncated"], damage: |good, _| good[..good.len() * 7 / 10].to_vec() },
    Pattern { name: "cut at 4096", kinds: &["truncated"], damage: |good, _| good[..4_096].to_vec() },
    Pattern {
        name: "old tail",
        kinds: &["trailing_data", "syntax"],
        damage: |good, old| joined(good, &old[good.len()..]),
    },
    Pattern { name: "doubled", kinds: &["trailing_data"], damage: |good, _| joined(good, good) },
    Pattern {
        name: "a log line in front",
        kinds: &["syntax", "trailing_data"],
        damage: |good, _| joined(b"2026-11-22 04:00:05 WARN disk is slow\n", good),
    },
    Pattern { name: "binary", kinds: &["encoding", "nul_filled", "syntax"], damage: |good, _| noise(good.len()) },
    Pattern { name: "UTF-16", kinds: &["encoding", "nul_filled"], damage: |good, _| utf_16(good) },
    Pattern { name: "one bit", kinds: &["syntax"], damage: |good, _| one_bit(good) },
    Pattern { name: "interleaved", kinds: &["syntax", "trailing_data", "truncated", "encoding"], damage: interleaved },
    Pattern { name: "blanks", kinds: &["empty"], damage: |good, _| vec![b' '; good.len()] },
    Pattern { name: "cut to the first byte", kinds: &["truncated"], damage: |good, _| good[..1].to_vec() },
];

fn joined(first: &[u8], second: &[u8]) -> Vec<u8> {
    [first, second].concat()
}

fn overwritten(good: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut bytes = good.to_vec();
    bytes[from..to].fill(0);
    bytes
}

/// The same noise every time (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn utf_16(good: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(good.to_vec()).unwrap();
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// A colon with its lowest bit turned over is a semicolon.
fn one_bit(good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let colon = bytes.iter().rposition(|byte| *byte == b':').unwrap();
    bytes[colon] ^= 1;
    bytes
}

/// Two writers at once: pieces of 512 bytes from either version in turn.
fn interleaved(good: &[u8], old: &[u8]) -> Vec<u8> {
    let pieces = good.chunks(512).zip(old.chunks(512)).enumerate();
    pieces.flat_map(|(index, (new, old))| if index % 2 == 0 { new } else { old }.to_vec()).collect()
}
