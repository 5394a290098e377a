//! What is done to runs that are there: asked to end, begun again, tagged, noted, put in the trash and out of it.

use crate::build::{self, Unused};
use crate::context::Context;
use crate::error::HomeError;
use crate::live;
use crate::stages;
use crate::travel::left;
use crate::view::View;
use neronet_model::journal::{Entry, HomeState, Sweep};
use neronet_model::launch::Launch;
use neronet_model::run::Again;
use neronet_model::settings::{Command, Resume};
use neronet_model::{AttemptNo, Run, RunId, State, SweepId};
use neronet_store::{Locked, StoreError, files, reserve, spool};
use neronet_supervise::found::{self, Found};
use neronet_supervise::start::{self, How};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Asks runs to end. Gives those that had nothing to be asked, each with the reason.
pub fn ask(context: &Context, views: &[&View<'_>], how: How) -> Result<Vec<(RunId, String)>, HomeError> {
    let mut not_asked = Vec::new();
    let mut never_start = Vec::new();
    let mut elsewhere = Vec::new();
    for view in views {
        let n = AttemptNo(view.run().attempts);
        match view.state() {
            State::Queued | State::Starting | State::Running if view.is_elsewhere() => elsewhere.push(view.id),
            State::Ended => not_asked.push((view.id, format!("it has ended ({})", view.status()))),
            State::Queued => never_start.push(view.id),
            State::Starting if never_started(view) => {
                not_asked.push((view.id, "its start was cut short, and nobody is there to start it".into()));
            }
            State::Starting | State::Running => {
                let folder = context.home.attempt(view.id, n);
                if let Some(host) = start::host_elsewhere(&folder, n) {
                    not_asked.push((view.id, format!("it runs on {host}, and only there it can be asked")));
                } else if !start::ask(&folder, n, &context.user, how)? {
                    not_asked.push((view.id, "nothing of it runs here any more".into()));
                }
            }
        }
    }
    if !never_start.is_empty() || !elsewhere.is_empty() {
        let mut home = context.lock()?;
        // Some may have been given to a target just now.
        elsewhere.extend(never_start.extract_if(.., |run| home.queue().away(*run).is_some()));
        if !elsewhere.is_empty() {
            let (by, kill) = (context.user.clone(), how == How::Kill);
            home.decide(Entry::Asked { at: context.now(), runs: elsewhere, by, kill })?;
        }
        for run in never_start {
            if !end_before_start(context, &mut home, run)? {
                // It was started just now, and is asked like any other.
                let n = AttemptNo(home.state().runs.get(&run).map_or(1, |run| run.attempts));
                if !start::ask(&context.home.attempt(run, n), n, &context.user, how)? {
                    not_asked.push((run, "nothing of it runs here any more".into()));
                }
            }
        }
    }
    Ok(not_asked)
}

/// Sees to it that a queued run is not started. False when somebody is starting it at this moment.
fn end_before_start(context: &Context, home: &mut Locked, run: RunId) -> Result<bool, HomeError> {
    let n = AttemptNo(home.state().runs.get(&run).map_or(1, |run| run.attempts));
    // The claim: whoever would start it finds its folder taken.
    let folder = context.home.attempt(run, n);
    files::make_folder(folder.parent().unwrap_or(&folder))?;
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(false),
        made => made.map_err(StoreError::io("make the folder", &folder))?,
    }
    let end = live::stopped_before_start(n, &context.user, context.now());
    if let Err(e) = home.decide(Entry::Ended { run, end: Box::new(end) }) {
        std::fs::remove_dir(&folder).ok();
        return Err(e.into());
    }
    Ok(true)
}

/// What `[resume]` hands over: the latest checkpoint, but where it names the best alone that.
pub fn handed_over<'f>(found: &'f Found, resume: &Resume) -> Option<&'f Path> {
    let best = found.best.as_deref().filter(|_| names_the_best_alone(resume));
    best.or(found.latest.as_deref())
}

pub fn names_the_best_alone(resume: &Resume) -> bool {
    let text = match resume {
        Resume::Arguments(text) | Resume::Command(Command::Shell(text)) => text.clone(),
        Resume::Command(Command::Argv(words)) => words.join(" "),
        Resume::Automatic => return false,
    };
    text.contains("{checkpoint.best}") && !text.contains("{checkpoint}")
}

/// The complete checkpoints of a run: what its attempts recorded, looked at again as it is now. What is on a target alone has the place
/// in home where it would come to.
pub fn find_checkpoints(context: &Context, view: &View<'_>) -> Result<Found, HomeError> {
    checkpoints_of(context, view.id, view.sweep, AttemptNo(view.run().attempts))
}

pub(crate) fn checkpoints_of(context: &Context, run: RunId, sweep: &Sweep, last: AttemptNo) -> Result<Found, HomeError> {
    checkpoints_among(context, run, sweep, &(1..=last.0).map(AttemptNo).collect::<Vec<_>>())
}

/// The same, of some of its attempts.
pub(crate) fn checkpoints_among(context: &Context, run: RunId, sweep: &Sweep, attempts: &[AttemptNo]) -> Result<Found, HomeError> {
    let goal = sweep.settings.objectives.first().map(|objective| objective.goal);
    let home = context.home.uid()?;
    let elsewhere = |launch: &Launch| home.is_some_and(|home| left::target_of(home, run, launch).is_some());
    Ok(found::checkpoints_of(&context.home.run(run), attempts, goal, &elsewhere)?)
}

/// The step that a run is left with, where all before it ended well. Attempts that were decided on and never begun changed nothing.
pub(crate) fn step_left(context: &Context, run: &Run, sweep: &Sweep) -> Result<Option<String>, HomeError> {
    if sweep.settings.then.is_empty() {
        return Ok(None);
    }
    for n in (1..=run.attempts).rev().map(AttemptNo) {
        let attempt = spool::attempt(&context.home.attempt(run.id, n), n)?;
        if attempt.begun.is_some() {
            return Ok(attempt.first_step_left().map(|step| step.name.clone()));
        }
    }
    Ok(None)
}

/// Queued, with nobody left to start it; or its start was cut short.
pub(crate) fn never_started(view: &View<'_>) -> bool {
    view.is_driverless() && view.attempt().is_none_or(|attempt| attempt.keeper.is_none())
}

pub fn tag(context: &Context, runs: &[RunId], add: Vec<String>, remove: Vec<String>) -> Result<(), HomeError> {
    add.iter().chain(&remove).try_for_each(|tag| may_be_tag(tag))?;
    Ok(context.lock()?.decide(context.keyed(Entry::Tagged { runs: runs.to_vec(), add, remove }))?)
}

/// Refuses what could not be asked for.
pub(crate) fn may_be_tag(tag: &str) -> Result<(), HomeError> {
    if tag.is_empty() || tag.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@') {
        return Err(HomeError::Words(format!("'{}' is no tag: a tag is one word without @", tag.escape_debug())));
    }
    Ok(())
}

pub fn note(context: &Context, run: RunId, note: Option<String>) -> Result<(), HomeError> {
    Ok(context.lock()?.decide(context.keyed(Entry::Noted { run, note }))?)
}

/// Puts runs in the trash. Refused while one of them runs, or is about to.
pub fn trash(context: &Context, views: &[&View<'_>]) -> Result<(), HomeError> {
    may_be_removed(context, views)?;
    let mut home = context.lock()?;
    if let Some(view) = views.iter().find(|view| view.state() != State::Ended && home.queue().away(view.id).is_some()) {
        return Err(in_the_way(view));
    }
    // Whoever is to start a queued run may not have said so yet: it must find that the run has ended.
    for view in views.iter().filter(|view| view.state() == State::Queued) {
        if !end_before_start(context, &mut home, view.id)? {
            return Err(in_the_way(view));
        }
    }
    let runs = views.iter().map(|view| view.id).collect();
    Ok(home.decide(context.keyed(Entry::Trashed { at: context.now(), runs }))?)
}

/// Refuses runs that run or are about to.
pub fn may_be_removed(context: &Context, views: &[&View<'_>]) -> Result<(), HomeError> {
    let stranded = |view: &View<'_>| never_started(view) && !just_claimed(context, view);
    views.iter().find(|view| view.state() != State::Ended && !stranded(view)).map_or(Ok(()), |view| Err(in_the_way(view)))
}

fn in_the_way(view: &View<'_>) -> HomeError {
    let id = view.id;
    HomeError::Failed(format!("run {id} is {}: nothing was removed; `neronet stop {id}` first", view.state()))
}

/// Its folder is so new that a keeper is probably about to begin in it, whoever started that.
fn just_claimed(context: &Context, view: &View<'_>) -> bool {
    let folder = context.home.attempt(view.id, AttemptNo(view.run().attempts));
    let age = folder.metadata().and_then(|meta| meta.modified()).ok().and_then(|made| made.elapsed().ok());
    age.is_some_and(|age| age < Duration::from_secs(10))
}

pub fn restore(context: &Context, runs: Vec<RunId>) -> Result<(), HomeError> {
    Ok(context.lock()?.decide(context.keyed(Entry::Restored { runs }))?)
}

/// Takes trashed runs from the disk for good: the journal first, so that a run is never half there. What a crash leaves of their folders
/// is found by `gc`, as the journal says that they were removed. Gives those that were still in the trash.
pub fn purge(context: &Context, mut runs: Vec<RunId>) -> Result<Vec<RunId>, HomeError> {
    let mut home = context.lock()?;
    runs.retain(|run| home.state().runs.get(run).is_some_and(|run| run.trashed.is_some()));
    let known: Vec<&Run> = runs.iter().filter_map(|run| home.state().runs.get(run)).collect();
    let sweeps: BTreeSet<SweepId> = known.iter().map(|run| run.sweep).collect();
    let cached: Vec<PathBuf> = known.iter().filter_map(|run| context.stored_series(run)).collect();
    reserve::with(context.home.root(), || home.decide(Entry::Purged { runs: runs.clone() }))?;
    let mut left = Vec::new();
    cached.iter().for_each(|cached| drop(std::fs::remove_file(cached)));
    // The submitter's environment stays for as long as a run may be begun again in it.
    for sweep in sweeps.into_iter().filter(|sweep| home.state().runs.values().all(|run| run.sweep != *sweep)) {
        let path = context.home.environment_of(sweep);
        left.extend(
            std::fs::remove_file(&path).err().filter(|e| e.kind() != ErrorKind::NotFound).map(|e| format!("{}: {e}", path.display())),
        );
    }
    let builds = build::unused(context, home.state());
    drop(home);
    let removed = runs.iter().map(|run| files::remove_folder(&context.home.run(*run)));
    left.extend(removed.chain(builds.into_iter().map(Unused::remove)).filter_map(|removed| Some(removed.err()?.to_string())));
    if left.is_empty() {
        Ok(runs)
    } else {
        Err(HomeError::Failed(format!("what could not be removed is yours to remove: {}", left.join("; "))))
    }
}

/// Bytes below a folder, as the disk counts them.
pub fn disk_use(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let one = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_use(&entry.path()),
        Ok(meta) => meta.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(one).sum()
}

/// Runs outside `runs` that go on from one of them, or were resumed from a checkpoint in one.
pub fn dependants(context: &Context, state: &HomeState, runs: &[RunId]) -> Vec<RunId> {
    let inside = |path: &str| runs.iter().any(|run| Path::new(path).starts_with(context.home.run(*run)));
    let resumed = state.decisions.values();
    let resumed = resumed.filter(|decision| matches!(&decision.again, Again::Resume { checkpoint: Some(path), .. } if inside(path)));
    let after = state.runs.briefs().filter(|(id, run)| {
        let best_of = state.sweeps.get(&run.sweep).is_some_and(|sweep| !sweep.best_of.is_empty());
        let after = run.after.or_else(|| stages::chosen(context, *id).filter(|_| best_of));
        run.trashed.is_none() && after.is_some_and(|after| runs.contains(&after))
    });
    let all: BTreeSet<RunId> = resumed.map(|decision| decision.run).chain(after.map(|(id, _)| id)).collect();
    all.into_iter().filter(|run| !runs.contains(run)).collect()
}
