//! What is done about a file that is not there, where the rules say that it is put back.

use super::job::{Task, Tools, with_ground};
use crate::config::OnMissing;
use crate::decide::Seen;
use crate::disk::directory::Directory;
use crate::error::Result;
use crate::repair::{self, Missing, Outcome, Report};

/// What it means that nothing stands at the name. The path may lead to another folder by now, or to none.
pub(super) fn seen(tools: &Tools, task: &Task) -> Seen {
    if !returns(task) {
        return Seen::Missing { may_return: false };
    }
    let found = there(tools, task).and_then(|directory| match directory {
        Some(directory) => with_ground(tools, task, |ground| repair::is_in_place(ground, &directory)),
        None => Ok(Some(false)),
    });
    match found {
        Ok(Some(true)) => Seen::Missing { may_return: true },
        Ok(Some(false)) => Seen::DirectoryMissing,
        // Nobody noted where it was, or that cannot be read: it is told, and no more.
        Ok(None) | Err(_) => Seen::Missing { may_return: false },
    }
}

/// Puts it back.
pub(super) fn bring_back(tools: &Tools, task: &Task) -> Result<Missing> {
    let Some(directory) = there(tools, task)? else {
        return Ok(Missing::Left(Report { outcome: Outcome::Changed, rotten: Vec::new() }));
    };
    with_ground(tools, task, |ground| repair::restore_missing(&repair::Ground { directory: &directory, ..*ground }))
}

/// Notes where it is, for when it is missing. What cannot be noted now is noted at the next look.
pub(super) fn note_place(tools: &Tools, task: &Task) {
    if returns(task) {
        let _ = with_ground(tools, task, repair::note_place);
    }
}

fn returns(task: &Task) -> bool {
    task.watch.rules.on_missing == Some(OnMissing::Restore)
}

/// The folder that the document's path leads to now.
fn there(tools: &Tools, task: &Task) -> Result<Option<Directory>> {
    match tools.disk.open_directory(task.document.directory()) {
        Err(error) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => Ok(None),
        directory => directory.map(Some),
    }
}
