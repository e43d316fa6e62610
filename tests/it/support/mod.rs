//! What the suites share: a folder to work in, the real binary, and reading what it says and keeps.

use std::fmt::Write;

mod daemon;
mod fuse;
mod http;
mod metrics;
mod mount;
mod owner;
mod skip;
mod state;
mod wait;
mod world;

pub(crate) use daemon::{Daemon, Launch, command};
pub(crate) use fuse::Fuse;
pub(crate) use mount::{IMAGES, Image, Mount};
pub(crate) use owner::{STRANGER, is_root};
pub(crate) use skip::skip;
pub(crate) use state::StateDirectory;
pub(crate) use wait::{LIMIT, wait_until};
pub(crate) use world::World;

/// Were the long modes asked for?
pub(crate) fn is_long() -> bool {
    std::env::var_os("JSONWARDEN_LONG").is_some()
}

/// A valid document of about `bytes` bytes, as a home automation keeps its state; `generation` tells its versions apart.
pub(crate) fn document(generation: u64, bytes: usize) -> Vec<u8> {
    let mut text = format!("{{\n  \"version\": {generation},\n  \"key\": \"core.entities\",\n  \"entities\": [\n");
    let mut entity = 0_u64;
    while entity == 0 || text.len() + 100 < bytes {
        let comma = if entity == 0 { "" } else { ",\n" };
        let id = (generation * 1_000_003 + entity).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let _ = write!(text, "{comma}    {{\"id\": \"{id:016x}\", \"name\": \"Lämp {entity}\", \"on\": true}}");
        entity += 1;
    }
    text.push_str("\n  ]\n}\n");
    text.into_bytes()
}
