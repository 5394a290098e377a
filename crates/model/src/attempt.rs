//! An attempt as a fold over its events. The same `apply` serves live and on replay.

use crate::event::{Checkpoint, Event, Process, Stamped, Summary};
use crate::id::AttemptNo;
use crate::outcome::{Cause, Outcome};
use crate::step::{Step, StepState};
use crate::time::{Millis, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub n: AttemptNo,
    /// Wall clock of `t = 0`.
    pub begun: Option<UnixMs>,
    pub keeper: Option<Process>,
    pub supervisor: Option<Process>,
    pub command: Option<Process>,
    /// Time from the beginning to the end of the command and of the steps behind it.
    pub lasted: Option<Millis>,
    /// What follows when the command has ended well. `command`, `exit_code` and `signal` are of the last that was carried out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Why it was asked to end, if it was.
    pub asked: Option<Cause>,
    pub not_started: Option<Cause>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub out_of_memory: bool,
    /// Of all processes together where they were looked at, else of the largest.
    pub peak_memory_kb: Option<u64>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_gpu_memory: Option<u64>,
    pub cpu_ms: Option<u64>,
    pub keeper_lost: bool,
    pub supervisors_died: u32,
    pub checkpoints: Vec<Checkpoint>,
    pub config: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// Sentences about what was not kept or could not be used.
    pub notices: Vec<String>,
    pub end: Option<End>,
    /// From `launch.json`, as are `resumes` and `steps_only`.
    pub resumed_from: Option<String>,
    pub resumes: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub steps_only: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub outcome: Outcome,
    pub cause: Option<Cause>,
    pub at: UnixMs,
    pub last_lines: Vec<String>,
    pub summary: Summary,
}

impl Attempt {
    pub fn new(n: AttemptNo) -> Attempt {
        Attempt {
            n,
            begun: None,
            keeper: None,
            supervisor: None,
            command: None,
            lasted: None,
            steps: Vec::new(),
            asked: None,
            not_started: None,
            exit_code: None,
            signal: None,
            out_of_memory: false,
            peak_memory_kb: None,
            peak_gpu_memory: None,
            cpu_ms: None,
            keeper_lost: false,
            supervisors_died: 0,
            checkpoints: Vec::new(),
            config: BTreeMap::new(),
            tags: BTreeMap::new(),
            notices: Vec::new(),
            end: None,
            resumed_from: None,
            resumes: false,
            steps_only: false,
        }
    }

    /// Its moments by a clock that is so many milliseconds ahead of the one that they were written by.
    pub fn shift(&mut self, ahead: i64) {
        let moments = self.begun.iter_mut().chain(self.end.iter_mut().map(|end| &mut end.at));
        moments.for_each(|at| at.0 = at.0.saturating_add(ahead));
    }

    pub fn apply(&mut self, stamped: Stamped) {
        match stamped.event {
            Event::Begun { keeper, at, steps, .. } => {
                self.keeper = Some(keeper);
                self.begun = Some(at);
                self.steps = steps.into_iter().map(Step::named).collect();
            }
            Event::Watched { supervisor, .. } => self.supervisor = Some(supervisor),
            Event::Started { command } => self.command = Some(command),
            Event::Step { name, checkpoint, best } => {
                (self.exit_code, self.signal, self.lasted) = (None, None, None);
                if let Some(step) = self.steps.iter_mut().find(|step| step.name == name) {
                    *step = Step { begun: Some(stamped.t), checkpoint, best, ..Step::named(name) };
                }
            }
            Event::NotStarted { cause } => {
                self.not_started = Some(cause);
                self.lasted = Some(stamped.t);
                if let Some(step) = self.steps.iter_mut().rfind(|step| step.begun.is_some()) {
                    step.ended = Some(stamped.t);
                }
            }
            // The first reason is the true one: a kill after a stop is still that stop.
            Event::Asked { why, .. } => {
                self.asked.get_or_insert(why);
            }
            Event::Killed { .. } => {}
            Event::Exited { code, signal, user_ms, system_ms, peak_memory_kb, out_of_memory } => {
                self.exit_code = code;
                self.signal = signal;
                self.cpu_ms = Some(self.cpu_ms.unwrap_or(0).saturating_add(user_ms).saturating_add(system_ms));
                self.peak_memory_kb = self.peak_memory_kb.max(Some(peak_memory_kb));
                self.out_of_memory = out_of_memory;
                self.lasted = Some(stamped.t);
                if let Some(step) = self.steps.iter_mut().rfind(|step| step.begun.is_some()) {
                    (step.ended, step.exit_code, step.signal) = (Some(stamped.t), code, signal);
                }
            }
            Event::LeftBehind { processes } => {
                self.notices.push(format!("{processes} processes were left running by the command and were ended"));
            }
            Event::SupervisorDied { generation, how } => {
                self.supervisors_died = self.supervisors_died.saturating_add(1);
                self.notices.push(format!("supervisor {generation} ended ({how}) and was replaced"));
            }
            Event::KeeperLost => {
                if !self.keeper_lost {
                    self.keeper_lost = true;
                    self.notices.push("the keeper was killed while the command ran".into());
                }
            }
            Event::Checkpoint(checkpoint) => {
                self.checkpoints.retain(|known| known.path != checkpoint.path);
                self.checkpoints.push(checkpoint);
            }
            Event::CheckpointSkipped { path, why } => self.notices.push(format!("checkpoint {path} skipped: {why}")),
            Event::CheckpointDeleted { path } => self.checkpoints.retain(|known| known.path != path),
            Event::Config { values, .. } => self.config.extend(values),
            Event::Tag { name, value } => {
                self.tags.insert(name, value);
            }
            Event::Peak { memory_kb, gpu_memory } => {
                self.peak_memory_kb = self.peak_memory_kb.max(Some(memory_kb));
                self.peak_gpu_memory = self.peak_gpu_memory.max(gpu_memory);
            }
            Event::Dropped { what } => {
                if !self.notices.contains(&what) {
                    self.notices.push(what);
                }
            }
            Event::Ended { outcome, cause, at, last_lines, summary, .. } => {
                self.lasted.get_or_insert(stamped.t);
                self.end = Some(End { outcome, cause, at, last_lines, summary });
            }
        }
    }

    /// The command has ended and no step follows, whether or not the supervisor is through with its output.
    pub fn command_ended(&self) -> bool {
        let exited = self.exit_code.is_some() || self.signal.is_some();
        self.end.is_some() || self.not_started.is_some() || (exited && !self.goes_on())
    }

    /// What was carried out last ended well, and a step is to follow.
    fn goes_on(&self) -> bool {
        let well = self.exit_code == Some(0) && self.asked.is_none() && self.not_started.is_none();
        well && self.steps.iter().any(|step| step.begun.is_none())
    }

    /// The step that was begun last.
    pub fn step(&self) -> Option<&Step> {
        self.steps.iter().rfind(|step| step.begun.is_some())
    }

    pub fn state_of(&self, step: &Step) -> StepState {
        match (step.begun, step.ended) {
            (None, _) => StepState::Waiting,
            (_, None) if self.end.is_some() => StepState::Unknown,
            (_, None) => StepState::Running,
            _ if step.has_finished() => StepState::Finished,
            _ if matches!(self.asked, Some(Cause::Asked(_))) => StepState::Stopped,
            _ => StepState::Failed,
        }
    }

    /// The first step that did not end well, where all before it did: there a further attempt can go on.
    pub fn first_step_left(&self) -> Option<&Step> {
        let command_is_done = self.steps_only || self.step().is_some() || (self.exit_code == Some(0) && self.asked.is_none());
        self.steps.iter().find(|step| !step.has_finished()).filter(|_| command_is_done)
    }

    /// Why it ended as it did, for people. That a command was killed matters when it had something to save.
    pub fn reason(&self) -> Option<String> {
        let cause = self.end.as_ref()?.cause.as_ref()?;
        let killed = matches!(cause, Cause::Asked(_)) && self.signal == Some(9);
        let reason = if killed { format!("{cause} (killed)") } else { cause.to_string() };
        Some(match self.step().filter(|step| !step.has_finished()) {
            Some(step) => format!("step {}: {reason}", step.name),
            None => reason,
        })
    }

    /// What the keeper's events alone say of the end. The supervisor refines a failure's cause from the output.
    pub fn verdict(&self) -> (Outcome, Option<Cause>) {
        if let Some(cause) = &self.not_started {
            return (Outcome::Failed, Some(cause.clone()));
        }
        match (self.exit_code, self.signal) {
            (None, None) => (Outcome::Unknown, Some(Cause::KeeperLost)),
            _ if self.goes_on() => (Outcome::Unknown, Some(Cause::KeeperLost)),
            // Asked and then gone by itself with success: what it had to do is done only if nobody cut it short.
            (code, signal) => match (&self.asked, code, signal) {
                (Some(Cause::TimeLimit), _, _) => (Outcome::Failed, Some(Cause::TimeLimit)),
                (Some(asked), _, _) => (Outcome::Stopped, Some(asked.clone())),
                (None, Some(0), _) => (Outcome::Finished, None),
                (None, _, _) if self.out_of_memory => (Outcome::Failed, Some(Cause::OutOfMemory)),
                (None, Some(code), _) => (Outcome::Failed, Some(Cause::ExitCode(code))),
                (None, None, signal) => (Outcome::Failed, signal.map(Cause::Signal)),
            },
        }
    }
}
