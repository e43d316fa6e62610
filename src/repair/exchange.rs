//! The repair by a swap: the good bytes get to the name in one step that readers see whole, and the damaged file itself
//! stays beside for whoever still has it open (protocol C, steps 3 to 7).

use std::time::Instant;

use super::choice::Choice;
use super::{Ground, Judged, Outcome, Restored, judged_bytes};
use crate::config::OnOpenWriter;
use crate::disk::File;
use crate::disk::lease::{self, Request};
use crate::disk::signature::Signature;
use crate::error::Result;
use crate::read::Contents;
use crate::swap::{self, Staged, Swapped};

/// Puts the chosen version at the name.
///
/// # Errors
/// A swap is impossible here, or the disk is full or failed.
pub(super) fn put_back(
    ground: &Ground,
    judged: &Judged,
    file: &File,
    choice: &Choice,
    writer: OnOpenWriter,
) -> Result<Outcome> {
    let &Ground { disk, directory, document, .. } = ground;
    if writer != OnOpenWriter::Rename && matches!(lease::request(file), Request::Busy) {
        // Nothing is staged, and no spare used, for what would be called off.
        return Ok(Outcome::Busy);
    }
    let attributes = disk.attributes(file, document.path())?;
    let staged = swap::stage(disk, directory, document, choice.version.version, &choice.bytes, &attributes)?;
    match last_look_and_swap(ground, judged, file, &staged, writer) {
        Ok(Attempt::Swapped(swap)) => finish(ground, judged, file, choice, &staged, &swap),
        Ok(Attempt::Yielded) => {
            swap::leftover_name(disk, directory, document, &staged, choice.version.version);
            disk.sync_directory(directory).map(|()| Outcome::Yielded)
        }
        Ok(Attempt::CalledOff(outcome)) => {
            swap::call_off(disk, directory, &staged)?;
            Ok(outcome)
        }
        Err(error) => {
            // Only if it was never renamed, which would have dated it anew, did it never stand at the name; else it stays, as
            // a leftover.
            if disk.look(directory, &staged.name).ok().flatten() == Some(staged.signature) {
                let _ = swap::call_off(disk, directory, &staged);
            } else {
                swap::leftover_name(disk, directory, document, &staged, choice.version.version);
            }
            Err(error)
        }
    }
}

enum Attempt {
    Swapped(Swap),
    Yielded,
    /// Before anything was exchanged: the staged file never stood at the name.
    CalledOff(Outcome),
}

/// A swap that was done.
struct Swap {
    visible: Instant,
    damaged: Vec<u8>,
    in_one_step: bool,
}

fn last_look_and_swap(
    ground: &Ground,
    judged: &Judged,
    file: &File,
    staged: &Staged,
    writer: OnOpenWriter,
) -> Result<Attempt> {
    let is_the_same = || matches!(judged_bytes(ground, judged, file, &|| true), Ok(Some(_)));
    match lease::request(file) {
        Request::Busy if writer == OnOpenWriter::Rename => {
            look_and_swap(ground, judged, file, staged, &|| true, &is_the_same)
        }
        Request::Busy => Ok(Attempt::CalledOff(Outcome::Busy)),
        Request::Granted(lease) => {
            let is_unbroken = || lease.is_unbroken();
            look_and_swap(ground, judged, file, staged, &is_unbroken, &is_unbroken)
        }
        Request::Unavailable if judged.is_paired => look_and_swap(ground, judged, file, staged, &|| true, &is_the_same),
        Request::Unavailable => Ok(Attempt::CalledOff(Outcome::Changed)),
    }
}

fn look_and_swap(
    ground: &Ground,
    judged: &Judged,
    file: &File,
    staged: &Staged,
    goes_on: &dyn Fn() -> bool,
    is_undisturbed: &dyn Fn() -> bool,
) -> Result<Attempt> {
    let &Ground { disk, directory, document, .. } = ground;
    let Some(Contents { bytes, signature, .. }) = judged_bytes(ground, judged, file, goes_on)? else {
        return Ok(Attempt::CalledOff(Outcome::Changed));
    };
    // A second name may have come since the first look: a swap would part them.
    let is_there = |found: Signature| found.is_same_file(&signature) && found.links == 1;
    if !disk.look(directory, document.name())?.is_some_and(is_there) {
        return Ok(Attempt::CalledOff(Outcome::Changed));
    }
    Ok(match swap::exchange(disk, directory, document, staged, &signature, is_undisturbed)? {
        Swapped::Done => Attempt::Swapped(Swap { visible: Instant::now(), damaged: bytes, in_one_step: true }),
        Swapped::DoneInSteps => Attempt::Swapped(Swap { visible: Instant::now(), damaged: bytes, in_one_step: false }),
        Swapped::Yielded => Attempt::Yielded,
    })
}

/// The lease is gone by now. The damaged file stays beside the document for a while, for a writer who opened it before the
/// swap may still finish; its bytes are copied to quarantine at once.
fn finish(
    ground: &Ground,
    judged: &Judged,
    file: &File,
    choice: &Choice,
    staged: &Staged,
    swap: &Swap,
) -> Result<Outcome> {
    let &Ground { disk, directory, document, quarantine, .. } = ground;
    let leftover = swap::leftover_name(disk, directory, document, staged, choice.version.version);
    let synced = disk.sync_directory(directory);
    // Its grace begins now. Where that cannot be noted, it began when the file was last changed.
    let _ = disk.touch(file, document.path());
    let kept = quarantine.keep(document, judged.kind.label(), &swap.damaged).map(|kept| kept.path);
    let (version, bytes) = (choice.version.clone(), swap.damaged.len() as u64);
    synced.map(|()| {
        Outcome::Restored(Restored {
            version,
            kept,
            bytes,
            visible: swap.visible,
            leftover: Some(leftover),
            in_one_step: swap.in_one_step,
        })
    })
}
