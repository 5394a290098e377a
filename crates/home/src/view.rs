//! A run as people see it: the journal's word and the spool's, made one.

use crate::context::Context;
use crate::error::HomeError;
use crate::masked;
use crate::reconcile::reconcile;
use crate::select;
use crate::stages;
use crate::waiting;
use neronet_model::event::{Extent, Process, Summary};
use neronet_model::journal::{HomeState, Sweep};
use neronet_model::outcome::Cause;
use neronet_model::run::{KnownEnd, run_outcome};
use neronet_model::{Attempt, AttemptNo, Outcome, Params, Run, RunId, State, SweepId, UnixMs};
use neronet_schedule::{Decided, Queue, Stand};
use neronet_store::journal::Replayed;
use neronet_store::{Locked, files, series, spool};
use neronet_supervise::os::process::{self, Alive};
use neronet_supervise::start::{self, Watch};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct View<'a> {
    pub run: &'a Run,
    pub sweep: &'a Sweep,
    /// The run that it goes on from, where that is known by now.
    pub after: Option<RunId>,
    /// It has not ended, and whoever was to start it is gone.
    pub driverless: bool,
    /// As they may be shown: those of `run` have the secrets in them.
    pub params: Cow<'a, Params>,
    pub state: State,
    pub outcome: Option<Outcome>,
    /// Of a queued run: what it waits for. Of an ended one: why it ended so. Of a running one: what is odd about it.
    pub reason: Option<String>,
    /// The last attempt, as far as it is known.
    pub attempt: Option<Attempt>,
    pub started: Option<UnixMs>,
    pub ended: Option<UnixMs>,
    pub metrics: BTreeMap<String, Extent>,
}

/// Everything that home knows, read at one moment.
pub struct Snapshot {
    pub state: Arc<HomeState>,
    pub queue: Arc<Queue>,
    pub damage: Vec<String>,
    /// The secrets in the environments of sweeps, of those that were asked for.
    secrets: RefCell<BTreeMap<SweepId, Vec<String>>>,
    /// Which processes that were to start runs are still there, of those that were asked for, by pid and start.
    alive: RefCell<BTreeMap<(i32, u64), bool>>,
    /// What would be started now, once somebody asked.
    decided: RefCell<Option<Rc<Decided>>>,
}

impl Snapshot {
    pub fn read(context: &Context) -> Result<Snapshot, HomeError> {
        Ok(Snapshot::new(context.home.read()?))
    }

    /// While home is ours.
    pub(crate) fn of(home: &Locked) -> Snapshot {
        Snapshot::new(home.replayed())
    }

    fn new(Replayed { state, queue, damage, .. }: Replayed) -> Snapshot {
        Snapshot { state, queue, damage, secrets: RefCell::default(), alive: RefCell::default(), decided: RefCell::default() }
    }

    /// The same, brought up to date where a run may have ended unseen. Where that fails, as on a full disk, what is known can still be
    /// read, and the reason comes with it.
    pub fn current(context: &Context) -> Result<(Snapshot, Option<HomeError>), HomeError> {
        let snapshot = Snapshot::read(context)?;
        if snapshot.state.runs.values().all(|run| run.known_end.is_some()) {
            return Ok((snapshot, None));
        }
        match reconcile(context) {
            Ok(0) => Ok((snapshot, None)),
            Ok(_) => Ok((Snapshot::read(context)?, None)),
            Err(e) => Ok((snapshot, Some(e))),
        }
    }

    /// What is wrong with it, for people. `old`: why it could not be brought up to date.
    pub fn warnings(&self, old: Option<HomeError>) -> Vec<String> {
        let old = old.map(|e| format!("warning: home could not be brought up to date, what follows may be old: {e}"));
        old.into_iter().chain(self.damage.iter().map(|damage| format!("warning: {damage}"))).collect()
    }

    /// Every run that is not in the trash, by id.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.state.runs.values().filter(|run| run.trashed.is_none())
    }

    pub fn sweep_of(&self, run: &Run) -> Option<&Sweep> {
        self.state.sweeps.get(&run.sweep).map(|sweep| &**sweep)
    }

    pub fn is_of(&self, run: &Run, project: &str) -> bool {
        self.sweep_of(run).is_some_and(|sweep| sweep.project == project)
    }

    /// All of them.
    pub fn views<'a>(&'a self, context: &Context) -> Vec<View<'a>> {
        self.views_of(context, self.runs())
    }

    /// These runs, in this order.
    pub fn views_of<'a>(&'a self, context: &Context, runs: impl Iterator<Item = &'a Run>) -> Vec<View<'a>> {
        let mut views: Vec<View<'_>> = runs.filter_map(|run| self.view(context, run)).collect();
        let mut stranded: BTreeMap<SweepId, Vec<RunId>> = BTreeMap::new();
        for view in views.iter().filter(|view| view.is_stranded()) {
            stranded.entry(view.run.sweep).or_default().push(view.run.id);
        }
        for view in views.iter_mut().filter(|view| view.is_stranded()) {
            view.reason = stranded.get(&view.run.sweep).map(|runs| nobody_starts(runs));
        }
        views
    }

    pub fn view_of<'a>(&'a self, context: &Context, id: RunId) -> Option<View<'a>> {
        self.view(context, self.state.runs.get(&id)?)
    }

    fn view<'a>(&'a self, context: &Context, run: &'a Run) -> Option<View<'a>> {
        let sweep = self.state.sweeps.get(&run.sweep)?;
        let mut view = View {
            run,
            sweep,
            // Which of several is the best is known when it starts.
            after: run.after.or_else(|| (!sweep.best_of.is_empty()).then(|| stages::chosen(context, run.id)).flatten()),
            driverless: false,
            params: masked::params(&run.params, &sweep.varying, || self.secrets_of(context, sweep)),
            state: State::Queued,
            outcome: None,
            reason: None,
            attempt: None,
            started: None,
            ended: None,
            metrics: BTreeMap::new(),
        };
        match &run.known_end {
            Some(end) => view.ended_as(end),
            None => {
                view.driverless = !self.queue.is_detached(run.id) && self.state.driver(run).is_none_or(|driver| !self.is_alive(driver));
                look(context, self, &mut view);
            }
        }
        Some(view)
    }

    pub(crate) fn decided(&self, decide: impl FnOnce() -> Decided) -> Rc<Decided> {
        Rc::clone(self.decided.borrow_mut().get_or_insert_with(|| Rc::new(decide())))
    }

    fn is_alive(&self, driver: &Process) -> bool {
        let known = (driver.pid, driver.start);
        *self.alive.borrow_mut().entry(known).or_insert_with(|| process::alive(driver) != Alive::No)
    }

    fn secrets_of(&self, context: &Context, sweep: &Sweep) -> Vec<String> {
        self.secrets.borrow_mut().entry(sweep.id).or_insert_with(|| masked::known(context, sweep)).clone()
    }
}

impl View<'_> {
    /// Queued, and nobody is left to start it.
    pub(crate) fn is_stranded(&self) -> bool {
        self.state == State::Queued && self.driverless
    }

    fn ended_as(&mut self, end: &KnownEnd) {
        self.state = State::Ended;
        self.outcome = Some(end.outcome);
        self.started = end.started;
        self.metrics.clone_from(&end.metrics);
        if let Some(known) = &end.attempt.end {
            self.ended = Some(known.at);
            self.reason = end.attempt.reason();
        }
        self.attempt = Some(end.attempt.clone());
    }

    /// What a listing calls it: the outcome of an ended run, else the state.
    pub fn status(&self) -> String {
        self.outcome.map_or_else(|| self.state.to_string(), |outcome| outcome.to_string())
    }
}

/// Reads the last attempt's spool.
fn look(context: &Context, snapshot: &Snapshot, view: &mut View<'_>) {
    let stand = snapshot.queue.stand(view.run.id);
    let n = AttemptNo(view.run.attempts);
    // A start is on record before there is a folder.
    let folder = (stand != Some(Stand::Queued)).then(|| context.home.attempt(view.run.id, n)).filter(|folder| folder.exists());
    let Some(folder) = folder else {
        if stand == Some(Stand::Granted) && !view.driverless {
            view.state = State::Starting;
        } else {
            view.reason = Some(if view.driverless { nobody_starts(&[view.run.id]) } else { waiting::reason(context, snapshot, view) });
        }
        return;
    };
    let attempt = match spool::attempt(&folder, n) {
        Ok(attempt) => attempt,
        Err(e) => {
            view.state = State::Starting;
            view.reason = Some(e.to_string());
            return;
        }
    };
    view.started = first_begun(context, view.run.id, &attempt);
    if attempt.end.is_some() {
        let end = known_end(context, view.run, attempt);
        view.ended_as(&end);
        return;
    }
    view.state = if attempt.command.is_some() { State::Running } else { State::Starting };
    if attempt.keeper.is_none() {
        view.reason = not_begun(&folder, view);
    } else if attempt.keeper_lost || start::watch(&folder, &attempt) == Watch::Abandoned {
        view.reason = Some("its keeper was killed".into());
    } else if start::watch(&folder, &attempt) == Watch::Elsewhere {
        let host = attempt.keeper.as_ref().map(|keeper| keeper.host.clone()).unwrap_or_default();
        view.reason = Some(format!("it runs on {host}, or in a container there: only that place can say more"));
    } else if let Some(asked) = &attempt.asked {
        view.reason = Some(match asked {
            Cause::Asked(who) => format!("asked to stop by {who}"),
            other => other.to_string(),
        });
    } else if let Some(step) = attempt.step() {
        view.reason = Some(format!("step {}", step.name));
    }
    let summary: Option<Summary> = files::read_json(&context.home.run(view.run.id).join("summary.json")).ok().flatten();
    view.metrics = summary.unwrap_or_default().metrics;
    view.attempt = Some(attempt);
}

pub(crate) fn nobody_starts(runs: &[RunId]) -> String {
    let them = if runs.len() == 1 { "it" } else { "them" };
    format!("the neronet that was to start {them} is gone; `neronet retry {}` starts {them}", select::spans(runs))
}

fn not_begun(folder: &std::path::Path, view: &View<'_>) -> Option<String> {
    if let Ok(why) = std::fs::read_to_string(folder.join("keeper-failed")) {
        return Some(format!("its keeper could not begin: {why}"));
    }
    view.driverless.then(|| format!("its start was cut short; `neronet retry {}` starts it", view.run.id))
}

/// When it began, or the first of the attempts that it went on from. One from scratch has nothing to do with those before.
fn first_begun(context: &Context, run: RunId, last: &Attempt) -> Option<UnixMs> {
    let (mut begun, mut resumes) = (last.begun, last.resumes);
    for n in (1..last.n.0).rev().map(AttemptNo) {
        let Some(before) = spool::attempt(&context.home.attempt(run, n), n).ok().filter(|_| resumes) else { break };
        (begun, resumes) = (before.begun.or(begun), before.resumes);
    }
    begun
}

/// The end of an attempt as home keeps it: what listings show, without what only its own page shows.
pub fn known_end(context: &Context, run: &Run, mut attempt: Attempt) -> KnownEnd {
    let started = first_begun(context, run.id, &attempt);
    let outcome = attempt.end.as_ref().map_or(Outcome::Lost, |end| run_outcome(end.outcome));
    let mut metrics = attempt.end.as_mut().map(|end| std::mem::take(&mut end.summary.metrics)).unwrap_or_default();
    if attempt.resumes
        && let Ok(joined) = series::extents(&context.home.run(run.id), Some(&context.stored_series(run)))
    {
        metrics = joined;
    }
    attempt.config.clear();
    attempt.checkpoints.clear();
    if let Some(end) = &mut attempt.end {
        end.last_lines.clear();
    }
    KnownEnd { attempt, outcome, started, metrics }
}
