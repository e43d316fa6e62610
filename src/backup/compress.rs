//! Compressed versions: zstd frames with their checksum, which `zstdcat` reads.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Mutex;

use zstd::bulk::{Compressor, Decompressor};

use crate::config::Compress;

/// What the names of compressed versions end with.
pub(super) const EXTENSION: &str = ".zst";

/// Below this a file takes one block anyway.
const WORTH_BYTES: usize = 4096;

/// What no version can be larger than, whatever the frame says: `max_size` has this bound.
pub(super) const PLAIN_BYTES_MAX: u64 = 1 << 30;

/// What is written for these bytes: borrowed, if they stay as they are.
pub(super) fn packed(bytes: &[u8], how: Compress) -> Cow<'_, [u8]> {
    let is_wanted = match how {
        Compress::Never => false,
        Compress::Auto => bytes.len() >= WORTH_BYTES,
        Compress::Always => true,
    };
    // A compressor that fails costs room, not the version.
    match is_wanted.then(|| frame(bytes)).and_then(Result::ok) {
        Some(frame) if how == Compress::Always || frame.len() < bytes.len() => frame.into(),
        _ => bytes.into(),
    }
}

/// What compresses takes more room for more bytes, and beyond so many is not kept for the next time.
const KEPT_BYTES: usize = 64 << 10;

/// What small frames are made and read with: to set it up takes longer than to use it.
static COMPRESSOR: Mutex<Option<Compressor<'static>>> = Mutex::new(None);
static DECOMPRESSOR: Mutex<Option<Decompressor<'static>>> = Mutex::new(None);

fn frame(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let make = || {
        let mut compressor = Compressor::new(zstd::DEFAULT_COMPRESSION_LEVEL)?;
        compressor.include_checksum(true)?;
        compressor.include_contentsize(true)?;
        Ok(compressor)
    };
    if bytes.len() > KEPT_BYTES {
        make()?.compress(bytes)
    } else {
        with(&COMPRESSOR, make, |kept| kept.compress(bytes))
    }
}

/// Does it with what is kept, or where somebody uses that just now, with another.
fn with<T, R>(
    kept: &Mutex<Option<T>>,
    make: impl FnOnce() -> io::Result<T>,
    act: impl FnOnce(&mut T) -> io::Result<R>,
) -> io::Result<R> {
    let taken = kept.try_lock().ok().and_then(|mut kept| kept.take());
    let mut tool = taken.map_or_else(make, Ok)?;
    // After a failure it is not used again.
    let done = act(&mut tool)?;
    if let Ok(mut kept) = kept.try_lock() {
        *kept = Some(tool);
    }
    Ok(done)
}

/// The plain bytes of a compressed version, of which there are no more than `limit`.
///
/// # Errors
/// What is wrong with them, in words.
pub(super) fn unpacked(frame: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    // Ours say how long they are, and need no window then.
    if let Ok(Some(length)) = zstd::zstd_safe::get_frame_content_size(frame)
        && let Some(length) = usize::try_from(length).ok().filter(|_| length <= limit)
        && let Ok(plain) = with(&DECOMPRESSOR, Decompressor::new, |kept| kept.decompress(frame, length))
    {
        return Ok(plain);
    }
    let mut plain = Vec::new();
    zstd::stream::read::Decoder::with_buffer(frame)
        .and_then(|decoder| decoder.take(limit.saturating_add(1)).read_to_end(&mut plain))
        .map_err(|error| format!("it cannot be decompressed: {error}"))?;
    if plain.len() as u64 > limit {
        return Err(format!("it decompresses to more than the {limit} bytes that were stored"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bytes_and_those_that_do_not_shrink_stay_as_they_are() {
        let (small, large) = (vec![b' '; WORTH_BYTES - 1], vec![b' '; WORTH_BYTES]);
        let noise: Vec<u8> = (0..256_u64).flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
        assert_eq!(packed(&small, Compress::Auto), small);
        assert!(packed(&large, Compress::Auto).len() < 100);
        assert_eq!(packed(&large, Compress::Never), large);
        assert_eq!(packed(&noise, Compress::Auto), noise);
        assert_ne!(packed(&small, Compress::Always), small);
    }

    #[test]
    fn a_frame_gives_its_bytes_back_and_no_more_than_there_were() {
        for bytes in [vec![], b"{}".to_vec(), vec![b'7'; 1 << 20]] {
            let frame = packed(&bytes, Compress::Always).into_owned();
            assert_eq!(unpacked(&frame, bytes.len() as u64), Ok(bytes.clone()));
            if !bytes.is_empty() {
                assert!(unpacked(&frame, bytes.len() as u64 - 1).is_err(), "a bomb");
                assert!(unpacked(&frame[..frame.len() - 1], 1 << 20).is_err(), "cut short");
            }
        }
        assert!(unpacked(b"{\"no\": \"frame\"}", 100).is_err());
    }
}
