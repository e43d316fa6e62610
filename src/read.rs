//! The certified read: bytes that nobody was writing while they were read (protocol B, steps 1 to 5).

use crate::disk::directory::Directory;
use crate::disk::lease::{self, Request};
use crate::disk::signature::Signature;
use crate::disk::{Disk, File, Opened};
use crate::document::{Digest, DocumentId};
use crate::error::Result;
use crate::verdict::Certainty;

/// What a look at a document found.
#[derive(Debug)]
pub enum Look {
    /// All its bytes.
    Read(Reading),
    /// Somebody has it open for writing, or came to while it was read.
    Busy,
    /// It changed while it was read, or another file stands at the name by now.
    Changed,
    /// Nothing is there.
    Missing,
    /// It is no regular file.
    Other(Signature),
    /// It has more bytes than are read.
    TooLarge(Signature),
}

/// The bytes of a document, as they stood at one moment.
#[derive(Debug)]
pub struct Reading {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// The file that they were read from.
    pub signature: Signature,
    /// How much the reading proves.
    pub certainty: Certainty,
    /// The file itself, still open: while it is, its inode number means no other file.
    pub file: File,
}

/// What to do when somebody has the file open for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenWriter {
    /// Let them finish: [`Look::Busy`].
    Wait,
    /// Read all the same, uncertified.
    ReadAnyway,
}

/// Looks at a document once.
///
/// # Errors
/// Permission was denied, it is a stranger's ([`Disk::refuse_strangers`]), or the disk failed: never a reason to take the document for corrupt.
pub fn look(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    limit_bytes: u64,
    open_writer: OpenWriter,
) -> Result<Look> {
    let (file, before) = match disk.open(directory, document.name())? {
        Opened::File(file, signature) => (file, signature),
        Opened::Other(signature) => return Ok(Look::Other(signature)),
        Opened::Missing => return Ok(Look::Missing),
    };
    disk.refuse_strangers(directory, &before, document.path())?;
    if before.bytes > limit_bytes {
        return Ok(Look::TooLarge(before));
    }
    let (contents, certainty) = match lease::request(&file) {
        Request::Granted(lease) => {
            (contents(disk, document, &file, limit_bytes, || lease.is_unbroken())?, Certainty::Certified)
        }
        Request::Busy if open_writer == OpenWriter::Wait => return Ok(Look::Busy),
        Request::Busy => (contents(disk, document, &file, limit_bytes, || true)?, Certainty::OpenWriter),
        Request::Unavailable => (contents(disk, document, &file, limit_bytes, || true)?, Certainty::Unleased),
    };
    let Some(Contents { bytes, signature, is_steady }) = contents else { return Ok(Look::Busy) };
    let at_name = disk.look(directory, document.name())?;
    let Some(at_name) = at_name.filter(|found| is_steady && found.is_same_file(&signature)) else {
        return Ok(Look::Changed);
    };
    disk.refuse_strangers(directory, &at_name, document.path())?;
    Ok(Look::Read(Reading { digest: Digest::of(&bytes), bytes, signature, certainty, file }))
}

/// What a file holds.
pub(crate) struct Contents {
    /// Its bytes, at most one more than the limit.
    pub bytes: Vec<u8>,
    /// What it looked like afterwards.
    pub signature: Signature,
    /// Did it look the same before, and are these all its bytes?
    pub is_steady: bool,
}

/// Reads a file whole between two looks at it. The lease that `goes_on` asks after, if there is one, is held meanwhile;
/// `None`: it said no, and a writer waits.
pub(crate) fn contents(
    disk: &Disk,
    document: &DocumentId,
    file: &File,
    limit_bytes: u64,
    goes_on: impl Fn() -> bool,
) -> Result<Option<Contents>> {
    let path = document.path();
    let before = disk.signature(file, path)?;
    let bytes = disk.read(file, path, before.bytes.min(limit_bytes).saturating_add(1), &goes_on)?;
    let signature = disk.signature(file, path)?;
    Ok(bytes.filter(|_| goes_on()).map(|bytes| {
        let is_steady = before == signature && bytes.len() as u64 == signature.bytes;
        Contents { bytes, signature, is_steady }
    }))
}
