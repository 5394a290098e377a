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
use neronet_model::run::{Ending, KnownEnd, run_outcome};
use neronet_model::runs::{Brief, BriefEnding, Known};
use neronet_model::target::LOCAL;
use neronet_model::{Attempt, AttemptNo, Millis, Outcome, Params, Run, RunId, State, SweepId, UnixMs, Value};
use neronet_schedule::{Away, Decided, FollowUp, Policy, Stand, World};
use neronet_store::journal::Replayed;
use neronet_store::projection::columns::{Column, Metrics};
use neronet_store::queued::Queued;
use neronet_store::{Locked, files, series, spool};
use neronet_supervise::os::process::{self, Alive};
use neronet_supervise::start::{self, Watch};
use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone)]
pub struct View<'a> {
    pub id: RunId,
    pub known: Known<'a>,
    pub sweep: &'a Sweep,
    /// Of a run of which the journal knows no end.
    found: Option<Box<Found>>,
    /// Its parameters, where there may be secrets in them.
    masked: OnceCell<Option<Box<Params>>>,
    metrics: OnceCell<BTreeMap<String, Extent>>,
    snapshot: &'a Snapshot,
}

/// Less than this is no other clock, in milliseconds: to begin takes time.
const OFF: u64 = 5_000;

/// What was found out of a run just now.
#[derive(Clone)]
struct Found {
    /// It has not ended, and whoever was to start it is gone.
    driverless: bool,
    state: State,
    /// It is not in the journal yet.
    ending: Option<BriefEnding>,
    /// The last attempt, as far as it is known.
    attempt: Option<Attempt>,
    started: Option<UnixMs>,
    begun: Option<UnixMs>,
    lasted: Option<Millis>,
    odd: Option<String>,
}

/// Everything that home knows, read at one moment.
pub struct Snapshot {
    pub state: Arc<HomeState>,
    pub queue: Queued,
    pub damage: Vec<String>,
    /// The secrets in the environments of sweeps, of those that were asked for.
    secrets: RefCell<BTreeMap<SweepId, Vec<String>>>,
    /// Which processes that were to start runs are still there, of those that were asked for, by pid and start.
    alive: RefCell<BTreeMap<(i32, u64), bool>>,
    metrics: Metrics,
    context: Context,
    /// Metrics of all ended runs, of those that were asked for. Nothing where what is stored of them cannot be read.
    columns: RefCell<BTreeMap<String, Option<Rc<Column>>>>,
    /// What would be started now, once somebody asked.
    decided: RefCell<Option<Rc<Decided>>>,
    /// The machines as whoever keeps the queue saw them last, once somebody asked.
    world: OnceCell<Option<World>>,
}

impl Snapshot {
    pub fn read(context: &Context) -> Result<Snapshot, HomeError> {
        Ok(Snapshot::new(context, context.home.read()?))
    }

    /// While home is ours.
    pub(crate) fn of(context: &Context, home: &Locked) -> Snapshot {
        Snapshot::new(context, home.replayed())
    }

    fn new(context: &Context, replayed: Replayed) -> Snapshot {
        Snapshot {
            metrics: replayed.metrics(),
            context: context.clone(),
            state: replayed.state,
            queue: replayed.queue,
            damage: replayed.damage,
            secrets: RefCell::default(),
            alive: RefCell::default(),
            columns: RefCell::default(),
            decided: RefCell::default(),
            world: OnceCell::new(),
        }
    }

    /// The same, brought up to date where a run may have ended unseen. Where that fails, as on a full disk, what is known can still be
    /// read, and the reason comes with it.
    pub fn current(context: &Context) -> Result<(Snapshot, Option<HomeError>), HomeError> {
        let snapshot = Snapshot::read(context)?;
        if snapshot.state.runs.all().all(Known::has_ended) {
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
    pub fn runs(&self) -> impl Iterator<Item = Known<'_>> {
        self.state.runs.all().filter(|run| run.brief().trashed.is_none())
    }

    pub fn sweep_of(&self, run: Known<'_>) -> Option<&Sweep> {
        self.state.sweeps.get(&run.brief().sweep).map(|sweep| &**sweep)
    }

    pub fn is_of(&self, run: Known<'_>, project: &str) -> bool {
        self.sweep_of(run).is_some_and(|sweep| sweep.project == project)
    }

    /// All of them.
    pub fn views<'a>(&'a self, context: &Context) -> Vec<View<'a>> {
        self.views_of(context, self.runs())
    }

    /// Those that the words can mean: of numbers these alone.
    pub fn views_meant<'a>(&'a self, context: &Context, words: &[String]) -> Vec<View<'a>> {
        let spans: Option<Vec<_>> = words.iter().map(|word| select::ids(word)).collect();
        match spans.map(|spans| spans.concat()) {
            Some(spans) if !spans.is_empty() => {
                let is_meant = |run: &Known<'_>| spans.iter().any(|(from, to)| (*from..=*to).contains(&run.id().0));
                self.views_of(context, self.runs().filter(is_meant))
            }
            _ => self.views(context),
        }
    }

    /// These runs, in this order.
    pub fn views_of<'a>(&'a self, context: &Context, runs: impl Iterator<Item = Known<'a>>) -> Vec<View<'a>> {
        let mut views: Vec<View<'_>> = Vec::with_capacity(runs.size_hint().1.unwrap_or(0));
        views.extend(runs.filter_map(|run| self.view(context, run)));
        let mut stranded: BTreeMap<SweepId, Vec<RunId>> = BTreeMap::new();
        for view in views.iter().filter(|view| view.is_stranded()) {
            stranded.entry(view.sweep.id).or_default().push(view.id);
        }
        for view in &mut views {
            let runs = if view.is_stranded() { stranded.get(&view.sweep.id) } else { None };
            if let (Some(runs), Some(found)) = (runs, &mut view.found) {
                found.odd = Some(nobody_starts(runs));
            }
        }
        views
    }

    pub fn view_of<'a>(&'a self, context: &Context, id: RunId) -> Option<View<'a>> {
        self.view(context, self.state.runs.known(&id)?)
    }

    /// Of these runs those that go on, as listings say: a keeper's word that one has ended is there before that is on record.
    pub(crate) fn not_ended(&self, context: &Context, runs: impl Iterator<Item = RunId>) -> Vec<RunId> {
        let goes_on = |run: &RunId| self.view_of(context, *run).is_some_and(|view| view.state() != State::Ended);
        runs.filter(goes_on).collect()
    }

    fn view<'a>(&'a self, context: &Context, known: Known<'a>) -> Option<View<'a>> {
        let brief = known.brief();
        let sweep = self.state.sweeps.get(&brief.sweep)?;
        let mut view =
            View { id: known.id(), known, sweep, found: None, masked: OnceCell::new(), metrics: OnceCell::new(), snapshot: self };
        if brief.ending.is_none() {
            view.look(context);
        }
        Some(view)
    }

    pub(crate) fn decided(&self, decide: impl FnOnce() -> Decided) -> Rc<Decided> {
        Rc::clone(self.decided.borrow_mut().get_or_insert_with(|| Rc::new(decide())))
    }

    pub(crate) fn world(&self, read: impl FnOnce() -> Option<World>) -> Option<&World> {
        self.world.get_or_init(read).as_ref()
    }

    fn is_alive(&self, driver: &Process) -> bool {
        let known = (driver.pid, driver.start);
        *self.alive.borrow_mut().entry(known).or_insert_with(|| process::alive(driver) != Alive::No)
    }

    fn column(&self, name: &str) -> Option<Rc<Column>> {
        if let Some(known) = self.columns.borrow().get(name) {
            return known.clone();
        }
        let read = self.metrics.column(name).ok().map(Rc::new);
        self.columns.borrow_mut().insert(name.to_string(), read.clone());
        read
    }

    fn secrets_of(&self, sweep: &Sweep) -> Vec<String> {
        self.secrets.borrow_mut().entry(sweep.id).or_insert_with(|| masked::known(&self.context, sweep)).clone()
    }

    /// A parameter's value as it may be shown.
    pub(crate) fn shown(&self, sweep: &Sweep, name: &str, value: Value) -> Value {
        masked::param(name, value, &sweep.varying, || self.secrets_of(sweep))
    }
}

/// So many runs are read one by one rather than in columns.
const FEW: usize = 200;

/// Something of one metric, of many runs.
pub fn of_extents<'a, T>(views: &[&View<'a>], name: &str, of: impl Fn(&View<'a>, &Extent) -> Option<T>) -> Vec<Option<T>> {
    let column = views.iter().find(|view| view.is_in_columns()).and_then(|view| view.snapshot.column(name));
    let mut next = 0;
    let extent = |view: &&View<'a>| match &column {
        Some(column) if view.is_in_columns() => {
            // Mostly they are in the order of the column.
            let found = column.get(next).filter(|(run, _)| *run == view.id).map(|(_, extent)| extent);
            next += 1;
            found.or_else(|| column.of(view.id)).and_then(|extent| of(view, &extent))
        }
        _ => view.metrics().get(name).and_then(|extent| of(view, extent)),
    };
    views.iter().map(extent).collect()
}

/// Of metrics of runs: how many of them have it, and whether it is a curve in any.
pub fn metric_names(views: &[&View<'_>]) -> BTreeMap<String, (usize, bool)> {
    let mut names: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    let (stored, mut others): (Vec<&View<'_>>, Vec<&View<'_>>) = views.iter().partition(|view| view.is_in_columns());
    if let Some(first) = stored.first().filter(|_| stored.len() > FEW)
        && let Ok(found) = first.snapshot.metrics.names(&stored.iter().map(|view| view.id).collect())
    {
        names = found;
    } else {
        others.extend(stored);
    }
    for (name, extent) in others.iter().flat_map(|view| view.metrics()) {
        let entry = match names.get_mut(name) {
            Some(entry) => entry,
            None => names.entry(name.clone()).or_default(),
        };
        (entry.0, entry.1) = (entry.0 + 1, entry.1 | (extent.points > 1));
    }
    names
}

impl<'a> View<'a> {
    /// All that the journal says of it.
    pub fn run(&self) -> &'a Run {
        self.known.whole()
    }

    pub fn brief(&self) -> Brief {
        self.known.brief()
    }

    /// As they may be shown: those of `run` have the secrets in them.
    pub fn params(&self) -> &Params {
        let params = &self.run().params;
        let masked = || match masked::params(params, &self.sweep.varying, || self.snapshot.secrets_of(self.sweep)) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(Box::new(masked)),
        };
        self.masked.get_or_init(masked).as_deref().unwrap_or(params)
    }

    pub fn state(&self) -> State {
        self.found.as_ref().map_or(State::Ended, |found| found.state)
    }

    fn ending(&self) -> Option<BriefEnding> {
        self.found.as_ref().map_or_else(|| self.brief().ending, |found| found.ending)
    }

    fn either<T>(&self, ended: impl FnOnce(&BriefEnding) -> Option<T>, found: impl FnOnce(&Found) -> Option<T>) -> Option<T> {
        self.ending().map_or_else(|| self.found.as_deref().and_then(found), |ending| ended(&ending))
    }

    pub fn outcome(&self) -> Option<Outcome> {
        self.ending().map(|ending| ending.outcome)
    }

    pub fn started(&self) -> Option<UnixMs> {
        self.either(|ending| ending.started, |found| found.started)
    }

    /// When the last attempt began.
    pub fn begun(&self) -> Option<UnixMs> {
        self.either(|ending| ending.begun, |found| found.begun)
    }

    /// How long the last attempt took.
    pub fn lasted(&self) -> Option<Millis> {
        self.either(|ending| ending.lasted, |found| found.lasted)
    }

    pub fn ended(&self) -> Option<UnixMs> {
        self.ending().and_then(|ending| ending.ended)
    }

    /// The run that it goes on from, where that is known by now: which of several is the best is known when it starts.
    pub fn after(&self) -> Option<RunId> {
        let of_several = || (!self.sweep.best_of.is_empty()).then(|| stages::chosen(&self.snapshot.context, self.id)).flatten();
        self.brief().after.or_else(of_several)
    }

    /// The last attempt, as far as it is known, of a run of which the journal knows no end.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.found.as_ref()?.attempt.as_ref()
    }

    /// It has not ended, and whoever was to start it is gone.
    pub fn is_driverless(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.driverless)
    }

    /// Of a queued run: what it waits for. Of an ended one: why it ended so. Of a running one: what is odd about it.
    pub fn reason(&self) -> Option<&str> {
        let odd = self.found.as_ref().and_then(|found| found.odd.as_deref());
        let recorded = || self.brief().ending.filter(|ending| ending.has_reason);
        odd.or_else(|| recorded().and_then(|_| self.run().ending.as_ref()?.reason.as_deref()))
    }

    pub(crate) fn snapshot(&self) -> &'a Snapshot {
        self.snapshot
    }

    /// All metrics of the run, read when they are asked for.
    pub fn metrics(&self) -> &BTreeMap<String, Extent> {
        self.metrics.get_or_init(|| {
            let snapshot = self.snapshot;
            if let Some(fresh) = snapshot.metrics.fresh(self.id) {
                return fresh.clone();
            }
            // What cannot be read now could be when the journal was replayed: damage to it is told where it is read next.
            snapshot.context.home.end_of(self.run()).ok().flatten().map(|end| end.metrics).unwrap_or_default()
        })
    }

    /// One metric of the run. Of many runs this is far cheaper than all metrics of each.
    pub fn extent(&self, name: &str) -> Option<Cow<'_, Extent>> {
        if self.is_in_columns()
            && let Some(column) = self.snapshot.column(name)
        {
            return column.of(self.id).map(Cow::Owned);
        }
        self.metrics().get(name).map(Cow::Borrowed)
    }

    fn is_in_columns(&self) -> bool {
        self.metrics.get().is_none() && self.snapshot.metrics.fresh(self.id).is_none()
    }

    /// A target has it, and has not said that it ended.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.state() != State::Ended && self.snapshot.queue.away(self.id).is_some()
    }

    /// Queued, and nobody is left to start it.
    pub(crate) fn is_stranded(&self) -> bool {
        self.is_driverless() && self.state() == State::Queued
    }

    /// Where it executes, or did last.
    pub fn target(&self) -> &'a str {
        // Of most homes the queue need not be read for this.
        let away = || self.snapshot.queue.away(self.id).map(|away| away.target.as_str());
        if self.sweep.targets.is_empty() { LOCAL } else { away().unwrap_or(LOCAL) }
    }

    /// What a listing calls it: the outcome of an ended run, else the state.
    pub fn status(&self) -> String {
        self.outcome().map_or_else(|| self.state().to_string(), |outcome| outcome.to_string())
    }

    /// Finds out what the journal does not know.
    fn look(&mut self, context: &Context) {
        let snapshot = self.snapshot;
        let driverless =
            !snapshot.queue.is_detached(self.id) && snapshot.state.driver(self.run()).is_none_or(|driver| !snapshot.is_alive(driver));
        let mut found =
            Found { driverless, state: State::Queued, ending: None, attempt: None, started: None, begun: None, lasted: None, odd: None };
        self.metrics = OnceCell::from(self.find(context, &mut found));
        self.found = Some(Box::new(found));
    }

    /// Reads the last attempt's spool. Gives the metrics so far.
    fn find(&self, context: &Context, found: &mut Found) -> BTreeMap<String, Extent> {
        let stand = self.snapshot.queue.stand(self.id);
        let away = self.snapshot.queue.away(self.id);
        if self.snapshot.queue.waits_at(self.id).is_some() {
            let asked = away.and_then(|away| away.asked.as_ref()).map(|(by, _)| format!("; asked to stop by {by}"));
            found.odd = Some(format!("{}{}", waiting::reason(context, self.snapshot, self), asked.unwrap_or_default()));
            return BTreeMap::new();
        }
        let n = AttemptNo(self.brief().attempts);
        // A start is on record before there is a folder.
        let folder = (stand != Some(Stand::Queued)).then(|| context.home.attempt(self.id, n)).filter(|folder| folder.exists());
        let Some(folder) = folder else {
            if stand == Some(Stand::Granted) && !found.driverless {
                found.state = State::Starting;
                found.odd = away.and_then(|away| waiting::absent(context, self.snapshot, &away.target));
            } else {
                let waits = || waiting::reason(context, self.snapshot, self);
                found.odd = Some(if found.driverless { nobody_starts(&[self.id]) } else { waits() });
            }
            return BTreeMap::new();
        };
        let attempt = match spool::attempt(&folder, n) {
            Ok(mut attempt) => {
                if away.is_some() {
                    by_our_clock(&mut attempt, self.snapshot.queue.granted_at(self.id));
                }
                attempt
            }
            Err(e) => {
                found.state = State::Starting;
                found.odd = Some(e.to_string());
                return BTreeMap::new();
            }
        };
        found.started = first_begun(context, self.id, &attempt);
        if attempt.end.is_some() {
            let end = known_end(context, self.run(), attempt);
            if away.is_some_and(|away| self.goes_on_there(&end, away)) {
                // As its target said nothing of that yet.
                found.state = State::Running;
                found.odd = end.attempt.reason().map(|why| format!("attempt {n}: {why}; it is tried again"));
                found.attempt = Some(end.attempt);
                return end.metrics;
            }
            found.state = State::Ended;
            found.ending = Some(Ending::of(&end, u64::MAX).brief());
            found.odd = end.attempt.reason();
            found.attempt = Some(end.attempt);
            return end.metrics;
        }
        found.state = if attempt.command.is_some() { State::Running } else { State::Starting };
        found.odd = match away {
            Some(away) => self.odd_there(context, &attempt, away),
            None => self.odd_of(&folder, &attempt, found.driverless),
        };
        (found.begun, found.lasted) = (attempt.begun, attempt.lasted);
        found.attempt = Some(attempt);
        let summary: Option<Summary> = files::read_json(&context.home.run(self.id).join("summary.json")).ok().flatten();
        summary.unwrap_or_default().metrics
    }

    /// Its target tries it again by itself.
    fn goes_on_there(&self, end: &KnownEnd, away: &Away) -> bool {
        let policy = Policy { retry: &self.sweep.settings.retry, hold_after: None };
        let follow_ups = || self.snapshot.queue.follow_up(self.id, end, policy);
        away.asked.is_none() && follow_ups().iter().any(|follow_up| matches!(follow_up, FollowUp::Again { .. }))
    }

    /// Of what executes elsewhere only the target can tell more than was heard of it last.
    fn odd_there(&self, context: &Context, attempt: &Attempt, away: &Away) -> Option<String> {
        let asked = away.asked.as_ref().map(|(by, _)| format!("asked to stop by {by}"));
        let asked = asked.or_else(|| attempt.asked.as_ref().map(ToString::to_string));
        let step = || attempt.step().map(|step| format!("step {}", step.name));
        let said: Vec<String> =
            [waiting::absent(context, self.snapshot, &away.target), asked.or_else(step)].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    fn odd_of(&self, folder: &Path, attempt: &Attempt, driverless: bool) -> Option<String> {
        if attempt.keeper.is_none() {
            return self.not_begun(folder, driverless);
        }
        let watch = start::watch(folder, attempt);
        if attempt.keeper_lost || watch == Watch::Abandoned {
            return Some("its keeper was killed".into());
        }
        if watch == Watch::Elsewhere {
            let host = attempt.keeper.as_ref().map(|keeper| keeper.host.clone()).unwrap_or_default();
            return Some(format!("it runs on {host}, or in a container there: only that place can say more"));
        }
        match &attempt.asked {
            Some(Cause::Asked(who)) => Some(format!("asked to stop by {who}")),
            Some(other) => Some(other.to_string()),
            None => attempt.step().map(|step| format!("step {}", step.name)),
        }
    }

    fn not_begun(&self, folder: &Path, driverless: bool) -> Option<String> {
        if let Ok(why) = std::fs::read_to_string(folder.join("keeper-failed")) {
            return Some(format!("its keeper could not begin: {why}"));
        }
        driverless.then(|| format!("its start was cut short; `neronet retry {}` starts it", self.id))
    }
}

pub(crate) fn nobody_starts(runs: &[RunId]) -> String {
    let them = if runs.len() == 1 { "it" } else { "them" };
    format!("the neronet that was to start {them} is gone; `neronet retry {}` starts {them}", select::spans(runs))
}

/// An attempt on a target as home's clock has it, which says when it was given what it has.
pub(crate) fn by_our_clock(attempt: &mut Attempt, granted: Option<UnixMs>) {
    let off = granted.zip(attempt.begun).map(|(ours, theirs)| ours.0.saturating_sub(theirs.0));
    attempt.shift(off.filter(|off| off.unsigned_abs() >= OFF).unwrap_or_default());
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
        && let Ok(joined) = series::extents(&context.home.run(run.id), context.stored_series(run).as_deref())
    {
        metrics = joined;
    }
    KnownEnd::of(attempt, outcome, started, metrics)
}
