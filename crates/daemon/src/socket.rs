//! The socket's place: in a folder that is its owner's alone, by a path that the system takes.

use neronet_home::{Context, HomeError, runtime};
use neronet_model::Uid;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The longest path that an address of a socket holds, its last byte being 0.
const LONGEST: usize = 107;

/// Where the daemon of the home with this uid answers. The folder is made where needed.
pub(crate) fn place(context: &Context, home: &Uid) -> Result<PathBuf, HomeError> {
    let name = format!("{home}.sock");
    Ok(runtime::folder(context, name.len(), LONGEST).map_err(HomeError::Daemon)?.join(name))
}

/// Listens there. Whatever is in the way was left behind: only who holds `daemon.lock` comes here.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, HomeError> {
    std::fs::remove_file(path).ok();
    let bound = UnixListener::bind(path).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|e| HomeError::Daemon(format!("the socket {} cannot be opened: {e}", path.display())))
}
