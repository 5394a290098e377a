//! `launch.json`: everything that the keeper and the supervisor of one attempt need, resolved, with nothing left to decide.
//! Written by whoever starts the attempt, before the keeper; it never changes.

use crate::id::{AttemptNo, RunId, Uid};
use crate::settings::{Checkpoints, Metrics, Objective, Stop};
use crate::time::{Millis, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    pub version: u32,
    pub run: RunId,
    pub uid: Uid,
    pub attempt: AttemptNo,
    /// Program and arguments. A shell command is already `bash -c …`.
    pub argv: Vec<String>,
    /// The command in words, for people.
    pub shown: String,
    /// The command may end well although a program that it calls was killed within a line.
    #[serde(default)]
    pub hides_ends: bool,
    /// Where the command starts, absolute.
    pub directory: String,
    /// The run's folder (`NERONET_RUN_DIR`), absolute.
    pub run_directory: String,
    /// Set on top of the environment that the keeper inherits; `None` takes a variable away.
    pub env: Vec<(String, Option<String>)>,
    /// Variables whose values the keeper is told in memory: they are in no file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    pub time_limit: Option<Millis>,
    pub stop: Stop,
    pub metrics: Metrics,
    pub checkpoints: Checkpoints,
    /// What `keep = { best = … }` ranks by.
    pub objectives: Vec<Objective>,
    /// The attempt goes on where an earlier one was, so that its curves continue; else it starts curves of its own.
    pub resumes: bool,
    /// The checkpoint that was handed over, if one was.
    pub resumed_from: Option<String>,
    /// Of a further attempt: the files of `[metrics] files` as they were when it began. What they held is an earlier attempt's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files_found: BTreeMap<String, FoundFile>,
    pub limits: Limits,
}

/// A file as an attempt found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFile {
    pub bytes: u64,
    pub modified: UnixMs,
    /// SHA-256 of its last 64 bytes: where something else stands there later, it was written anew.
    pub end: String,
}

/// What bounds the disk that one attempt may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of output kept: the first and the last half of it.
    pub output_bytes: u64,
    /// Bytes of one line kept.
    pub line_bytes: u64,
    /// Bytes of metrics kept before points are thinned.
    pub metrics_bytes: u64,
    /// Distinct metric names kept.
    pub metric_names: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { output_bytes: 1 << 30, line_bytes: 64 << 10, metrics_bytes: 1 << 30, metric_names: 10_000 }
    }
}
