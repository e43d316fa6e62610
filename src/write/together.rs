//! Several documents, written while the locks of all are held.

use std::time::Instant;

use super::{Damaged, Present, WriteError, Writer};
use crate::error::{Cause, Error};
use crate::lock::Lock;

/// So often programs that take no lock may come in between.
const ATTEMPTS: usize = 8;

/// Why one of them was not written.
enum Stop {
    /// It holds something else by now.
    Moved,
    Failed(WriteError),
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        Self::Failed(error)
    }
}

/// Writes several documents. Their locks are taken in one order, that of their paths, so that nobody waits for somebody who
/// waits for them. `edit` gets the bytes of each (`None`: nothing stands there) and gives those that are to stand there; it
/// may be asked more than once.
///
/// # Errors
/// As [`Writer::update`], or a document is named twice. Nothing was changed; but if a program that takes no lock writes one
/// of them at the wrong moment, others may have been: the error says which.
pub fn update_together(
    writers: &[&Writer],
    mut edit: impl FnMut(&[Option<&[u8]>]) -> Result<Vec<Vec<u8>>, WriteError>,
) -> Result<(), WriteError> {
    let limit = writers.iter().map(|writer| writer.rules.lock_timeout).max().unwrap_or_default();
    let deadline = Instant::now() + limit;
    let locked = locked(writers, deadline)?;
    for _ in 0..ATTEMPTS {
        let mut seen = vec![None; writers.len()];
        for (at, lock) in &locked {
            seen[*at] = seen_by(writers[*at], lock, deadline)?;
        }
        let seen: Vec<Option<&[u8]>> = seen.iter().map(Option::as_deref).collect();
        let wanted = edit(&seen)?;
        for (writer, bytes) in writers.iter().zip(&wanted) {
            writer.refuse_invalid(bytes)?;
        }
        if put(writers, &locked, deadline, &seen, &wanted)? {
            return Ok(());
        }
    }
    Err(writers[0].refused("other programs, which do not take its lock, keep writing it").into())
}

fn locked(writers: &[&Writer], deadline: Instant) -> Result<Vec<(usize, Lock)>, WriteError> {
    let mut order: Vec<usize> = (0..writers.len()).collect();
    order.sort_by_key(|at| writers[*at].document());
    if let Some(twice) = order.windows(2).find(|pair| writers[pair[0]].document() == writers[pair[1]].document()) {
        let why = Cause::Usage("it is named twice".to_owned());
        return Err(Error::new("writing together", writers[twice[0]].document().path(), why).into());
    }
    order.into_iter().map(|at| Ok((at, writers[at].lock(deadline)?))).collect()
}

/// What one holds, stored, and repaired if it was damaged.
fn seen_by(writer: &Writer, lock: &Lock, deadline: Instant) -> Result<Option<Vec<u8>>, WriteError> {
    let mut seen = None;
    let looked = writer.update_locked(lock, deadline, Damaged::Repair, |present: Option<Present>| {
        seen = present.map(|present| present.bytes.to_vec());
        Err(Stop::Moved)
    });
    match looked {
        Err(Stop::Failed(error)) => Err(error),
        Ok(_) | Err(Stop::Moved) => Ok(seen),
    }
}

/// Writes them one after the other; `false`: the first of them holds something else by now, and none was written.
fn put(
    writers: &[&Writer],
    locked: &[(usize, Lock)],
    deadline: Instant,
    seen: &[Option<&[u8]>],
    wanted: &[Vec<u8>],
) -> Result<bool, WriteError> {
    for (done, (at, lock)) in locked.iter().enumerate() {
        let writer = writers[*at];
        let written = writer.update_locked(lock, deadline, Damaged::Repair, |present: Option<Present>| {
            let is_as_seen = present.map(|present| present.bytes) == seen[*at];
            if is_as_seen { Ok(wanted[*at].clone()) } else { Err(Stop::Moved) }
        });
        match written {
            Ok(_) => {}
            Err(Stop::Moved) if done == 0 => return Ok(false),
            Err(Stop::Moved) => {
                let others: Vec<String> =
                    locked[..done].iter().map(|(at, _)| writers[*at].document().to_string()).collect();
                let why = format!(
                    "a program that does not take its lock wrote it meanwhile; it was left alone, and written were {}",
                    others.join(", ")
                );
                return Err(writer.refused(&why).into());
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
    }
    Ok(true)
}
