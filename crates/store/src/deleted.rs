//! `deleted.jsonl` of an attempt: the checkpoints that were deleted after it had ended, on record before they went. Its spool is closed
//! by then; whoever holds `home.lock` writes here.

use crate::error::StoreError;
use crate::files;
use crate::lines;
use neronet_model::event::Checkpoint;
use neronet_model::{Attempt, UnixMs, size};
use serde::{Deserialize, Serialize};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

pub const DELETED: &str = "deleted.jsonl";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deleted {
    pub at: UnixMs,
    /// As it was recorded.
    pub checkpoint: Checkpoint,
}

pub fn read(folder: &Path) -> Result<Vec<Deleted>, StoreError> {
    let mut all = Vec::new();
    lines::typed(&folder.join(DELETED), 0, |one| all.push(one))?;
    Ok(all)
}

/// Adds to the record of an attempt; durable once it returns.
pub fn append(folder: &Path, all: &[Deleted]) -> Result<(), StoreError> {
    let path = folder.join(DELETED);
    let mut bytes = Vec::new();
    for one in all {
        serde_json::to_writer(&mut bytes, one).map_err(|e| StoreError::io("write", &path)(e.into()))?;
        bytes.push(b'\n');
    }
    let mut write = || {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        // A full disk may have torn the last line.
        if last != [b'\n'] {
            bytes.insert(0, b'\n');
        }
        file.write_all(&bytes)?;
        file.sync_data()
    };
    write().map_err(StoreError::io("write", &path))?;
    files::sync_folder_of(&path)
}

/// What is left of an attempt's checkpoints, with a word on those that are gone.
pub(crate) fn apply(folder: &Path, attempt: &mut Attempt) -> Result<(), StoreError> {
    let all = read(folder)?;
    let is_gone = |known: &Checkpoint| {
        all.iter().any(|Deleted { checkpoint, .. }| (&checkpoint.path, checkpoint.modified) == (&known.path, known.modified))
    };
    let (before, mut bytes) = (attempt.checkpoints.len(), 0);
    attempt.checkpoints.retain(|known| {
        let gone = is_gone(known);
        bytes += if gone { known.bytes } else { 0 };
        !gone
    });
    let gone = before - attempt.checkpoints.len();
    if gone > 0 {
        let were = if gone == 1 { "checkpoint was" } else { "checkpoints were" };
        attempt.notices.push(format!("{gone} {were} deleted by `neronet gc` ({})", size::shown(bytes)));
    }
    Ok(())
}
