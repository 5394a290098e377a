//! What is seen of a run while it runs, and read of it afterwards.

use crate::objective;
use crate::smoke::First;
use crate::smoke::pace::Pace;
use neronet_machine::Gpus;
use neronet_model::settings::{Goal, Objective};
use neronet_model::{Attempt, AttemptNo, Millis};
use neronet_store::{StoreError, spool};
use neronet_supervise::os::{memory, process};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two samples.
const PAUSE: Duration = Duration::from_millis(500);
/// Values of a metric by which runs are compared.
const COMPARED: usize = 10;

/// Samples what the processes of one attempt hold.
pub(super) struct Probe {
    gpus: Gpus,
    sampled: Option<Instant>,
    pub(super) memory: Option<u64>,
    pub(super) gpu_memory: Option<u64>,
}

impl Probe {
    pub(super) fn new() -> Probe {
        Probe { gpus: Gpus::open(), sampled: None, memory: None, gpu_memory: None }
    }

    /// True when it was time to look.
    pub(super) fn sample(&mut self, folder: &Path) -> bool {
        if self.sampled.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        self.sampled = Some(Instant::now());
        let Ok(Attempt { keeper: Some(keeper), supervisor, .. }) = spool::attempt(folder, AttemptNo(1)) else { return true };
        let mut pids = process::descendants(keeper.pid);
        pids.retain(|pid| supervisor.as_ref().is_none_or(|supervisor| supervisor.pid != *pid));
        self.memory = self.memory.max(Some(memory::held_by(&pids)).filter(|bytes| *bytes > 0));
        let holders = self.gpus.look(Duration::ZERO).iter().flat_map(|seen| &seen.now.processes);
        let held: u64 = holders.filter(|holder| pids.contains(&holder.pid)).filter_map(|holder| holder.memory).sum();
        self.gpu_memory = self.gpu_memory.max(Some(held).filter(|bytes| *bytes > 0));
        true
    }
}

/// The first values of each metric, each with when it was read.
pub(super) type Firsts = BTreeMap<String, Vec<(Millis, f64)>>;

pub(super) fn firsts(folder: &Path) -> Result<Firsts, StoreError> {
    let mut firsts = Firsts::new();
    // Several ranks print the same point.
    let mut last: BTreeMap<String, (Option<i64>, f64)> = BTreeMap::new();
    spool::rows(folder, |row| {
        for (name, value) in row.m.0 {
            let of_name = firsts.entry(name.clone()).or_default();
            if of_name.len() < COMPARED {
                let point = (row.step, value);
                let before = last.insert(name, point);
                let repeated =
                    before.is_some_and(|before| point.0.is_some() && before.0 == point.0 && before.1.to_bits() == value.to_bits());
                if !repeated {
                    of_name.push((row.t, value));
                }
            }
        }
    })?;
    Ok(firsts)
}

/// The metric that tells first how the training goes: an objective or what is named like a loss, else a score, else any.
pub(super) fn telling(firsts: &Firsts, objectives: &[Objective]) -> Option<First> {
    let rank = |name: &str| match objective::goal_of(name) {
        _ if objectives.iter().any(|objective| objective.metric == name) => 0,
        Some(Goal::Min) => 0,
        Some(Goal::Max) => 1,
        None if objective::is_setting(name) => 3,
        None => 2,
    };
    let all = firsts.iter().filter_map(|(name, values)| values.first().map(|(t, value)| (name, *t, *value)));
    let (metric, after, value) = all.min_by_key(|(name, t, _)| (rank(name), *t))?;
    Some(First { metric: metric.clone(), value, after })
}

/// By the rows that tell this metric where that gives a speed, else by all.
pub(super) fn pace(folder: &Path, metric: &str, lasted: Millis) -> Result<Pace, StoreError> {
    let (mut of_metric, mut of_all) = (Pace::default(), Pace::default());
    spool::rows(folder, |row| {
        of_all.add(&row);
        if row.m.0.iter().any(|(name, _)| name == metric) {
            of_metric.add(&row);
        }
    })?;
    Ok(if of_metric.speed(lasted).is_some() { of_metric } else { of_all })
}
