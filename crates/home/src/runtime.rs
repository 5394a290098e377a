//! A folder for sockets that is its owner's alone, by a path that is short enough for them.

use crate::context::Context;
use nix::sys::stat::{SFlag, lstat};
use nix::unistd::getuid;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Makes the folder where needed. `longest`: of a path in it; `name`: the longest name there.
///
/// # Errors
/// Why there is none, in words.
pub fn folder(context: &Context, name: usize, longest: usize) -> Result<PathBuf, String> {
    let runtime =
        context.variable("XDG_RUNTIME_DIR").filter(|folder| folder.starts_with('/')).map(|folder| Path::new(&folder).join("neronet"));
    let fits = |folder: &PathBuf| folder.as_os_str().len() + 1 + name <= longest;
    if let Some(folder) = runtime.filter(fits)
        && private(&folder).is_ok()
    {
        return Ok(folder);
    }
    let folder = PathBuf::from(format!("/tmp/neronet-{}", getuid()));
    private(&folder)?;
    Ok(folder)
}

/// Makes a folder that nobody else may look into, or finds that it is one. Where all may write, anybody can make one of this name: only
/// one that is ours counts.
pub(crate) fn private(folder: &Path) -> Result<(), String> {
    let refused = |why: String| Err(format!("{} cannot be used: {why}; set XDG_RUNTIME_DIR to a folder of your own", folder.display()));
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
