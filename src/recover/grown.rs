//! A log of JSON lines whose last line is torn: its whole lines are good, and newer than what is stored. They are stored, so
//! that a repair takes back the torn line and no other.

use super::job::{Known, Task, Tools, reader};
use crate::decide::Seen;
use crate::document::{Dialect, Digest, Stored};
use crate::read::Reading;
use crate::validate;
use crate::verdict::{Kind, Verdict};

/// The whole lines of what was read, if the last good version has grown into them.
pub(super) fn whole_lines<'bytes>(
    tools: &Tools,
    task: &Task,
    reading: &'bytes Reading,
    known: &Known,
    seen: &Seen,
) -> Option<&'bytes [u8]> {
    let Seen::Corrupt { fault, .. } = seen else { return None };
    let last_good = known.last_good.as_ref().filter(|stored| stored.dialect == Dialect::Jsonl)?;
    let lines = lines(&reading.bytes).filter(|lines| lines.len() as u64 > last_good.bytes)?;
    let is_grown = fault.kind == Kind::Truncated && begins_with(lines, last_good) && is_there(tools, task, last_good);
    let expectations = &task.watch.rules.expectations;
    let judged = || validate::judge_by(lines, &reader(task, Some(known)), expectations);
    let is_valid = || matches!(judged(), Verdict::Valid { .. });
    (is_grown && is_valid()).then_some(lines)
}

/// Everything up to the last end of a line.
fn lines(bytes: &[u8]) -> Option<&[u8]> {
    bytes.iter().rposition(|byte| *byte == b'\n').map(|end| &bytes[..=end])
}

fn begins_with(lines: &[u8], stored: &Stored) -> bool {
    let length = usize::try_from(stored.bytes).unwrap_or(usize::MAX);
    lines.get(..length).is_some_and(|beginning| Digest::of(beginning) == stored.digest)
}

/// A version that is rotten or gone says nothing of what grew from it.
fn is_there(tools: &Tools, task: &Task, stored: &Stored) -> bool {
    matches!(tools.backups.find(&task.document), Ok(Some(folder)) if folder.bytes(stored.version).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_torn_line_is_left_out() {
        assert_eq!(lines(b"{}\n[1]\n{\"a\""), Some(&b"{}\n[1]\n"[..]));
        assert_eq!(lines(b"{\"a\""), None);
    }
}
