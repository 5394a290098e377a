//! What happens to an attempt, as its spool records it: one JSON object a line, in `keeper.jsonl` and `events.N.jsonl`.

use crate::outcome::{Cause, Outcome};
use crate::row::Values;
use crate::time::{Millis, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An event with its time since the attempt's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    pub t: Millis,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    // By the keeper.
    /// The keeper is there; `t` counts from here. `clock` is the time since the machine's boot.
    /// `steps` are the names of those that it is to carry out behind the command.
    Begun {
        keeper: Process,
        at: UnixMs,
        clock: Millis,
        version: u32,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<String>,
    },
    /// Generation N of the supervisor is there; its segments carry its number.
    Watched { generation: u32, supervisor: Process },
    /// The command runs.
    Started { command: Process },
    /// What was carried out until now ended well, and this step follows: `Started`, `NotStarted` and `Exited` are its own from here
    /// on. With the checkpoints that it is given.
    Step {
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        best: Option<String>,
    },
    /// The command could not be started.
    NotStarted { cause: Cause },
    /// Somebody asked it to end. `why` is `TimeLimit` or `Asked`.
    Asked { why: Cause, signal: i32 },
    /// The grace was over, or a kill was asked for: so many processes were killed.
    Killed { processes: u32 },
    /// The command ended. Exactly one of `code` and `signal` is there.
    Exited { code: Option<i32>, signal: Option<i32>, user_ms: u64, system_ms: u64, peak_memory_kb: u64, out_of_memory: bool },
    /// Processes that the command had left running, which were then ended too.
    LeftBehind { processes: u32 },
    /// A supervisor died; the keeper starts the next generation.
    SupervisorDied { generation: u32, how: String },

    // By a supervisor.
    /// The keeper is gone while the command may still run.
    KeeperLost,
    /// A checkpoint is complete.
    Checkpoint(Checkpoint),
    /// A file that matches the checkpoint globs and cannot be used, with the reason.
    CheckpointSkipped { path: String, why: String },
    /// A checkpoint was deleted, as `[checkpoints] keep` says, or by the script itself.
    CheckpointDeleted { path: String },
    /// What the script says of its own configuration.
    Config { source: String, values: BTreeMap<String, String> },
    /// A value that is no number.
    Tag { name: String, value: String },
    /// The most that the processes of the run held together until now.
    Peak {
        memory_kb: u64,
        /// Bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gpu_memory: Option<u64>,
    },
    /// Something of the output or the metrics was not kept; a sentence says what and how much.
    Dropped { what: String },
    /// The end, and what the whole spool holds. Nothing follows.
    Ended { outcome: Outcome, cause: Option<Cause>, at: UnixMs, last_lines: Vec<String>, segments: Vec<Segment>, summary: Summary },
}

/// A file or folder from which training can go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Relative to where the command started, or absolute outside it.
    pub path: String,
    pub bytes: u64,
    pub modified: UnixMs,
    pub step: Option<i64>,
    pub epoch: Option<f64>,
    /// Of the first objective when it was saved, as far as it was known and finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What was measured first after it was saved, where that may be its value as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<f64>,
}

/// A process that can be told from every other: pids are used again, these five together never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub host: String,
    /// The kernel's boot id.
    pub boot: String,
    /// The inode of the pid namespace.
    pub pid_namespace: u64,
    pub pid: i32,
    /// Clock ticks from boot to its start, of `/proc/PID/stat`.
    pub start: u64,
}

/// A file of the spool with its final length and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

/// What became of each metric in an attempt, so that a listing need not read the points.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    pub metrics: BTreeMap<String, Extent>,
    pub steps: Option<i64>,
}

/// The numbers that stand for a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extent {
    #[serde(with = "crate::number")]
    pub last: f64,
    #[serde(with = "crate::number")]
    pub min: f64,
    #[serde(with = "crate::number")]
    pub max: f64,
    /// Step (else epoch, else count) of the last point.
    pub step: f64,
    /// Which of them it is. Not known of what older versions recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    pub points: u64,
}

/// What the points of a metric are numbered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    Step,
    Epoch,
    Count,
}

impl By {
    pub fn of(step: Option<i64>, epoch: Option<f64>) -> By {
        match (step, epoch) {
            (Some(_), _) => By::Step,
            (None, Some(_)) => By::Epoch,
            (None, None) => By::Count,
        }
    }
}

impl Extent {
    pub fn of(value: f64, step: f64, by: By) -> Extent {
        Extent { last: value, min: value, max: value, step, by: Some(by), points: 1 }
    }

    /// Takes the next point. A NaN is a last value and never an extreme.
    pub fn add(&mut self, value: f64, step: f64, by: By) {
        self.last = value;
        self.step = step;
        self.by = Some(by);
        self.points = self.points.saturating_add(1);
        self.min = if self.min.is_nan() { value } else { self.min.min(value) };
        self.max = if self.max.is_nan() { value } else { self.max.max(value) };
    }

    /// Puts the points before these in front.
    fn follow(&mut self, earlier: &Extent, counted: bool) {
        self.min = self.min.min(earlier.min);
        self.max = self.max.max(earlier.max);
        self.points = self.points.saturating_add(earlier.points);
        self.step += if counted { earlier.step } else { 0.0 };
    }
}

impl Summary {
    /// Takes the values of a row, which stand at its step, else its epoch.
    pub fn add(&mut self, values: &Values, step: Option<i64>, epoch: Option<f64>) {
        let by = By::of(step, epoch);
        let step = step.map(|step| step as f64).or(epoch);
        for (name, value) in &values.0 {
            match self.metrics.get_mut(name) {
                // Several ranks print the same point.
                Some(extent) if step == Some(extent.step) && extent.last.to_bits() == value.to_bits() => {}
                Some(extent) => {
                    let at = step.unwrap_or(extent.points.saturating_add(1) as f64);
                    extent.add(*value, at, by);
                }
                None => {
                    self.metrics.insert(name.clone(), Extent::of(*value, step.unwrap_or(1.0), by));
                }
            }
        }
    }
    /// What became of the metrics from before on. `counted` says of which the points are numbered.
    pub fn after(mut self, earlier: &Summary, counted: impl Fn(&str) -> bool) -> Summary {
        for (name, before) in &earlier.metrics {
            match self.metrics.get_mut(name) {
                Some(extent) => extent.follow(before, counted(name)),
                None => drop(self.metrics.insert(name.clone(), before.clone())),
            }
        }
        self.steps = self.steps.or(earlier.steps);
        self
    }
}
