//! What lies beside a document that only a folder or a glob matched, and of which nothing lies at its name any more, is
//! nobody's after a restart: a leftover of its repair, or the document itself, renamed aside by a process that died before
//! it could put another in its place. The state directory still knows whose it is.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use super::Recover;
use super::job::Tools;
use super::lanes::Finished;
use crate::backup::documents_in;
use crate::config::Watch;
use crate::disk::directory::Directory;
use crate::disk::signature::Signature;
use crate::document::DocumentId;
use crate::swap;

/// Leftovers of which nobody knew whose they are, by their paths: each is asked about once.
#[derive(Debug, Default)]
pub(super) struct Unowned(HashSet<PathBuf>);

/// So many are remembered; beyond that they wait for the next start.
const REMEMBERED: usize = 1_000;

/// What is no document itself takes no more than this of it.
const REMEMBERED_LEFTOVERS: usize = REMEMBERED / 2;

/// A leftover, and whose it may be.
#[derive(Debug)]
pub(super) struct Claimed {
    document: DocumentId,
    watch: Arc<Watch>,
    directory: Arc<Directory>,
    name: OsString,
    signature: Signature,
}

impl Recover {
    /// Asks the state directory whose a leftover is. One that may have stood at a document's name is asked about at once;
    /// what else a sweep meets may belong to a file that it has yet to come to, and waits for the next one.
    pub(super) fn ask_whose(
        &mut self,
        directory: &Arc<Directory>,
        name: &OsStr,
        signature: Signature,
        watch: &Arc<Watch>,
    ) {
        let is_aside = swap::is_aside(name);
        let limit = if is_aside { REMEMBERED } else { REMEMBERED_LEFTOVERS };
        let Unowned(asked) = &mut self.unowned;
        let is_due = is_aside || self.is_swept;
        if !is_due || asked.len() >= limit || !asked.insert(directory.path().join(name)) {
            return;
        }
        let (directory, name, watch) = (Arc::clone(directory), name.to_owned(), Arc::clone(watch));
        self.lanes.aside(move |tools| {
            let claim = |document| Claimed {
                document,
                watch,
                directory: Arc::clone(&directory),
                name: name.clone(),
                signature,
            };
            Finished::Whose(document_of(tools, &directory, &name).map(claim).map(Box::new))
        });
    }

    /// It is looked at, as a leftover of a document that has left its watch: that comes back with the file.
    pub(super) fn claimed(&mut self, claimed: Claimed) {
        let Claimed { document, watch, directory, name, signature } = claimed;
        if !self.documents.contains_key(&document) {
            self.enrol(&document, &watch, false, &directory);
            if let Some(tracked) = self.documents.get_mut(&document) {
                (tracked.is_looked_at, tracked.is_leaving) = (true, true);
            }
        }
        self.leftover(&directory, &name, signature);
    }
}

fn document_of(tools: &Tools, directory: &Directory, name: &OsStr) -> Option<DocumentId> {
    let known = documents_in(&tools.disk, &tools.state, "backups", directory.path()).unwrap_or_default();
    let is_its = |document: &DocumentId| name.as_encoded_bytes().starts_with(document.staged_prefix().as_bytes());
    known.into_iter().find(is_its)
}
