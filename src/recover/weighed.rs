//! What bytes are to the rules of their watch: judged by themselves, then weighed against the last good version.

use super::job::{Known, Task, Tools, reader};
use crate::config::OnSuspicious;
use crate::decide::Seen;
use crate::error::Result;
use crate::read::Reading;
use crate::validate::{self, Content};
use crate::verdict::{Fault, Found, Reason, Verdict};

/// Judges bytes that are not stored as good, and weighs those that readers accept.
///
/// # Errors
/// The last good version cannot be read now, for no fault of its own: nothing can be said of bytes that read.
pub(super) fn judge(tools: &Tools, task: &Task, known: &Known, bytes: &[u8]) -> Result<Verdict> {
    let verdict = validate::judge(bytes, &reader(task, Some(known)));
    let Verdict::Valid { dialect, proves } = verdict else { return Ok(verdict) };
    if !proves && known.newest.is_none() {
        return Ok(verdict);
    }
    Ok(match weigh(tools, task, known, Content { bytes, dialect })? {
        Some(fault) => Verdict::Suspicious(dialect, fault),
        None => verdict,
    })
}

/// What readers may stumble over in bytes that they accept.
pub(super) fn findings(verdict: &Verdict, bytes: &[u8]) -> Option<Vec<Found>> {
    match verdict {
        Verdict::Valid { dialect, .. } | Verdict::Suspicious(dialect, _) => {
            Some(validate::findings(Content { bytes, dialect: *dialect }))
        }
        Verdict::Corrupt(_) | Verdict::Told(_) => None,
    }
}

fn weigh(tools: &Tools, task: &Task, known: &Known, now: Content) -> Result<Option<Fault>> {
    let expectations = &task.watch.rules.expectations;
    let folder = if known.folder.is_some() { tools.backups.find(&task.document)? } else { None };
    match folder {
        Some(folder) => folder.expecting(expectations).weigh_new(now, expectations),
        None => Ok(validate::weigh(now, None, expectations)),
    }
}

/// What a verdict means to the machine. What is suspicious may be accepted, once by a person or always by the rules, or be
/// taken for damage.
pub(super) fn seen(verdict: &Verdict, on_suspicious: OnSuspicious, known: &Known, reading: &Reading) -> Seen {
    let &Reading { digest, certainty, .. } = reading;
    let valid = Seen::Valid { digest, certainty, is_stored: false, store_at: None };
    let fault = match verdict {
        Verdict::Valid { .. } => return valid,
        Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => fault.clone(),
    };
    match (verdict, on_suspicious) {
        (Verdict::Told(_), _) => Seen::Odd { reason: Reason::ConflictMarkers, digest, fault },
        (Verdict::Corrupt(_), _) => Seen::Corrupt { digest, fault, certainty },
        _ if on_suspicious == OnSuspicious::Accept || known.accepted.contains(&digest) => valid,
        (_, OnSuspicious::Restore) if known.last_good.is_some() => Seen::Corrupt { digest, fault, certainty },
        _ => Seen::Odd { reason: Reason::Suspicious, digest, fault },
    }
}
