//! The socket's place: in a folder that is its owner's alone, by a path that the system takes.

use neronet_home::{Context, HomeError};
use neronet_model::Uid;
use nix::sys::stat::{SFlag, lstat};
use nix::unistd::getuid;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The longest path that an address of a socket holds, its last byte being 0.
const LONGEST: usize = 107;

/// Where the daemon of the home with this uid answers. The folder is made where needed.
pub(crate) fn place(context: &Context, home: &Uid) -> Result<PathBuf, HomeError> {
    let name = format!("{home}.sock");
    let runtime =
        context.variable("XDG_RUNTIME_DIR").filter(|folder| folder.starts_with('/')).map(|folder| Path::new(&folder).join("neronet"));
    let fits = |folder: &PathBuf| folder.join(&name).as_os_str().len() <= LONGEST;
    if let Some(folder) = runtime.filter(fits)
        && private(&folder).is_ok()
    {
        return Ok(folder.join(name));
    }
    let folder = PathBuf::from(format!("/tmp/neronet-{}", getuid()));
    private(&folder)?;
    Ok(folder.join(name))
}

/// Makes a folder that nobody else may look into, or finds that it is one.
fn private(folder: &Path) -> Result<(), HomeError> {
    let refused = |why: String| {
        Err(HomeError::Daemon(format!(
            "the socket cannot be put into {}: {why}; set XDG_RUNTIME_DIR to a folder of your own",
            folder.display()
        )))
    };
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return refused(e.to_string()),
        _ => {}
    }
    let found = match lstat(folder) {
        Ok(found) => found,
        Err(errno) => return refused(errno.to_string()),
    };
    let is_folder = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    if !is_folder {
        return refused("it is no folder".into());
    }
    if found.st_uid != getuid().as_raw() {
        return refused("it belongs to somebody else".into());
    }
    if found.st_mode & 0o077 != 0 {
        return refused("others may look into it (chmod 700 mends that)".into());
    }
    Ok(())
}

/// Listens there. Whatever is in the way was left behind: only who holds `daemon.lock` comes here.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, HomeError> {
    std::fs::remove_file(path).ok();
    let bound = UnixListener::bind(path).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|e| HomeError::Daemon(format!("the socket {} cannot be opened: {e}", path.display())))
}
