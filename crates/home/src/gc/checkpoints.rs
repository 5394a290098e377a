//! Checkpoints of ended runs beyond what is to be kept: by the rules of `[checkpoints] keep` while a run runs, from what is on record.
//! What goes is recorded beside the attempt before it goes; a crash in between leaves a file that goes the next time.

use super::{Asked, Collected, Found, Item, Kind, needed};
use crate::context::Context;
use crate::error::HomeError;
use crate::view::Snapshot;
use neronet_model::event::Checkpoint;
use neronet_model::journal::{HomeState, Sweep};
use neronet_model::left::Left;
use neronet_model::runs::Known;
use neronet_model::settings::{Goal, Keep};
use neronet_model::{AttemptNo, Run, RunId};
use neronet_store::deleted::{self, Deleted};
use neronet_store::walk::{Size, Walk};
use neronet_store::{StoreError, reserve, spool};
use neronet_supervise::checkpoints::is_as_recorded;
use neronet_supervise::keep::{self, Candidate, lies_within};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn find(context: &Context, snapshot: &Snapshot, asked: Asked<'_>, walk: &mut Walk<'_>, found: &mut Found, tell: &dyn Fn(u64)) {
    let state = &snapshot.state;
    let needed = needed::by_others(context, state);
    let chosen = |run: &Known<'_>| asked.runs.is_none_or(|runs| runs.contains(&run.id()));
    for (at, run) in snapshot.runs().filter(chosen).map(Known::whole).enumerate() {
        tell(at as u64);
        let Some((sweep, keep)) = policy(state, run, asked.keep) else { continue };
        let all = match surplus(&context.home.run(run.id), run, sweep, keep) {
            Ok(all) if all.is_empty() => continue,
            Ok(all) => all,
            Err(e) => {
                found.notes.push(format!("run {}: {e}", run.id));
                continue;
            }
        };
        let sized = all.iter().map(|goes| (goes, walk.size(&goes.path)));
        if is_protected(run) || needed.contains(&run.id) {
            let runs = if is_protected(run) { &mut found.protected } else { &mut found.needed };
            runs.push(run.id);
            sized.for_each(|(_, size)| found.protected_size += size);
            continue;
        }
        let why = why(keep);
        found.items.extend(sized.map(|(goes, size)| item(run.id, goes, size, &why)));
    }
}

fn item(run: RunId, goes: &Goes, size: Size, why: &str) -> Item {
    Item { kind: Kind::Checkpoints, run: Some(run), path: goes.path.clone(), size, why: why.into() }
}

fn why(keep: Keep) -> String {
    format!("beyond keep = {{ best = {}, last = {} }}", keep.best, keep.last)
}

fn is_protected(run: &Run) -> bool {
    !run.tags.is_empty() || run.note.is_some()
}

/// What is to be kept of a run, if it has ended and in a copy of its own.
fn policy<'s>(state: &'s HomeState, run: &Run, keep: Option<Keep>) -> Option<(&'s Sweep, Keep)> {
    let sweep = state.sweeps.get(&run.sweep)?;
    let collectable = run.ending.is_some() && run.trashed.is_none() && sweep.code.snapshot.is_some();
    Some((sweep, keep.or(sweep.settings.checkpoints.keep).filter(|_| collectable)?))
}

/// A checkpoint that may go.
struct Goes {
    path: PathBuf,
    /// As these attempts have it on record; with none it was decided on before.
    recorded: Vec<(AttemptNo, Checkpoint)>,
}

/// What may go of a run: only what is as it was recorded, and lies in the run's own folder.
fn surplus(folder: &Path, run: &Run, sweep: &Sweep, keep: Keep) -> Result<Vec<Goes>, StoreError> {
    let mut known: BTreeMap<PathBuf, Vec<(AttemptNo, Checkpoint)>> = BTreeMap::new();
    let mut decided: BTreeMap<PathBuf, Checkpoint> = BTreeMap::new();
    let mut artifacts: BTreeSet<PathBuf> = BTreeSet::new();
    for n in (1..=run.attempts).map(AttemptNo) {
        let attempt = folder.join("attempts").join(n.to_string());
        let Some(launch) = spool::launch(&attempt)? else { continue };
        for checkpoint in spool::attempt(&attempt, n)?.checkpoints {
            if let Some(path) = spool::here(folder, &launch, &checkpoint.path) {
                decided.remove(&path);
                known.entry(path).or_default().push((n, checkpoint));
            }
        }
        for Deleted { checkpoint, .. } in deleted::read(&attempt)? {
            decided.extend(spool::here(folder, &launch, &checkpoint.path).map(|path| (path, checkpoint)));
        }
        // What `[outputs] keep` names is wanted for another reason.
        let artifact = |left: &Left| if let Left::Artifact(artifact) = left { spool::here(folder, &launch, &artifact.path) } else { None };
        artifacts.extend(spool::left(&attempt)?.iter().filter_map(artifact));
    }
    let may_go = |path: &Path| is_the_scripts(path, folder) && !artifacts.iter().any(|artifact| artifact.starts_with(path));
    let again = decided.into_iter().filter(|(path, recorded)| !known.contains_key(path) && is_as_recorded(path, recorded) && may_go(path));
    let mut all: Vec<Goes> = again.map(|(path, _)| Goes { path, recorded: Vec::new() }).collect();
    // Of a path that was written again the last counts.
    let there: Vec<_> = known.into_iter().filter(|(path, all)| all.last().is_some_and(|(_, last)| is_as_recorded(path, last))).collect();
    let goal = sweep.settings.objectives.first().map(|objective| objective.goal);
    let candidates: Vec<Candidate> = there.iter().filter_map(|(_, all)| all.last()).map(|(_, last)| candidate(last, goal)).collect();
    let surplus = keep::surplus(keep, goal, &candidates);
    let going = there.into_iter().zip(surplus).filter(|((path, _), goes)| *goes && may_go(path));
    all.extend(going.map(|((path, recorded), _)| Goes { path, recorded }));
    Ok(all)
}

/// Whether it lies where scripts write, and not behind a link: what a pattern may match beside that is our own.
fn is_the_scripts(path: &Path, folder: &Path) -> bool {
    ["work", "checkpoints"].iter().map(|name| folder.join(name)).any(|place| !place.is_symlink() && lies_within(path, &place))
}

fn candidate(recorded: &Checkpoint, goal: Option<Goal>) -> Candidate {
    Candidate { modified: recorded.modified, sure: true, rank: goal.and_then(|goal| keep::rank_on_record(recorded, goal)) }
}

/// Takes them away, run by run. Home is ours meanwhile: nobody begins a run again that is just losing what it would go on from.
pub(super) fn collect(context: &Context, found: &Found, keep: Option<Keep>, done: &mut Collected, tell: &dyn Fn(u64)) {
    let of = found.items.iter().filter(|item| item.kind == Kind::Checkpoints);
    let mut sizes: BTreeMap<RunId, BTreeMap<&Path, &Item>> = BTreeMap::new();
    for item in of {
        sizes.entry(item.run.unwrap_or(RunId(0))).or_default().insert(&item.path, item);
    }
    let mut known: Option<(Arc<HomeState>, BTreeSet<RunId>)> = None;
    for (at, (run, items)) in sizes.into_iter().enumerate() {
        tell(at as u64);
        if let Err(e) = of_run(context, run, &items, keep, &mut known, done) {
            done.failed.push(format!("run {run}: {e}"));
        }
    }
}

fn of_run(
    context: &Context,
    run: RunId,
    items: &BTreeMap<&Path, &Item>,
    keep: Option<Keep>,
    known: &mut Option<(Arc<HomeState>, BTreeSet<RunId>)>,
    done: &mut Collected,
) -> Result<(), HomeError> {
    let home = context.lock()?;
    let state = home.replayed().state;
    // The journal grew since: other runs may go on from this one now.
    if known.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, &state)) {
        *known = Some((Arc::clone(&state), needed::by_others(context, &state)));
    }
    let is_needed = known.as_ref().is_none_or(|(_, needed)| needed.contains(&run));
    let Some(run) = state.runs.get(&run).filter(|run| !is_needed && !is_protected(run)) else { return Ok(()) };
    let Some((sweep, keep)) = policy(&state, run, keep) else { return Ok(()) };
    let folder = context.home.run(run.id);
    let going: Vec<Goes> = surplus(&folder, run, sweep, keep)?.into_iter().filter(|goes| items.contains_key(goes.path.as_path())).collect();
    let mut records: BTreeMap<AttemptNo, Vec<Deleted>> = BTreeMap::new();
    for (n, checkpoint) in going.iter().flat_map(|goes| &goes.recorded) {
        records.entry(*n).or_default().push(Deleted { at: context.now(), checkpoint: checkpoint.clone() });
    }
    for (n, records) in records {
        let attempt = context.home.attempt(run.id, n);
        reserve::with(context.home.root(), || deleted::append(&attempt, &records))?;
    }
    for item in going.iter().filter_map(|goes| items.get(goes.path.as_path())) {
        done.take(item, super::remove(&item.path));
    }
    drop(home);
    Ok(())
}
