//! Whether a run may start that goes on from a run of another experiment.

use crate::begin::Frozen;
use crate::context::Context;
use crate::error::HomeError;
use crate::objective::{self, Telling};
use crate::select::spans;
use crate::view::{Snapshot, View};
use neronet_model::journal::{HomeState, Sweep};
use neronet_model::{Outcome, Run, RunId, State};

/// How a run stands that another one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Runs,
    /// Nobody is there to start it.
    Stranded,
    Ended(Outcome),
    Gone,
}

pub(crate) enum May {
    /// From this run, where it goes on from one.
    Start(Option<RunId>),
    Wait,
    /// What it goes on from never will be there.
    Never(String),
}

/// The runs that a run waits for.
pub(crate) fn before<'a>(run: &'a Run, sweep: &'a Sweep) -> &'a [RunId] {
    match &run.after {
        Some(after) => std::slice::from_ref(after),
        None => &sweep.best_of,
    }
}

/// What a run waits for, in words; nothing where all of it is known to have ended.
pub(crate) fn waits_for(state: &HomeState, run: &Run, sweep: &Sweep) -> Option<String> {
    let waits = |before: &RunId| state.runs.get(before).is_some_and(|before| before.known_end.is_none());
    if !before(run, sweep).iter().any(waits) {
        return None;
    }
    Some(match run.after {
        Some(before) => format!("after run {before}"),
        None => format!("after the best of {}", named(&sweep.best_of)),
    })
}

fn named(runs: &[RunId]) -> String {
    format!("{} {}", if runs.len() == 1 { "run" } else { "runs" }, spans(runs))
}

pub(crate) fn may_start(context: &Context, run: &Run, sweep: &Sweep, mut stands: impl FnMut(RunId) -> Before) -> Result<May, HomeError> {
    // What was chosen once stays so for further attempts.
    if let Some(after) = run.after.or_else(|| chosen(context, run.id).filter(|_| !sweep.best_of.is_empty())) {
        return Ok(match stands(after) {
            Before::Runs | Before::Stranded => May::Wait,
            Before::Ended(Outcome::Finished) => May::Start(Some(after)),
            Before::Ended(outcome) => May::Never(format!("run {after}, which it goes on from, {}", ended_so(outcome))),
            Before::Gone => May::Never(format!("run {after}, which it goes on from, was removed")),
        });
    }
    let mut finished = Vec::new();
    for before in &sweep.best_of {
        match stands(*before) {
            Before::Runs | Before::Stranded => return Ok(May::Wait),
            Before::Ended(Outcome::Finished) => finished.push(*before),
            Before::Ended(_) | Before::Gone => {}
        }
    }
    if sweep.best_of.is_empty() {
        return Ok(May::Start(None));
    }
    best(context, run.id, &finished, &sweep.best_of)
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

fn best(context: &Context, run: RunId, finished: &[RunId], all: &[RunId]) -> Result<May, HomeError> {
    let snapshot = Snapshot::read(context)?;
    let views: Vec<View<'_>> = finished.iter().filter_map(|run| snapshot.view_of(context, *run)).collect();
    let views: Vec<&View<'_>> = views.iter().collect();
    let never = |why: &str| Ok(May::Never(format!("it goes on from the best of {}, and {why}", named(all))));
    let only = match views.as_slice() {
        [] => return never("none of them finished"),
        [only] => Some(only.run.id),
        _ => None,
    };
    let telling = objective::telling(&views);
    let Some(telling) = telling.iter().find(|telling| telling.goal.is_some()) else {
        return only
            .map_or_else(|| never("nothing tells which that is: give their experiment an objective"), |only| Ok(May::Start(Some(only))));
    };
    let Some(best) = telling.best(&views).map(|(view, _)| view.run.id).or(only) else {
        return never(&format!("none of them has a value of {}", telling.metric));
    };
    (context.say)(&format!("run {run} goes on from run {best}, the best of {} by {}", named(all), title(telling)));
    Ok(May::Start(Some(best)))
}

fn title(telling: &Telling) -> String {
    if telling.guessed { format!("{} (a guess from its name)", telling.metric) } else { telling.title() }
}

/// How a run stands that this process does not carry out.
pub(crate) fn elsewhere(context: &Context, run: RunId) -> Before {
    let Ok(snapshot) = Snapshot::read(context) else { return Before::Runs };
    match snapshot.view_of(context, run) {
        None => Before::Gone,
        Some(View { state: State::Ended, outcome: Some(outcome), .. }) => Before::Ended(outcome),
        Some(View { state: State::Queued, driverless: true, .. }) => Before::Stranded,
        Some(_) => Before::Runs,
    }
}
