//! A step of an attempt, `[[then]]`, as the attempt's events tell of it.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// Since the attempt's start, as is `ended`.
    pub begun: Option<Millis>,
    pub ended: Option<Millis>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    /// The checkpoints that it was given.
    pub checkpoint: Option<String>,
    pub best: Option<String>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It has not begun.
    Waiting,
    Running,
    Finished,
    Failed,
    /// It was asked to end.
    Stopped,
    /// Nobody saw how it ended.
    Unknown,
}

impl Step {
    /// One that has not begun.
    pub fn named(name: String) -> Step {
        Step { name, ..Step::default() }
    }

    pub fn has_finished(&self) -> bool {
        self.ended.is_some() && self.exit_code == Some(0)
    }

    pub fn lasted(&self) -> Option<Millis> {
        Some(Millis(self.ended?.0.saturating_sub(self.begun?.0)))
    }
}

impl fmt::Display for StepState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            StepState::Waiting => "waiting",
            StepState::Running => "running",
            StepState::Finished => "finished",
            StepState::Failed => "failed",
            StepState::Stopped => "stopped",
            StepState::Unknown => "unknown",
        })
    }
}
