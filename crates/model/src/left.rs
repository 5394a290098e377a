//! What an attempt left behind besides checkpoints: one line each of `outputs.N.jsonl`.

use crate::time::UnixMs;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Left {
    /// `[outputs] keep` names it.
    Artifact(Artifact),
    /// It stays with the run's folder.
    Other { path: String, bytes: u64 },
    /// Further files of that sort, not named one by one. With `at_least` there are more than were looked at.
    More {
        files: u64,
        bytes: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_least: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Relative to where the command started.
    pub path: String,
    pub bytes: u64,
    pub modified: UnixMs,
    pub sha256: String,
}
