//! Runs that belong to a target: it starts them by itself, and says what became of them. Where they had room at once they count as
//! started; the others wait there, and nobody else starts them until the target has given them back.

use crate::queue::{Item, Key, Queue, Stand, key};
use neronet_model::event::Process;
use neronet_model::journal::Handed;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a run is that was handed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Away {
    pub target: String,
    pub epoch: u64,
    /// The attempt that it was given: those before it are none of its own.
    pub from: AttemptNo,
    /// The target said that it has started it.
    pub started: bool,
    /// Who wants it to end, and whether at once.
    pub asked: Option<(String, bool)>,
    /// The target does not know what was said of it since: it is to come back, and be handed over anew.
    pub recalled: bool,
}

impl Item {
    /// It counts as started because a target had room for it, and the target has not said so yet.
    pub(crate) fn awaits_start(&self, attempt: AttemptNo) -> bool {
        self.stand == Stand::Granted && self.attempt == attempt && self.away.as_ref().is_some_and(|away| !away.started)
    }
}

impl Queue {
    /// The target that a run was given to, and that it has not come back from; it may have ended there.
    pub fn away(&self, run: RunId) -> Option<&Away> {
        self.runs.get(&run)?.away.as_deref()
    }

    /// The target that has a run, and has not said that it started it.
    pub fn waits_at(&self, run: RunId) -> Option<&Away> {
        self.away(run).filter(|away| !away.started && self.awaits_end(run))
    }

    /// All that a target was given and that has not ended, each with its attempt.
    pub fn away_at<'q>(&'q self, target: &str) -> impl Iterator<Item = (RunId, AttemptNo, &'q Away)> {
        let all = self.at_targets.get(target).into_iter().flatten();
        all.filter_map(|run| {
            let item = self.runs.get(run)?;
            Some((*run, item.attempt, item.away.as_deref()?))
        })
    }

    /// The targets that have something.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.at_targets.keys().map(String::as_str)
    }

    /// Targets that have something, and those that runs name which may start.
    pub fn targets_wanted(&self) -> BTreeSet<&str> {
        let named = self.heads.keys().filter(|class| class.kept).flat_map(|class| &class.kind.targets);
        named.map(String::as_str).chain(self.targets()).collect()
    }

    /// Whether a run has finished, or a target has it that may still come to that.
    pub(crate) fn ends_at(&self, run: RunId, target: &str) -> bool {
        match self.stand(run) {
            Some(Stand::Ended(outcome)) => outcome == Outcome::Finished,
            Some(Stand::Queued | Stand::Granted) => self.has(target, run),
            None => false,
        }
    }

    /// Whether a target has a run that has not ended.
    pub fn has(&self, target: &str, run: RunId) -> bool {
        self.at_targets.get(target).is_some_and(|runs| runs.contains(&run))
    }

    /// Of the next handing over: no earlier one had it.
    pub fn next_epoch(&self) -> u64 {
        self.last_epoch + 1
    }

    /// So many of a target's runs wait there for their turn.
    pub(crate) fn waiting_at(&self, target: &str) -> u64 {
        self.at_targets.get(target).map_or(0, |runs| runs.iter().filter(|run| self.stand(**run) == Some(Stand::Queued)).count() as u64)
    }

    pub(crate) fn handed(&mut self, at: UnixMs, target: &str, epoch: u64, runs: &[Handed]) {
        self.last_epoch = self.last_epoch.max(epoch);
        for Handed { run, attempt, grant } in runs {
            let may = |item: &&Item| item.stand == Stand::Queued && item.attempt == *attempt && item.away.is_none();
            if self.runs.get(run).filter(may).is_none() {
                continue;
            }
            if let Some(grant) = grant {
                // Nobody of this machine starts it.
                let nobody = Process { host: String::new(), boot: String::new(), pid_namespace: 0, pid: 0, start: 0 };
                self.started(at, *run, *attempt, grant, &nobody);
            }
            let away = Away { target: target.to_string(), epoch, from: *attempt, started: false, asked: None, recalled: false };
            self.change(*run, |item| item.away = Some(Box::new(away)));
            self.at_targets.entry(target.to_string()).or_default().insert(*run);
        }
    }

    pub(crate) fn handed_back(&mut self, target: &str, runs: &[RunId]) {
        for run in runs {
            let is_there = |item: &Item| item.away.as_ref().is_some_and(|away| away.target == target && !away.started);
            let Some(item) = self.runs.get(run).filter(|item| is_there(item)) else { continue };
            self.returned(*run, item.attempt);
            self.come_home(*run);
        }
    }

    /// It belongs to no target any more.
    pub(crate) fn come_home(&mut self, run: RunId) {
        self.leave_target(run);
        self.change(run, |item| item.away = None);
    }

    /// It has ended there. Where from is still known, as what follows from the end may be decided there.
    pub(crate) fn leave_target(&mut self, run: RunId) {
        let target = self.runs.get(&run).and_then(|item| Some(item.away.as_ref()?.target.clone()));
        if let Some((target, there)) = target.and_then(|target| Some((target.clone(), self.at_targets.get_mut(&target)?))) {
            there.remove(&run);
            if there.is_empty() {
                self.at_targets.remove(&target);
            }
        }
    }

    /// What is said of runs that wait on a target is said to home alone.
    pub(crate) fn recall(&mut self, runs: &[RunId]) {
        self.each(runs, |item| {
            if let Some(away) = item.away.as_mut().filter(|_| item.stand == Stand::Queued) {
                away.recalled = true;
            }
        });
    }

    /// With all that waits on the same targets, as their order is another now; and those that wait where one of these may go, which comes
    /// before them.
    pub(crate) fn recall_beside(&mut self, runs: &[RunId]) {
        let targets: BTreeSet<&str> = runs.iter().filter_map(|run| Some(self.waits_at(*run)?.target.as_str())).collect();
        let mut beside: Vec<RunId> = targets.iter().filter_map(|target| self.at_targets.get(*target)).flatten().copied().collect();
        let mut first: BTreeMap<&str, Key> = BTreeMap::new();
        for run in runs {
            let Some(item) = self.runs.get(run).filter(|item| item.is_queued() && item.away.is_none()) else { continue };
            let Some(lane) = self.lanes.get(&item.lane) else { continue };
            for target in &item.kind(lane).targets {
                let own = key(*run, item);
                first.entry(target).and_modify(|first| *first = (*first).min(own)).or_insert(own);
            }
        }
        for (target, first) in first {
            let behind = |run: &&RunId| self.runs.get(run).is_some_and(|item| key(**run, item) > first);
            beside.extend(self.at_targets.get(target).into_iter().flatten().filter(behind));
        }
        self.recall(&beside);
    }

    pub(crate) fn asked(&mut self, runs: &[RunId], by: &str, kill: bool) {
        for run in runs {
            self.change(*run, |item| {
                if let Some(away) = &mut item.away {
                    away.asked = Some((by.to_string(), kill));
                }
            });
        }
    }
}
