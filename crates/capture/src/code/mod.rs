//! The code of a submission: surveyed where it lies, stored under its hash, copied out for each run.

mod adopt;
mod cache;
mod changes;
mod commit;
mod diff;
mod folders;
mod git;
mod links;
mod manifest;
mod read;
mod settle;
mod size;
mod store;
mod survey;
mod walk;
mod work;

pub use adopt::{adopt, adopt_ours, contents};
pub use changes::{changed_files, changed_since};
pub use commit::{Checkout, survey_commit};
pub use folders::is_environment;
pub use store::{Draft, diff_text, is_wanted_again, remove_unfinished, store};
pub use survey::{survey, survey_copy};
pub use work::{copy_built, linked, materialise, mend, mend_built, stored};

use neronet_model::UnixMs;
use neronet_model::journal::Git;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a snapshot of a folder holds, before it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// The top of the git work tree, else the start folder. Symlinks in it are resolved.
    pub top: PathBuf,
    /// The start folder relative to `top`; empty where they are the same.
    pub below: String,
    /// Untracked files make a work tree dirty too: the commit alone does not hold what runs.
    pub git: Option<Git>,
    pub files: Vec<Entry>,
    /// Large files for which there is no room: recorded and linked, not copied.
    pub large: Vec<Large>,
    /// Folders of which nothing else is taken along: empty ones, and those that git ignores whole. In the snapshot they are empty.
    pub folders: Vec<String>,
    /// Path and a sentence why it is not in the snapshot.
    pub left_out: Vec<(String, String)>,
    /// A sentence why there can be no snapshot of this folder; then the lists may be incomplete.
    pub in_place_because: Option<String>,
    pub links: Vec<Link>,
    pub submodules: Vec<Submodule>,
    /// Files and symlinks that git does not track, and repositories inside that are no submodules (with a `/` at the end).
    pub untracked: Vec<String>,
    /// `git diff HEAD`, submodules included, without files that look like secrets.
    pub diff: Vec<u8>,
    /// Where the files lie that are not those of the work tree.
    pub checkout: Option<Arc<Checkout>>,
    /// Sentences that the user should read, e.g. that git refused and the folder was walked.
    pub notes: Vec<String>,
}

impl Survey {
    /// Where its files lie: at its top, but for those of a commit that was checked out elsewhere.
    pub fn place(&self) -> &Path {
        self.checkout.as_ref().map_or(&self.top, |checkout| checkout.files())
    }

    /// Leaves out the linked files that runs save themselves, by their paths below `top`: a run would write through the link.
    pub fn leave_out_saved(&mut self, saved: impl Fn(&str) -> bool) {
        let (saved, large) = std::mem::take(&mut self.large).into_iter().partition(|large| saved(&large.path));
        self.large = large;
        self.left_out.extend(saved.into_iter().map(|large: Large| (large.path, "runs save it: [checkpoints] paths names it".to_string())));
        self.left_out.sort();
    }
}

/// A file to copy. Paths are relative to the top, with `/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub size: u64,
    pub executable: bool,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Large {
    pub path: String,
    pub size: u64,
    pub mtime: UnixMs,
}

/// A symlink. `target` is as it will be in the work copy: relative within the snapshot, absolute outside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub path: String,
    pub target: String,
    pub outside: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submodule {
    pub path: String,
    /// The commit that is checked out; without one, that which the outer repository names.
    pub commit: String,
    pub checked_out: bool,
}

/// Above these a folder is too big to be copied for every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    pub bytes: u64,
    pub files: u64,
    /// A file above this is linked where there is no room for it.
    pub large: u64,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps { bytes: 100_000_000, files: 20_000, large: 10_000_000 }
    }
}

/// One file's difference between two snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub path: String,
    pub kind: ChangeKind,
    /// A unified diff, for text.
    pub diff: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
}
