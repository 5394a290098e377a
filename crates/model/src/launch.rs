//! `launch.json`: everything that the keeper and the supervisor of one attempt need, resolved, with nothing left to decide.
//! Written by whoever starts the attempt, before the keeper; it never changes.

use crate::id::{AttemptNo, RunId, Uid};
use crate::queue::Grant;
use crate::settings::{Checkpoints, Metrics, Objective, Outputs, Stop};
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
    /// What carries the setup out and then the words behind it, for whoever looks at the run in its environment; none without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// The command in words, for people.
    pub shown: String,
    /// The command may end well although a program that it calls was killed within a line.
    #[serde(default)]
    pub hides_ends: bool,
    /// What is carried out when the command has ended well, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The command ended well in an earlier attempt: this one carries out the steps alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steps_only: bool,
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
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// What the run's copy of the code was made from; none when it executes in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What `keep = { best = … }` ranks by.
    pub objectives: Vec<Objective>,
    /// The attempt goes on where an earlier one was, so that its curves continue; else it starts curves of its own.
    pub resumes: bool,
    /// The checkpoint that was handed over, if one was.
    pub resumed_from: Option<String>,
    /// The event files of `[metrics] tensorboard`, and of a further attempt the `[metrics] files`, as they were when it began. What they
    /// held is an earlier run's or attempt's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files_found: BTreeMap<String, FoundFile>,
    pub limits: Limits,
    /// What it has of the machine, where somebody counts that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    #[serde(default, skip_serializing_if = "Courtesy::is_none")]
    pub courtesy: Courtesy,
    /// Sentences on what was noticed before the start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// How the command yields to whoever else uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Courtesy {
    /// Added to its niceness: more yields more, up to 19.
    #[serde(default)]
    pub nice: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskTurn>,
}

/// When it may use the disk, where the disk's scheduler keeps to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskTurn {
    /// Behind all that did not say so.
    Last,
    /// When nobody else does.
    Idle,
}

impl Courtesy {
    pub fn is_none(&self) -> bool {
        *self == Courtesy::default()
    }
}

/// A step behind the command, resolved but for the checkpoints that are known only when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// Of a command without a shell a checkpoint is its `mark`; a script for the shell takes it from its `variable`.
    pub argv: Vec<String>,
    pub shown: String,
    #[serde(default)]
    pub hides_ends: bool,
    /// Without these it cannot start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<Awaited>,
}

/// A checkpoint that is known only when a step starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    Latest,
    Best,
}

impl Awaited {
    pub const fn variable(self) -> &'static str {
        match self {
            Awaited::Latest => "NERONET_CHECKPOINT",
            Awaited::Best => "NERONET_CHECKPOINT_BEST",
        }
    }

    /// Nothing that is meant for a process can hold it.
    pub const fn mark(self) -> &'static str {
        match self {
            Awaited::Latest => "\0checkpoint\0",
            Awaited::Best => "\0checkpoint.best\0",
        }
    }
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
