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

/// Writes files, readable by their owner only, that nobody knows of before something names them that is written later. There for good
/// once the call returns; written at once, so that they wait for the disk together.
pub fn write_ahead(files: &[(&Path, &[u8])]) -> Result<(), StoreError> {
    let write = |(path, bytes): &(&Path, &[u8])| {
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let synced = written.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()));
        synced.map_err(StoreError::io("write", path))?;
        sync_folder_of(path)
    };
    let Some((first, others)) = files.split_first() else { return Ok(()) };
    std::thread::scope(|scope| {
        let others: Vec<_> = others.iter().map(|file| scope.spawn(move || write(file))).collect();
        let own = write(first);
        let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.fold(own, Result::and)
    })
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
    replace(path, &json_bytes(path, value)?, durability)
}

/// What a JSON file at `path` is to hold.
pub fn json_bytes<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|e| StoreError::Damaged { path: path.to_path_buf(), what: format!("cannot be written as JSON: {e}") })?;
    bytes.push(b'\n');
    Ok(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_written_ahead_are_all_there_or_the_first_that_is_not_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (a, b, nowhere) = (folder.path().join("a"), folder.path().join("b"), folder.path().join("nowhere/c"));
        write_ahead(&[(&a, b"longer than before"), (&b, b"2")]).expect("written");
        write_ahead(&[(&a, b"1"), (&b, b"2")]).expect("written");
        assert_eq!((fs::read(&a).expect("there"), fs::read(&b).expect("there")), (b"1".to_vec(), b"2".to_vec()));
        assert_eq!(fs::metadata(&a).expect("there").permissions().mode() & 0o777, 0o600);
        let refused = write_ahead(&[(&a, b"1"), (&nowhere, b"")]).expect_err("there is no such folder");
        assert!(refused.to_string().contains("nowhere/c"), "{refused}");
    }
}
