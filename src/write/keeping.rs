//! What is kept of a write: the bytes that it replaces, and those that it puts in their place, before it does.

use super::{WriteError, Writer};
use crate::backup::{Folder, New, Taken};
use crate::config::OnSuspicious;
use crate::disk::attributes::Attributes;
use crate::document::{Dialect, Digest, Mark, Stored, Version};
use crate::error::Result;
use crate::read::Reading;
use crate::validate::{self, Content};
use crate::verdict::{Certainty, Fault, Kind, Verdict};

/// What the present bytes are.
pub(super) enum Standing {
    /// They read, and are this version.
    Good(Stored),
    /// They read, and are this version; beside the last good one, if there is one, they are suspicious.
    Suspicious(Stored, Fault, Behind),
    /// They do not.
    Damaged(Fault),
    /// A person is in the middle of something: merge markers.
    Unfinished(Fault),
}

/// What is behind a suspicious version.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// This good one.
    Good(Version),
    /// One that was good, and is not whole or not there any more.
    Lost,
    /// None that ever was.
    Nothing,
}

impl Behind {
    /// The good version.
    pub(super) fn good(self) -> Option<Version> {
        if let Self::Good(version) = self { Some(version) } else { None }
    }
}

/// Beside what new bytes are weighed.
#[derive(Clone, Copy)]
pub(super) enum Beside<'a> {
    /// Beside the last good version, whatever it is.
    LastGood,
    /// As that, and the present bytes are suspicious: that new ones are too is no accident's end.
    Held,
    /// Beside the present bytes, which are the last good version.
    Present(Content<'a>),
    /// As that, but what is gone from them is nobody's loss.
    Trimmed(Content<'a>),
}

/// How new bytes follow those beside which they are weighed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Something else stands there then.
    Replaces,
    /// What is gone is kept elsewhere.
    Trims,
    /// Between the two stands a suspicious version.
    FollowsHeld,
}

/// What new bytes are stored as.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    pub dialect: Dialect,
    pub mark: Mark,
}

/// What new bytes are beside the last good version, as it was read just now.
#[derive(Clone, Copy)]
pub(super) struct Checked {
    pub fit: Fit,
    beside: Option<(Digest, Dialect)>,
}

impl Checked {
    /// Is it this version that they were weighed beside?
    pub(super) fn is_beside(&self, stored: &Stored) -> bool {
        self.beside == Some((stored.digest, stored.dialect))
    }

    /// The bytes that a version was found to have.
    pub(super) fn read(self) -> Option<Digest> {
        self.beside.map(|(digest, _)| digest)
    }
}

impl Writer {
    /// What new bytes are to the document.
    ///
    /// # Errors
    /// `Invalid` when they read in no dialect or break its rules, `Suspicious` when they are hardly meant; or the versions
    /// cannot be read.
    pub(super) fn fit(&self, folder: &Folder, beside: Beside, bytes: &[u8]) -> std::result::Result<Fit, WriteError> {
        let is_accepted = |digest| folder.accepts(digest);
        let (last_good, before) = match beside {
            Beside::Present(present) | Beside::Trimmed(present) => (None, Some(present)),
            Beside::LastGood | Beside::Held => (folder.last_good_bytes()?, None),
        };
        let stored = last_good.as_ref().map(|(stored, bytes)| Content { bytes, dialect: stored.dialect });
        let how = match beside {
            Beside::Trimmed(_) => How::Trims,
            Beside::Held => How::FollowsHeld,
            Beside::LastGood | Beside::Present(_) => How::Replaces,
        };
        let before = before.or(stored);
        let fit = self.judged_fit(before, how, bytes, is_accepted)?;
        if before.is_none() { self.fit_beside_lost(folder, how, bytes, fit) } else { Ok(fit) }
    }

    /// The same, where no good version is whole any more.
    fn fit_beside_lost(
        &self,
        folder: &Folder,
        how: How,
        bytes: &[u8],
        fit: Fit,
    ) -> std::result::Result<Fit, WriteError> {
        let now = Content { bytes, dialect: fit.dialect };
        if fit.mark != Mark::Good {
            return Ok(fit);
        }
        let Some(fault) = folder.weigh_beside_lost(now, &self.rules.expectations)? else { return Ok(fit) };
        let accepts = self.accepts || self.rules.on_suspicious == OnSuspicious::Accept;
        if accepts || self.means(fault.kind, how) || folder.accepts(Digest::of(bytes))? {
            return Ok(Fit { mark: Mark::Accepted, ..fit });
        }
        Err(WriteError::Suspicious(fault))
    }

    /// The same beside the last good version, for somebody who holds no lock yet.
    pub(super) fn checked(&self, bytes: &[u8]) -> std::result::Result<Checked, WriteError> {
        let folder = self.versions()?;
        let last_good = folder.as_ref().map(Folder::last_good_bytes).transpose()?.flatten();
        let before = last_good.as_ref().map(|(stored, bytes)| Content { bytes, dialect: stored.dialect });
        let is_accepted = |digest| folder.as_ref().map_or(Ok(false), |folder| folder.accepts(digest));
        let fit = self.judged_fit(before, How::Replaces, bytes, is_accepted)?;
        let fit = match &folder {
            Some(folder) if before.is_none() => self.fit_beside_lost(folder, How::Replaces, bytes, fit)?,
            _ => fit,
        };
        Ok(Checked { fit, beside: last_good.map(|(stored, _)| (stored.digest, stored.dialect)) })
    }

    /// What new bytes are beside the last good ones; `is_accepted` says whether a person accepted them before.
    ///
    /// # Errors
    /// `Invalid` when they read in no dialect or break the document's rules, `Suspicious` when they are hardly meant.
    pub(super) fn judged_fit(
        &self,
        before: Option<Content>,
        how: How,
        bytes: &[u8],
        is_accepted: impl FnOnce(Digest) -> Result<bool>,
    ) -> std::result::Result<Fit, WriteError> {
        let dialect = self.refuse_unreadable(before.map(|before| before.dialect), bytes)?;
        let (now, expectations) = (Content { bytes, dialect }, &self.rules.expectations);
        // Whoever accepts what is suspicious has it marked so.
        let weigh = if how == How::Trims && !self.accepts { validate::unmet } else { validate::weigh };
        let Some(mut fault) = weigh(now, before, expectations) else { return Ok(Fit { dialect, mark: Mark::Good }) };
        // What every version must have, this one must have too, whoever means it.
        if let Some(fault) = validate::weigh(now, None, expectations) {
            return Err(WriteError::Invalid(fault));
        }
        let accepted = Ok(Fit { dialect, mark: Mark::Accepted });
        if self.accepts || self.rules.on_suspicious == OnSuspicious::Accept || is_accepted(Digest::of(bytes))? {
            return accepted;
        }
        if self.means(fault.kind, how) {
            // That little is left came first, and hid what else there is.
            match validate::weigh_small(now, before, expectations) {
                None => return accepted,
                Some(other) => fault = other,
            }
        }
        Err(WriteError::of(fault))
    }

    /// Is it written on purpose that little is left? Whoever calls us to write a small document wants a small one, and a
    /// version of what it replaces is kept; it is refused over one that is held, and where the rules undo such versions.
    fn means(&self, kind: Kind, how: How) -> bool {
        let is_small = matches!(kind, Kind::Reset | Kind::Shrunk);
        is_small && how != How::FollowsHeld && self.rules.on_suspicious == OnSuspicious::Alert
    }

    /// The dialect that bytes read in.
    fn refuse_unreadable(&self, enrolled: Option<Dialect>, bytes: &[u8]) -> std::result::Result<Dialect, WriteError> {
        match validate::judge(bytes, &self.reader(enrolled)) {
            Verdict::Valid { dialect, .. } => Ok(dialect),
            Verdict::Corrupt(fault) | Verdict::Suspicious(_, fault) | Verdict::Told(fault) => {
                Err(WriteError::Invalid(fault))
            }
        }
    }

    /// Sees to it that the present bytes are stored, if they read: they are about to be replaced. They are judged as a daemon
    /// would, beside the last good version: what is suspicious is kept as that, and is nobody's last good version. `read` are
    /// the bytes that a version was found to have just now.
    pub(super) fn keep(&self, folder: &Folder, present: &Reading, read: Option<Digest>) -> Result<Standing> {
        let &Reading { ref bytes, digest, ref file, .. } = present;
        if let Some(newest) = folder.newest()?.filter(|newest| newest.digest == digest)
            && newest.mark.is_last_good()
            // Storing the new bytes makes it durable too, before the exchange: they are in one folder.
            && (read == Some(digest) || folder.has(digest)?)
        {
            return Ok(Standing::Good(newest));
        }
        let last_good = folder.last_good_bytes()?;
        let reader = self.reader(last_good.as_ref().map(|(stored, _)| stored.dialect));
        let mut verdict = validate::judge(bytes, &reader);
        if let Verdict::Valid { dialect, .. } = verdict
            && let Some(fault) = folder.weigh_new(Content { bytes, dialect }, &self.rules.expectations)?
        {
            verdict = Verdict::Suspicious(dialect, fault);
        }
        let is_certified = present.certainty == Certainty::Certified;
        let (dialect, mark, fault) = match verdict {
            Verdict::Valid { dialect, .. } if is_certified => (dialect, Mark::Good, None),
            Verdict::Valid { dialect, .. } => (dialect, Mark::Uncertified, None),
            Verdict::Suspicious(dialect, _)
                if self.rules.on_suspicious == OnSuspicious::Accept || folder.accepts(digest)? =>
            {
                (dialect, Mark::Accepted, None)
            }
            Verdict::Suspicious(dialect, fault) => (dialect, Mark::Suspicious, Some(fault)),
            Verdict::Corrupt(fault) => return Ok(Standing::Damaged(fault)),
            Verdict::Told(fault) => return Ok(Standing::Unfinished(fault)),
        };
        let attributes = self.disk.attributes(file, self.document.path())?;
        let kept = stored(folder.take(&New { bytes, digest, mark, dialect, origin: "file", attributes })?);
        Ok(match fault {
            None => Standing::Good(kept),
            Some(fault) => {
                let behind = match last_good {
                    Some((stored, _)) => Behind::Good(stored.version),
                    None if folder.has_lost_good()? => Behind::Lost,
                    None => Behind::Nothing,
                };
                Standing::Suspicious(kept, fault, behind)
            }
        })
    }

    /// Stores the new bytes, durably, before they get to the name: damage that comes right after the write was acknowledged
    /// must find a copy. Says whether they had to be.
    pub(super) fn store(
        folder: &Folder,
        (bytes, digest): (&[u8], Digest),
        fit: Fit,
        attributes: &Attributes,
    ) -> Result<(Stored, bool)> {
        let (Fit { dialect, mark }, attributes) = (fit, attributes.clone());
        let taken = folder.take(&New { bytes, digest, mark, dialect, origin: "write", attributes })?;
        let is_new = matches!(taken, Taken::New(_));
        Ok((stored(taken), is_new))
    }
}

fn stored(taken: Taken) -> Stored {
    match taken {
        Taken::New(stored) | Taken::Already(stored) => stored,
    }
}
