//! Small files written whole: never seen half-written, there for good once the call returns.

use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Whether a file must survive a power cut from the moment that the call returns, or only a killed process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Synced,
    Renamed,
}

/// Replaces `path` by a file with these bytes, readable by its owner only.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), StoreError> {
    let unfinished = unfinished_name(path);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        if durability == Durability::Synced {
            file.sync_data()?;
        }
        fs::rename(&unfinished, path)
    })();
    if let Err(source) = written {
        // Best effort: what is left of it has a name that nobody reads.
        fs::remove_file(&unfinished).ok();
        return Err(StoreError::Io { doing: "write", path: path.to_path_buf(), source });
    }
    if durability == Durability::Synced { sync_folder_of(path) } else { Ok(()) }
}

/// Two processes that replace the same file at once must not write into the same unfinished one.
fn unfinished_name(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{}.new", std::process::id()))
}

/// Makes the names in the folder of `path` durable.
pub fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io("make durable", folder))
}

pub fn replace_json<T: Serialize>(path: &Path, value: &T, durability: Durability) -> Result<(), StoreError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|e| StoreError::Damaged { path: path.to_path_buf(), what: format!("cannot be written as JSON: {e}") })?;
    bytes.push(b'\n');
    replace(path, &bytes, durability)
}

/// Reads a JSON file; `None` when it is not there.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { doing: "read", path: path.to_path_buf(), source }),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| StoreError::Damaged { path: path.to_path_buf(), what: format!("is damaged: {e}") })
}

/// Makes a folder, and those above it, for its owner only.
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::io("make the folder", path))
}

/// Removes a folder, if it is there, with all that is in it: also what a script has made read-only.
pub fn remove_folder(path: &Path) -> Result<(), StoreError> {
    let removed = fs::remove_dir_all(path).or_else(|e| match e.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => {
            make_writable(path);
            fs::remove_dir_all(path)
        }
    });
    removed.map_err(StoreError::io("remove", path))
}

fn make_writable(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).ok();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // Never through a link.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}
