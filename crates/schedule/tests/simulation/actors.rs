//! Whoever writes to home: the daemon, processes that somebody looks at. What they keep in memory is gone with them.

use crate::chance::Chance;
use crate::home::{Full, Home, Which};
use crate::kit;
use neronet_model::journal::{Entry, Handed};
use neronet_model::run::{Again, Decision, KnownEnd};
use neronet_model::{AttemptNo, RunId, UnixMs};
use neronet_schedule::{Ahead, Decided, FollowUp, Mine, Policy, Stand, Start, World};
use std::collections::{BTreeSet, VecDeque};

/// Decides and starts: as `home::drive` does.
pub(crate) struct Driver {
    pub(crate) pid: i32,
    /// Nothing: it keeps the queue.
    pub(crate) these: Option<BTreeSet<RunId>>,
    pub(crate) watching: BTreeSet<Which>,
    /// Starts that are on record.
    todo: VecDeque<Start>,
    unlearned: Vec<(RunId, KnownEnd)>,
    back: Vec<Which>,
    pub(crate) decided: Decided,
}

/// It was killed in the midst of it.
#[derive(Debug)]
pub(crate) struct Killed;

impl Driver {
    pub(crate) fn new(pid: i32, these: Option<BTreeSet<RunId>>) -> Driver {
        Driver {
            pid,
            these,
            watching: BTreeSet::new(),
            todo: VecDeque::new(),
            unlearned: Vec::new(),
            back: Vec::new(),
            decided: Decided::default(),
        }
    }

    pub(crate) fn mine(&self) -> Mine<'_> {
        self.these.as_ref().map_or(Mine::Detached, |runs| Mine::These { runs, at_once: u64::MAX })
    }

    pub(crate) fn is_at_work(&self) -> bool {
        !self.todo.is_empty() || !self.unlearned.is_empty() || !self.back.is_empty() || !self.decided.starts.is_empty()
    }

    /// Looks after what it watches, and after what was started by somebody who is gone.
    pub(crate) fn look(&mut self, home: &mut Home, alive: &BTreeSet<i32>, wall: UnixMs) {
        let mut all: Vec<Which> = self.watching.iter().copied().collect();
        if self.these.is_none() {
            let busy: BTreeSet<RunId> = self.todo.iter().map(|start| start.run).collect();
            let starter = |run| home.queue.starter(run).map_or(0, |starter| starter.pid);
            let abandoned = home.queue.granted().filter(|(run, _)| !alive.contains(&starter(*run)) || starter(*run) == self.pid);
            all.extend(abandoned.filter(|(run, _)| !busy.contains(run)));
        }
        all.sort_unstable();
        all.dedup();
        for which in all {
            self.look_at(home, which, wall);
        }
    }

    fn look_at(&mut self, home: &mut Home, which: Which, wall: UnixMs) {
        home.adopt(which, wall);
        self.watching.remove(&which);
        match home.folders.get(&which) {
            Some(folder) if folder.end.is_some() => self.unlearned.extend(folder.end.clone().map(|end| (which.0, end))),
            Some(folder) if folder.begun => drop(self.watching.insert(which)),
            Some(_) => {
                if home.take_back(which) {
                    self.back.push(which);
                }
            }
            None => self.back.push(which),
        }
    }

    /// Writes down what it knows of ends, together with what follows from them.
    pub(crate) fn learn(&mut self, home: &mut Home, wall: UnixMs, chance: &mut Chance) -> Result<(), Killed> {
        // Repeated messages: it may have noticed the same end twice.
        if chance.one_in(8) {
            self.unlearned.extend_from_within(..);
        }
        while let Some((run, end)) = self.unlearned.last().cloned() {
            let entry = if home.queue.awaits(run, end.attempt.n) { self.end_entry(home, run, end, wall) } else { None };
            if let Some(entry) = entry {
                let durably = matches!(entry, Entry::Together(_));
                if let Err(Full) = home.append(entry, durably) {
                    return Ok(());
                }
            }
            self.unlearned.pop();
            if chance.one_in(60) {
                return Err(Killed);
            }
        }
        while let Some((run, attempt)) = self.back.last().copied() {
            if let Err(Full) = home.append(Entry::Returned { run, attempt }, false) {
                return Ok(());
            }
            self.back.pop();
        }
        Ok(())
    }

    fn end_entry(&self, home: &Home, run: RunId, end: KnownEnd, wall: UnixMs) -> Option<Entry> {
        let sweep = home.state.sweeps.get(&home.state.runs.get(&run)?.sweep)?;
        let policy = Policy { retry: &sweep.settings.retry, hold_after: sweep.wishes.hold_after };
        let n = end.attempt.n;
        let follow_ups = home.queue.follow_up(run, &end, policy);
        let ended = Entry::Ended { run, end: Box::new(end) };
        if follow_ups.is_empty() {
            return Some(ended);
        }
        let driver = self.these.is_some().then(|| kit::process(self.pid));
        let then = follow_ups.into_iter().map(|follow_up| match follow_up {
            FollowUp::Again { not_before, because, .. } => {
                let attempt = next_attempt(home, run, n);
                let decision = Decision { because: Some(because), not_before, ..Decision::new(run, attempt, Again::Retry, driver.clone()) };
                Entry::Decided { at: wall, decision }
            }
            FollowUp::Hold { runs, why, .. } => Entry::Held { at: wall, runs, by: "neronet".into(), why: Some(why) },
        });
        Some(Entry::Together([ended].into_iter().chain(then).collect()))
    }

    /// Decides, and writes down what it will start.
    pub(crate) fn decide(&mut self, home: &mut Home, world: &World, wall: UnixMs, chance: &mut Chance) -> Result<(), Killed> {
        self.decided = home.queue.decide(world, wall, self.mine());
        self.hand_over(home, world, wall)?;
        for start in std::mem::take(&mut self.decided.starts) {
            let Start { run, attempt, grant } = start.clone();
            let driver = kit::process(self.pid);
            if let Err(Full) = home.append(Entry::Started { at: wall, run, attempt, grant: Box::new(grant), driver }, false) {
                return Ok(());
            }
            self.todo.push_back(start);
            if chance.one_in(60) {
                return Err(Killed);
            }
        }
        Ok(())
    }

    /// What targets are to start, as `home::drive` writes it down.
    fn hand_over(&mut self, home: &mut Home, world: &World, wall: UnixMs) -> Result<(), Killed> {
        let is_far = |start: &Start| world.places.iter().any(|place| place.ahead.is_some() && place.machine.name == start.grant.machine);
        let (far, here) = std::mem::take(&mut self.decided.starts).into_iter().partition::<Vec<_>, _>(is_far);
        self.decided.starts = here;
        let starts = far
            .into_iter()
            .map(|Start { run, attempt, grant }| (grant.machine.clone(), Handed { run, attempt, grant: Some(Box::new(grant)) }));
        let ahead = std::mem::take(&mut self.decided.ahead).into_iter();
        let ahead = ahead.map(|Ahead { run, attempt, target }| (target, Handed { run, attempt, grant: None }));
        for (target, handed) in starts.chain(ahead) {
            let epoch = home.queue.next_epoch();
            if let Err(Full) = home.append(Entry::Handed { at: wall, target, epoch, runs: vec![handed] }, true) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Claims what is to be started next. The word to its nursery comes back; it may get lost.
    pub(crate) fn begin(&mut self, home: &mut Home, wall: UnixMs) -> Option<Which> {
        let Start { run, attempt, grant } = self.todo.pop_front()?;
        let which = (run, attempt);
        if home.full {
            self.back.push(which);
            return None;
        }
        if home.claim(which, &grant) {
            self.watching.insert(which);
            return Some(which);
        }
        // The record of an earlier start is lost, or somebody had it end before it began.
        self.look_at(home, which, wall);
        None
    }

    /// A run that is watched and whose keeper never came to be.
    pub(crate) fn not_begun(&self, home: &Home) -> Option<Which> {
        self.watching.iter().copied().find(|which| home.folders.get(which).is_some_and(|folder| !folder.begun))
    }

    pub(crate) fn give_up(&mut self, home: &mut Home, which: Which) {
        if home.take_back(which) {
            self.watching.remove(&which);
            self.back.push(which);
        }
    }

    /// Whether somebody it was started for still waits.
    pub(crate) fn is_done(&self, home: &Home) -> bool {
        let ended = |run: &RunId| matches!(home.queue.stand(*run), None | Some(Stand::Ended(_)));
        self.these.as_ref().is_some_and(|runs| runs.iter().all(ended)) && !self.is_at_work() && self.watching.is_empty()
    }
}

/// The number of the next attempt: an attempt that nobody has begun is not counted.
pub(crate) fn next_attempt(home: &Home, run: RunId, last: AttemptNo) -> AttemptNo {
    AttemptNo(last.0 + u64::from(home.folders.contains_key(&(run, last))))
}
