//! Why a queued run waits, in data and in words.

use crate::decide::Decided;
use crate::hours::{self, Shut};
use crate::queue::{Item, Lane, Queue, Stand};
use neronet_model::size::shown;
use neronet_model::{Outcome, RunId, SweepId, UnixMs};
use serde::{Deserialize, Serialize};

/// What a machine has not, or not now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lack {
    Gpus {
        needs: u32,
        free: u32,
        all: u32,
        /// Bytes of each, where it is not a whole one.
        memory: Option<u64>,
        /// Those that others use, each with who that is.
        others: Vec<(String, String)>,
    },
    Cpus {
        needs: u32,
        free: u32,
        all: u32,
    },
    Memory {
        needs: u64,
        free: u64,
        all: u64,
    },
    /// Bytes.
    Disk {
        needs: u64,
        free: u64,
        all: u64,
    },
    Named {
        name: String,
        needs: u64,
        all: u64,
    },
    Runs {
        most: u64,
    },
    Closed(String),
    /// Of its hours, or of times of maintenance.
    Shut {
        machine: String,
        shut: Box<Shut>,
        /// When it takes the run.
        opens: Option<UnixMs>,
        /// It is open still, but not for as long as the run may take.
        ahead: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    Held {
        by: String,
        why: Option<String>,
    },
    After {
        runs: Vec<RunId>,
        best: bool,
    },
    /// What it goes on from has ended, and not well.
    Upstream {
        run: RunId,
        outcome: Option<Outcome>,
    },
    NotBefore(UnixMs),
    Parallel {
        sweep: SweepId,
        at_a_time: u64,
    },
    Quota {
        project: String,
        what: Limited,
        most: u64,
    },
    GpuTime {
        sweep: SweepId,
    },
    Lacks {
        lack: Lack,
        held_by: Vec<RunId>,
        until: Option<UnixMs>,
    },
    /// It would fit, and would then make this one wait longer.
    Before(RunId),
    /// Others come first, this one before all.
    Turn {
        behind: Option<RunId>,
    },
    /// No machine that there is now can ever give it what it needs.
    Never(Lack),
    Trashed,
    /// Something is done first for the whole sweep.
    NotYet(String),
    /// There is no machine to start it on.
    NoMachine,
    /// The machine where it would start is not there now.
    Absent {
        target: String,
        why: String,
        since: Option<UnixMs>,
    },
    /// It belongs to a target, which has not started it yet.
    Away {
        target: String,
        why: Option<Box<Reason>>,
    },
    /// It fits, and is started at this moment.
    Now,
}

/// What a project may have so much of at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limited {
    Runs,
    Gpus,
}

impl Lack {
    /// `1 GPU`, `2 of 4 GPUs`, `8 CPUs`, `30 GB of memory`.
    fn wanted(&self) -> String {
        match self {
            Lack::Gpus { needs, memory: Some(bytes), .. } => {
                format!("{} of memory on {}", shown(*bytes), counted(u64::from(*needs), "GPU"))
            }
            Lack::Gpus { needs, .. } => counted(u64::from(*needs), "GPU"),
            Lack::Cpus { needs, all, .. } if needs == all => "all CPUs that runs may have".into(),
            Lack::Cpus { needs, .. } => counted(u64::from(*needs), "CPU"),
            Lack::Memory { needs, .. } => format!("{} of memory", shown(*needs)),
            Lack::Disk { needs, free, .. } => format!("{} of the disk, of which {} can be given to it", shown(*needs), shown(*free)),
            Lack::Named { name, needs, .. } => format!("{needs} of {name}"),
            Lack::Runs { .. } => "its turn".into(),
            Lack::Closed(why) => why.clone(),
            Lack::Shut { machine, .. } => format!("{machine} to take runs"),
        }
    }

    /// Of what can never be: what was asked for, and what there is.
    pub fn never(&self) -> String {
        match self {
            Lack::Gpus { needs, all, memory, .. } => {
                let of = memory.map(|bytes| format!(" with {} of memory each", shown(bytes))).unwrap_or_default();
                format!("needs {}{of}; the machine has {all} for runs", counted(u64::from(*needs), "GPU"))
            }
            Lack::Cpus { needs, all, .. } => format!("needs {}; the machine has {all} for runs", counted(u64::from(*needs), "CPU")),
            Lack::Memory { needs, all, .. } => format!("needs {} of memory; the machine has {} for runs", shown(*needs), shown(*all)),
            Lack::Disk { needs, all, .. } => format!("needs {} of the disk where home is, which has {}", shown(*needs), shown(*all)),
            Lack::Named { name, needs, all } => format!("needs {needs} of {name}; targets.toml says that there are {all}"),
            Lack::Runs { .. } => "targets.toml allows no runs on this machine".into(),
            Lack::Closed(why) => why.clone(),
            Lack::Shut { machine, .. } => format!("needs {machine} to take runs"),
        }
    }
}

impl Reason {
    /// A sentence without a full stop. `time` writes a moment as people read it, `lasts` how long ago it was, `ids` several runs.
    pub fn words(&self, time: &dyn Fn(UnixMs) -> String, lasts: &dyn Fn(UnixMs) -> String, ids: &dyn Fn(&[RunId]) -> String) -> String {
        match self {
            Reason::Held { by, why: None } => format!("held by {by}"),
            Reason::Held { why: Some(why), .. } => format!("held: {why}"),
            Reason::After { runs, best: false } => format!("after {} {}", if runs.len() == 1 { "run" } else { "runs" }, ids(runs)),
            Reason::After { runs, best: true } => {
                format!("after the best of {} {}", if runs.len() == 1 { "run" } else { "runs" }, ids(runs))
            }
            Reason::Upstream { run, outcome: None } => format!("held: run {run}, which it goes on from, was removed"),
            Reason::Upstream { run, outcome: Some(outcome) } => {
                let how = match outcome {
                    Outcome::Stopped => "was stopped",
                    Outcome::Lost | Outcome::Unknown => "was lost",
                    Outcome::Failed | Outcome::Finished => "failed",
                };
                format!("held: run {run}, which it goes on from, {how}; `neronet retry {run}` releases it")
            }
            Reason::NotBefore(at) => format!("not before {}", time(*at)),
            Reason::Parallel { sweep, at_a_time } => {
                let at_a_time = if *at_a_time == 1 { "one".to_string() } else { at_a_time.to_string() };
                format!("waits for its turn: {at_a_time} at a time in sweep {sweep}")
            }
            Reason::Quota { project, what, most } => {
                let most = counted(*most, if *what == Limited::Runs { "run" } else { "GPU" });
                format!("waits for its turn: project {project} may have {most} at a time")
            }
            Reason::GpuTime { sweep } => format!("sweep {sweep} has used up its GPU hours"),
            Reason::Lacks { lack: Lack::Closed(why), .. } => why.clone(),
            Reason::Lacks { lack: Lack::Shut { machine, shut, opens, ahead }, .. } => hours::words(machine, shut, *opens, *ahead, time),
            Reason::Lacks { lack, held_by, until } => {
                let others = if let Lack::Gpus { others, .. } = lack { others.as_slice() } else { &[] };
                let mut who: Vec<String> = others.iter().map(|(_, who)| format!("{who} uses one")).collect();
                who.sort();
                who.dedup();
                if !held_by.is_empty() {
                    who.insert(0, format!("held by {}", ids(held_by)));
                }
                let until = until.map(|at| format!(" until about {}", time(at))).unwrap_or_default();
                let who = if who.is_empty() { String::new() } else { format!(": {}{until}", who.join("; ")) };
                format!("waits for {}{who}", lack.wanted())
            }
            Reason::Before(run) => format!("waits for run {run} to start first, which needs what it would take"),
            Reason::Turn { behind: None } => "waits for its turn".into(),
            Reason::Turn { behind: Some(run) } => format!("waits for its turn: run {run} comes first"),
            Reason::Never(lack) => format!("waits for another machine: it {}", lack.never()),
            Reason::Trashed => "in the trash".into(),
            Reason::NotYet(what) => what.clone(),
            Reason::NoMachine => "there is no machine to start it on".into(),
            Reason::Absent { target, why, since } => {
                let since = since.map(|since| format!(" for {}", lasts(since))).unwrap_or_default();
                format!("target {target} {why}{since}")
            }
            Reason::Away { target, why: None } => format!("on {target}: waits for its turn"),
            Reason::Away { target, why: Some(why) } => format!("on {target}: {}", why.words(time, lasts, ids)),
            Reason::Now => "is being started".into(),
        }
    }
}

fn counted(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

impl Queue {
    /// Why a run cannot start whatever is free.
    pub fn own_reason_of(&self, run: RunId, now: UnixMs) -> Option<Reason> {
        let item = self.runs.get(&run)?;
        self.own_reason(item, self.lanes.get(&item.lane)?, now)
    }

    /// Why a run does not start whatever is free: what was said of it, and what it waits for.
    pub(crate) fn own_reason(&self, item: &Item, lane: &Lane, now: UnixMs) -> Option<Reason> {
        if item.trashed {
            return Some(Reason::Trashed);
        }
        if let Some(held) = &item.held {
            return Some(Reason::Held { by: held.by.clone(), why: held.why.clone() });
        }
        if let Some(after) = item.after {
            match self.stand(after) {
                Some(Stand::Ended(Outcome::Finished)) => {}
                Some(Stand::Ended(outcome)) => return Some(Reason::Upstream { run: after, outcome: Some(outcome) }),
                Some(_) => return Some(Reason::After { runs: vec![after], best: false }),
                None => return Some(Reason::Upstream { run: after, outcome: None }),
            }
        }
        if let Some(reason) = self.lane_reason(lane) {
            return Some(reason);
        }
        item.not_before.filter(|at| *at > now).map(Reason::NotBefore)
    }

    /// What all runs of a sweep wait for.
    fn lane_reason(&self, lane: &Lane) -> Option<Reason> {
        let ended = |run: &RunId| match self.stand(*run) {
            Some(Stand::Ended(outcome)) => Some(Some(outcome)),
            Some(_) => None,
            None => Some(None),
        };
        if let Some((run, outcome)) = lane.waits.iter().find_map(|run| Some((*run, ended(run)?))) {
            return Some(Reason::Upstream { run, outcome });
        }
        if !lane.waits.is_empty() {
            let best = lane.best_of.iter().any(|run| lane.waits.contains(run));
            let runs = if best { lane.best_of.iter().copied().collect() } else { lane.waits.iter().copied().collect() };
            return Some(Reason::After { runs, best });
        }
        let last = lane.best_of.last().copied().filter(|_| lane.upstream_failed)?;
        Some(Reason::Upstream { run: last, outcome: ended(&last).flatten() })
    }

    /// Why a run waits, where `decided` is the last decision.
    pub fn reason(&self, run: RunId, decided: &Decided, now: UnixMs) -> Option<Reason> {
        let item = self.runs.get(&run).filter(|item| item.stand == Stand::Queued || item.awaits_start(item.attempt))?;
        let lane = self.lanes.get(&item.lane)?;
        if let Some(own) = self.own_reason(item, lane, now) {
            let there = item.away.as_ref().filter(|_| matches!(own, Reason::After { .. }));
            return Some(match there {
                // It waits for that one where it is.
                Some(away) => {
                    Reason::Away { target: away.target.clone(), why: Some(decided.there(run, away, None).unwrap_or_else(|| Box::new(own))) }
                }
                None => own,
            });
        }
        if let Some(away) = item.away.as_ref().filter(|_| item.stand == Stand::Granted) {
            let now = (!self.has_waited(run, now)).then(|| Box::new(Reason::Now));
            return Some(Reason::Away { target: away.target.clone(), why: decided.there(run, away, None).or(now) });
        }
        if let Some(away) = &item.away {
            return Some(Reason::Away { target: away.target.clone(), why: decided.there(run, away, Some(item.kind(lane))) });
        }
        if decided.starts.iter().any(|start| start.run == run) {
            return Some(Reason::Now);
        }
        if let Some(brought) = decided.brought(run) {
            return Some(brought);
        }
        if let Some(most) = lane.parallel.filter(|most| lane.running >= *most) {
            return Some(Reason::Parallel { sweep: item.lane, at_a_time: most });
        }
        let known = decided.sweeps.get(&item.lane).or_else(|| decided.of_kind(item.kind(lane)));
        Some(known.cloned().unwrap_or(Reason::Turn { behind: decided.first.filter(|first| *first != run) }))
    }
}
