//! What is to be started now, decided under home's lock and written down; and what of others' doing changes that.

use super::{Drive, Whose, Wish};
use crate::begin::Wanted;
use crate::error::HomeError;
use crate::stages;
use neronet_model::journal::{Entry, Handed, Sweep};
use neronet_model::launch::Courtesy;
use neronet_model::outcome::Cause;
use neronet_model::{Outcome, Run, RunId, SweepId};
use neronet_schedule::{Ahead, Mine, Reason, Stand, Start};
use neronet_store::Locked;
use neronet_store::journal::Replayed;
use neronet_supervise::os::process::{self, Alive};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// A start that is on record.
pub(super) struct Todo {
    pub(super) attempt: Wanted,
    pub(super) sweep: Arc<Sweep>,
}

impl Drive<'_> {
    pub(super) fn decide(&mut self) -> Result<Vec<Todo>, HomeError> {
        let (follow_ups, paused) = {
            let known = self.context.home.read()?;
            self.notice(&known);
            self.see_targets(&known);
            let paused = self.pause.is_some_and(|until| Instant::now() < until) || self.asked != Wish::GoOn;
            if !paused {
                self.pause = None;
                self.look(&known);
                // Those that ended meanwhile have left something there.
                if self.decided.starts.iter().any(|start| start.grant.disk > 0) {
                    self.see();
                    self.look(&known);
                }
            }
            let nothing = self.decided.starts.is_empty() && self.decided.ahead.is_empty() && self.decided.back.is_empty();
            if self.unlearned.is_empty() && (paused || nothing) {
                return Ok(Vec::new());
            }
            (self.follow_ups(&known)?, paused)
        };
        let mut home = self.context.lock()?;
        self.learn(&mut home, follow_ups)?;
        if paused {
            return Ok(Vec::new());
        }
        self.decided = home.queue().decide(&self.world, self.now(), self.whose.mine(self.at_once));
        self.hand_over(&mut home)?;
        let mut todo = Vec::new();
        // Whoever waits at the terminal is in a hurry.
        let courtesy = match (&self.whose, &self.eyes) {
            (Whose::Detached, Some(eyes)) => eyes.courtesy(),
            _ => Courtesy::default(),
        };
        for Start { run, attempt, grant } in std::mem::take(&mut self.decided.starts) {
            let state = home.state();
            let Some((run, sweep)) = state.runs.get(&run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?))) else { continue };
            if self.starter.waits(sweep).is_some() {
                // It was submitted just now.
                self.at_work = true;
                continue;
            }
            let decision = state.decisions.get(&run.id).filter(|decision| decision.attempt == attempt);
            let again = decision.map(|decision| decision.again.clone());
            let sweep = Arc::clone(sweep);
            let run = run.as_changed_run();
            let (at, driver, id) = (self.context.now(), self.me.clone(), run.id);
            home.learn(Entry::Started { at, run: id, attempt, grant: Box::new(grant.clone()), driver })?;
            todo.push(Todo { attempt: Wanted { run, after: None, n: attempt, again, grant, courtesy }, sweep });
        }
        Ok(todo)
    }

    /// What is for other machines becomes theirs, and what waits there for too long is asked for.
    fn hand_over(&mut self, home: &mut Locked) -> Result<(), HomeError> {
        let Some(contacts) = &self.contacts else { return Ok(()) };
        let is_far =
            |start: &Start| self.world.places.iter().any(|place| place.ahead.is_some() && place.machine.name == start.grant.machine);
        let (far, here): (Vec<Start>, Vec<Start>) = std::mem::take(&mut self.decided.starts).into_iter().partition(is_far);
        self.decided.starts = here;
        let mut by_target: BTreeMap<String, Vec<Handed>> = BTreeMap::new();
        for Start { run, attempt, grant } in far {
            by_target.entry(grant.machine.clone()).or_default().push(Handed { run, attempt, grant: Some(Box::new(grant)) });
        }
        for Ahead { run, attempt, target } in std::mem::take(&mut self.decided.ahead) {
            by_target.entry(target).or_default().push(Handed { run, attempt, grant: None });
        }
        for (target, runs) in by_target {
            let epoch = home.queue().next_epoch();
            home.decide(Entry::Handed { at: self.context.now(), target, epoch, runs })?;
            self.at_work = true;
        }
        for run in std::mem::take(&mut self.decided.back) {
            if let Some(away) = home.queue().away(run) {
                contacts.give_back(&away.target, run);
            }
        }
        contacts.look(&home.replayed());
        Ok(())
    }

    /// Decides without writing anything down, and sees to it that what would start is built.
    fn look(&mut self, known: &Replayed) {
        self.world.not_yet.retain(|sweep, _| known.state.sweeps.get(sweep).is_some_and(|sweep| self.starter.waits(sweep).is_some()));
        let mut staged = BTreeSet::new();
        loop {
            self.decided = known.queue.decide(&self.world, self.now(), self.whose.mine(self.at_once));
            // A target builds what it starts.
            let far =
                |start: &&Start| self.world.places.iter().any(|place| place.ahead.is_some() && place.machine.name == start.grant.machine);
            let here = self.decided.starts.iter().filter(|start| !far(start));
            let runs: Vec<&Run> = here.filter_map(|start| known.state.runs.get(&start.run)).collect();
            let sweeps: BTreeSet<SweepId> = runs.iter().map(|run| run.sweep).collect();
            let waiting: Vec<SweepId> = self.world.not_yet.keys().copied().collect();
            let mut changed = false;
            for run in runs {
                if !staged.contains(&run.sweep)
                    && let Some(why) = stages::awaits(self.context, &known.state, run)
                {
                    staged.insert(run.sweep);
                    self.world.not_yet.insert(run.sweep, why);
                    changed = true;
                } else if let Some(what) = self.contacts.as_ref().and_then(|contacts| contacts.awaits(&known.state, run.id)) {
                    self.world.bringing.insert(run.id, what);
                    changed = true;
                }
            }
            for sweep in waiting.into_iter().chain(sweeps).filter_map(|sweep| known.state.sweeps.get(&sweep)) {
                if let Some(why) = self.starter.waits(sweep).filter(|_| self.starter.lacks_secrets(sweep)) {
                    changed |= self.world.not_yet.insert(sweep.id, why.into()).is_none();
                    continue;
                }
                match self.starter.is_built(sweep) {
                    Ok(true) if staged.contains(&sweep.id) => {}
                    Ok(true) => changed |= self.world.not_yet.remove(&sweep.id).is_some(),
                    Ok(false) => {
                        changed |= self.world.not_yet.insert(sweep.id, "waits for its code to be built".into()).is_none();
                    }
                    Err(why) => self.not_built(known, sweep.id, &why.to_string()),
                }
            }
            if !changed {
                break;
            }
        }
        // Started from within a run, what has lost its nursery would end with that run.
        let at_work: BTreeSet<SweepId> = self.running.iter().map(|live| live.sweep).collect();
        self.starter.keep_only(|sweep| at_work.contains(&sweep) || known.queue.may_start(sweep));
    }

    fn not_built(&mut self, known: &Replayed, sweep: SweepId, why: &str) {
        for run in self.mine(known).into_iter().filter(|run| known.state.runs.get(run).is_some_and(|run| run.sweep == sweep)) {
            self.never(known, run, Outcome::Failed, Cause::NotStarted(why.to_string()));
        }
    }

    /// Runs of ours that are queued.
    pub(super) fn mine(&self, known: &Replayed) -> Vec<RunId> {
        match &self.whose {
            Whose::These(runs) => runs.iter().copied().filter(|run| known.queue.stand(*run) == Some(Stand::Queued)).collect(),
            Whose::Detached => known.queue.queued_of(Mine::Detached),
        }
    }

    /// What others have done with runs that somebody waits for here, and what will never start.
    pub(super) fn notice(&mut self, known: &Replayed) {
        let Whose::These(runs) = &self.whose else {
            let away = || known.queue.targets().flat_map(|target| known.queue.away_at(target));
            self.elsewhere = away().filter(|(.., away)| away.started).count();
            // They have room there, and may still be on their way.
            let sent = away().filter(|(run, _, away)| !away.started && known.queue.stand(*run) == Some(Stand::Granted));
            self.queued = known.queue.counts().0 + sent.count();
            return;
        };
        let runs: Vec<RunId> = runs.iter().copied().filter(|run| !self.ended.contains_key(run)).collect();
        let unlearned: BTreeSet<RunId> = self.unlearned.iter().map(|(run, _)| *run).collect();
        let mut queued = 0;
        for run in runs.into_iter().filter(|run| !unlearned.contains(run)) {
            let not_ours = |drive: &mut Drive<'_>| {
                if let Whose::These(runs) = &mut drive.whose {
                    runs.remove(&run);
                }
            };
            match known.queue.stand(run) {
                // Stopped by somebody, and begun again by somebody else.
                Some(Stand::Queued) if known.state.runs.get(&run).and_then(|run| known.state.driver(run)) != Some(&self.me) => {
                    not_ours(self);
                }
                Some(Stand::Queued) => {
                    queued += 1;
                    self.look_upstream(known, run);
                }
                Some(Stand::Granted) if self.running.iter().any(|live| live.run.id == run) => {}
                Some(Stand::Granted) => {
                    if known.queue.starter(run).is_some_and(|starter| *starter != self.me) {
                        (self.context.say)(&format!("run {run} is being carried out by another neronet"));
                        not_ours(self);
                    }
                }
                Some(Stand::Ended(_)) => {
                    if let Some(end) = known.state.runs.get(&run).and_then(|run| self.context.home.end_of(run).ok().flatten()) {
                        self.ended.insert(run, end);
                    }
                    not_ours(self);
                }
                // Purged.
                None => not_ours(self),
            }
        }
        self.queued = queued;
    }

    /// A run that waits for another one, which failed, or which nobody will start.
    fn look_upstream(&mut self, known: &Replayed, run: RunId) {
        match known.queue.own_reason_of(run, self.now()) {
            Some(Reason::Upstream { run: before, outcome }) => {
                let why = stages::never(&known.state, run, before, outcome);
                self.never(known, run, Outcome::Stopped, Cause::NotStarted(why));
            }
            Some(Reason::After { runs, .. }) => {
                let nobody = |before: &RunId| {
                    known.queue.stand(*before) == Some(Stand::Queued)
                        && !known.queue.is_detached(*before)
                        && known
                            .state
                            .runs
                            .get(before)
                            .and_then(|before| known.state.driver(before))
                            .is_some_and(|driver| process::alive(driver) == Alive::No)
                };
                if let Some(before) = runs.iter().find(|before| nobody(before)).filter(|before| self.stranded.insert(**before)) {
                    (self.context.say)(&format!("run {run} waits for run {before}, which nobody starts: `neronet retry {before}` does"));
                }
            }
            _ => {}
        }
    }
}
