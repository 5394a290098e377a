//! Carries out sweeps: starts their runs, so many at a time, and waits for them. What it started needs it for nothing:
//! killed at any moment, it leaves running what runs.

use crate::begin::begin;
use crate::context::Context;
use crate::error::HomeError;
use crate::submit::environment_of;
use crate::view::known_end;
use neronet_model::attempt::End;
use neronet_model::journal::{Entry as JournalEntry, HomeState};
use neronet_model::outcome::Cause;
use neronet_model::run::{Again, KnownEnd};
use neronet_model::{Attempt, AttemptNo, Outcome, RunId, SweepId, UnixMs};
use neronet_store::spool;
use neronet_supervise::Nursery;
use neronet_supervise::start::{self, How, Started, Watch};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
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
    state: Arc<HomeState>,
    /// By sweep: each starts its own, so many at a time.
    queues: BTreeMap<SweepId, VecDeque<Task>>,
    running: Vec<Live>,
    ended: BTreeMap<RunId, KnownEnd>,
    unlearned: Vec<RunId>,
    learned_at: Instant,
    asked: Wish,
}

struct Live {
    run: RunId,
    sweep: SweepId,
    attempt: AttemptNo,
    folder: PathBuf,
    started: Started,
    adopted: bool,
}

fn nursery_of<'n>(nurseries: &'n mut BTreeMap<SweepId, Nursery>, context: &Context, sweep: SweepId) -> Result<&'n Nursery, HomeError> {
    Ok(match nurseries.entry(sweep) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(Nursery::open(&context.neronet, &environment_of(context, sweep))?),
    })
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
        let mut queues: BTreeMap<SweepId, VecDeque<Task>> = BTreeMap::new();
        for task in tasks {
            if let Some(run) = state.runs.get(&task.run) {
                queues.entry(run.sweep).or_default().push_back(task);
            }
        }
        Ok(Drive {
            context,
            nurseries: first.zip(nursery).into_iter().collect(),
            state,
            queues,
            running: Vec::new(),
            ended: BTreeMap::new(),
            unlearned: Vec::new(),
            learned_at: Instant::now(),
            asked: Wish::GoOn,
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
            self.fulfil(wish)?;
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
            while let Some(task) = self.next_of(sweep) {
                self.start(&task);
            }
        }
    }

    /// The next task of a sweep, if that may start one more.
    fn next_of(&mut self, sweep: SweepId) -> Option<Task> {
        let at_work = self.running.iter().filter(|live| live.sweep == sweep).count() as u64;
        if at_work >= self.state.sweeps.get(&sweep)?.parallel {
            return None;
        }
        self.queues.get_mut(&sweep)?.pop_front()
    }

    fn start(&mut self, task: &Task) {
        let Some((run, sweep)) = self.state.runs.get(&task.run).and_then(|run| Some((run, self.state.sweeps.get(&run.sweep)?))) else {
            return;
        };
        let started = nursery_of(&mut self.nurseries, self.context, sweep.id)
            .and_then(|nursery| begin(self.context, nursery, sweep, run, task.attempt, task.again.as_ref()));
        match started {
            Ok(started) => self.running.push(Live {
                run: run.id,
                sweep: sweep.id,
                attempt: task.attempt,
                folder: self.context.home.attempt(run.id, task.attempt),
                started,
                adopted: false,
            }),
            Err(e) => match self.ended_elsewhere(task.run) {
                Some(end) => drop(self.ended.insert(task.run, end)),
                None => {
                    let end = self.not_started(task, Outcome::Failed, Cause::NotStarted(e.to_string()));
                    self.ended(task.run, end);
                }
            },
        }
    }

    /// Somebody stopped it while it was queued.
    fn ended_elsewhere(&self, run: RunId) -> Option<KnownEnd> {
        self.context.home.read().ok()?.state.runs.get(&run)?.known_end.clone()
    }

    fn not_started(&self, task: &Task, outcome: Outcome, cause: Cause) -> KnownEnd {
        let at = self.context.now();
        let mut attempt = Attempt::new(task.attempt);
        attempt.end = Some(End { outcome, cause: Some(cause), at, last_lines: Vec::new(), summary: Default::default() });
        KnownEnd { attempt, outcome, started: None::<UnixMs>, metrics: BTreeMap::new() }
    }

    fn fulfil(&mut self, wish: Wish) -> Result<(), HomeError> {
        if wish <= self.asked {
            return Ok(());
        }
        self.asked = wish;
        let how = if wish == Wish::Kill { How::Kill } else { How::Stop };
        let who = self.context.user.clone();
        for live in &self.running {
            start::ask(&live.folder, live.attempt, &who, how)?;
        }
        for task in std::mem::take(&mut self.queues).into_values().flatten() {
            let end = self.not_started(&task, Outcome::Stopped, Cause::Asked(format!("{who} before it started")));
            self.ended(task.run, end);
        }
        Ok(())
    }

    fn wait(&self, wake: Option<BorrowedFd<'_>>) {
        let fds = self.running.iter().map(|live| live.started.gone.as_fd()).chain(wake);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut fds, PollTimeout::from(250u16)).ok();
    }

    fn collect(&mut self) {
        let mut still = Vec::new();
        for live in std::mem::take(&mut self.running) {
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
            // The keeper was killed and its supervisor goes on, or a supervisor is to be put in its place.
            _ if attempt.keeper.is_some() => {
                let started = start::adopt(&self.context.neronet, &live.folder);
                std::thread::sleep(if live.adopted { Duration::from_millis(200) } else { Duration::ZERO });
                live.adopted = true;
                if let Ok(started) = started {
                    std::mem::replace(&mut live.started, started).reap();
                }
                Some(live)
            }
            _ => {
                let why = live.started.last_words().unwrap_or_else(|| "its keeper did not begin".into());
                live.started.reap();
                let task = Task { run: live.run, attempt: live.attempt, again: None };
                let end = self.not_started(&task, Outcome::Failed, Cause::NotStarted(why));
                self.ended(live.run, end);
                None
            }
        }
    }

    fn ended(&mut self, run: RunId, end: KnownEnd) {
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
