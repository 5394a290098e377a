//! The queue as a fold over the journal. The same `apply` serves live and on replay.

use crate::decide::Mine;
use crate::learned::Learned;
use crate::needs::Needs;
use crate::reason::Reason;
use crate::room::Used;
use neronet_model::event::Process;
use neronet_model::journal::{Entry, Member, Submitted, Sweep};
use neronet_model::queue::{Dependency, Grant, Place, Quota, Wishes};
use neronet_model::run::{Decision, KnownEnd};
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, Outcome, RunId, SweepId, UnixMs};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Between neighbours in the order as they are submitted: so often something can be moved between the same two before all are
/// numbered anew.
const GAP: i128 = 1 << 64;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queue {
    pub(crate) runs: BTreeMap<RunId, Item>,
    pub(crate) lanes: BTreeMap<SweepId, Lane>,
    /// Everything that has been given something.
    pub(crate) granted: BTreeMap<RunId, Granted>,
    pub(crate) used: BTreeMap<String, Used>,
    /// Runs that wait for a run of another experiment.
    waiting: BTreeMap<RunId, BTreeSet<RunId>>,
    pub(crate) quotas: BTreeMap<String, Quota>,
    pub(crate) projects: BTreeMap<String, InUse>,
    pub(crate) learned: BTreeMap<(String, String), Learned>,
    /// The order of all that may still start.
    pub(crate) order: BTreeMap<i128, RunId>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    Queued,
    /// It is being started, or runs.
    Granted,
    Ended(Outcome),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) lane: SweepId,
    pub(crate) attempt: AttemptNo,
    pub(crate) stand: Stand,
    pub(crate) priority: i64,
    position: i128,
    pub(crate) not_before: Option<UnixMs>,
    pub(crate) held: Option<Box<Held>>,
    pub(crate) after: Option<RunId>,
    /// Its own, where they are not its sweep's.
    pub(crate) needs: Option<Arc<Needs>>,
    /// Attempts that failed, since somebody last asked for one.
    pub(crate) failures: u32,
    /// Whoever keeps the queue starts it, whatever its sweep was.
    pub(crate) handed_over: bool,
    trashed: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) by: String,
    pub(crate) why: Option<String>,
}

/// Who comes first: the higher priority, then the order of the queue.
pub(crate) type Key = (Reverse<i64>, i128, RunId);

/// The runs of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lane {
    pub(crate) project: String,
    pub(crate) experiment: String,
    pub(crate) needs: Arc<Needs>,
    pub(crate) parallel: Option<u64>,
    pub(crate) wishes: Wishes,
    best_of: Vec<RunId>,
    pub(crate) time_limit: Option<Millis>,
    pub(crate) detached: bool,
    /// Those that may start as far as they themselves are concerned.
    pub(crate) ready: BTreeSet<Key>,
    pub(crate) running: u64,
    /// Milliseconds that its runs had GPUs, each counted.
    pub(crate) gpu_ms: u64,
    /// How often runs failed, by cause.
    pub(crate) causes: BTreeMap<String, BTreeSet<RunId>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Granted {
    pub(crate) at: UnixMs,
    pub(crate) starter: Process,
    pub(crate) grant: Grant,
}

/// What the runs of a project have together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InUse {
    pub(crate) runs: u64,
    pub(crate) gpus: u64,
}

impl Queue {
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Submitted(all) => all.iter().for_each(|submitted| self.submitted(submitted)),
            Entry::Decided { at, decision } => self.decided(*at, decision),
            Entry::Started { at, run, attempt, grant, driver } => self.started(*at, *run, *attempt, grant, driver),
            Entry::Returned { run, attempt } => self.returned(*run, *attempt),
            Entry::Ended { run, end } => self.ended(*run, end),
            Entry::Held { runs, by, why, .. } => self.each(runs, |item| {
                item.held = Some(Box::new(Held { by: by.clone(), why: why.clone() }));
            }),
            Entry::Released { runs } => self.each(runs, |item| {
                item.held = None;
                item.not_before = None;
            }),
            Entry::Prioritised { runs, priority } => self.each(runs, |item| item.priority = *priority),
            Entry::Moved { runs, to } => self.moved(runs, *to),
            Entry::Trashed { runs, .. } => self.each(runs, |item| item.trashed = true),
            Entry::Restored { runs } => self.each(runs, |item| item.trashed = false),
            Entry::Purged { runs } => runs.iter().for_each(|run| self.purged(*run)),
            Entry::Limited { project, quota } => match quota {
                Some(quota) => drop(self.quotas.insert(project.clone(), *quota)),
                None => drop(self.quotas.remove(project)),
            },
            Entry::Keyed { entry, .. } => self.apply(entry),
            Entry::Together(all) => all.iter().for_each(|entry| self.apply(entry)),
            Entry::Tagged { .. } | Entry::Noted { .. } | Entry::Driven { .. } => {}
        }
    }

    pub fn stand(&self, run: RunId) -> Option<Stand> {
        self.runs.get(&run).map(|item| item.stand)
    }

    /// What a run has now.
    pub fn grant(&self, run: RunId) -> Option<&Grant> {
        self.granted.get(&run).map(|granted| &granted.grant)
    }

    /// Everything that has been given something, in the order of ids.
    pub fn granted(&self) -> impl Iterator<Item = (RunId, AttemptNo)> {
        self.granted.keys().filter_map(|run| Some((*run, self.runs.get(run)?.attempt)))
    }

    /// All that is queued, in the order in which it would start if everything fitted: by priority, then by place.
    pub fn queued(&self) -> Vec<RunId> {
        let mut all: Vec<Key> = self.order.values().filter_map(|run| Some(key(*run, self.runs.get(run)?))).collect();
        all.retain(|(.., run)| self.runs.get(run).is_some_and(|item| item.stand == Stand::Queued && !item.trashed));
        all.sort_unstable();
        all.into_iter().map(|(.., run)| run).collect()
    }

    /// Of those that are `mine` all that are queued, in no particular order.
    pub fn queued_of(&self, mine: Mine<'_>) -> Vec<RunId> {
        let of_lane = |item: &Item| self.lanes.get(&item.lane).is_some_and(|lane| lane.detached);
        let is_mine = |run: &RunId, item: &Item| match mine {
            Mine::Detached => item.handed_over || of_lane(item),
            Mine::These { runs, .. } => runs.contains(run),
            Mine::All => true,
        };
        let all = self.order.values().filter_map(|run| Some((*run, self.runs.get(run)?)));
        all.filter(|(run, item)| item.stand == Stand::Queued && is_mine(run, item)).map(|(run, _)| run).collect()
    }

    /// Whether something of a sweep is left that may start.
    pub fn may_start(&self, sweep: SweepId) -> bool {
        self.lanes.get(&sweep).is_some_and(|lane| !lane.ready.is_empty())
    }

    /// Whoever keeps the queue starts it; else a process that somebody looks at.
    pub fn is_detached(&self, run: RunId) -> bool {
        let item = self.runs.get(&run);
        item.is_some_and(|item| item.handed_over || self.lanes.get(&item.lane).is_some_and(|lane| lane.detached))
    }

    /// The process that was to start what a run was granted for.
    pub fn starter(&self, run: RunId) -> Option<&Process> {
        self.granted.get(&run).map(|granted| &granted.starter)
    }

    /// Why a run cannot start whatever is free.
    pub fn own_reason_of(&self, run: RunId, now: UnixMs) -> Option<Reason> {
        let item = self.runs.get(&run)?;
        self.own_reason(item, self.lanes.get(&item.lane)?, now)
    }

    pub fn counts(&self) -> (usize, usize) {
        (self.order.len().saturating_sub(self.granted.len()), self.granted.len())
    }

    /// What earlier runs of an experiment took.
    pub fn learned(&self, project: &str, experiment: &str) -> Option<&Learned> {
        self.learned.get(&(project.to_string(), experiment.to_string()))
    }

    pub fn quotas(&self) -> impl Iterator<Item = (&str, &Quota)> {
        self.quotas.iter().map(|(project, quota)| (project.as_str(), quota))
    }

    /// Why a run does not start whatever is free: what was said of it, and what it waits for.
    pub(crate) fn own_reason(&self, item: &Item, lane: &Lane, now: UnixMs) -> Option<Reason> {
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
        let not_before = item.not_before.max(lane.wishes.not_before);
        not_before.filter(|at| *at > now).map(Reason::NotBefore)
    }

    /// What all runs of a sweep wait for.
    pub(crate) fn lane_reason(&self, lane: &Lane) -> Option<Reason> {
        let mut waits = Vec::new();
        for Dependency { run, ok } in &lane.wishes.after {
            match self.stand(*run) {
                Some(Stand::Ended(Outcome::Finished)) => {}
                Some(Stand::Ended(outcome)) if *ok => return Some(Reason::Upstream { run: *run, outcome: Some(outcome) }),
                None if *ok => return Some(Reason::Upstream { run: *run, outcome: None }),
                Some(Stand::Ended(_)) | None => {}
                Some(_) => waits.push(*run),
            }
        }
        if !waits.is_empty() {
            return Some(Reason::After { runs: waits, best: false });
        }
        let stands: Vec<(RunId, Option<Stand>)> = lane.best_of.iter().map(|run| (*run, self.stand(*run))).collect();
        waits.extend(stands.iter().filter(|(_, stand)| matches!(stand, Some(Stand::Queued | Stand::Granted))).map(|(run, _)| *run));
        if !waits.is_empty() {
            return Some(Reason::After { runs: lane.best_of.clone(), best: true });
        }
        let finished = stands.iter().any(|(_, stand)| *stand == Some(Stand::Ended(Outcome::Finished)));
        let last = stands.last().filter(|_| !finished)?;
        let outcome = if let Some(Stand::Ended(outcome)) = last.1 { Some(outcome) } else { None };
        Some(Reason::Upstream { run: last.0, outcome })
    }

    pub(crate) fn needs_of<'q>(&'q self, item: &'q Item, lane: &'q Lane) -> &'q Arc<Needs> {
        item.needs.as_ref().unwrap_or(&lane.needs)
    }

    fn submitted(&mut self, Submitted { sweep, members }: &Submitted) {
        let lane = Lane {
            project: sweep.project.clone(),
            experiment: sweep.experiment.clone(),
            needs: Arc::new(Needs::of(sweep, None)),
            parallel: sweep.parallel.or((!sweep.detached).then_some(1)),
            wishes: sweep.wishes.clone(),
            best_of: sweep.best_of.clone(),
            time_limit: sweep.settings.time_limit,
            detached: sweep.detached,
            ready: BTreeSet::new(),
            running: 0,
            gpu_ms: 0,
            causes: BTreeMap::new(),
        };
        self.lanes.insert(sweep.id, lane);
        for member in members {
            self.member(sweep, member);
        }
    }

    fn member(&mut self, sweep: &Sweep, member: &Member) {
        let run = member.id;
        let position = self.last_position() + GAP;
        let item = Item {
            lane: sweep.id,
            attempt: AttemptNo(1),
            stand: Stand::Queued,
            priority: sweep.wishes.priority,
            position,
            not_before: None,
            held: None,
            after: member.after,
            needs: member.gpus.map(|gpus| Arc::new(Needs::of(sweep, Some(gpus)))),
            failures: 0,
            handed_over: false,
            trashed: false,
        };
        if let Some(after) = member.after {
            self.waiting.entry(after).or_default().insert(run);
        }
        self.order.insert(position, run);
        self.runs.insert(run, item);
        self.settle(run);
    }

    fn last_position(&self) -> i128 {
        self.order.last_key_value().map_or(0, |(position, _)| *position)
    }

    fn decided(&mut self, at: UnixMs, decision: &Decision) {
        let Some(item) = self.runs.get(&decision.run).filter(|item| decision.attempt >= item.attempt) else { return };
        let before = item.position;
        let by_itself = decision.because.is_some();
        if let Some(granted) = self.granted.get(&decision.run).cloned() {
            self.release(decision.run, &granted, at);
        }
        // Whoever was in the queue keeps his place; whoever had left it comes last, but a retry that nobody asked for goes first.
        let known = self.order.get(&before) == Some(&decision.run);
        let position = match (known, by_itself) {
            (true, _) => before,
            (false, true) => self.order.first_key_value().map_or(0, |(first, _)| *first) - GAP,
            (false, false) => self.last_position() + GAP,
        };
        self.order.insert(position, decision.run);
        self.change(decision.run, |item| {
            item.attempt = decision.attempt;
            item.stand = Stand::Queued;
            item.position = position;
            item.not_before = decision.not_before;
            item.failures = if by_itself { item.failures } else { 0 };
            item.handed_over = decision.driver.is_none();
        });
        self.tell_who_waits_for(decision.run);
    }

    pub(crate) fn started(&mut self, at: UnixMs, run: RunId, attempt: AttemptNo, grant: &Grant, starter: &Process) {
        let Some(item) = self.runs.get(&run).filter(|item| item.stand == Stand::Queued && item.attempt == attempt) else { return };
        let lane = item.lane;
        self.used.entry(grant.machine.clone()).or_default().take(grant);
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.running += 1;
            let project = self.projects.entry(lane.project.clone()).or_default();
            project.runs += 1;
            project.gpus += gpus(grant);
        }
        self.granted.insert(run, Granted { at, starter: starter.clone(), grant: grant.clone() });
        self.change(run, |item| item.stand = Stand::Granted);
    }

    fn returned(&mut self, run: RunId, attempt: AttemptNo) {
        let is_current = |item: &&Item| item.stand == Stand::Granted && item.attempt == attempt;
        if self.runs.get(&run).is_some_and(|item| is_current(&item))
            && let Some(granted) = self.granted.get(&run).cloned()
        {
            self.release(run, &granted, granted.at);
            self.change(run, |item| item.stand = Stand::Queued);
        }
    }

    fn ended(&mut self, run: RunId, end: &KnownEnd) {
        let Some(item) = self.runs.get(&run).filter(|item| end.attempt.n >= item.attempt) else { return };
        // It may be learned by several.
        if matches!(item.stand, Stand::Ended(_)) && end.attempt.n == item.attempt {
            return;
        }
        let (lane, position) = (item.lane, item.position);
        if let Some(granted) = self.granted.get(&run).cloned() {
            let at = end.attempt.end.as_ref().map_or(granted.at, |end| end.at);
            self.release(run, &granted, at);
        }
        if let Some(lane) = self.lanes.get_mut(&lane) {
            self.learned.entry((lane.project.clone(), lane.experiment.clone())).or_default().add(end);
            if end.outcome == Outcome::Failed {
                lane.causes.entry(crate::follow_up::kind_of(end)).or_default().insert(run);
            }
        }
        self.order.remove(&position);
        self.end_as(run, end.outcome);
    }

    pub(crate) fn leave_order(&mut self, run: RunId) {
        if let Some(item) = self.runs.get(&run) {
            self.order.remove(&item.position);
        }
    }

    pub(crate) fn end_as(&mut self, run: RunId, outcome: Outcome) {
        self.change(run, |item| {
            item.stand = Stand::Ended(outcome);
            item.not_before = None;
            item.failures += u32::from(matches!(outcome, Outcome::Failed | Outcome::Lost));
        });
        self.tell_who_waits_for(run);
    }

    /// Takes back what a run had.
    pub(crate) fn release(&mut self, run: RunId, Granted { at, grant, .. }: &Granted, until: UnixMs) {
        self.granted.remove(&run);
        if let Some(used) = self.used.get_mut(&grant.machine) {
            used.give_back(grant);
        }
        let Some(lane) = self.runs.get(&run).and_then(|item| self.lanes.get_mut(&item.lane)) else { return };
        lane.running = lane.running.saturating_sub(1);
        let lasted = u64::try_from(until.0.saturating_sub(at.0)).unwrap_or(0);
        lane.gpu_ms = lane.gpu_ms.saturating_add(lasted.saturating_mul(gpus(grant)));
        if let Some(project) = self.projects.get_mut(&lane.project) {
            project.runs = project.runs.saturating_sub(1);
            project.gpus = project.gpus.saturating_sub(gpus(grant));
        }
    }

    fn purged(&mut self, run: RunId) {
        if let Some(granted) = self.granted.get(&run).cloned() {
            self.release(run, &granted, granted.at);
        }
        let Some(item) = self.runs.remove(&run) else { return };
        self.order.remove(&item.position);
        if let Some(lane) = self.lanes.get_mut(&item.lane) {
            lane.ready.remove(&key(run, &item));
        }
        if let Some(waiting) = item.after.and_then(|after| self.waiting.get_mut(&after)) {
            waiting.remove(&run);
        }
        self.tell_who_waits_for(run);
    }

    fn moved(&mut self, runs: &[RunId], to: Place) {
        let still: Vec<RunId> = self.order.values().copied().filter(|run| runs.contains(run)).collect();
        let anchor = match to {
            Place::Before(run) | Place::After(run) if still.contains(&run) => return,
            Place::Before(run) | Place::After(run) => match self.runs.get(&run).map(|item| item.position) {
                Some(position) if self.order.get(&position) == Some(&run) => Some(position),
                _ => return,
            },
            Place::First | Place::Last => None,
        };
        let place = |queue: &Queue| match (to, anchor) {
            (Place::Before(_), Some(anchor)) => {
                (queue.order.range(..anchor).next_back().map_or(anchor - 2 * GAP, |(before, _)| *before), anchor)
            }
            (Place::After(_), Some(anchor)) => {
                (anchor, queue.order.range(anchor + 1..).next().map_or(anchor + 2 * GAP, |(behind, _)| *behind))
            }
            (Place::First, _) => {
                let first = queue.order.first_key_value().map_or(0, |(first, _)| *first);
                (first - (still.len() as i128 + 1) * GAP, first)
            }
            _ => (queue.last_position(), queue.last_position() + (still.len() as i128 + 1) * GAP),
        };
        for run in &still {
            if let Some(item) = self.runs.get(run) {
                self.order.remove(&item.position);
            }
        }
        let (from, until) = place(self);
        let step = (until - from) / (still.len() as i128 + 1);
        if step == 0 {
            // No room is left between these two: all get new places, in the same order.
            for run in &still {
                if let Some(position) = self.runs.get(run).map(|item| item.position) {
                    self.order.insert(position, *run);
                }
            }
            self.number_anew();
            self.moved(runs, to);
            return;
        }
        for (n, run) in still.iter().enumerate() {
            let position = from + step * (n as i128 + 1);
            self.order.insert(position, *run);
            self.change(*run, |item| item.position = position);
        }
    }

    fn number_anew(&mut self) {
        let all: Vec<RunId> = self.order.values().copied().collect();
        self.order = all.iter().enumerate().map(|(n, run)| ((n as i128 + 1) * GAP, *run)).collect();
        for (n, run) in all.into_iter().enumerate() {
            self.change(run, |item| item.position = (n as i128 + 1) * GAP);
        }
    }

    fn each(&mut self, runs: &[RunId], mut change: impl FnMut(&mut Item)) {
        runs.iter().for_each(|run| self.change(*run, &mut change));
    }

    /// The only way in which an item changes: its sweep's set of ready ones follows.
    fn change(&mut self, run: RunId, change: impl FnOnce(&mut Item)) {
        let Some(item) = self.runs.get_mut(&run) else { return };
        if let Some(lane) = self.lanes.get_mut(&item.lane) {
            lane.ready.remove(&key(run, item));
        }
        change(item);
        self.settle(run);
    }

    /// Puts a run among the ready ones of its sweep, or takes it out.
    fn settle(&mut self, run: RunId) {
        let Some(item) = self.runs.get(&run) else { return };
        let may = item.after.is_none_or(|after| self.stand(after) == Some(Stand::Ended(Outcome::Finished)));
        let ready = item.stand == Stand::Queued && item.held.is_none() && !item.trashed && may;
        let key = key(run, item);
        if let Some(lane) = self.lanes.get_mut(&item.lane) {
            if ready {
                lane.ready.insert(key);
            } else {
                lane.ready.remove(&key);
            }
        }
    }

    fn tell_who_waits_for(&mut self, run: RunId) {
        for waiting in self.waiting.get(&run).cloned().unwrap_or_default() {
            self.settle(waiting);
        }
    }
}

pub(crate) fn key(run: RunId, item: &Item) -> Key {
    (Reverse(item.priority), item.position, run)
}

fn gpus(grant: &Grant) -> u64 {
    grant.gpus.as_ref().map_or(0, Vec::len) as u64
}
