//! A run: one experiment with one fixed assignment of parameters.

use crate::attempt::Attempt;
use crate::event::{Extent, Process};
use crate::id::{AttemptNo, RunId, SweepId, Uid};
use crate::outcome::Outcome;
use crate::params::Params;
use crate::time::{Millis, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What home knows of a run from its journal: who it is and what was decided. Its attempts tell the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub uid: Uid,
    pub sweep: SweepId,
    pub experiment: Arc<str>,
    pub params: Params,
    /// Those that a retry changed; the run is still known by those it was submitted with.
    pub changes: Params,
    /// The run of another experiment that it goes on from.
    pub after: Option<RunId>,
    pub created: UnixMs,
    pub tags: BTreeSet<String>,
    pub note: Option<String>,
    /// In the trash since then.
    pub trashed: Option<UnixMs>,
    /// Attempts that were decided on; the first needs no decision of its own.
    pub attempts: u64,
    /// How long those before the last took together.
    pub earlier: Millis,
    /// What the last attempt came to, once home learned it.
    pub ending: Option<Box<Ending>>,
}

impl Run {
    /// The parameters that it has by now.
    pub fn as_changed(&self) -> Params {
        let mut params = self.params.clone();
        self.changes.iter().for_each(|(name, value)| params.set(name, value.clone()));
        params
    }

    /// The run as its next attempt has it.
    pub fn as_changed_run(&self) -> Run {
        Run { params: self.as_changed(), ..self.clone() }
    }
}

/// What listings show of how a run ended, besides its metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub outcome: Outcome,
    /// Why it ended so, where that is not what everybody expects.
    pub reason: Option<Box<str>>,
    /// When the attempt began, or the first of those that it went on from.
    pub started: Option<UnixMs>,
    /// When the attempt itself began.
    pub begun: Option<UnixMs>,
    pub ended: Option<UnixMs>,
    pub lasted: Option<Millis>,
    /// At which byte of the journal all of it is recorded.
    pub at: u64,
}

impl Ending {
    pub fn of(end: &KnownEnd, at: u64) -> Ending {
        let KnownEnd { attempt, outcome, started, metrics: _ } = end;
        Ending {
            outcome: *outcome,
            reason: attempt.reason().map(String::into_boxed_str),
            started: *started,
            begun: attempt.begun,
            ended: attempt.end.as_ref().map(|end| end.at),
            lasted: attempt.lasted,
            at,
        }
    }
}

/// How a run ended, as the journal records it, so that nobody need open its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownEnd {
    pub attempt: Attempt,
    pub outcome: Outcome,
    /// When the attempt began, or the first of those that it went on from.
    pub started: Option<UnixMs>,
    /// Joined over the attempts.
    pub metrics: BTreeMap<String, Extent>,
}

impl KnownEnd {
    /// Without what only the page of an attempt shows, which its spool has.
    pub fn of(mut attempt: Attempt, outcome: Outcome, started: Option<UnixMs>, metrics: BTreeMap<String, Extent>) -> KnownEnd {
        attempt.config.clear();
        attempt.checkpoints.clear();
        if let Some(end) = &mut attempt.end {
            end.last_lines.clear();
        }
        KnownEnd { attempt, outcome, started, metrics }
    }
}

/// The outcome of a run whose last attempt ended so.
pub fn run_outcome(attempt: Outcome) -> Outcome {
    match attempt {
        Outcome::Unknown => Outcome::Lost,
        other => other,
    }
}

/// Why an attempt was decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// From scratch.
    Retry,
    /// From this checkpoint, or by the script's own means when there is none to hand over.
    Resume {
        checkpoint: Option<String>,
        /// The best by the first objective, for those who go on from that.
        #[serde(default)]
        best: Option<String>,
        /// With this step, as the command and all steps before it ended well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
    },
}

/// An attempt that was decided on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub run: RunId,
    pub attempt: AttemptNo,
    pub again: Again,
    /// The process that starts it; without one the daemon does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Process>,
    /// Nobody asked for it: why neronet decided on it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixMs>,
    /// Parameters that have other values from now on.
    #[serde(default, skip_serializing_if = "Params::is_empty", serialize_with = "crate::params::exactly")]
    pub changes: Params,
    /// So many attempts have failed one after the other, where whoever starts this one has not seen them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub failures: u32,
}

fn is_none(failures: &u32) -> bool {
    *failures == 0
}

impl Decision {
    /// One that somebody asked for, with the parameters as they are.
    pub fn new(run: RunId, attempt: AttemptNo, again: Again, driver: Option<Process>) -> Decision {
        Decision { run, attempt, again, driver, because: None, not_before: None, changes: Params::new(), failures: 0 }
    }
}
