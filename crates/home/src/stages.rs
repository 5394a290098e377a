//! Whether a run may start that goes on from a run of another experiment.

use crate::begin::Frozen;
use crate::contact::is_coming;
use crate::context::Context;
use crate::error::HomeError;
use crate::filling::names_stage;
use crate::objective::{self, Telling};
use crate::select::spans;
use crate::steer::checkpoints_of;
use crate::there;
use crate::view::{Snapshot, View};
use neronet_model::journal::{HomeState, Sweep};
use neronet_model::{AttemptNo, Outcome, Run, RunId};

/// What a run is started from.
pub(crate) enum From {
    Run(Option<RunId>),
    /// There is none that it could go on from.
    Never(String),
}

fn named(runs: &[RunId]) -> String {
    format!("{} {}", if runs.len() == 1 { "run" } else { "runs" }, spans(runs))
}

/// The run that this one goes on from, now that all have ended that it waits for.
pub(crate) fn goes_on_from(context: &Context, run: &Run, sweep: &Sweep) -> Result<From, HomeError> {
    // What was chosen once stays so for further attempts.
    if let Some(after) = run.after.or_else(|| chosen(context, run.id).filter(|_| !sweep.best_of.is_empty())) {
        return Ok(From::Run(Some(after)));
    }
    if sweep.best_of.is_empty() {
        return Ok(From::Run(None));
    }
    let state = context.home.read()?.state;
    let outcome = |run: &RunId| Some(state.runs.get(run)?.ending.as_ref()?.outcome);
    let finished: Vec<RunId> = sweep.best_of.iter().copied().filter(|run| outcome(run) == Some(Outcome::Finished)).collect();
    drop(state);
    best(context, run.id, &finished, &sweep.best_of)
}

/// What a run waits for that may start otherwise: the checkpoint that it goes on from is still on its way home.
pub(crate) fn awaits(context: &Context, state: &HomeState, run: &Run) -> Option<String> {
    let sweep = state.sweeps.get(&run.sweep)?;
    let upstream: Vec<RunId> = run.after.into_iter().chain(sweep.best_of.iter().copied()).collect();
    if upstream.is_empty() || !names_stage(&there::here(sweep).settings) {
        return None;
    }
    let is_away = |run: &RunId| {
        let found = state.runs.get(run).and_then(|run| {
            let sweep = state.sweeps.get(&run.sweep)?;
            checkpoints_of(context, run.id, sweep, AttemptNo(run.attempts)).ok()
        });
        found.is_some_and(|found| !found.away.is_empty()) && is_coming(context, *run)
    };
    let from = upstream.iter().find(|run| is_away(run))?;
    Some(format!("waits for the checkpoint of run {from} to come home"))
}

/// Whether another run goes on from the checkpoints of this one.
pub(crate) fn is_gone_on_from(state: &HomeState, run: RunId) -> bool {
    let named = |sweep: &Sweep| names_stage(&there::here(sweep).settings);
    let best_of = state.sweeps.values().any(|sweep| sweep.best_of.contains(&run) && named(sweep));
    best_of
        || state
            .runs
            .briefs()
            .any(|(_, brief)| brief.after == Some(run) && state.sweeps.get(&brief.sweep).is_some_and(|sweep| named(sweep)))
}

/// Why a run will never start whose upstream ended so.
pub(crate) fn never(state: &HomeState, run: RunId, before: RunId, outcome: Option<Outcome>) -> String {
    let best_of =
        state.runs.get(&run).filter(|run| run.after.is_none()).and_then(|run| state.sweeps.get(&run.sweep)).map(|sweep| &sweep.best_of);
    if let Some(all) = best_of.filter(|all| !all.is_empty()) {
        return format!("it goes on from the best of {}, and none of them finished", named(all));
    }
    match outcome {
        Some(outcome) => format!("run {before}, which it goes on from, {}", ended_so(outcome)),
        None => format!("run {before}, which it goes on from, was removed"),
    }
}

fn ended_so(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Stopped => "was stopped",
        Outcome::Lost | Outcome::Unknown => "was lost",
        Outcome::Failed | Outcome::Finished => "failed",
    }
}

/// The run that another one was begun with.
pub fn chosen(context: &Context, run: RunId) -> Option<RunId> {
    Frozen::of(context, run)?.after
}

fn best(context: &Context, run: RunId, finished: &[RunId], all: &[RunId]) -> Result<From, HomeError> {
    let snapshot = Snapshot::read(context)?;
    let views: Vec<View<'_>> = finished.iter().filter_map(|run| snapshot.view_of(context, *run)).collect();
    let views: Vec<&View<'_>> = views.iter().collect();
    let never = |why: &str| Ok(From::Never(format!("it goes on from the best of {}, and {why}", named(all))));
    let only = match views.as_slice() {
        [] => return never("none of them finished"),
        [only] => Some(only.id),
        _ => None,
    };
    let telling = objective::telling(&views);
    let Some(telling) = telling.iter().find(|telling| telling.goal.is_some()) else {
        return only
            .map_or_else(|| never("nothing tells which that is: give their experiment an objective"), |only| Ok(From::Run(Some(only))));
    };
    let Some(best) = telling.best(&views).map(|(view, _)| view.id).or(only) else {
        return never(&format!("none of them has a value of {}", telling.metric));
    };
    (context.say)(&format!("run {run} goes on from run {best}, the best of {} by {}", named(all), title(telling)));
    Ok(From::Run(Some(best)))
}

fn title(telling: &Telling) -> String {
    if telling.guessed { format!("{} (a guess from its name)", telling.metric) } else { telling.title() }
}
