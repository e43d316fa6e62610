//! Files that only grow, read from their beginning without holding them in memory.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::Disk;
use crate::error::{Error, Result};

/// So much is read at once.
const CHUNK_BYTES: usize = 256 << 10;

impl Disk {
    /// Reads an open file from where it stands to its end; `each` gets it in chunks of up to 256 KiB.
    ///
    /// # Errors
    /// The disk failed.
    pub fn read_chunks(&self, mut file: &File, path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => each(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::new("reading", path, error)),
            }
        }
    }
}
