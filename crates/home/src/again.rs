//! Another attempt of runs that ended: once more, from a checkpoint, or with the step that is left. Somebody asks for it, or it is
//! decided on by itself when a run has failed.

use crate::context::Context;
use crate::error::HomeError;
use crate::steer::{checkpoints_of, find_checkpoints, handed_over, never_started, step_left};
use crate::travel::needed;
use crate::view::{Snapshot, View};
use neronet_model::journal::{Entry, Sweep};
use neronet_model::run::{Again, Decision};
use neronet_model::settings::Resume;
use neronet_model::{AttemptNo, Outcome, Run, RunId, State};
use neronet_store::spool;
use neronet_supervise::found::Found;
use neronet_supervise::os::process;
use std::path::Path;

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// From scratch, or with the step that is left.
    Retry,
    /// From a checkpoint.
    Resume,
}

/// What was decided on.
#[derive(Debug)]
pub struct Begun {
    pub runs: Vec<RunId>,
    /// Sentences that the researcher should read.
    pub notes: Vec<String>,
}

/// Decides on another attempt of these ended runs, of several only of those that did not finish. `here`: this process starts them,
/// else whoever keeps the queue.
pub fn begin(context: &Context, chosen: &[&View<'_>], wanted: Wanted, here: bool) -> Result<Begun, HomeError> {
    // Of one that is named alone it is meant, of many it would be a surprise.
    let (finished, again): (Vec<&View<'_>>, Vec<_>) =
        chosen.iter().copied().partition(|view| chosen.len() > 1 && view.outcome() == Some(Outcome::Finished));
    let mut notes = Vec::new();
    if let Some(first) = finished.first() {
        let runs = if finished.len() == 1 { "1 finished run".to_string() } else { format!("{} finished runs", finished.len()) };
        notes.push(format!("{runs} left out; one named alone is begun again, such as {}", first.id));
    }
    again.iter().try_for_each(|view| may_begin_again(view))?;
    if again.is_empty() {
        return Err(HomeError::Failed("none of them is left to begin again".into()));
    }
    // All are looked at before the first is decided on: of a wrong list nothing is started.
    let mut decided = Vec::new();
    for view in again {
        let how = match wanted {
            Wanted::Retry => retried(context, view, &mut notes)?,
            Wanted::Resume => resumed(context, view, &mut notes)?,
        };
        decided.push((view.id, how));
    }
    let runs = decided.iter().map(|(run, _)| *run).collect();
    decide(context, decided, here, &notes)?;
    Ok(Begun { runs, notes })
}

/// Whether what it would go on from lies on a target alone: whoever keeps the queue has it brought.
///
/// # Errors
/// Its record cannot be read.
pub fn is_from_elsewhere(context: &Context, snapshot: &Snapshot, view: &View<'_>, wanted: Wanted) -> Result<bool, HomeError> {
    let resumed = wanted == Wanted::Resume && !find_checkpoints(context, view)?.away.is_empty();
    Ok(resumed || needed::elsewhere(context, &snapshot.state, view.id)?.is_some())
}

/// Refuses a run that runs or is about to.
fn may_begin_again(view: &View<'_>) -> Result<(), HomeError> {
    let id = view.id;
    if let Some(imported) = &view.sweep.imported {
        return Err(HomeError::Failed(format!(
            "run {id} was imported from {}: its record is here and not what it ran with, so it cannot be started again",
            imported.from
        )));
    }
    if view.state() == State::Ended || never_started(view) {
        return Ok(());
    }
    let asked = view.attempt().is_some_and(|attempt| attempt.asked.is_some());
    Err(HomeError::Failed(match asked {
        true => format!("run {id} was asked to stop and has not ended yet: `neronet logs -f {id}` waits for its end"),
        false => format!("run {id} is {}: `neronet stop {id}` first", view.status()),
    }))
}

fn retried(context: &Context, view: &View<'_>, notes: &mut Vec<String>) -> Result<Again, HomeError> {
    let Some(step) = step_left(context, view.run(), view.sweep)? else { return Ok(Again::Retry) };
    notes.push(format!("run {} goes on with step {step}: what came before it ended well", view.id));
    Ok(Again::Resume { checkpoint: None, best: None, step: Some(step) })
}

fn resumed(context: &Context, view: &View<'_>, notes: &mut Vec<String>) -> Result<Again, HomeError> {
    let id = view.id;
    let Some(resume) = &view.sweep.settings.resume else {
        return Err(HomeError::Failed(format!(
            "run {id}: its specification has no [resume], so neronet does not know how it goes on.\n\
             Add for instance [resume] arguments = \"--resume {{checkpoint}}\"; `neronet retry {id}` starts it from scratch"
        )));
    };
    let found = find_checkpoints(context, view)?;
    if *resume == Resume::Automatic {
        // The script finds its own; what is known is told nevertheless.
        return Ok(from_checkpoint(&found, resume).unwrap_or(by_its_own()));
    }
    let passed_over: Vec<String> = found.passed_over.iter().map(|word| format!("checkpoint passed over: {word}")).collect();
    let (Some(path), Some(again)) = (handed_over(&found, resume), from_checkpoint(&found, resume)) else {
        let paths = view.sweep.settings.checkpoints.paths.join(", ");
        let passed_over: String = passed_over.iter().map(|word| format!("; {word}")).collect();
        return Err(HomeError::Failed(format!(
            "run {id} has no complete checkpoint to go on from (looked for {paths}{passed_over}); `neronet retry {id}` starts it from scratch"
        )));
    };
    notes.extend(passed_over.into_iter().map(|word| format!("run {id}: {word}")));
    notes.push(format!("run {id} goes on from {}", path.display()));
    Ok(again)
}

/// From where a run goes on that is tried again by itself: with the step that is left, from its latest checkpoint, or from scratch.
/// `changed`: with other parameters, so that no step stands.
pub(crate) fn by_itself(context: &Context, run: &Run, sweep: &Sweep, attempt: AttemptNo, changed: bool) -> Result<Again, HomeError> {
    if let Some(step) = step_left(context, run, sweep)?.filter(|_| !changed) {
        return Ok(Again::Resume { checkpoint: None, best: None, step: Some(step) });
    }
    let Some(resume) = &sweep.settings.resume else { return Ok(Again::Retry) };
    let found = checkpoints_of(context, run.id, sweep, AttemptNo(attempt.0.max(2) - 1))?;
    if let Some(again) = from_checkpoint(&found, resume) {
        return Ok(again);
    }
    let begun = || spool::attempt(&context.home.attempt(run.id, AttemptNo(1)), AttemptNo(1)).is_ok_and(|first| first.begun.is_some());
    Ok(if *resume == Resume::Automatic && begun() { by_its_own() } else { Again::Retry })
}

/// As `[resume]` says; nothing where there is no complete checkpoint.
fn from_checkpoint(found: &Found, resume: &Resume) -> Option<Again> {
    let text = |path: &Path| path.display().to_string();
    let path = if *resume == Resume::Automatic { found.latest.as_deref() } else { handed_over(found, resume) };
    Some(Again::Resume { checkpoint: Some(text(path?)), best: found.best.as_deref().map(text), step: None })
}

/// The script looks for what it goes on from.
fn by_its_own() -> Again {
    Again::Resume { checkpoint: None, best: None, step: None }
}

fn decide(context: &Context, runs: Vec<(RunId, Again)>, here: bool, notes: &[String]) -> Result<(), HomeError> {
    let mut home = context.lock()?;
    let snapshot = Snapshot::of(context, &home);
    let mut entries = Vec::new();
    for (run, again) in runs {
        let view = snapshot.view_of(context, run).ok_or_else(|| HomeError::Words(format!("there is no run {run}")))?;
        may_begin_again(&view)?;
        // Since it was looked up, `gc` may have taken it. What is on a target is not taken by ours.
        if let Again::Resume { checkpoint: Some(path), .. } = &again
            && !Path::new(path).exists()
            && !find_checkpoints(context, &view)?.away.iter().any(|away| away == Path::new(path))
        {
            return Err(HomeError::Failed(format!("run {run}: {path} was deleted just now; ask once more")));
        }
        // What a target did of an attempt that it never began is not seen here.
        let there = snapshot.queue.away(run).is_some();
        let started = there || context.home.attempt(run, AttemptNo(view.run().attempts)).exists();
        let attempt = AttemptNo(if started { view.run().attempts + 1 } else { view.run().attempts });
        let decision = Decision::new(run, attempt, again, here.then(process::myself));
        entries.push(Entry::Decided { at: context.now(), decision });
    }
    drop(snapshot);
    Ok(home.decide(context.keyed_with(Entry::Together(entries), notes))?)
}
