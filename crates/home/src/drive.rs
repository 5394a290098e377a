//! Carries out what the queue decides: starts runs, waits for them, writes down how they ended. What it started needs it for
//! nothing: killed at any moment, it leaves running what runs.

mod learn;

use crate::begin::Wanted;
use crate::bulletin::{self, Bulletin};
use crate::context::Context;
use crate::error::HomeError;
use crate::live::{self, Gone, Live};
use crate::queue;
use crate::reconcile::reconcile;
use crate::recover::{self, Found};
use crate::stages::{self, From};
use crate::starter::{self, Starter};
use crate::world::{self, Eyes};
use learn::Learned;
use neronet_model::event::Process;
use neronet_model::journal::{Entry, Sweep};
use neronet_model::launch::Courtesy;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::settings::Resources;
use neronet_model::{AttemptNo, Outcome, RunId, SweepId, UnixMs};
use neronet_schedule::{Decided, Mine, Reason, Stand, Start, World};
use neronet_store::follow;
use neronet_store::journal::Replayed;
use neronet_supervise::Nursery;
use neronet_supervise::os::process::{self, Alive};
use neronet_supervise::start::{self, How};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What whoever watches wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    GoOn,
    /// Start nothing more, ask what runs to stop.
    Stop,
    Kill,
    /// Leave everything as it is.
    Leave,
}

/// Which runs are carried out.
pub enum Whose {
    /// All that were submitted to whoever keeps the queue.
    Detached,
    /// Those that somebody waits for.
    These(BTreeSet<RunId>),
}

impl Whose {
    fn mine(&self, at_once: u64) -> Mine<'_> {
        match self {
            Whose::Detached => Mine::Detached,
            Whose::These(runs) => Mine::These { runs, at_once },
        }
    }
}

/// Whoever watches is asked so often, and what could not be done is tried again so soon.
const TICK: Duration = Duration::from_millis(250);
const AGAIN: Duration = Duration::from_secs(1);
/// Whoever keeps the queue looks so often after runs whose starter has gone, and at what others use of the machine.
const LOOK: Duration = Duration::from_secs(30);
const LOOK_AT_GPUS: Duration = Duration::from_secs(5);

pub struct Drive<'a> {
    context: &'a Context,
    whose: Whose,
    me: Process,
    starter: Starter<'a>,
    running: Vec<Live>,
    unlearned: Vec<(RunId, Learned)>,
    /// Of those that somebody waits for.
    ended: BTreeMap<RunId, KnownEnd>,
    queued: usize,
    decided: Decided,
    /// Where anything of the machine is asked for.
    eyes: Option<Eyes>,
    world: World,
    /// What others were told last, and when.
    told: Option<(Bulletin, Instant)>,
    asked: Wish,
    /// Of the runs that somebody waits for: as many at a time as the sweep that allows most.
    at_once: u64,
    /// Nothing is started until then: the system was short of something, or home could not be written.
    pause: Option<Instant>,
    /// Runs whose keeper never came to be, and that were tried once more.
    tried_again: BTreeSet<RunId>,
    /// Runs that nobody starts and that others wait for, which was said.
    stranded: BTreeSet<RunId>,
    journal: Option<follow::Watch>,
    looked: Instant,
    at_work: bool,
}

/// For whoever shows progress.
pub struct Progress<'a> {
    pub queued: usize,
    pub running: Vec<(RunId, AttemptNo)>,
    pub ended: &'a BTreeMap<RunId, KnownEnd>,
    /// When all will probably have ended, where that can be said. To find out takes longer than to count.
    pub done: &'a dyn Fn() -> Option<UnixMs>,
}

/// A start that is on record.
struct Todo {
    attempt: Wanted,
    sweep: Arc<Sweep>,
}

impl<'a> Drive<'a> {
    /// `nursery`: one that was opened for this sweep, if one was.
    pub fn new(context: &'a Context, whose: Whose, nursery: Option<(SweepId, Nursery)>) -> Result<Drive<'a>, HomeError> {
        let known = context.home.read()?;
        let (at_once, asks) = match &whose {
            Whose::Detached => (u64::MAX, true),
            Whose::These(runs) => {
                let sweeps = || runs.iter().filter_map(|run| known.state.sweeps.get(&known.state.runs.get(run)?.sweep));
                let at_once = sweeps().map(|sweep| sweep.parallel.unwrap_or(1)).max().unwrap_or(1);
                (at_once, sweeps().any(|sweep| sweep.detached || sweep.settings.resources != Resources::default()))
            }
        };
        // To ask a driver for GPUs takes longer than to start a run that needs none.
        let mut eyes = asks.then(Eyes::open);
        let world = eyes.as_mut().map_or_else(world::bare, |eyes| eyes.look(context, &known.queue));
        drop(known);
        Ok(Drive {
            context,
            at_once,
            whose,
            me: process::myself(),
            starter: Starter::new(context, nursery),
            running: Vec::new(),
            unlearned: Vec::new(),
            ended: BTreeMap::new(),
            queued: 0,
            decided: Decided::default(),
            world,
            eyes,
            told: None,
            asked: Wish::GoOn,
            pause: None,
            tried_again: BTreeSet::new(),
            stranded: BTreeSet::new(),
            journal: None,
            looked: Instant::now(),
            at_work: true,
        })
    }

    /// Until all runs have ended that somebody waits for, or `watch` wishes to leave. `wake` becomes readable when `watch` should
    /// be asked at once.
    pub fn carry_out(
        mut self,
        wake: Option<BorrowedFd<'_>>,
        mut watch: impl FnMut(&Progress<'_>) -> Wish,
    ) -> Result<BTreeMap<RunId, KnownEnd>, HomeError> {
        loop {
            let acted = self.act();
            let running = self.running.iter().map(|live| (live.run.id, live.attempt)).collect();
            let wish = watch(&Progress { queued: self.queued, running, ended: &self.ended, done: &|| self.done() });
            if wish == Wish::Leave {
                self.learn_all()?;
                return Ok(self.ended);
            }
            self.fulfil(wish);
            // What cannot be written is told when nothing else is left to do.
            if self.running.is_empty() && (self.queued == 0 || acted.is_err()) {
                acted?;
                self.learn_all()?;
                // What was learned just now may have put a run back.
                if self.queued == 0 && self.unlearned.is_empty() && self.running.is_empty() && !self.at_work {
                    return Ok(self.ended);
                }
            }
            if self.running.is_empty() && self.looked.elapsed() >= AGAIN {
                // What is waited for may have ended unseen.
                self.looked = Instant::now();
                self.see();
                reconcile(self.context).ok();
            }
            let again = self.at_work || !self.unlearned.is_empty();
            self.wait(wake, Some(if again && self.pause.is_none() { Duration::ZERO } else { TICK }));
            self.collect();
        }
    }

    /// Keeps the queue until `wish` says otherwise. `wake` becomes readable when it should be asked.
    pub fn keep(mut self, wake: BorrowedFd<'_>, mut wish: impl FnMut(&Progress<'_>) -> Wish) -> Result<(), HomeError> {
        self.recover();
        loop {
            let acted = self.act();
            let running = self.running.iter().map(|live| (live.run.id, live.attempt)).collect();
            if wish(&Progress { queued: self.queued, running, ended: &self.ended, done: &|| self.done() }) != Wish::GoOn {
                return self.learn_all();
            }
            if self.looked.elapsed() >= self.look_every() {
                self.looked = Instant::now();
                self.recover();
                self.see();
                self.at_work = true;
            }
            self.tell();
            let patience = if acted.is_err() { Some(AGAIN) } else { self.patience() };
            self.wait(Some(wake), patience);
            self.collect();
        }
    }

    /// When all that somebody waits for will probably have ended.
    fn done(&self) -> Option<UnixMs> {
        let Whose::These(runs) = &self.whose else { return None };
        queue::done(self.context, &self.context.home.read().ok()?, &self.world, self.whose.mine(self.at_once), runs)
    }

    /// Others' GPUs become free at any time.
    fn look_every(&self) -> Duration {
        if self.queued > 0 && self.eyes.as_ref().is_some_and(Eyes::has_gpus) { LOOK_AT_GPUS } else { LOOK }
    }

    fn see(&mut self) {
        let Some(eyes) = &mut self.eyes else { return };
        let not_yet = std::mem::take(&mut self.world.not_yet);
        if let Ok(known) = self.context.home.read() {
            self.world = World { not_yet, ..eyes.look(self.context, &known.queue) };
        }
        if let Some(trouble) = eyes.trouble.take() {
            (self.context.say)(&format!("warning: {trouble}"));
        }
    }

    /// Lets other processes know what was decided.
    fn tell(&mut self) {
        if self.told.is_none() || self.untold().is_some_and(|patience| patience.is_zero()) {
            let bulletin = Bulletin { decided: self.decided.clone(), world: self.world.clone() };
            bulletin::write(self.context, &bulletin);
            self.told = Some((bulletin, Instant::now()));
        }
    }

    /// What others are still to be told.
    fn untold(&self) -> Option<Duration> {
        let (told, at) = self.told.as_ref()?;
        (told.decided != self.decided || told.world != self.world).then(|| AGAIN.saturating_sub(at.elapsed()))
    }

    /// How long nothing is to be done but to wait. For ever where nothing is queued and nothing runs.
    fn patience(&self) -> Option<Duration> {
        if self.at_work || !self.unlearned.is_empty() {
            return Some(self.pause.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now())));
        }
        let now = self.context.now();
        let due = self.decided.look_again.map(|at| Duration::from_millis(u64::try_from(at.0 - now.0).unwrap_or(0)));
        let live = self.running.iter().filter_map(|live| live.look_at).map(|at| at.saturating_duration_since(Instant::now())).min();
        let build = self.starter.is_building().then_some(TICK);
        let pause = self.pause.map(|until| until.saturating_duration_since(Instant::now()));
        let look = (self.queued > 0 || !self.running.is_empty()).then(|| self.look_every().saturating_sub(self.looked.elapsed()));
        [due, live, build, pause, look, self.untold()].into_iter().flatten().min()
    }

    /// Writes down what is known of ends, starts what may start.
    fn act(&mut self) -> Result<(), HomeError> {
        self.at_work = false;
        let todo = self.decide();
        if todo.is_err() {
            self.pause = Some(Instant::now() + AGAIN);
        }
        for todo in todo? {
            self.queued = self.queued.saturating_sub(1);
            self.start(todo);
        }
        Ok(())
    }

    fn decide(&mut self) -> Result<Vec<Todo>, HomeError> {
        let (follow_ups, paused) = {
            let known = self.context.home.read()?;
            self.notice(&known);
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
            if self.unlearned.is_empty() && (paused || self.decided.starts.is_empty()) {
                return Ok(Vec::new());
            }
            (self.follow_ups(&known)?, paused)
        };
        let mut home = self.context.lock()?;
        self.learn(&mut home, follow_ups)?;
        if paused {
            return Ok(Vec::new());
        }
        self.decided = home.queue().decide(&self.world, self.context.now(), self.whose.mine(self.at_once));
        let mut todo = Vec::new();
        // Whoever waits at the terminal is in a hurry.
        let courtesy = match (&self.whose, &self.eyes) {
            (Whose::Detached, Some(eyes)) => eyes.courtesy(),
            _ => Courtesy::default(),
        };
        for Start { run, attempt, grant } in std::mem::take(&mut self.decided.starts) {
            let state = home.state();
            let Some((run, sweep)) = state.runs.get(&run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?))) else { continue };
            if self.starter.needs_build(sweep) {
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

    /// Decides without writing anything down, and sees to it that what would start is built.
    fn look(&mut self, known: &Replayed) {
        self.world.not_yet.retain(|sweep, _| known.state.sweeps.get(sweep).is_some_and(|sweep| self.starter.needs_build(sweep)));
        loop {
            self.decided = known.queue.decide(&self.world, self.context.now(), self.whose.mine(self.at_once));
            let sweeps: BTreeSet<SweepId> =
                self.decided.starts.iter().filter_map(|start| Some(known.state.runs.get(&start.run)?.sweep)).collect();
            let waiting: Vec<SweepId> = self.world.not_yet.keys().copied().collect();
            let mut changed = false;
            for sweep in waiting.into_iter().chain(sweeps).filter_map(|sweep| known.state.sweeps.get(&sweep)) {
                match self.starter.is_built(sweep) {
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
    fn mine(&self, known: &Replayed) -> Vec<RunId> {
        match &self.whose {
            Whose::These(runs) => runs.iter().copied().filter(|run| known.queue.stand(*run) == Some(Stand::Queued)).collect(),
            Whose::Detached => known.queue.queued_of(Mine::Detached),
        }
    }

    /// What others have done with runs that somebody waits for here, and what will never start.
    fn notice(&mut self, known: &Replayed) {
        let Whose::These(runs) = &self.whose else {
            self.queued = known.queue.counts().0;
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
                    if let Some(end) = known.state.runs.get(&run).and_then(|run| run.known_end.as_deref().cloned()) {
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
        match known.queue.own_reason_of(run, self.context.now()) {
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

    /// Has an attempt begun whose start is on record.
    fn start(&mut self, Todo { mut attempt, sweep }: Todo) {
        let (id, n) = (attempt.run.id, attempt.n);
        match stages::goes_on_from(self.context, &attempt.run, &sweep) {
            Ok(From::Run(after)) => attempt.after = after,
            Ok(From::Never(why)) if matches!(self.whose, Whose::Detached) => {
                self.unlearned.push((id, Learned::Held(n, why)));
                return;
            }
            Ok(From::Never(why)) => return self.not_begun(id, n, Outcome::Stopped, why),
            Err(e) => return self.not_begun(id, n, Outcome::Failed, e.to_string()),
        }
        match self.starter.start(&sweep, &attempt) {
            Ok(started) => {
                self.running.push(Live::new(self.context, attempt.run, n, started));
            }
            Err(e) if !self.running.is_empty() && starter::is_shortage(&e) => {
                self.pause = Some(Instant::now() + AGAIN);
                self.unlearned.push((id, Learned::Back(n)));
            }
            // Somebody was there before us: had it end before it began, or began it when our record of that was lost.
            Err(_) if self.context.home.attempt(id, n).exists() => match recover::one(self.context, &attempt.run, n) {
                Some(found) => self.take_up(id, found),
                None => self.unlearned.push((id, Learned::Back(n))),
            },
            Err(e) => self.not_begun(id, n, Outcome::Failed, e.to_string()),
        }
    }

    fn fulfil(&mut self, wish: Wish) {
        if wish <= self.asked {
            return;
        }
        self.asked = wish;
        self.starter.stop_building();
        let how = if wish == Wish::Kill { How::Kill } else { How::Stop };
        let who = self.context.user.clone();
        for live in &self.running {
            // One that cannot be asked must not keep the others from being asked.
            if let Err(e) = start::ask(&live.folder, live.attempt, &who, how) {
                (self.context.say)(&format!("run {}: {e}", live.run.id));
            }
        }
        if let Ok(known) = self.context.home.read() {
            for run in self.mine(&known) {
                self.never(&known, run, Outcome::Stopped, Cause::Asked(format!("{who} before it started")));
            }
        }
    }

    /// True where it begins now: what was written before is to be read first. To stop watching takes the kernel some milliseconds, so
    /// whoever only waits for what runs does not begin.
    fn watch_journal(&mut self) -> bool {
        if self.journal.is_none() && (self.queued > 0 || matches!(self.whose, Whose::Detached)) {
            // Without it others' changes are noticed at the next look.
            self.journal = follow::Watch::of(&self.context.home.journal()).ok();
            return self.journal.is_some();
        }
        false
    }

    fn wait(&mut self, wake: Option<BorrowedFd<'_>>, patience: Option<Duration>) {
        let patience = if self.watch_journal() { Some(Duration::ZERO) } else { patience };
        let lives = self.running.iter().filter(|live| live.look_at.is_none()).map(|live| live.started.gone.as_fd());
        let fds = lives.chain(wake).chain(self.journal.as_ref().map(AsFd::as_fd));
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let patience = patience.map_or(PollTimeout::NONE, |patience| {
            // Rounded up: what is due in half a millisecond is not due now.
            PollTimeout::try_from(patience + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
        });
        poll(&mut fds, patience).ok();
        // What it says is found out by reading the journal.
        if let Some(journal) = &self.journal {
            journal.drain();
        }
    }

    fn collect(&mut self) {
        let mut still = Vec::new();
        for mut live in std::mem::take(&mut self.running) {
            if live.look_at.is_some_and(|at| Instant::now() < at) {
                still.push(live);
                continue;
            }
            live.look_at = None;
            let mut fds = [PollFd::new(live.started.gone.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0) {
                still.push(live);
                continue;
            }
            let id = live.run.id;
            match live.gone(self.context, &self.starter) {
                Gone::NotYet(live) => still.push(live),
                Gone::Ended(end) => self.unlearned.push((id, Learned::Ended(*end))),
                Gone::NeverBegan(live, why) => self.never_began(live, why),
            }
        }
        self.running = still;
    }

    /// Its nursery was killed before it had a keeper: nobody has begun it.
    fn never_began(&mut self, live: Live, why: Option<String>) {
        let (id, n, sweep) = (live.run.id, live.attempt, live.sweep);
        live.started.reap();
        let asked = start::asked_by(&live.folder).or_else(|| (self.asked != Wish::GoOn).then(|| self.context.user.clone()));
        if asked.is_none() && why.is_none() && self.tried_again.insert(id) && std::fs::remove_dir_all(&live.folder).is_ok() {
            self.starter.forget_nursery(sweep);
            self.unlearned.push((id, Learned::Back(n)));
            return;
        }
        let end = match asked {
            Some(who) => live::stopped_before_start(n, &who, self.context.now()),
            None => {
                let why = Cause::NotStarted(why.unwrap_or_else(|| "its keeper did not begin".into()));
                live::never(n, Outcome::Failed, why, self.context.now())
            }
        };
        self.unlearned.push((id, Learned::Ended(end)));
    }

    /// Takes up what was started by somebody who is gone.
    fn recover(&mut self) {
        let Ok(known) = self.context.home.read() else { return };
        let ours = self.running.iter().map(|live| live.run.id).chain(self.unlearned.iter().map(|(run, _)| *run)).collect();
        let found = recover::look(self.context, &known, &ours);
        drop(known);
        found.into_iter().for_each(|(run, found)| self.take_up(run, found));
    }

    fn take_up(&mut self, run: RunId, found: Found) {
        match found {
            Found::Lives(live) => self.running.push(*live),
            Found::Ended(end) => self.unlearned.push((run, Learned::Ended(*end))),
            Found::NotBegun(n) => self.unlearned.push((run, Learned::Back(n))),
        }
    }
}
