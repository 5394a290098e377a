//! What a run needs on its target before it is started there: the checkpoint that it goes on from, its own or that of a run of another
//! experiment; and inputs that are brought there. In home's journal it is called by its place here, on the target by the same place there, whether it is here or not.

use super::left::{self, within};
use super::pushed::{self, Known, Pushed};
use super::{Going, Lost, Traveller, Way, fetch, list, push};
use crate::context::Context;
use crate::error::HomeError;
use crate::filling::{Stage, names_stage};
use crate::parcel::Folder;
use crate::refused::{self, Refused};
use crate::stages::{self, From};
use crate::steer;
use crate::targets;
use crate::there::{self, settings_on};
use neronet_model::journal::{HomeState, Sweep};
use neronet_model::run::{Again, Decision};
use neronet_model::target::Target;
use neronet_model::{AttemptNo, Run, RunId};
use neronet_spec::render;
use neronet_store::files::{self, Durability};
use neronet_store::journal::Replayed;
use neronet_target::parcel::{Entry, Inner};
use neronet_target::wire::Ground;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// `runs/N/stage.json`: what a run goes on from that is on a target where nobody knows that other run. Paths are relative to home.
pub(crate) const STAGE: &str = "stage.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Staged {
    pub(crate) after: RunId,
    latest: Option<String>,
    best: Option<String>,
}

/// Files and folders of runs, by the run whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needed {
    /// Each with whether it is here as it is on record.
    paths: BTreeMap<(RunId, Inner), bool>,
    /// Of which run it is said what it goes on from.
    stage: Option<RunId>,
    inputs: Vec<Pushed>,
    /// What is to come from there: its run starts here.
    home: BTreeSet<(RunId, Inner)>,
}

/// Why a run cannot be given to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// It can never start.
    Never(String),
    /// Somebody has to see to it first.
    Unfit(String),
}

impl Needed {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Needed::default()
    }

    /// What it is, for whoever waits for it. `target`: to which it is brought, or from which it comes.
    pub(crate) fn words(&self, target: &str) -> String {
        match (self.home.is_empty(), self.inputs.is_empty()) {
            (false, _) => format!("its checkpoint is being brought here from {target}"),
            (true, true) => "its checkpoint is being brought there".into(),
            (true, false) => "its inputs are being brought there".into(),
        }
    }
}

impl Staged {
    /// As home has it, or the target: each below its own folder.
    pub(crate) fn of(context: &Context, run: RunId) -> Result<Option<(RunId, Stage)>, HomeError> {
        let staged: Option<Staged> = files::read_json(&context.home.run(run).join(STAGE))?;
        let path = |path: Option<String>| path.map(|path| absolute(context.home.root(), path));
        Ok(staged.map(|Staged { after, latest, best }| (after, Stage { latest: path(latest), best: path(best) })))
    }
}

/// A decision as it is handed over.
pub(crate) fn handed_over(context: &Context, decision: &Decision) -> Decision {
    renamed(decision, |path| relative(context.home.root(), path))
}

/// The same where it is taken.
pub(crate) fn taken(context: &Context, decision: &Decision) -> Decision {
    renamed(decision, |path| absolute(context.home.root(), path))
}

/// A decision of a target's, as home would have made it. What it names outside of the run's folder is called as it is there.
pub(crate) fn told(context: &Context, decision: &Decision) -> Decision {
    let launches = left::launches(context, decision.run, decision.attempt.0).unwrap_or_default();
    renamed(decision, |path| {
        let inner = launches.iter().find_map(|launch| left::inner(launch, &path));
        inner.map_or_else(|| path.clone(), |inner| context.home.run(decision.run).join(inner.as_str()).display().to_string())
    })
}

/// What lies in the folder of a run has the same place in every home.
fn relative(home: &Path, path: String) -> String {
    match Path::new(&path).strip_prefix(home) {
        Ok(below) if below.starts_with("runs") => below.display().to_string(),
        _ => path,
    }
}

fn absolute(home: &Path, path: String) -> String {
    match Inner::try_from(path.clone()) {
        Ok(_) if path.starts_with("runs/") => home.join(&path).display().to_string(),
        _ => path,
    }
}

fn renamed(decision: &Decision, name: impl Fn(String) -> String) -> Decision {
    let mut decision = decision.clone();
    if let Again::Resume { checkpoint, best, .. } = &mut decision.again {
        for path in [checkpoint, best].into_iter().flatten() {
            *path = name(std::mem::take(path));
        }
    }
    decision
}

/// What a run needs on a target and what nobody knows to be there.
pub(crate) fn by(
    context: &Context,
    known: &Replayed,
    run: RunId,
    (target, settings): (&str, &Target),
) -> Result<Result<Needed, Hindrance>, HomeError> {
    let state = &known.state;
    let own = with_sweep(state, run);
    let inputs = own.map_or(Ok(Ok(Vec::new())), |(run, sweep)| pushed::of(context, run, sweep, (target, settings)))?;
    // What it goes on from has not ended, and does so there.
    let is_there = own.is_some_and(|(run, _)| run.after.is_some_and(|after| known.queue.has(target, after)));
    let needed = checkpoints(context, state, run, (target, is_there))?;
    Ok(match (inputs, needed) {
        (_, Err(why)) => Err(Hindrance::Never(why)),
        (Err(why), _) => Err(Hindrance::Unfit(why)),
        (Ok(inputs), Ok(needed)) => Ok(Needed { inputs, ..needed }),
    })
}

fn with_sweep(state: &HomeState, run: RunId) -> Option<(&Run, &Arc<Sweep>)> {
    state.runs.get(&run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?)))
}

/// The checkpoints of its own that a run goes on from.
fn own<'s>(context: &'s Context, state: &'s HomeState, run: &'s Run) -> impl Iterator<Item = (RunId, Inner)> + 's {
    let decision = state.decisions.get(&run.id).filter(|decision| decision.attempt.0 == run.attempts);
    let paths = match decision.map(|decision| &decision.again) {
        Some(Again::Resume { checkpoint, best, .. }) => [checkpoint.as_ref(), best.as_ref()],
        _ => [None, None],
    };
    paths.into_iter().flatten().filter_map(|path| Some((run.id, within(context, run.id, Path::new(path))?)))
}

/// What a run goes on from that is not here, where it is to start, by the target that it is to come from. What is nowhere is told when
/// the run is started.
pub(crate) fn elsewhere(context: &Context, state: &HomeState, run: RunId) -> Result<Option<(String, Needed)>, HomeError> {
    let Some((run, sweep)) = with_sweep(state, run) else { return Ok(None) };
    let mut all: BTreeSet<(RunId, Inner)> = own(context, state, run).collect();
    if names_stage(&there::here(sweep).settings) {
        let upstream = match stages::goes_on_from(context, run, sweep)? {
            From::Run(Some(after)) => with_sweep(state, after),
            From::Run(None) | From::Never(_) => None,
        };
        if let Some((upstream, sweep)) = upstream {
            let found = steer::checkpoints_of(context, upstream.id, sweep, AttemptNo(upstream.attempts))?;
            all.extend(found.away.iter().filter_map(|path| Some((upstream.id, within(context, upstream.id, path)?))));
        }
    }
    if all.is_empty() {
        return Ok(None);
    }
    let known = targets::all(context)?;
    let mut from: Option<(String, Needed)> = None;
    for (of, path) in all {
        let last = state.runs.get(&of).map_or(0, |run| run.attempts);
        if is_here(context, state, of, &path)? {
            continue;
        }
        // One after the other, where several have something of it.
        let target = left::target_with(context, of, last, &path)?.filter(|target| known.get(target).is_some());
        if let Some(target) = target.filter(|target| from.as_ref().is_none_or(|(first, _)| first == target)) {
            from.get_or_insert_with(|| (target, Needed::default())).1.home.insert((of, path));
        }
    }
    Ok(from)
}

/// The checkpoints of these. Else why the run can never start.
fn checkpoints(
    context: &Context,
    state: &HomeState,
    run: RunId,
    (target, is_there): (&str, bool),
) -> Result<Result<Needed, String>, HomeError> {
    let mut needed = Needed::default();
    let Some((run, sweep)) = with_sweep(state, run) else {
        return Ok(Ok(needed));
    };
    needed.paths.extend(own(context, state, run).map(|path| (path, false)));
    let settings = settings_on(sweep, target);
    if names_stage(&settings) && !is_there {
        let after = match stages::goes_on_from(context, run, sweep)? {
            From::Run(Some(after)) => after,
            From::Run(None) => return Ok(Ok(needed)),
            From::Never(why) => return Ok(Err(why)),
        };
        let stage = settings.stage.as_ref().map(|stage| stage.after.as_str()).unwrap_or_default();
        let named = render::named(&settings);
        let names_latest = named.contains(format!("{stage}.checkpoint").as_str());
        let Some((upstream, its_sweep)) = with_sweep(state, after) else {
            return Ok(Err(format!("run {after}, which it goes on from, was removed")));
        };
        let found = steer::checkpoints_of(context, after, its_sweep, AttemptNo(upstream.attempts))?;
        let none = || format!("run {after}, which it goes on from, has no complete checkpoint in its folder");
        let inner = |path: Option<&Path>| path.and_then(|path| within(context, after, path));
        let Some(best) = inner(found.best_or_latest()) else { return Ok(Err(none())) };
        let latest = if names_latest { inner(found.latest.as_deref()) } else { Some(best.clone()) };
        let Some(latest) = latest else { return Ok(Err(none())) };
        let name = |path: &Inner| Some(format!("runs/{after}/{}", path.as_str()));
        let staged = Staged { after, latest: name(&latest), best: name(&best) };
        let folder = context.home.run(run.id);
        files::make_folder(&folder)?;
        files::replace_json(&folder.join(STAGE), &staged, Durability::Renamed)?;
        needed.paths.extend([((after, latest), false), ((after, best), false)]);
        needed.stage = Some(run.id);
    }
    for ((run, path), here) in &mut needed.paths {
        *here = is_here(context, state, *run, path)?;
    }
    let last = |run: &RunId| state.runs.get(run).map_or(0, |run| run.attempts);
    let mut there = BTreeSet::new();
    // What is here as well is looked at there: its folder may have been wiped.
    for ((run, path), _) in needed.paths.iter().filter(|(_, here)| !**here) {
        if left::target_with(context, *run, last(run), path)?.as_deref() == Some(target) {
            there.insert((*run, path.clone()));
        }
    }
    needed.paths.retain(|path, _| !there.contains(path));
    Ok(Ok(needed))
}

/// Whether home has a checkpoint as it was recorded last.
fn is_here(context: &Context, state: &HomeState, run: RunId, path: &Inner) -> Result<bool, HomeError> {
    let place = context.home.run(run).join(path.as_str());
    let Some((run, sweep)) = with_sweep(state, run) else { return Ok(false) };
    let found = steer::checkpoints_of(context, run.id, sweep, AttemptNo(run.attempts))?;
    let known = [&found.latest, &found.best].into_iter().flatten().any(|known| *known == place);
    Ok(known && found.is_here(&place))
}

/// Sends it there, from home or from where it is. What is in the way of that, if something is.
pub(crate) fn send(
    context: &Context,
    target: (&str, &Way),
    needed: &Needed,
    (known, since): (&mut Known, Instant),
    tick: &mut dyn FnMut(&Going),
) -> Result<Option<Hindrance>, Lost> {
    for (run, path) in &needed.home {
        if let Some(why) = bring_home(target.1, (*run, path), &Folder::made(&context.home.run(*run))?, tick)? {
            return Ok(Some(Hindrance::Never(why)));
        }
    }
    for input in &needed.inputs {
        if let Some(why) = pushed::bring(target.1, input, (known, since), tick)? {
            return Ok(Some(Hindrance::Unfit(why)));
        }
    }
    Ok(send_checkpoints(context, target, needed)?.map(Hindrance::Never))
}

fn send_checkpoints(context: &Context, (name, way): (&str, &Way), needed: &Needed) -> Result<Option<String>, Lost> {
    for ((run, path), is_here) in &needed.paths {
        let folder = Folder::made(&context.home.run(*run))?;
        if !is_here {
            let last = context.home.read().map_err(HomeError::from)?.state.runs.get(run).map_or(0, |run| run.attempts);
            if let Some(other) = left::target_with(context, *run, last, path)?.filter(|other| other != name) {
                if let Some(refused) = refused::of(context, &other).filter(Refused::is_left_to_the_user) {
                    return Err(Lost::Elsewhere(format!("{other} {}", refused.words(&other))));
                }
                let brought = Way::open(context, &other, &|_, _| {}).and_then(|way| bring_home(&way, (*run, path), &folder, &mut |_| {}));
                // What cannot be had is found missing then.
                brought.map_err(|lost| lost.at(&other))?;
            }
        }
        let entries = folder.list(&left::exactly([path.clone()]))?.entries;
        if entries.is_empty() {
            return Ok(Some(format!("'{path}' of run {run}, which it goes on from, is neither here nor on {name}")));
        }
        if let Some(why) = brought(way, &folder, *run, entries)? {
            return Ok(Some(why));
        }
    }
    if let Some(run) = needed.stage {
        let folder = Folder::open(&context.home.run(run))?;
        let stage = Inner::try_from(STAGE.to_string()).map_err(HomeError::Failed)?;
        return brought(way, &folder, run, vec![folder.entry(&stage)?]);
    }
    Ok(None)
}

/// From the target where it is. Why it cannot be had, if it cannot.
fn bring_home(way: &Way, (run, path): (RunId, &Inner), folder: &Folder, tick: &mut dyn FnMut(&Going)) -> Result<Option<String>, Lost> {
    let ground = Ground::Run(run);
    let listing = list(way, &ground, &left::exactly([path.clone()]))?;
    if listing.entries.is_empty() {
        return Ok(Some(format!("'{path}' of run {run} is not there any more")));
    }
    let wanted = listing.entries.into_iter().map(|entry| Traveller { from: entry.path.clone(), to: entry });
    Ok(fetch(way, &ground, folder, wanted.collect(), tick)?.failed.pop())
}

fn brought(way: &Way, folder: &Folder, run: RunId, entries: Vec<Entry>) -> Result<Option<String>, Lost> {
    let all = entries.into_iter().map(|entry| Traveller { from: entry.path.clone(), to: entry }).collect();
    Ok(push(way, folder, &Ground::Run(run), all, &mut |_| {})?.failed.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_called_by_its_place_in_whichever_home_it_is() {
        let (here, there) = (Path::new("/home/me/neronet"), Path::new("/data/neronet/HOME/gpu1"));
        let handed = |path: &str| relative(here, path.to_string());
        let taken = |path: &str| absolute(there, handed(path));
        assert_eq!(handed("/home/me/neronet/runs/5/work/ck/1.pt"), "runs/5/work/ck/1.pt");
        assert_eq!(taken("/home/me/neronet/runs/5/work/ck/1.pt"), "/data/neronet/HOME/gpu1/runs/5/work/ck/1.pt");
        // What lies elsewhere is called as it is there.
        for path in ["/scratch/me/1.pt", "/home/me/neronet/private/x", "ck/1.pt", "/home/me/neronet2/runs/5/a", "runs/../../x"] {
            assert_eq!(taken(path), path);
        }
    }
}
