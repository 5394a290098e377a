//! Carries out sweeps: starts their runs, so many at a time, and waits for them. What it started needs it for nothing:
//! killed at any moment, it leaves running what runs.

use crate::begin::begin;
use crate::build::{self, Build, Running};
use crate::context::Context;
use crate::error::HomeError;
use crate::secrets;
use crate::stages::{self, Before, May};
use crate::submit::environment_of;
use crate::view::known_end;
use neronet_model::attempt::End;
use neronet_model::journal::{Entry as JournalEntry, HomeState};
use neronet_model::outcome::Cause;
use neronet_model::run::{Again, KnownEnd};
use neronet_model::{Attempt, AttemptNo, Outcome, RunId, SweepId, UnixMs};
use neronet_store::{StoreError, spool};
use neronet_supervise::start::{self, How, Started, Watch};
use neronet_supervise::{Nursery, Secrets};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
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

/// Ends are written to the journal together, at most so often.
const LEARN_EVERY: Duration = Duration::from_secs(1);

/// One attempt to start.
#[derive(Debug, Clone)]
pub struct Task {
    pub run: RunId,
    pub attempt: AttemptNo,
    pub again: Option<Again>,
}

pub struct Drive<'a> {
    context: &'a Context,
    /// By sweep: each has its own environment.
    nurseries: BTreeMap<SweepId, Nursery>,
    /// By sweep: found out once, as somebody may have to type a passphrase for them, and so is that they cannot be.
    secrets: BTreeMap<SweepId, Result<Secrets, String>>,
    state: Arc<HomeState>,
    /// By sweep: each starts its own, so many at a time.
    queues: BTreeMap<SweepId, VecDeque<Task>>,
    running: Vec<Live>,
    ended: BTreeMap<RunId, KnownEnd>,
    unlearned: Vec<RunId>,
    learned_at: Instant,
    asked: Wish,
    /// Of all sweeps together: as many at a time as the one that allows most.
    at_once: u64,
    /// Starts wait until then: the system was short of something.
    short_until: Option<Instant>,
    /// Sweeps whose code is built, or needs no build.
    built: BTreeSet<SweepId>,
    /// What is built now. One at a time: each takes all cores that it can get.
    building: Option<(SweepId, Box<Running>)>,
    /// Runs whose keeper never came to be, and that were tried once more.
    tried_again: BTreeSet<RunId>,
    /// Runs that are queued or run here.
    pending: BTreeSet<RunId>,
    /// Runs that others wait for and that are not ours, as they stood when that was looked up.
    elsewhere: BTreeMap<RunId, (Before, Instant)>,
}

struct Live {
    run: RunId,
    sweep: SweepId,
    attempt: AttemptNo,
    folder: PathBuf,
    started: Started,
    adopted: bool,
    /// Somebody else sees to it: looked at again then.
    look_at: Option<Instant>,
}

fn nursery_of<'n>(nurseries: &'n mut BTreeMap<SweepId, Nursery>, context: &Context, sweep: SweepId) -> Result<&'n Nursery, HomeError> {
    Ok(match nurseries.entry(sweep) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(Nursery::open(&context.neronet, &environment_of(context, sweep))?),
    })
}

/// What the system may be short of for a while.
const SHORTAGES: [Errno; 4] = [Errno::EMFILE, Errno::ENFILE, Errno::EAGAIN, Errno::ENOMEM];

fn errno_of(error: &HomeError) -> Option<Errno> {
    match error {
        HomeError::Home(StoreError::Io { source, .. }) => source.raw_os_error().map(Errno::from_raw),
        _ => None,
    }
}

/// For whoever shows progress.
pub struct Progress<'a> {
    pub queued: usize,
    pub running: Vec<(RunId, AttemptNo)>,
    pub ended: &'a BTreeMap<RunId, KnownEnd>,
}

impl<'a> Drive<'a> {
    /// `nursery`: one that was opened for the sweep of the first task, if one was.
    pub fn new(context: &'a Context, tasks: Vec<Task>, nursery: Option<Nursery>) -> Result<Drive<'a>, HomeError> {
        let state = context.home.read()?.state;
        let first = tasks.first().and_then(|task| state.runs.get(&task.run)).map(|run| run.sweep);
        let pending = tasks.iter().map(|task| task.run).collect();
        let mut queues: BTreeMap<SweepId, VecDeque<Task>> = BTreeMap::new();
        for task in tasks {
            if let Some(run) = state.runs.get(&task.run) {
                queues.entry(run.sweep).or_default().push_back(task);
            }
        }
        let at_once = queues.keys().filter_map(|sweep| state.sweeps.get(sweep)).map(|sweep| sweep.parallel.unwrap_or(1)).max().unwrap_or(1);
        let needs_build = |sweep: &SweepId| state.sweeps.get(sweep).is_some_and(|sweep| sweep.settings.code.build.is_some());
        let built = queues.keys().copied().filter(|sweep| !needs_build(sweep)).collect();
        Ok(Drive {
            context,
            nurseries: first.zip(nursery).into_iter().collect(),
            secrets: BTreeMap::new(),
            state,
            queues,
            running: Vec::new(),
            ended: BTreeMap::new(),
            unlearned: Vec::new(),
            learned_at: Instant::now(),
            asked: Wish::GoOn,
            at_once,
            short_until: None,
            built,
            building: None,
            tried_again: BTreeSet::new(),
            pending,
            elsewhere: BTreeMap::new(),
        })
    }

    /// Until everything has ended, or `watch` wishes to leave. `wake` becomes readable when `watch` should be asked at once.
    pub fn carry_out(
        mut self,
        wake: Option<BorrowedFd<'_>>,
        mut watch: impl FnMut(&Progress<'_>) -> Wish,
    ) -> Result<BTreeMap<RunId, KnownEnd>, HomeError> {
        loop {
            self.start_what_may();
            let progress = Progress {
                queued: self.queues.values().map(VecDeque::len).sum(),
                running: self.running.iter().map(|live| (live.run, live.attempt)).collect(),
                ended: &self.ended,
            };
            let wish = watch(&progress);
            if wish == Wish::Leave {
                self.learn()?;
                return Ok(self.ended);
            }
            self.fulfil(wish);
            if self.queues.values().all(VecDeque::is_empty) && self.running.is_empty() {
                self.learn()?;
                return Ok(self.ended);
            }
            self.wait(wake);
            self.collect();
            if self.learned_at.elapsed() >= LEARN_EVERY {
                // A disk that is full for a while must not end the sweep: it is tried again, and told at the end.
                self.learn().ok();
            }
        }
    }

    fn start_what_may(&mut self) {
        if self.asked != Wish::GoOn {
            return;
        }
        let sweeps: Vec<SweepId> = self.queues.keys().copied().collect();
        for sweep in sweeps {
            if !self.built.contains(&sweep) {
                self.let_go(sweep);
            }
            while let Some((task, after)) = self.next_of(sweep) {
                self.start(task, after);
            }
        }
        // Whoever wanted it was stopped meanwhile.
        self.building.take_if(|(sweep, _)| self.queues.get(sweep).is_none_or(VecDeque::is_empty));
    }

    /// Lets go of those queued runs of a sweep that somebody else has ended or begun.
    fn let_go(&mut self, sweep: SweepId) {
        let Ok(home) = self.context.home.read() else { return };
        let stands =
            |task: &Task| home.state.runs.get(&task.run).is_some_and(|run| run.known_end.is_none() && run.attempts == task.attempt.0);
        let queue = self.queues.remove(&sweep).unwrap_or_default();
        let queue = queue.into_iter().filter(|task| stands(task) || !self.is_taken(task)).collect();
        self.queues.insert(sweep, queue);
    }

    /// Whether a sweep's code is built. Begins that, unless another one is being built, or says why it failed.
    fn is_built(&mut self, sweep: SweepId) -> Result<bool, HomeError> {
        let state = Arc::clone(&self.state);
        let Some(of) = state.sweeps.get(&sweep).filter(|_| !self.built.contains(&sweep)) else { return Ok(true) };
        let build = match self.building.take_if(|(whose, _)| *whose == sweep) {
            Some((_, running)) => running.look(self.context)?,
            None if self.building.is_some() => return Ok(false),
            None => build::begin(self.context, of)?,
        };
        match build {
            Build::Ready => Ok(self.built.insert(sweep)),
            Build::Elsewhere => Ok(false),
            Build::Running(running) => {
                self.building = Some((sweep, running));
                Ok(false)
            }
        }
    }

    /// The next task of a sweep, if that may start one more, and the run that it goes on from.
    fn next_of(&mut self, sweep: SweepId) -> Option<(Task, Option<RunId>)> {
        let at_work = self.running.iter().filter(|live| live.sweep == sweep).count() as u64;
        let short = self.short_until.is_some_and(|until| Instant::now() < until);
        if short || at_work >= self.state.sweeps.get(&sweep)?.parallel.unwrap_or(1) || self.running.len() as u64 >= self.at_once {
            return None;
        }
        let waits = self.state.sweeps.get(&sweep)?.settings.stage.is_some();
        let mut queue = std::mem::take(self.queues.get_mut(&sweep)?);
        let mut next = None;
        let mut at = 0;
        while next.is_none() && at < queue.len() {
            match if waits { self.may_start(queue[at].run) } else { May::Start(None) } {
                May::Wait => at += 1,
                May::Start(after) => match self.is_built(sweep) {
                    Ok(true) => next = queue.remove(at).map(|task| (task, after)),
                    Ok(false) => break,
                    Err(why) => queue.drain(..).for_each(|task| self.never(&task, Outcome::Failed, Cause::NotStarted(why.to_string()))),
                },
                May::Never(why) => {
                    let Some(task) = queue.remove(at) else { break };
                    self.never(&task, Outcome::Stopped, Cause::NotStarted(why));
                }
            }
        }
        self.queues.insert(sweep, queue);
        next
    }

    /// A queued run will not be started.
    fn never(&mut self, task: &Task, outcome: Outcome, cause: Cause) {
        if !self.is_taken(task) {
            let end = self.not_started(task, outcome, cause);
            self.ended(task.run, end);
        }
    }

    /// Whether somebody else has ended a queued run meanwhile, or has begun it: then it is none of ours any more.
    fn is_taken(&mut self, task: &Task) -> bool {
        let Ok(home) = self.context.home.read() else { return false };
        let run = home.state.runs.get(&task.run);
        let is_begun = || self.context.home.attempt(task.run, task.attempt).exists();
        match run.map(|run| run.known_end.clone()) {
            Some(None) if !is_begun() => return false,
            Some(None) => (self.context.say)(&format!("run {} is being carried out by another neronet", task.run)),
            Some(Some(end)) => drop(self.ended.insert(task.run, end)),
            // Purged.
            None => {}
        }
        self.pending.remove(&task.run);
        true
    }

    fn may_start(&mut self, run: RunId) -> May {
        let state = Arc::clone(&self.state);
        let Some((run, sweep)) = state.runs.get(&run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?))) else {
            return May::Start(None);
        };
        let context = self.context;
        let may = stages::may_start(context, run, sweep, |before| self.stands(before, run.id));
        may.unwrap_or_else(|e| May::Never(e.to_string()))
    }

    /// How a run stands that `waiting` waits for.
    fn stands(&mut self, before: RunId, waiting: RunId) -> Before {
        if self.pending.contains(&before) {
            return Before::Runs;
        }
        if let Some(end) = self.ended.get(&before) {
            return Before::Ended(end.outcome);
        }
        let known = self.elsewhere.get(&before).copied();
        match known {
            Some((stands @ (Before::Ended(_) | Before::Gone), _)) => stands,
            Some((stands, at)) if at.elapsed() < LEARN_EVERY => stands,
            _ => {
                let stands = stages::elsewhere(self.context, before);
                if stands == Before::Stranded && known.is_none() {
                    (self.context.say)(&format!(
                        "run {waiting} waits for run {before}, which nobody starts: `neronet retry {before}` does"
                    ));
                }
                self.elsewhere.insert(before, (stands, Instant::now()));
                stands
            }
        }
    }

    fn start(&mut self, task: Task, after: Option<RunId>) {
        let state = Arc::clone(&self.state);
        let Some((run, sweep)) = state.runs.get(&task.run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?))) else {
            return;
        };
        let secrets = self.secrets.entry(sweep.id).or_insert_with(|| secrets::resolve(self.context, sweep));
        let begin = |nurseries: &mut BTreeMap<SweepId, Nursery>| {
            let secrets = secrets.as_ref().map_err(|why| HomeError::Failed(why.clone()))?;
            let nursery = nursery_of(nurseries, self.context, sweep.id)?;
            begin(self.context, nursery, sweep, (run, after), task.attempt, task.again.as_ref(), secrets)
        };
        let mut started = begin(&mut self.nurseries);
        if started.as_ref().is_err_and(|e| errno_of(e) == Some(Errno::EPIPE)) {
            // The nursery was killed; it is replaced as a supervisor is.
            self.nurseries.remove(&sweep.id);
            started = begin(&mut self.nurseries);
        }
        match started {
            Ok(started) => self.running.push(Live {
                run: run.id,
                sweep: sweep.id,
                attempt: task.attempt,
                folder: self.context.home.attempt(run.id, task.attempt),
                started,
                adopted: false,
                look_at: None,
            }),
            // What is short now is there again when a run has ended.
            Err(e) if !self.running.is_empty() && errno_of(&e).is_some_and(|errno| SHORTAGES.contains(&errno)) => {
                self.short_until = Some(Instant::now() + Duration::from_secs(1));
                self.queues.entry(sweep.id).or_default().push_front(task);
            }
            Err(e) => self.never(&task, Outcome::Failed, Cause::NotStarted(e.to_string())),
        }
    }

    fn not_started(&self, task: &Task, outcome: Outcome, cause: Cause) -> KnownEnd {
        let at = self.context.now();
        let mut attempt = Attempt::new(task.attempt);
        attempt.end = Some(End { outcome, cause: Some(cause), at, last_lines: Vec::new(), summary: Default::default() });
        KnownEnd { attempt, outcome, started: None::<UnixMs>, metrics: BTreeMap::new() }
    }

    fn fulfil(&mut self, wish: Wish) {
        if wish <= self.asked {
            return;
        }
        self.asked = wish;
        self.building = None;
        let how = if wish == Wish::Kill { How::Kill } else { How::Stop };
        let who = self.context.user.clone();
        for live in &self.running {
            // One that cannot be asked must not keep the others from being asked.
            if let Err(e) = start::ask(&live.folder, live.attempt, &who, how) {
                (self.context.say)(&format!("run {}: {e}", live.run));
            }
        }
        for task in std::mem::take(&mut self.queues).into_values().flatten() {
            self.never(&task, Outcome::Stopped, Cause::Asked(format!("{who} before it started")));
        }
    }

    fn wait(&self, wake: Option<BorrowedFd<'_>>) {
        let fds = self.running.iter().filter(|live| live.look_at.is_none()).map(|live| live.started.gone.as_fd()).chain(wake);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut fds, PollTimeout::from(250u16)).ok();
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
            if let Some(live) = self.gone(live) {
                still.push(live);
            }
        }
        self.running = still;
    }

    /// A keeper is gone. Gives the attempt back when somebody must still see to it.
    fn gone(&mut self, mut live: Live) -> Option<Live> {
        let run = self.state.runs.get(&live.run).cloned()?;
        let attempt = match spool::attempt(&live.folder, live.attempt) {
            Ok(attempt) => attempt,
            Err(e) => {
                let task = Task { run: live.run, attempt: live.attempt, again: None };
                let end = self.not_started(&task, Outcome::Lost, Cause::NotStarted(e.to_string()));
                self.ended(live.run, end);
                return None;
            }
        };
        match start::watch(&live.folder, &attempt) {
            Watch::Complete => {
                live.started.reap();
                self.ended(run.id, known_end(self.context, &run, attempt));
                None
            }
            // The keeper was killed and its supervisor goes on.
            Watch::Attended | Watch::Elsewhere => {
                live.look_at = Some(Instant::now() + Duration::from_millis(500));
                Some(live)
            }
            // A supervisor is to be put in their place.
            Watch::Abandoned if attempt.keeper.is_some() => {
                let secrets = self.secrets.get(&live.sweep).and_then(|secrets| secrets.as_ref().ok());
                let started = start::adopt(&self.context.neronet, &live.folder, secrets.unwrap_or(&Secrets::default()));
                live.look_at = live.adopted.then(|| Instant::now() + Duration::from_millis(200));
                live.adopted = true;
                if let Ok(started) = started {
                    std::mem::replace(&mut live.started, started).reap();
                }
                Some(live)
            }
            Watch::Abandoned => {
                let why = live.started.last_words();
                live.started.reap();
                let again = self.state.decisions.get(&run.id).filter(|decision| decision.attempt == live.attempt);
                let task = Task { run: live.run, attempt: live.attempt, again: again.map(|decision| decision.again.clone()) };
                // Its nursery was killed before it had a keeper: nobody has begun it.
                let wanted = self.asked == Wish::GoOn;
                if wanted && why.is_none() && self.tried_again.insert(run.id) && std::fs::remove_dir_all(&live.folder).is_ok() {
                    self.nurseries.remove(&live.sweep);
                    self.queues.entry(live.sweep).or_default().push_front(task);
                    return None;
                }
                let why = Cause::NotStarted(why.unwrap_or_else(|| "its keeper did not begin".into()));
                let stopped = Cause::Asked(format!("{} before it started", self.context.user));
                let (outcome, cause) = if wanted { (Outcome::Failed, why) } else { (Outcome::Stopped, stopped) };
                let end = self.not_started(&task, outcome, cause);
                self.ended(live.run, end);
                None
            }
        }
    }

    fn ended(&mut self, run: RunId, end: KnownEnd) {
        self.pending.remove(&run);
        self.ended.insert(run, end);
        self.unlearned.push(run);
    }

    fn learn(&mut self) -> Result<(), HomeError> {
        self.learned_at = Instant::now();
        if self.unlearned.is_empty() {
            return Ok(());
        }
        let mut home = self.context.lock()?;
        while let Some(run) = self.unlearned.last().copied() {
            if let Some(end) = self.ended.get(&run) {
                home.learn(JournalEntry::Ended { run, end: Box::new(end.clone()) })?;
            }
            self.unlearned.pop();
        }
        Ok(())
    }
}
