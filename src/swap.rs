//! Stage, exchange, and look at what came out: how bytes get to a name without a moment in which another's could be lost
//! (protocol A, steps 4 to 6; protocol C, steps 3 to 6).

use std::ffi::{OsStr, OsString};

use crate::disk::attributes::Attributes;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::disk::{Disk, File, Opened};
use crate::document::{Digest, DocumentId};
use crate::error::{Cause, Error, Result};

/// A complete, durable, verified file beside the document, ready to be exchanged with it.
#[derive(Debug)]
pub struct Staged {
    /// Its temporary name.
    pub name: OsString,
    /// What it looks like.
    pub signature: Signature,
}

/// What an exchange came to. Either way something may lie under the temporary's name now: it is a leftover, and removed
/// only once its bytes are known to be kept, for a writer may have come to any file that stood at the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// Our file stands at the name, and what we expected came out.
    Done,
    /// Somebody was faster: the newest bytes stand at the name.
    Yielded,
}

/// So many exchanges in one swap, then what is at the name stays there: each takes a writer that renames within
/// microseconds of us.
const EXCHANGE_LIMIT: usize = 64;

/// Stages bytes beside the document with these attributes, durable and read back.
///
/// # Errors
/// The disk is full or failed, or (`Refused`) the attributes cannot be reproduced. Nothing is left behind.
pub fn stage(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<Staged> {
    let name = OsString::from(format!("{}{:016x}", document.staged_prefix(), random()?));
    let file = disk.create(directory, &name, 0o600)?;
    let signature = fill(disk, directory, &name, &file, bytes, attributes);
    drop(file);
    match signature {
        Ok(signature) => Ok(Staged { name, signature }),
        Err(error) => {
            // It is ours and was never at the document's name; the first error is the one worth telling.
            let _ = disk.unlink(directory, &name);
            Err(error)
        }
    }
}

fn fill(
    disk: &Disk,
    directory: &Directory,
    name: &OsStr,
    file: &File,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<Signature> {
    let path = directory.path().join(name);
    disk.write(file, &path, bytes)?;
    disk.set_attributes(file, &path, attributes)?;
    disk.sync(file, &path)?;
    let Opened::File(again, signature) = disk.open(directory, name)? else {
        return Err(Error::new("reading back", path, Cause::Damaged("it is gone".to_owned())));
    };
    let read = disk.read(&again, &path, bytes.len() as u64 + 1, || true)?;
    if read.is_some_and(|read| Digest::of(&read) == Digest::of(bytes)) {
        return Ok(signature);
    }
    Err(Error::new("reading back", path, Cause::Damaged("it is not what was written".to_owned())))
}

/// Exchanges a staged file with what stands at the document's name. `expected` is the file that should come out, and
/// `is_undisturbed` is asked afterwards whether nobody came to it meanwhile (the lease). If anything else came out, the
/// exchange is undone, and so on, until what comes out is what was put in: the newest bytes end at the name.
///
/// # Errors
/// The exchange failed: nothing was changed; or it could not be undone, and what came out lies under the temporary's name.
pub fn exchange(
    disk: &Disk,
    directory: &Directory,
    document: &DocumentId,
    staged: &Staged,
    expected: &Signature,
    is_undisturbed: impl Fn() -> bool,
) -> Result<Swapped> {
    disk.exchange(directory, &staged.name, document.name())?;
    let mut out = disk.look(directory, &staged.name)?;
    if out.is_some_and(|out| out.is_same_file(expected)) && is_undisturbed() {
        return Ok(Swapped::Done);
    }
    // What was put in last; if it comes out again, nobody was at the name in between.
    let mut put_in = Some(staged.signature);
    for _ in 0..EXCHANGE_LIMIT {
        let going_in = out;
        match disk.exchange(directory, &staged.name, document.name()) {
            // Somebody removed the document: it is not for us to bring it back.
            Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => return Ok(Swapped::Yielded),
            result => result?,
        }
        out = disk.look(directory, &staged.name)?;
        if out.zip(put_in).is_some_and(|(out, put_in)| out.is_same_file(&put_in)) {
            break;
        }
        put_in = going_in;
    }
    Ok(Swapped::Yielded)
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::new("asking for randomness", "getrandom(2)", errno))?;
    Ok(u64::from_le_bytes(bytes))
}
