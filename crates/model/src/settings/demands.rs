//! What an experiment asks of whoever places and watches its runs: room, order, targets, retries, mails, rules.

use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// What one run needs. The sizes are bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resources {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Gpus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_memory: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// Of what the machine's owner counts: licences and the like, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<(String, u64)>,
    /// One attempt, where a cluster limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gpus {
    /// 0 hides them.
    Count(u32),
    All,
    /// So many as are free, within these.
    Range(u32, u32),
    /// A share of one, above 0 and below 1.
    Fraction(f64),
    /// Of parameters.
    Expression(String),
}

/// The runs of another experiment that each run here goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The other experiment.
    pub after: String,
    pub match_on: Match,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// Those with the same values of these parameters.
    Params(Vec<String>),
    /// The best one.
    Best,
    /// Each one.
    All,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Retry {
    #[serde(default)]
    pub times: u32,
    /// Empty: any of them.
    #[serde(default)]
    pub on: Vec<RetryOn>,
    /// Before the first retry; doubled before each further one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Millis>,
    /// Parameters that a retry for want of memory changes, each an expression of parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_oom: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryOn {
    Crash,
    /// Out of memory, the host's or the GPU's.
    Oom,
    Lost,
    /// The time limit.
    Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notify {
    #[serde(default)]
    pub email: Vec<String>,
    #[serde(default)]
    pub on: Vec<NotifyOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotifyOn {
    Started,
    Finished,
    Failed,
    Stopped,
    Problem,
}

/// A condition on metrics, with an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// As it was written, such as `val_error > 0.5 and epoch >= 3`.
    #[serde(default)]
    pub when: Option<String>,
    /// Not before the run is this old.
    #[serde(default)]
    pub after: Option<Millis>,
    /// So long the condition must hold: `3 epochs`, `500 steps`, `10 min`.
    #[serde(default)]
    pub hold: Option<String>,
    pub action: RuleAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleAction {
    Notify,
    Stop,
    CheckpointAndStop,
    Requeue,
    Run,
}

/// Which checkpoints come home from another machine by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fetch {
    Best,
    Last,
    All,
    None,
}
