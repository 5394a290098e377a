//! A little room in home that is given up when the disk is full: what is freed has to be put on record first.

use crate::error::StoreError;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const NAME: &str = "reserve";
const BYTES: usize = 64 << 10;

/// Takes the room, if it is not taken. Where there is none, there is none.
pub fn take(root: &Path) {
    let path = root.join(NAME);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    if made.is_ok_and(|mut file| file.write_all(&[0; BYTES]).is_err()) {
        std::fs::remove_file(&path).ok();
    }
}

/// Tries again with the room given up, if want of room is what was wrong.
pub fn with<T>(root: &Path, mut attempt: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    match attempt() {
        Err(e) if is_want_of_room(&e) && std::fs::remove_file(root.join(NAME)).is_ok() => attempt(),
        other => other,
    }
}

pub fn is_want_of_room(e: &StoreError) -> bool {
    matches!(e, StoreError::Io { source, .. } if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}
