//! Targets of a simulated home: each a home of its own with a runner, which goes on whether it is reached or not. What is said between
//! the two is what `home::contact` and the agent say; answers get lost.

use crate::actors::{Driver, Killed};
use crate::chance::Chance;
use crate::home::{Full, Home, Which};
use crate::kit;
use neronet_model::journal::{Entry, Member, Submitted, Sweep};
use neronet_model::queue::Wishes;
use neronet_model::run::Decision;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use neronet_schedule::{Away, Place, Queue, Stand, World};
use std::collections::BTreeSet;

pub(crate) struct Far {
    pub(crate) name: String,
    /// As home sees it, but for whether it is there.
    pub(crate) place: Place,
    pub(crate) home: Home,
    pub(crate) absent: bool,
    runner: Option<Driver>,
    words: Vec<Which>,
    /// So many of its entries home has made its own.
    known: usize,
    /// What home knows to have arrived, by its epoch.
    there: BTreeSet<(RunId, u64)>,
    pub(crate) back: BTreeSet<RunId>,
}

impl Far {
    pub(crate) fn new(name: &str, chance: &mut Chance) -> Far {
        let mut place = kit::place(name, chance.within(1, 6) as u32, chance.below(4) as u32);
        place.limits.max_runs = chance.one_in(4).then_some(2);
        place.ahead = Some(chance.within(1, 6));
        Far {
            name: name.into(),
            place,
            home: Home::default(),
            absent: false,
            runner: None,
            words: Vec::new(),
            known: 0,
            there: BTreeSet::new(),
            back: BTreeSet::new(),
        }
    }

    fn here(&self) -> World {
        kit::world([Place { ahead: None, ..self.place.clone() }])
    }

    /// The runner does something, or dies; now and then the whole machine does.
    pub(crate) fn act(&mut self, what: u64, now: i64, wall: UnixMs, chance: &mut Chance) {
        let world = self.here();
        let runner = self.runner.get_or_insert_with(|| Driver::new(1, None));
        let alive = BTreeSet::from([1]);
        let acted = match what {
            0 => {
                runner.look(&mut self.home, &alive, wall);
                Ok(())
            }
            1 | 2 => runner.learn(&mut self.home, wall, chance).and_then(|()| runner.decide(&mut self.home, &world, wall, chance)),
            _ => {
                self.words.extend(runner.begin(&mut self.home, wall));
                Ok(())
            }
        };
        if let Err(Killed) = acted {
            self.runner = None;
        }
        if let Some(which) = self.words.pop() {
            self.home.begin(which, now, chance);
        }
    }

    pub(crate) fn cut_power(&mut self, chance: &mut Chance) {
        self.runner = None;
        self.words.clear();
        self.home.power_cut(chance);
        self.there.clear();
    }

    /// Home asks one thing of it, and may lose the connection before the answer.
    pub(crate) fn heard_of(&mut self, what: u64, home: &mut Home, wall: UnixMs, chance: &mut Chance) {
        if self.absent || home.full {
            return;
        }
        if self.there.is_empty() {
            self.compare(&home.queue);
        }
        let away: Vec<(RunId, AttemptNo, Away)> = home.queue.away_at(&self.name).map(|(run, n, away)| (run, n, away.clone())).collect();
        match what {
            0 => self.take(home, &away, chance),
            1 => self.give_back(home, chance),
            2 => away.iter().filter(|(.., away)| away.asked.is_some()).for_each(|(run, n, _)| self.stop((*run, *n), wall)),
            _ => while self.known < self.home.entries.len() && self.tell(home).is_ok() {},
        }
    }

    /// What both believe to be there agrees.
    fn compare(&mut self, known: &Queue) {
        for (run, attempt, away) in known.away_at(&self.name) {
            let there = self.home.state.runs.get(&run).map_or(0, |run| run.attempts);
            if there >= attempt.0 {
                self.there.insert((run, away.epoch));
            } else {
                assert!(!away.started, "run {run} is lost on {}", self.name);
            }
        }
    }

    fn take(&mut self, home: &Home, away: &[(RunId, AttemptNo, Away)], chance: &mut Chance) {
        for (run, attempt, away) in
            away.iter().filter(|(run, _, away)| !self.there.contains(&(*run, away.epoch))).cloned().collect::<Vec<_>>()
        {
            let (Some(known), Ok(())) = (home.state.runs.get(&run), self.room()) else { return };
            let Some(sweep) = home.state.sweeps.get(&known.sweep) else { continue };
            if self.home.state.runs.get(&run).is_none() {
                let wishes = Wishes { priority: sweep.wishes.priority, hold_after: sweep.wishes.hold_after, ..Wishes::default() };
                let sweep = Sweep { detached: true, targets: Vec::new(), best_of: Vec::new(), wishes, ..(**sweep).clone() };
                let (uid, params) = (known.uid, known.params.clone());
                let after = known.after.filter(|after| home.queue.has(&self.name, *after));
                let member = Member { id: run, uid, params, after, gpus: None, tags: Vec::new(), note: None };
                self.home.append(Entry::Submitted(vec![Submitted { sweep, members: vec![member] }]), true).ok();
            }
            let decision = home.state.decisions.get(&run).filter(|decision| decision.attempt == attempt);
            if let Some(decision) = decision.filter(|_| self.home.state.runs.get(&run).is_some_and(|run| run.attempts < attempt.0)) {
                self.home.append(Entry::Decided { at: UnixMs(0), decision: Decision { driver: None, ..decision.clone() } }, true).ok();
            }
            if chance.one_in(8) {
                return self.there.clear();
            }
            self.there.insert((run, away.epoch));
        }
    }

    fn room(&self) -> Result<(), Full> {
        if self.home.full { Err(Full) } else { Ok(()) }
    }

    fn give_back(&mut self, home: &mut Home, chance: &mut Chance) {
        let mut back = Vec::new();
        for run in std::mem::take(&mut self.back) {
            let stand = self.home.queue.stand(run);
            // A power cut may have taken the word that it was started, and left what that made.
            let n = AttemptNo(self.home.state.runs.get(&run).map_or(1, |run| run.attempts));
            let begun = self.home.folders.contains_key(&(run, n));
            // Else home has not heard yet what became of the attempt that it means.
            let meant = home.state.runs.get(&run).is_some_and(|run| run.attempts == n.0);
            let gone = stand == Some(Stand::Queued) && !begun && meant && self.home.append(Entry::Purged { runs: vec![run] }, true).is_ok();
            if gone || stand.is_none() {
                back.push(run);
            } else if stand == Some(Stand::Queued) && begun && meant && self.home.queue.is_held(run) {
                self.home.append(Entry::Released { runs: vec![run] }, true).ok();
            }
        }
        if chance.one_in(8) {
            return self.there.clear();
        }
        if !back.is_empty() {
            home.append(Entry::HandedBack { target: self.name.clone(), runs: back }, true).ok();
        }
    }

    fn stop(&mut self, which: Which, wall: UnixMs) {
        if let Some(execution) = self.home.executing.get_mut(&which) {
            (execution.outcome, execution.cause, execution.until) = (Outcome::Stopped, None, i64::MIN);
        } else if self.home.queue.stand(which.0) == Some(Stand::Queued)
            && self.home.queue.awaits(which.0, which.1)
            && !self.home.folders.contains_key(&which)
        {
            self.home.append(kit::ended(which.0.0, kit::end(which.1.0, Outcome::Stopped, None, wall, 0)), true).ok();
        }
    }

    /// The next of its entries, as `contact::learning` makes it home's own. What is said is on its disk.
    fn tell(&mut self, home: &mut Home) -> Result<(), Full> {
        self.home.sync();
        let parts: Vec<Entry> = self.home.entries[self.known].parts().into_iter().cloned().collect();
        let ended: BTreeSet<RunId> =
            parts.iter().filter_map(|part| if let Entry::Ended { run, .. } = part { Some(*run) } else { None }).collect();
        let mut new: Vec<Entry> = parts.into_iter().filter(|part| self.is_news(home, part, &ended)).collect();
        match new.len() {
            0 => {}
            1 => home.append(new.remove(0), true)?,
            _ => home.append(Entry::Together(new), true)?,
        }
        self.known += 1;
        Ok(())
    }

    fn is_news(&self, home: &Home, part: &Entry, ended: &BTreeSet<RunId>) -> bool {
        let queue = &home.queue;
        let is_there = |run: RunId| queue.away(run).is_some_and(|away| away.target == self.name);
        match part {
            Entry::Started { run, attempt, .. } => {
                is_there(*run) && !queue.away(*run).is_some_and(|away| away.started) && queue.awaits(*run, *attempt)
            }
            Entry::Returned { run, .. } => is_there(*run) && queue.stand(*run) == Some(Stand::Granted),
            Entry::Ended { run, end } => is_there(*run) && queue.awaits(*run, end.attempt.n),
            Entry::Decided { decision, .. } => {
                let (run, n) = (decision.run, decision.attempt.0);
                let known = home.state.runs.get(&run).map_or(u64::MAX, |run| run.attempts);
                let over = !queue.awaits_end(run) || ended.contains(&run);
                is_there(run) && decision.because.is_some() && (known.checked_add(1) == Some(n) || (n == known && over))
            }
            Entry::Held { runs, .. } => runs.iter().any(|run| is_there(*run) && (queue.waits_at(*run).is_some() || ended.contains(run))),
            _ => false,
        }
    }

    /// The runner is there, and nothing is on its way.
    pub(crate) fn calm_down(&mut self) {
        (self.absent, self.home.full) = (false, false);
        self.words.clear();
        self.there.clear();
    }
}
