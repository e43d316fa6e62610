//! The socket for people: in the runtime directory; and where another daemon has that one, or there is none, in the state
//! directory.

use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::disk::Disk;
use crate::disk::socket::Socket;
use crate::error::{Error, Result};

/// Listens at the first of `folders` that can be had. Nowhere is no reason not to guard.
///
/// # Errors
/// The runtime refuses the listener.
pub(super) fn listen(disk: &Disk, folders: &[PathBuf], state_dir: &Path) -> Result<Option<(Socket, UnixListener)>> {
    for folder in folders.iter().map(PathBuf::as_path).chain([state_dir]) {
        match disk.listen(folder) {
            Ok(socket) => {
                let path = socket.path();
                let failed = |error| Error::new("listening at", path.clone(), error);
                let listener = socket.listener.try_clone().and_then(UnixListener::from_std).map_err(failed)?;
                tracing::info!(
                    event = "socket",
                    "commands are answered at {}",
                    crate::error::Escaped(path.as_os_str())
                );
                return Ok(Some((socket, listener)));
            }
            Err(error) => tracing::warn!(event = "socket_failed", "{error}"),
        }
    }
    Ok(None)
}
