//! Carries out what the queue decides: starts runs, waits for them, writes down how they ended. What it started needs it for
//! nothing: killed at any moment, it leaves running what runs.

mod attempts;
mod decide;
mod learn;

use crate::bulletin::{self, Bulletin};
use crate::contact::Contacts;
use crate::context::Context;
use crate::error::HomeError;
use crate::given::Given;
use crate::live::Live;
use crate::queue;
use crate::reconcile::reconcile;
use crate::starter::Starter;
use crate::steady::Steady;
use crate::world::{self, Eyes};
use learn::Learned;
use neronet_model::event::Process;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::settings::Resources;
use neronet_model::{AttemptNo, Outcome, RunId, SweepId, UnixMs};
use neronet_schedule::{Decided, Mine, World};
use neronet_store::follow;
use neronet_store::journal::Replayed;
use neronet_supervise::Nursery;
use neronet_supervise::os::process;
use neronet_supervise::start::{self, How};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};
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
    /// What targets have started.
    elsewhere: usize,
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
    /// Of the targets, where runs may execute on others.
    contacts: Option<Contacts>,
    looked: Instant,
    at_work: bool,
    /// On a target, where nothing but hours is a moment that people name.
    steady: Option<Steady>,
}

/// For whoever shows progress.
pub struct Progress<'a> {
    pub queued: usize,
    /// Started by targets, and not heard to have ended.
    pub elsewhere: usize,
    pub running: Vec<(RunId, AttemptNo)>,
    pub ended: &'a BTreeMap<RunId, KnownEnd>,
    /// When all will probably have ended, where that can be said. To find out takes longer than to count.
    pub done: &'a dyn Fn() -> Option<UnixMs>,
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
            elsewhere: 0,
            decided: Decided::default(),
            world,
            eyes,
            told: None,
            asked: Wish::GoOn,
            pause: None,
            tried_again: BTreeSet::new(),
            stranded: BTreeSet::new(),
            journal: None,
            contacts: None,
            looked: Instant::now(),
            at_work: true,
            steady: context.given.is_some().then(|| Steady::of(context)),
        })
    }

    /// For what is waited for. On a target whoever sets its clock makes nothing wait for hours.
    fn now(&self) -> UnixMs {
        self.steady.map_or_else(|| self.context.now(), Steady::now)
    }

    /// With other machines among those where runs may execute.
    pub fn with(self, contacts: Contacts) -> Drive<'a> {
        Drive { contacts: Some(contacts), ..self }
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
            let wish =
                watch(&Progress { queued: self.queued, elsewhere: self.elsewhere, running, ended: &self.ended, done: &|| self.done() });
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
            if wish(&Progress { queued: self.queued, elsewhere: self.elsewhere, running, ended: &self.ended, done: &|| self.done() })
                != Wish::GoOn
            {
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
        // Hours are by the clock that people set.
        let ahead = self.now().0.saturating_sub(self.context.now().0);
        let Some(eyes) = &mut self.eyes else { return };
        let not_yet = std::mem::take(&mut self.world.not_yet);
        let known = self.context.home.read();
        if let Ok(known) = &known {
            self.world = World { not_yet, ..eyes.look(self.context, &known.queue) };
            self.world.places.iter_mut().for_each(|place| place.shift_hours(ahead));
        }
        if let Some(trouble) = eyes.trouble.take() {
            (self.context.say)(&format!("warning: {trouble}"));
        }
        if let Ok(known) = &known {
            self.see_targets(known);
        }
    }

    /// What the targets say of themselves.
    fn see_targets(&mut self, known: &Replayed) {
        if let Some(contacts) = &self.contacts {
            contacts.look(known);
            contacts.see(&mut self.world);
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
        let now = self.now();
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
        let targets = self.contacts.as_ref().map(Contacts::changed);
        let given = self.context.given.as_ref();
        let fds = lives.chain(wake).chain(self.journal.as_ref().map(AsFd::as_fd)).chain(targets).chain(given.map(Given::changed));
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let patience = patience.map_or(PollTimeout::NONE, |patience| {
            // Rounded up: what is due in half a millisecond is not due now.
            PollTimeout::try_from(patience + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
        });
        poll(&mut fds, patience).ok();
        given.iter().for_each(|given| given.heard());
        // What it says is found out by reading the journal.
        if let Some(journal) = &self.journal {
            journal.drain();
        }
    }
}
