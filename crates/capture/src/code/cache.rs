//! What a former survey of the same folder found, so that unchanged files are not read again.
//!
//! A file counts as unchanged when its size, times, inode and mode are; a file that was changed just before it was read is not
//! remembered, since a second change within the grain of the file system's clock would not show.

use crate::sign::{Draft, Sign, hash};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
/// A repository's state: whatever git would compare the work tree with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RepoState {
    /// Relative to the top; empty for the outer one.
    pub(super) path: String,
    pub(super) commit: String,
    pub(super) index: Option<Sign>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Known {
    format: u32,
    /// Each file's sign and, where it was read, its hash.
    pub(super) files: BTreeMap<String, (Option<Sign>, String)>,
    pub(super) repos: Vec<RepoState>,
    /// Hash of the diff beside this file; empty where there is none to go by.
    diff: String,
}

impl Known {
    pub(super) fn new(files: BTreeMap<String, (Option<Sign>, String)>, repos: Vec<RepoState>) -> Known {
        Known { format: FORMAT, files, repos, diff: String::new() }
    }
}

/// The place of one folder's cache.
pub(super) struct Shelf {
    file: PathBuf,
    diff_file: PathBuf,
}

impl Shelf {
    pub(super) fn of(cache: &Path, top: &Path) -> Shelf {
        let key = hash(top.as_os_str().as_encoded_bytes())[..16].to_string();
        Shelf { file: cache.join(format!("code-{key}.json")), diff_file: cache.join(format!("code-{key}.diff")) }
    }

    /// What is known; nothing where the cache is absent, damaged or from another version.
    pub(super) fn load(&self) -> Known {
        let read = std::fs::read(&self.file).ok();
        let known: Option<Known> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        known.filter(|known| known.format == FORMAT).unwrap_or_default()
    }

    /// The diff that belongs to what is known.
    pub(super) fn load_diff(&self, known: &Known) -> Option<Vec<u8>> {
        if known.diff.is_empty() {
            return None;
        }
        if known.diff == hash(b"") {
            return Some(Vec::new());
        }
        std::fs::read(&self.diff_file).ok().filter(|diff| hash(diff) == known.diff)
    }

    /// Begins a new version. `None` where the cache cannot be written.
    pub(super) fn draft(&self) -> Option<Draft> {
        Draft::of(&self.file)
    }

    /// Replaces what is known. A cache that cannot be written costs time, not truth.
    pub(super) fn save(&self, draft: &Draft, mut known: Known, diff: Option<&[u8]>) {
        for (sign, _) in known.files.values_mut() {
            *sign = sign.filter(|sign| draft.is_after(sign));
        }
        // The index is settled a little later than the files; until then git is asked again.
        let settled = known.repos.iter().all(|repo| repo.index.is_none_or(|index| draft.is_after(&index)));
        if let Some(diff) = diff.filter(|_| settled) {
            known.diff = hash(diff);
            let written = diff.is_empty() || Draft::of(&self.diff_file).is_some_and(|place| place.save(diff));
            if !written {
                known.diff.clear();
            }
        }
        if let Ok(bytes) = serde_json::to_vec(&known) {
            draft.save(&bytes);
        }
    }
}
