//! A file that is missing: the last good version is put where nothing stands, with the attributes that were recorded.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Instant;

use super::choice::{Choice, Chosen, choose};
use super::{Ground, Outcome, Report, held, no_room, suspicious};
use crate::backup::Folder;
use crate::disk::directory::Directory;
use crate::document::{Stored, Version};
use crate::error::{Cause, Result};
use crate::lock::{self, Sidecar};
use crate::swap;
use crate::verdict::Reason;

/// What became of a file that was missing.
#[derive(Debug)]
pub enum Missing {
    /// This version stands at the name, since then.
    Back(Stored, Instant),
    /// It was not put back: why, as for any repair.
    Left(Report),
}

/// What putting a version where nothing stands came to.
pub(super) enum Anew {
    Placed,
    /// Somebody was faster: theirs stays.
    Taken,
    /// Nothing is recorded of its owner and mode, or they cannot be reproduced; in words.
    Unlike(String),
}

/// Is this the folder that the document was in when its versions were stored? `None`: nobody has noted which that was.
///
/// # Errors
/// The disk failed.
pub fn is_in_place(ground: &Ground, directory: &Directory) -> Result<Option<bool>> {
    let Some(folder) = ground.backups.find(ground.document)? else { return Ok(None) };
    let Some(place) = folder.place()? else { return Ok(None) };
    Ok(Some(directory.signature()?.identity() == place))
}

/// Notes the folder that the document is in now, if that is not known.
///
/// # Errors
/// The disk is full or failed.
pub fn note_place(ground: &Ground) -> Result<()> {
    let Some(folder) = ground.backups.find(ground.document)? else { return Ok(()) };
    let place = ground.directory.signature()?.identity();
    if folder.place()? == Some(place) {
        return Ok(());
    }
    folder.lock()?;
    folder.note_place(place)
}

/// Puts the last good version back where nothing stands, if its folder is the one that it was in. Whatever comes to stand
/// there meanwhile is not replaced.
///
/// # Errors
/// The disk failed. Nothing was changed, or the version stands at the name and may not be durable.
pub fn restore_missing(ground: &Ground) -> Result<Missing> {
    let mut rotten = Vec::new();
    Ok(match choose_again(ground, &mut rotten)? {
        Ok((_sidecar, folder, choice)) => match placed(ground, &folder, &choice)? {
            None => Missing::Back(choice.version, Instant::now()),
            Some(outcome) => Missing::Left(Report { outcome, rotten }),
        },
        Err(outcome) => Missing::Left(Report { outcome, rotten }),
    })
}

/// The locks, and the version that is to be put back; or why it must not be.
fn choose_again(
    ground: &Ground,
    rotten: &mut Vec<(Version, PathBuf)>,
) -> Result<std::result::Result<(Sidecar, Folder, Choice), Outcome>> {
    if is_in_place(ground, ground.directory)? != Some(true) {
        return Ok(Err(Outcome::Changed));
    }
    if lock::is_in_an_editor(ground.disk, ground.directory, ground.document)? {
        return Ok(Err(held(Reason::Editing, "an editor has it open: its swap file lies beside")));
    }
    // Kept to the end: whoever cooperates waits for us as we for them.
    let sidecar = match lock::try_existing(ground.disk, ground.directory, ground.document, ground.lock)? {
        Sidecar::Taken => return Ok(Err(held(Reason::Editing, "a program holds its lock"))),
        sidecar => sidecar,
    };
    let Some(folder) = ground.versions()? else { return Ok(Err(Outcome::NothingGood)) };
    folder.lock()?;
    Ok(match choose(ground, &folder, None, rotten)? {
        Chosen::Version(choice) => Ok((sidecar, folder, choice)),
        Chosen::Suspicious(version, good) => Err(suspicious(ground.document, version, good)),
        Chosen::Nothing => Err(Outcome::NothingGood),
    })
}

/// Puts it there; why not, if it must not be.
fn placed(ground: &Ground, folder: &Folder, choice: &Choice) -> Result<Option<Outcome>> {
    match place(ground, folder, &choice.version, &choice.bytes) {
        Ok(Anew::Placed) => Ok(None),
        Ok(Anew::Taken) => Ok(Some(Outcome::Changed)),
        Ok(Anew::Unlike(why)) => Ok(Some(Outcome::Held(Reason::Attributes, why))),
        Err(error) if error.is_for_want_of_room() => Ok(Some(Outcome::Held(Reason::NoRoom, no_room(&error)))),
        Err(error) => Err(error),
    }
}

/// Puts a version where nothing stands. The caller holds the lock of the versions' folder.
pub(super) fn place(ground: &Ground, folder: &Folder, stored: &Stored, bytes: &[u8]) -> Result<Anew> {
    let &Ground { disk, directory, document, .. } = ground;
    let Some(attributes) = folder.attributes(stored.version)? else {
        return Ok(Anew::Unlike("nothing is recorded of its owner and mode".to_owned()));
    };
    let staged = match swap::stage(disk, directory, document, stored.version, bytes, &attributes) {
        Err(error) if matches!(error.cause(), Cause::Refused(_)) => return Ok(Anew::Unlike(error.to_string())),
        staged => staged?,
    };
    match disk.rename(directory, &staged.name, document.name()) {
        Ok(()) => disk.sync_directory(directory).map(|()| Anew::Placed),
        Err(error) => {
            // It never stood at the name.
            let _ = swap::call_off(disk, directory, &staged);
            if error.io_kind() == Some(ErrorKind::AlreadyExists) { Ok(Anew::Taken) } else { Err(error) }
        }
    }
}
