//! Which daemon a command speaks to.
//!
//! Several may run on one machine: the user's own, the system's, and those with state directories of their own. Whoever
//! names a state directory, or a configuration, means the daemon that has it; otherwise the first that answers is meant.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ask::{ORDER_LIMIT, get_local, post_local};
use super::{Session, say, shown};
use crate::config::{load, resolved_by_name};
use crate::disk::Disk;
use crate::disk::socket::NAME;
use crate::document::{Digest, DocumentId};
use crate::error::{Cause, Error, Result};
use crate::line;
use crate::validate;

/// A daemon that does not hear what it is told in this time finds it out later.
const TELL_LIMIT: Duration = Duration::from_secs(2);

/// A daemon that answers.
pub(super) struct Daemon {
    /// The folder of its socket.
    folder: PathBuf,
}

/// What a daemon says of itself, as far as it matters here.
#[derive(Deserialize)]
struct Identity {
    uid: u32,
    state_dir_bytes: String,
}

impl Daemon {
    /// Every daemon that may be meant and answers, the likeliest first.
    pub(super) fn all(session: &Session<'_>) -> Vec<Self> {
        let named = state_dir_named(session);
        // systemd calls the runtime directory of a unit as its state directory.
        let its_unit_s = named.as_ref().and_then(|path| path.file_name()).map(|name| Path::new("/run").join(name));
        let own = named.clone().into_iter().chain(its_unit_s).chain(session.surroundings.socket_folders());
        // Where no runtime directory is to be had, a daemon listens in its state directory.
        let fallback = if named.is_none() { configured_state_dir(session) } else { None };
        let folders = own.chain(fallback).chain(session.surroundings.system_socket_folders());
        folders.map(|folder| Self { folder }).filter(|daemon| daemon.is_meant(named.as_ref(), session)).collect()
    }

    /// The daemon that is meant; which one is said.
    ///
    /// # Errors
    /// `NoDaemon`: none answers.
    pub(super) fn find(doing: &'static str, session: &Session<'_>) -> Result<Self> {
        let none = || {
            let folders = session.surroundings.socket_folders();
            let place = folders.first().map_or_else(|| PathBuf::from(NAME), |folder| folder.join(NAME));
            let why = "no daemon answers there; start one, or name its state directory with --state-dir".to_owned();
            Error::new(doing, place, Cause::NoDaemon(why))
        };
        let daemon = Self::all(session).into_iter().next().ok_or_else(none)?;
        daemon.introduce();
        Ok(daemon)
    }

    /// Says that this daemon answered.
    pub(super) fn introduce(&self) {
        say(format_args!("from the daemon at {}", shown(&self.folder.join(NAME))));
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// `NoDaemon`: it is gone, or does not answer in time.
    pub(super) fn get(&self, path: &str, session: &Session<'_>) -> Result<Vec<u8>> {
        get_local(self.connect(session)?, path)
    }

    /// Gives an order: `store` and its like, with the members that `expose/order.rs` knows.
    ///
    /// # Errors
    /// Why it did not obey, with the exit status for it; `NoDaemon`: it did not answer.
    pub(super) fn order(
        &self,
        order: &'static str,
        members: &Map<String, Value>,
        session: &Session<'_>,
    ) -> Result<Map<String, Value>> {
        self.order_with(order, members, &session.disk)
    }

    /// The same, by way of this disk.
    ///
    /// # Errors
    /// As [`Daemon::order`].
    pub(super) fn order_with(
        &self,
        order: &'static str,
        members: &Map<String, Value>,
        disk: &Disk,
    ) -> Result<Map<String, Value>> {
        let about = self.folder.join(NAME);
        post_local(self.connect_with(disk)?, order, members, ORDER_LIMIT)
            .map_err(|cause| Error::new("asking", about, cause))
    }

    fn connect(&self, session: &Session<'_>) -> Result<UnixStream> {
        self.connect_with(&session.disk)
    }

    fn connect_with(&self, disk: &Disk) -> Result<UnixStream> {
        let gone = || {
            let why = "the daemon is gone".to_owned();
            Error::new("connecting to", self.folder.join(NAME), Cause::NoDaemon(why))
        };
        disk.connect(&self.folder)?.ok_or_else(gone)
    }

    /// Does it answer, and has it this state directory?
    fn is_meant(&self, state_dir: Option<&PathBuf>, session: &Session<'_>) -> bool {
        let Some(wanted) = state_dir else { return matches!(session.disk.connect(&self.folder), Ok(Some(_))) };
        let wanted = line::hex(wanted.as_os_str().as_encoded_bytes());
        self.identity(session).is_some_and(|identity| identity.state_dir_bytes == wanted)
    }

    fn identity(&self, session: &Session<'_>) -> Option<Identity> {
        let answer = self.get("/api/v1/daemon", session).ok()?;
        serde_json::from_slice(&answer).ok()
    }
}

/// Did somebody name a state directory, and nothing that says at which address its daemon listens?
pub(super) fn is_known_by_state_dir_alone(session: &Session<'_>) -> bool {
    let is_set = |name| session.surroundings.variable(name).is_some_and(|value| !value.is_empty());
    let is_address_named =
        session.options.config.is_some() || is_set("JSONWARDEN_CONFIG") || is_set("JSONWARDEN_LISTEN");
    (session.options.state_dir.is_some() || is_set("JSONWARDEN_STATE_DIR")) && !is_address_named
}

/// The state directory that is meant, canonical; `None`: nobody named one.
fn state_dir_named(session: &Session<'_>) -> Option<PathBuf> {
    let variable = |name| session.surroundings.variable(name).filter(|value| !value.is_empty());
    let said = session.options.state_dir.clone().or_else(|| variable("JSONWARDEN_STATE_DIR").map(PathBuf::from));
    let said = said.map(|path| resolved_by_name(&session.surroundings.current_dir.join(path)));
    let is_configured = session.options.config.is_some() || variable("JSONWARDEN_CONFIG").is_some();
    let path = said.or_else(|| is_configured.then(|| configured_state_dir(session)).flatten())?;
    Some(session.disk.canonical(&path).unwrap_or(path))
}

/// The state directory that the configuration means. What is wrong with that is said by whoever needs more of it.
fn configured_state_dir(session: &Session<'_>) -> Option<PathBuf> {
    let loaded = load(&session.options, &session.surroundings, &session.disk, validate::check_schema);
    Some(loaded.ok()?.settings.state_dir)
}

/// The members that name a document in an order.
pub(super) fn about(document: &DocumentId) -> Map<String, Value> {
    let bytes = line::hex(document.path().as_os_str().as_encoded_bytes());
    Map::from_iter([("path_bytes".to_owned(), Value::String(bytes))])
}

/// Where nobody named a state directory, that of our own user's daemon is meant, if one runs.
pub(super) fn adopt_state_dir(session: &mut Session<'_>) {
    if state_dir_named(session).is_some() {
        return;
    }
    let own = rustix::process::geteuid().as_raw();
    let identities = Daemon::all(session).into_iter().filter_map(|daemon| daemon.identity(session));
    let bytes =
        identities.filter(|identity| identity.uid == own).find_map(|identity| line::unhex(&identity.state_dir_bytes));
    session.options.state_dir = bytes.map(|bytes| OsString::from_vec(bytes).into());
}

/// Tells whichever daemon guards `document` to look at it now; where none hears it, its next look shows it all the same.
pub(super) fn tell_changed(document: &DocumentId, session: &Session<'_>) {
    for daemon in Daemon::all(session) {
        let told = daemon.connect(session).map(|stream| post_local(stream, "look", &about(document), TELL_LIMIT));
        if matches!(told, Ok(Ok(_))) {
            return;
        }
    }
}

/// Has the daemon that guards `document` store its present version, durably, on behalf of whoever may read and write the
/// file but not the state directory; returns the version's number. With `digest` only if the file has these bytes; with
/// `accepts` as the good version even where it is suspicious (a change that was meant). `Ok(None)`: no daemon that answers
/// guards it. The file must not be open for writing meanwhile.
///
/// # Errors
/// It is damaged, has other bytes (`Refused`), somebody keeps it open (`Locked`), or the caller may not write it.
pub(super) fn store(
    document: &DocumentId,
    digest: Option<Digest>,
    accepts: bool,
    session: &Session<'_>,
) -> Result<Option<u64>> {
    let mut members = about(document);
    members.extend(digest.map(|digest| ("digest".to_owned(), Value::String(digest.to_string()))));
    members.insert("accept".to_owned(), accepts.into());
    for daemon in Daemon::all(session) {
        match daemon.order("store", &members, session) {
            Ok(answer) => {
                daemon.introduce();
                return Ok(answer.get("version").and_then(Value::as_u64));
            }
            Err(error) if matches!(error.cause(), Cause::Absent(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
