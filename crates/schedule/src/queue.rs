//! The queue as a fold over the journal. The same `apply` serves live and on replay.

use crate::decide::Mine;
use crate::handed::Away;
use crate::learned::Learned;
use crate::needs::{Demand, Needs};
use crate::ready::{Class, Kind};
use crate::room::Used;
use neronet_model::event::Process;
use neronet_model::journal::{Entry, Member, Submitted, Sweep};
use neronet_model::queue::{Dependency, Grant, Quota};
use neronet_model::run::{Again, Decision, KnownEnd};
use neronet_model::target::LOCAL;
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, Outcome, RunId, SweepId, UnixMs};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    pub(crate) runs: BTreeMap<RunId, Item>,
    pub(crate) lanes: BTreeMap<SweepId, Lane>,
    /// Everything that has been given something.
    pub(crate) granted: BTreeMap<RunId, Granted>,
    pub(crate) used: BTreeMap<String, Used>,
    /// Runs that have not ended and that a target was given.
    pub(crate) at_targets: BTreeMap<String, BTreeSet<RunId>>,
    pub(crate) last_epoch: u64,
    /// Runs that wait for a run of another experiment.
    pub(crate) waiting: BTreeMap<RunId, BTreeSet<RunId>>,
    /// Sweeps that wait for a run.
    waiting_sweeps: BTreeMap<RunId, BTreeSet<SweepId>>,
    #[serde(with = "neronet_model::as_json")]
    pub(crate) quotas: BTreeMap<String, Quota>,
    pub(crate) projects: BTreeMap<String, InUse>,
    pub(crate) learned: BTreeMap<(String, String), Learned>,
    /// How many are queued, those in the trash left out.
    pub(crate) queued: usize,
    /// The order of all that may still start, or runs.
    pub(crate) order: BTreeMap<i128, RunId>,
    /// The first ready run of each sweep of which one more may start.
    pub(crate) heads: BTreeMap<Class, BTreeSet<(Key, SweepId)>>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stand {
    Queued,
    /// It is being started, or runs.
    Granted,
    Ended(Outcome),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) lane: SweepId,
    pub(crate) attempt: AttemptNo,
    pub(crate) stand: Stand,
    priority: i64,
    pub(crate) position: i128,
    pub(crate) not_before: Option<UnixMs>,
    pub(crate) held: Option<Box<Held>>,
    pub(crate) away: Option<Box<Away>>,
    pub(crate) after: Option<RunId>,
    /// Its own, where it is not its sweep's.
    pub(crate) kind: Option<Arc<Kind>>,
    /// Attempts that failed, since somebody last asked for one.
    pub(crate) failures: u32,
    /// Whoever keeps the queue starts it, not a process that somebody looks at.
    pub(crate) kept: bool,
    pub(crate) trashed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) by: String,
    pub(crate) why: Option<String>,
}

/// Who comes first: the higher priority, then the order of the queue.
pub(crate) type Key = (Reverse<i64>, i128, RunId);

/// The runs of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lane {
    pub(crate) kind: Arc<Kind>,
    pub(crate) parallel: Option<u64>,
    pub(crate) gpu_hours: Option<Millis>,
    /// Runs that must have ended first; true: and finished.
    after: BTreeMap<RunId, bool>,
    pub(crate) best_of: BTreeSet<RunId>,
    /// Those that may start as far as they themselves are concerned.
    pub(crate) ready: BTreeMap<Class, BTreeSet<Key>>,
    /// Runs that must have ended first and have not, or not well.
    pub(crate) waits: BTreeSet<RunId>,
    /// None of those has finished of which it goes on from the best.
    pub(crate) upstream_failed: bool,
    pub(crate) running: u64,
    gpu_time: GpuTime,
    /// Which runs failed, by cause.
    pub(crate) causes: BTreeMap<String, BTreeSet<RunId>>,
}

/// What a sweep's runs had of GPUs, each counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct GpuTime {
    /// Milliseconds, of attempts that ended.
    over: u64,
    /// GPUs that they have now, and the sum of the moments since when.
    now: u64,
    since: i128,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(crate) at: UnixMs,
    starter: Process,
    #[serde(with = "neronet_model::as_json")]
    pub(crate) grant: Grant,
}

/// A target that had room for a run has started it within this.
const STARTS: Millis = Millis(60_000);

/// What the runs of a project have together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InUse {
    pub(crate) runs: u64,
    pub(crate) gpus: u64,
}

impl Lane {
    /// Whether its runs have had GPUs for as long as they may, those that run counted in.
    pub(crate) fn gpu_time_is_over(&self, now: UnixMs) -> bool {
        let GpuTime { over, now: gpus, since } = self.gpu_time;
        let running = (i128::from(gpus) * i128::from(now.0) - since).max(0);
        self.gpu_hours.is_some_and(|most| i128::from(over) + running >= i128::from(most.0))
    }
}

impl Queue {
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Submitted(all) => all.iter().for_each(|submitted| self.submitted(submitted)),
            Entry::Decided { decision, .. } => self.decided(decision),
            Entry::Started { at, run, attempt, grant, driver } => self.started(*at, *run, *attempt, grant, driver),
            Entry::Returned { run, attempt } => self.returned(*run, *attempt),
            Entry::Handed { at, target, epoch, runs } => self.handed(*at, target, *epoch, runs),
            Entry::HandedBack { target, runs } => self.handed_back(target, runs),
            Entry::Asked { runs, by, kill, .. } => self.asked(runs, by, *kill),
            Entry::Ended { run, end } => self.ended(*run, end),
            Entry::Held { runs, by, why, .. } => self.each(runs, |item| {
                item.held = Some(Box::new(Held { by: by.clone(), why: why.clone() }));
            }),
            Entry::Released { runs } => {
                self.each(runs, |item| {
                    let was_held = item.held.take().is_some();
                    // A target may hold what it was to start at once.
                    if let Some(away) = item.away.as_mut().filter(|away| was_held && !away.started) {
                        away.recalled = true;
                    }
                    item.not_before = None;
                });
                // Whoever released them has seen what failed.
                let lanes: BTreeSet<SweepId> = runs.iter().filter_map(|run| Some(self.runs.get(run)?.lane)).collect();
                lanes.iter().filter_map(|id| self.lanes.get_mut(id).map(|lane| lane.causes.clear())).for_each(drop);
                self.recall(runs);
            }
            Entry::Prioritised { runs, priority } => {
                self.each(runs, |item| item.priority = *priority);
                self.recall(runs);
            }
            Entry::Moved { runs, to } => {
                self.moved(runs, *to);
                self.recall_beside(runs);
            }
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

    /// Whether an end of this attempt is still to be learned. To be asked with home's lock held, before the end and what follows
    /// from it are written down: of two who saw it end, one decides on what follows.
    pub fn awaits(&self, run: RunId, attempt: AttemptNo) -> bool {
        self.runs.get(&run).is_some_and(|item| attempt >= item.attempt && !matches!(item.stand, Stand::Ended(_)))
    }

    /// It has not ended, whatever its attempt.
    pub fn awaits_end(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|item| !matches!(item.stand, Stand::Ended(_)))
    }

    /// So many of its attempts have failed one after the other.
    pub fn failures(&self, run: RunId) -> u32 {
        self.runs.get(&run).map_or(0, |item| item.failures)
    }

    /// It does not start before that.
    pub fn not_before(&self, run: RunId) -> Option<UnixMs> {
        self.runs.get(&run)?.not_before
    }

    pub fn priority(&self, run: RunId) -> i64 {
        self.runs.get(&run).map_or(0, |item| item.priority)
    }

    /// What a run has now.
    pub fn grant(&self, run: RunId) -> Option<&Grant> {
        self.granted.get(&run).map(|granted| &granted.grant)
    }

    /// Whether somebody has to release a run before it starts.
    pub fn is_held(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|item| item.held.is_some())
    }

    /// When a run was granted what it has.
    pub fn granted_at(&self, run: RunId) -> Option<UnixMs> {
        self.granted.get(&run).map(|granted| granted.at)
    }

    /// Whether it was granted what it needs so long ago that whoever was to start it has not.
    pub(crate) fn has_waited(&self, run: RunId, now: UnixMs) -> bool {
        self.granted_at(run).is_some_and(|at| at.plus(STARTS) <= now)
    }

    /// The process that was to start what a run was granted for.
    pub fn starter(&self, run: RunId) -> Option<&Process> {
        self.granted.get(&run).map(|granted| &granted.starter)
    }

    /// Bytes of a machine that are set aside for runs.
    pub fn memory_granted(&self, machine: &str) -> u64 {
        let of_it = self.granted.values().filter(|granted| granted.grant.machine == machine);
        of_it.map(|granted| granted.grant.memory).fold(0, u64::saturating_add)
    }

    /// GPUs of a machine that runs have.
    pub fn gpus_granted(&self, machine: &str) -> BTreeSet<String> {
        let of_it = self.granted.values().filter(|granted| granted.grant.machine == machine);
        of_it.flat_map(|granted| granted.grant.gpus.iter().flatten()).map(|share| share.id.clone()).collect()
    }

    /// Everything that has been given something, in the order of ids.
    pub fn granted(&self) -> impl Iterator<Item = (RunId, AttemptNo)> {
        self.granted.keys().filter_map(|run| Some((*run, self.runs.get(run)?.attempt)))
    }

    /// All that is queued, in the order in which it would start if everything fitted: by priority, then by place.
    pub fn queued(&self) -> Vec<RunId> {
        let mut all: Vec<Key> = self.all_queued().map(|(run, item)| key(run, item)).collect();
        // Mostly they are in this order already.
        all.sort();
        all.into_iter().map(|(.., run)| run).collect()
    }

    /// Runs as they come in the order of the queue. Those that it does not know are left out.
    pub fn in_order(&self, runs: impl Iterator<Item = RunId>) -> Vec<RunId> {
        let all: BTreeSet<Key> = runs.filter_map(|run| Some(key(run, self.runs.get(&run)?))).collect();
        all.into_iter().map(|(.., run)| run).collect()
    }

    /// Of those that are `mine` all that are queued, in no particular order.
    pub fn queued_of(&self, mine: Mine<'_>) -> Vec<RunId> {
        let is_mine = |run: &RunId, item: &Item| match mine {
            Mine::Detached => item.kept,
            Mine::These { runs, .. } => !item.kept && runs.contains(run),
            Mine::All => true,
        };
        self.all_queued().filter(|(run, item)| is_mine(run, item)).map(|(run, _)| run).collect()
    }

    fn all_queued(&self) -> impl Iterator<Item = (RunId, &Item)> {
        let all = self.order.values().filter_map(|run| Some((*run, self.runs.get(run)?)));
        all.filter(|(_, item)| item.is_queued())
    }

    /// Queued ones, and those that have been given something.
    pub fn counts(&self) -> (usize, usize) {
        (self.queued, self.granted.len())
    }

    /// Whether something of a sweep is left that may start.
    pub fn may_start(&self, sweep: SweepId) -> bool {
        self.lanes.get(&sweep).is_some_and(|lane| !lane.ready.is_empty())
    }

    /// Whoever keeps the queue starts it; else a process that somebody looks at.
    pub fn is_detached(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|item| item.kept)
    }

    /// What earlier runs of an experiment took.
    pub fn learned(&self, project: &str, experiment: &str) -> Option<&Learned> {
        self.learned.get(&(project.to_string(), experiment.to_string()))
    }

    /// What runs need, with what earlier runs of the experiment took where it says nothing.
    pub fn needs(&self, project: &str, experiment: &str, needs: &Needs) -> Needs {
        self.learned(project, experiment).map_or_else(|| needs.clone(), |learned| needs.with(learned))
    }

    pub fn quotas(&self) -> impl Iterator<Item = (&str, &Quota)> {
        self.quotas.iter().map(|(project, quota)| (project.as_str(), quota))
    }

    fn submitted(&mut self, Submitted { sweep, members }: &Submitted) {
        let mut after = BTreeMap::new();
        for Dependency { run, ok } in &sweep.wishes.after {
            *after.entry(*run).or_default() |= *ok;
        }
        let lane = Lane {
            kind: Arc::new(kind(sweep, None)),
            parallel: sweep.parallel.or((!sweep.detached).then_some(1)),
            gpu_hours: sweep.wishes.gpu_time,
            after: after.clone(),
            best_of: sweep.best_of.iter().copied().collect(),
            ready: BTreeMap::new(),
            waits: BTreeSet::new(),
            upstream_failed: false,
            running: 0,
            gpu_time: GpuTime::default(),
            causes: BTreeMap::new(),
        };
        // A target is given the runs of a sweep one after the other.
        self.lanes.entry(sweep.id).or_insert(lane);
        for run in after.into_keys().chain(sweep.best_of.iter().copied()) {
            self.waiting_sweeps.entry(run).or_default().insert(sweep.id);
            self.look_at(sweep.id, run);
        }
        let mut kinds: BTreeMap<u32, Arc<Kind>> = BTreeMap::new();
        for member in members {
            let own = |gpus| Arc::clone(kinds.entry(gpus).or_insert_with(|| Arc::new(kind(sweep, Some(gpus)))));
            self.member(sweep, member, member.gpus.map(own));
        }
    }

    fn member(&mut self, sweep: &Sweep, member: &Member, kind: Option<Arc<Kind>>) {
        let run = member.id;
        let position = self.last_place();
        let item = Item {
            lane: sweep.id,
            attempt: AttemptNo(1),
            stand: Stand::Queued,
            priority: sweep.wishes.priority,
            position,
            not_before: sweep.wishes.not_before,
            held: None,
            away: None,
            after: member.after,
            kind,
            failures: 0,
            kept: sweep.detached,
            trashed: false,
        };
        if let Some(after) = member.after {
            self.waiting.entry(after).or_default().insert(run);
        }
        self.order.insert(position, run);
        self.runs.insert(run, item);
        self.settle(run);
    }

    fn decided(&mut self, decision: &Decision) {
        let Some(item) = self.runs.get(&decision.run).filter(|item| decision.attempt >= item.attempt) else { return };
        // The same once more, when it has come to something already.
        if item.stand == Stand::Granted && decision.attempt == item.attempt {
            return;
        }
        let by_itself = decision.because.is_some();
        let last = item.away.as_ref().map_or(LOCAL, |away| &away.target).to_string();
        // What a target decides by itself it also starts; what somebody asks for starts wherever there is room.
        let target = item.away.as_ref().filter(|_| by_itself).map(|away| away.target.clone());
        if target.is_none() {
            self.come_home(decision.run);
        }
        let resumes = matches!(&decision.again, Again::Resume { .. });
        self.prefer(decision.run, resumes.then_some(last.as_str()));
        let Some(item) = self.runs.get(&decision.run) else { return };
        // Whoever was in the queue keeps his place; whoever had left it comes last, but a retry that nobody asked for goes first.
        let position = match self.has_place(decision.run, item) {
            true => item.position,
            false if by_itself => self.first_place(),
            false => self.last_place(),
        };
        self.release(decision.run, None);
        self.order.insert(position, decision.run);
        self.change(decision.run, |item| {
            item.attempt = decision.attempt;
            item.stand = Stand::Queued;
            item.position = position;
            item.not_before = decision.not_before;
            if by_itself {
                item.failures = item.failures.max(decision.failures);
            } else {
                item.failures = 0;
                item.held = None;
            }
            item.kept = decision.driver.is_none();
            if let Some(away) = &mut item.away {
                away.started = false;
            }
        });
        if let Some(target) = target {
            self.at_targets.entry(target).or_default().insert(decision.run);
        }
        self.tell_who_waits_for(decision.run);
    }

    /// What goes on from a checkpoint goes first to where that was written, if it may execute there.
    fn prefer(&mut self, run: RunId, written: Option<&str>) {
        let Some((item, lane)) = self.runs.get(&run).and_then(|item| Some((item, self.lanes.get(&item.lane)?))) else { return };
        let kind = item.kind(lane);
        let prefers = kind.targets.iter().find(|target| written == Some(target.as_str())).cloned();
        if kind.prefers != prefers {
            let kind = Arc::new(Kind { prefers, ..Kind::clone(kind) });
            self.change(run, |item| item.kind = Some(kind));
        }
    }

    pub(crate) fn started(&mut self, at: UnixMs, run: RunId, attempt: AttemptNo, grant: &Grant, starter: &Process) {
        // A target says what it gave a run for which it had room.
        if self.runs.get(&run).is_some_and(|item| item.awaits_start(attempt)) {
            self.release(run, Some(Millis(0)));
            self.change(run, |item| item.stand = Stand::Queued);
        }
        let Some(item) = self.runs.get(&run).filter(|item| item.stand == Stand::Queued && item.attempt == attempt) else { return };
        let lane = item.lane;
        self.used.entry(grant.machine.clone()).or_default().take(grant);
        if let Some(lane) = self.lanes.get(&lane) {
            let project = self.projects.entry(lane.kind.project.clone()).or_default();
            project.runs += 1;
            project.gpus += gpus(grant);
        }
        self.change_lane(lane, |lane| {
            lane.running += 1;
            lane.gpu_time.now += gpus(grant);
            lane.gpu_time.since += i128::from(at.0) * i128::from(gpus(grant));
        });
        self.granted.insert(run, Granted { at, starter: starter.clone(), grant: grant.clone() });
        self.change(run, |item| {
            item.stand = Stand::Granted;
            if let Some(away) = &mut item.away {
                away.started = true;
            }
        });
    }

    pub(crate) fn returned(&mut self, run: RunId, attempt: AttemptNo) {
        if self.runs.get(&run).is_some_and(|item| item.stand == Stand::Granted && item.attempt == attempt) {
            self.release(run, Some(Millis(0)));
            self.change(run, |item| {
                item.stand = Stand::Queued;
                if let Some(away) = &mut item.away {
                    away.started = false;
                }
            });
        }
    }

    fn ended(&mut self, run: RunId, end: &KnownEnd) {
        if !self.awaits(run, end.attempt.n) {
            // Several may learn it; what was learned last is what listings show.
            if self.runs.get(&run).is_some_and(|item| item.attempt == end.attempt.n && item.stand != Stand::Ended(end.outcome)) {
                self.change(run, |item| item.stand = Stand::Ended(end.outcome));
                self.tell_who_waits_for(run);
            }
            return;
        }
        let at = end.attempt.end.as_ref().map(|end| end.at);
        let since = self.granted.get(&run).map(|granted| granted.at);
        let by_clock = at.zip(since).map(|(at, since)| Millis(u64::try_from(at.0.saturating_sub(since.0)).unwrap_or(0)));
        self.release(run, end.attempt.lasted.or(by_clock));
        let Some(item) = self.runs.get(&run) else { return };
        if let Some(lane) = self.lanes.get_mut(&item.lane) {
            let of = (lane.kind.project.clone(), lane.kind.experiment.clone());
            self.learned.entry(of).or_default().add(end);
            if end.outcome == Outcome::Failed {
                lane.causes.entry(crate::follow_up::kind_of(end)).or_default().insert(run);
            }
        }
        self.end_as(run, end.attempt.n, end.outcome);
    }

    pub(crate) fn end_as(&mut self, run: RunId, attempt: AttemptNo, outcome: Outcome) {
        self.leave_order(run);
        self.leave_target(run);
        self.change(run, |item| {
            item.attempt = attempt;
            item.stand = Stand::Ended(outcome);
            item.not_before = None;
            item.failures = item.failures.saturating_add(u32::from(matches!(outcome, Outcome::Failed | Outcome::Lost)));
        });
        if outcome == Outcome::Finished {
            let written = self.away(run).map_or(LOCAL, |away| &away.target).to_string();
            let next = self.waiting.get(&run).cloned().unwrap_or_default();
            next.into_iter().for_each(|next| self.prefer(next, Some(&written)));
        }
        self.tell_who_waits_for(run);
    }

    /// Takes back what a run had, for so long.
    pub(crate) fn release(&mut self, run: RunId, lasted: Option<Millis>) {
        let Some(Granted { at, grant, .. }) = self.granted.remove(&run) else { return };
        if let Some(used) = self.used.get_mut(&grant.machine) {
            used.give_back(&grant);
        }
        let Some(item) = self.runs.get(&run) else { return };
        let lasted = lasted.unwrap_or_default().0;
        self.change_lane(item.lane, |lane| {
            lane.running = lane.running.saturating_sub(1);
            let time = &mut lane.gpu_time;
            time.now = time.now.saturating_sub(gpus(&grant));
            time.since -= i128::from(at.0) * i128::from(gpus(&grant));
            time.over = time.over.saturating_add(lasted.saturating_mul(gpus(&grant)));
        });
        let lane = self.runs.get(&run).and_then(|item| self.lanes.get(&item.lane));
        if let Some(project) = lane.and_then(|lane| self.projects.get_mut(&lane.kind.project)) {
            project.runs = project.runs.saturating_sub(1);
            project.gpus = project.gpus.saturating_sub(gpus(&grant));
        }
    }

    fn purged(&mut self, run: RunId) {
        self.release(run, None);
        self.leave_order(run);
        self.come_home(run);
        self.unsettle(run);
        let Some(item) = self.runs.remove(&run) else { return };
        if let Some(waiting) = item.after.and_then(|after| self.waiting.get_mut(&after)) {
            waiting.remove(&run);
        }
        self.tell_who_waits_for(run);
    }

    pub(crate) fn each(&mut self, runs: &[RunId], mut change: impl FnMut(&mut Item)) {
        runs.iter().for_each(|run| self.change(*run, &mut change));
    }

    fn tell_who_waits_for(&mut self, run: RunId) {
        for waiting in self.waiting.get(&run).cloned().unwrap_or_default() {
            self.unsettle(waiting);
            self.settle(waiting);
        }
        for sweep in self.waiting_sweeps.get(&run).cloned().unwrap_or_default() {
            self.look_at(sweep, run);
        }
    }

    /// Whether a sweep still waits for a run.
    fn look_at(&mut self, sweep: SweepId, run: RunId) {
        let stand = self.stand(run);
        let Some(lane) = self.lanes.get(&sweep) else { return };
        let asks = |ok: bool| match stand {
            Some(Stand::Ended(outcome)) => ok && outcome != Outcome::Finished,
            Some(_) => true,
            None => ok,
        };
        let waits = lane.after.get(&run).is_some_and(|ok| asks(*ok)) || (lane.best_of.contains(&run) && asks(false));
        let alone = lane.waits.iter().all(|other| *other == run) && !waits;
        let finished = |run: &RunId| self.stand(*run) == Some(Stand::Ended(Outcome::Finished));
        let upstream_failed = alone && !lane.best_of.is_empty() && !lane.best_of.iter().any(finished);
        self.change_lane(sweep, |lane| {
            if waits {
                lane.waits.insert(run);
            } else {
                lane.waits.remove(&run);
            }
            lane.upstream_failed = upstream_failed;
        });
    }
}

pub(crate) fn key(run: RunId, item: &Item) -> Key {
    (Reverse(item.priority), item.position, run)
}

fn kind(sweep: &Sweep, gpus: Option<u32>) -> Kind {
    let (project, experiment, targets) = (sweep.project.clone(), sweep.experiment.clone(), sweep.targets.clone());
    Kind { project, experiment, demand: Demand::of(sweep, gpus), targets, prefers: None }
}

pub(crate) fn gpus(grant: &Grant) -> u64 {
    grant.gpus.as_ref().map_or(0, Vec::len) as u64
}
