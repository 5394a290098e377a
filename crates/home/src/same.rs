//! A sweep is a set: which of a plan's runs home has already, and whether they ran the same code.
//!
//! Two runs are the same when command, parameters, files and inputs are. What else an experiment says (its name, limits, the
//! machine) makes no other run of it.

use crate::compare::commit;
use crate::context::Context;
use crate::error::HomeError;
use crate::inputs::{self, Seen};
use crate::planned::Runs;
use crate::select::spans;
use crate::view::{Snapshot, nobody_starts};
use neronet_capture::code::{self, Survey};
use neronet_model::journal::{Git, HomeState, Sweep};
use neronet_model::{Outcome, Params, RunId, Settings, State, SweepId};
use neronet_spec::Plan;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// What becomes of runs that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Every run is started, whatever there is.
    Start,
    /// Only what is new; where the code is another one, nothing.
    OnlyNew,
    /// Only what is new, whatever the code was.
    Keep,
    /// What is new, and what ended without having finished.
    AgainFailed,
    /// All.
    Again,
}

impl Repeats {
    /// Of a submission, by what is said of runs that are there already. What is typed anew is meant anew.
    pub fn meant(is_command: bool, said: Option<Repeats>) -> Repeats {
        if is_command { Repeats::Start } else { said.unwrap_or(Repeats::OnlyNew) }
    }
}

/// What tells a run from others, within its project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl Key {
    /// Of the best of several runs.
    pub(crate) fn of_best<'k>(runs: impl Iterator<Item = &'k Key>) -> Key {
        let mut runs: Vec<&Key> = runs.collect();
        runs.sort_unstable();
        runs.dedup();
        // Each run after them would hold all of their keys: a hash says as much.
        let mut hasher = DefaultHasher::new();
        runs.hash(&mut hasher);
        Key(format!("the best of {} {:x}", runs.len(), hasher.finish()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// The same for every run of these settings.
#[derive(Default)]
pub(crate) struct Keys(String);

impl Keys {
    /// `git` is what their code was: where they ask for a commit, that tells them apart too.
    pub(crate) fn of(settings: &Settings, git: Option<&Git>) -> Keys {
        let inputs: Vec<(&String, &String)> = settings.inputs.iter().map(|input| (&input.name, &input.path)).collect();
        let commit = settings.code.commit.as_ref().map(|named| git.map_or(named, |git| &git.commit));
        Keys(serde_json::to_string(&(&settings.command, &settings.flags, &settings.files, inputs, commit)).unwrap_or_default())
    }

    /// `before` is what the run goes on from.
    pub(crate) fn key(&self, params: &Params, before: Option<&Key>) -> Key {
        let mut pairs: Vec<String> = params.iter().map(|(name, value)| format!("{name}={}", value.identity())).collect();
        pairs.sort_unstable();
        let after = before.map(|before| format!("\nafter {}", before.0)).unwrap_or_default();
        Key(format!("{}\n{}{after}", self.0, pairs.join("\n")))
    }
}

/// Every run of a project that is not in the trash; of several that are the same the newest.
pub(crate) fn known(state: &HomeState, project: &str) -> HashMap<Key, RunId> {
    let in_trash = |run: &RunId| state.runs.get(run).is_some_and(|run| run.trashed.is_some());
    keys_of(state, project).into_iter().filter(|(run, _)| !in_trash(run)).map(|(run, key)| (key, run)).collect()
}

/// Of every run of a project.
pub(crate) fn keys_of(state: &HomeState, project: &str) -> BTreeMap<RunId, Key> {
    let sweeps: BTreeMap<_, (&Sweep, Keys)> = state
        .sweeps
        .iter()
        .filter(|(_, sweep)| sweep.project == project && sweep.imported.is_none())
        .map(|(id, sweep)| (*id, (&**sweep, Keys::of(&sweep.settings, sweep.code.git.as_ref()))))
        .collect();
    let mut best_of: BTreeMap<SweepId, Key> = BTreeMap::new();
    let mut known: BTreeMap<RunId, Key> = BTreeMap::new();
    // What a run goes on from has a smaller number.
    for run in state.runs.all() {
        let Some((sweep, keys)) = sweeps.get(&run.brief().sweep) else { continue };
        let run = run.whole();
        let gone = run.after.map(|after| Key(format!("run {after}, which is gone")));
        let before = match run.after {
            Some(after) => known.get(&after).or(gone.as_ref()),
            None if sweep.best_of.is_empty() => None,
            None => Some(&*best_of.entry(sweep.id).or_insert_with(|| Key::of_best(sweep.best_of.iter().filter_map(|run| known.get(run))))),
        };
        let key = keys.key(&run.params, before);
        known.insert(run.id, key);
    }
    known
}

/// What a submission leaves out, and what to say of it.
#[derive(Debug, Default)]
pub(crate) struct There {
    pub(crate) left_out: HashSet<Key>,
    /// How many are there already, and how many are not.
    same: usize,
    new: usize,
    standing: Standing,
    /// The last run that was looked at; what is newer came in the meantime.
    pub(crate) seen: u64,
}

impl There {
    /// Nothing of what is planned is left to start.
    pub(crate) fn is_all(&self, planned: &[&Runs]) -> bool {
        let mut keys = planned.iter().flat_map(|runs| &runs.all).map(|run| &run.key);
        !self.left_out.is_empty() && keys.all(|key| key.as_ref().is_some_and(|key| self.left_out.contains(key)))
    }
}

/// For each experiment of a plan and each of its runs: the newest run that is the same.
pub fn there(context: &Context, plan: &Plan, project: &str, git: Option<&Git>) -> Result<Vec<Vec<Option<RunId>>>, HomeError> {
    let known = known(&context.home.read()?.state, project);
    let of = |experiment: &neronet_spec::Experiment| {
        let keys = Keys::of(&experiment.settings, git);
        experiment.runs().map(|params| known.get(&keys.key(&params, None)).copied()).collect()
    };
    Ok(plan.experiments.iter().map(of).collect())
}

/// Looks for the plan's runs. Fails where they are there with other code and nobody said what to do then.
pub(crate) fn look(
    context: &Context,
    (plan, planned): (&Plan, &[&Runs]),
    now: (&str, &Survey, &[Seen]),
    repeats: Repeats,
) -> Result<There, HomeError> {
    let (project, survey, inputs) = now;
    let mut there = There::default();
    if matches!(repeats, Repeats::Start | Repeats::Again) {
        return Ok(there);
    }
    let snapshot = Snapshot::read(context)?;
    there.seen = snapshot.state.last_run;
    let known = known(&snapshot.state, project);
    // Two experiments may ask for the same run.
    let keys: HashSet<&Key> = planned.iter().flat_map(|runs| &runs.all).filter_map(|run| run.key.as_ref()).collect();
    let same: HashMap<Key, RunId> = keys.iter().filter_map(|key| Some(((*key).clone(), *known.get(*key)?))).collect();
    let planned = keys.len();
    if same.is_empty() {
        there.new = planned;
        return Ok(there);
    }
    let ids: BTreeSet<RunId> = same.values().copied().collect();
    let standing = Standing::of(context, &snapshot, &ids);
    if repeats == Repeats::OnlyNew
        && let Some(other) = other_code(context, &snapshot, plan, (survey, inputs), &ids)
    {
        let (runs, them) = if other.runs == 1 { ("run exists", "it") } else { ("runs exist", "them") };
        let failed = if standing.failed.is_empty() { "" } else { ", --again=failed only those that failed" };
        return Err(HomeError::Failed(format!(
            "{} {runs} from {}; {}: --again runs {them} anew{failed}, --keep accepts {them}\n{}",
            other.runs,
            other.from,
            other.differs,
            standing.words(false)
        )));
    }
    (there.same, there.new) = (same.len(), planned - same.len());
    let again = |run: &RunId| repeats == Repeats::AgainFailed && (standing.failed.contains(run) || standing.stopped.contains(run));
    there.left_out = same.into_iter().filter(|(_, run)| !again(run)).map(|(key, _)| key).collect();
    there.standing = standing;
    Ok(there)
}

/// What a submission says of the runs that are there already, whatever code they have.
pub(crate) fn told<'t>(all: impl Iterator<Item = &'t There>, repeats: Repeats) -> Option<String> {
    let (mut same, mut new, mut standing) = (0, 0, Standing::default());
    for there in all {
        same += there.same;
        new += there.new;
        standing.add(&there.standing);
    }
    let are_there = format!(
        "{} there already: {}",
        if same == 1 { "1 run is".to_string() } else { format!("{same} runs are") },
        standing.words(repeats == Repeats::AgainFailed)
    );
    match (same, repeats, new) {
        (0, ..) => None,
        (_, Repeats::AgainFailed, _) => Some(are_there),
        (_, _, 0) => Some(format!("nothing is new: {are_there}")),
        (_, _, new) => Some(format!("{new} new of {}; {are_there}", same + new)),
    }
}

/// How the runs that are there stand.
#[derive(Debug, Default)]
struct Standing {
    finished: Vec<RunId>,
    running: Vec<RunId>,
    queued: Vec<RunId>,
    stranded: Vec<RunId>,
    failed: Vec<RunId>,
    stopped: Vec<RunId>,
}

impl Standing {
    fn of(context: &Context, snapshot: &Snapshot, runs: &BTreeSet<RunId>) -> Standing {
        let mut standing = Standing::default();
        for view in runs.iter().filter_map(|run| snapshot.view_of(context, *run)) {
            let list = match (view.state(), view.outcome()) {
                _ if view.is_stranded() => &mut standing.stranded,
                (State::Queued, _) => &mut standing.queued,
                (State::Starting | State::Running, _) => &mut standing.running,
                (State::Ended, Some(Outcome::Finished)) => &mut standing.finished,
                (State::Ended, Some(Outcome::Stopped)) => &mut standing.stopped,
                (State::Ended, _) => &mut standing.failed,
            };
            list.push(view.id);
        }
        standing
    }

    fn add(&mut self, more: &Standing) {
        let Standing { finished, running, queued, stranded, failed, stopped } = self;
        for (list, more) in [
            (finished, &more.finished),
            (running, &more.running),
            (queued, &more.queued),
            (stranded, &more.stranded),
            (failed, &more.failed),
            (stopped, &more.stopped),
        ] {
            list.extend(more);
        }
    }

    /// `15 finished, 2 failed (31,35; neronet retry 31,35), 1 queued (40)`. `anew`: those that failed are.
    fn words(&self, anew: bool) -> String {
        let mut words = Vec::new();
        if !self.finished.is_empty() {
            words.push(format!("{} finished", self.finished.len()));
        }
        if !self.running.is_empty() {
            words.push(format!("{} running ({})", self.running.len(), spans(&self.running)));
        }
        let again = |runs: &[RunId]| match anew {
            true => "; started anew".to_string(),
            false => format!("; `neronet retry {}` begins again", spans(runs)),
        };
        let lists = [
            (&self.queued, "queued", String::new()),
            (&self.stranded, "queued", format!("; {}", nobody_starts(&self.stranded))),
            (&self.failed, "failed", again(&self.failed)),
            (&self.stopped, "stopped", again(&self.stopped)),
        ];
        for (runs, what, mend) in lists.iter().filter(|(runs, ..)| !runs.is_empty()) {
            words.push(format!("{} {what} ({}{mend})", runs.len(), spans(runs)));
        }
        words.join(", ")
    }
}

/// Runs that are there with other code than would be submitted now.
struct Other {
    runs: usize,
    from: String,
    differs: String,
}

fn other_code(
    context: &Context,
    snapshot: &Snapshot,
    plan: &Plan,
    (survey, inputs): (&Survey, &[Seen]),
    runs: &BTreeSet<RunId>,
) -> Option<Other> {
    let sweeps: BTreeMap<_, usize> = runs.iter().filter_map(|run| snapshot.state.runs.get(run)).fold(BTreeMap::new(), |mut sweeps, run| {
        *sweeps.entry(run.sweep).or_default() += 1;
        sweeps
    });
    let own = own_files(plan, survey);
    let mut others: Vec<(usize, &Sweep, String)> = Vec::new();
    let mut told: BTreeMap<Option<&String>, Option<String>> = BTreeMap::new();
    for (id, count) in sweeps {
        let Some(sweep) = snapshot.state.sweeps.get(&id) else { continue };
        let code = told.entry(sweep.code.snapshot.as_ref()).or_insert_with(|| differs(context, sweep, survey, &own)).clone();
        let both: Vec<String> = code.into_iter().chain(other_inputs(context, sweep, inputs)).collect();
        if !both.is_empty() {
            others.push((count, sweep, both.join(", ")));
        }
    }
    let (_, sweep, differs) = others.iter().max_by_key(|(count, sweep, _)| (*count, sweep.id))?;
    let from = match &sweep.code.git {
        Some(git) if git.commit.is_empty() => "before the first commit".to_string(),
        Some(git) => commit(&git.commit, git.dirty),
        None => format!("sweep {}", sweep.id),
    };
    Some(Other { runs: others.iter().map(|(count, ..)| count).sum(), from, differs: differs.clone() })
}

/// How the data differs that a sweep's runs read.
fn other_inputs(context: &Context, sweep: &Sweep, now: &[Seen]) -> Option<String> {
    let then = if sweep.settings.inputs.is_empty() { Vec::new() } else { inputs::of_sweep(context, sweep.id)? };
    now.iter().find_map(|now| {
        let then = inputs::the_same(&then, now, &sweep.settings.inputs)?;
        inputs::differs(then, now).map(|how| format!("input '{}' differs ({how})", now.name))
    })
}

/// How the code differs from what a sweep's runs had; nothing where it does not.
fn differs(context: &Context, sweep: &Sweep, survey: &Survey, own: &[String]) -> Option<String> {
    let Some(frozen) = &sweep.code.snapshot else {
        // What ran in place is known by its commit alone.
        let clean = |git: &Option<Git>| git.as_ref().filter(|git| !git.dirty).map(|git| git.commit.clone());
        let same = clean(&sweep.code.git).is_some() && clean(&sweep.code.git) == clean(&survey.git);
        return (!same).then(|| "their code was not frozen, so nobody knows whether it is the same".to_string());
    };
    let changes = match code::changed_since(&context.home.snapshots(), frozen, survey) {
        Ok(changes) => changes,
        Err(why) => return Some(format!("their code cannot be compared ({why})")),
    };
    let changes: Vec<_> = changes.iter().filter(|change| !own.contains(&change.path)).collect();
    let named: Vec<String> = changes
        .iter()
        .take(3)
        .map(|change| match (change.kind, edited(change.diff.as_deref().unwrap_or_default())) {
            (code::ChangeKind::Added, _) => format!("{} is new", change.path),
            (code::ChangeKind::Removed, _) => format!("{} is gone", change.path),
            (_, 0) => format!("{} differs", change.path),
            (_, 1) => format!("{} differs in 1 line", change.path),
            (_, lines) => format!("{} differs in {lines} lines", change.path),
        })
        .collect();
    let more = if changes.len() > 3 { format!(", and {} more", changes.len() - 3) } else { String::new() };
    (!named.is_empty()).then(|| format!("{}{more}", named.join(", ")))
}

/// Lines that differ: one that was taken out and the one in its place are one.
fn edited(diff: &str) -> usize {
    let (mut taken, mut put, mut all) = (0, 0, 0);
    for line in diff.lines().filter(|line| !line.starts_with("+++") && !line.starts_with("---")) {
        match line.as_bytes().first() {
            Some(b'-') => taken += 1,
            Some(b'+') => put += 1,
            _ => all += std::cmp::max(std::mem::take(&mut taken), std::mem::take(&mut put)),
        }
    }
    all + std::cmp::max(taken, put)
}

/// The specification itself, relative to the top of the code: to edit it is how new runs are asked for.
fn own_files(plan: &Plan, survey: &Survey) -> Vec<String> {
    let Some(source) = &plan.source else { return Vec::new() };
    let paths = std::iter::once(&source.path).chain(source.included.iter().map(|file| &file.path));
    let inside = |path: &String| {
        let path = std::fs::canonicalize(Path::new(path)).ok()?;
        Some(path.strip_prefix(&survey.top).ok()?.to_str()?.to_string())
    };
    let mut own: Vec<String> = paths.filter_map(inside).collect();
    // What a spreadsheet program keeps beside a sheet while it is open.
    if let Some(sheet) = own.first().filter(|_| neronet_spec::is_sheet(Path::new(&source.path))).map(PathBuf::from)
        && let Some(name) = sheet.file_name().and_then(OsStr::to_str)
    {
        let beside = [format!("~${name}"), format!(".~lock.{name}#")].map(|name| sheet.with_file_name(name).display().to_string());
        own.extend(beside);
    }
    own
}
