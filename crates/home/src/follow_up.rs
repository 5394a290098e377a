//! What is decided by itself when a run has ended badly: `schedule` says whether, here it becomes entries of the journal.

use crate::again;
use crate::context::Context;
use crate::error::HomeError;
use neronet_model::event::Process;
use neronet_model::journal::{Entry, HomeState};
use neronet_model::run::{Decision, KnownEnd};
use neronet_model::{AttemptNo, Params, RunId};
use neronet_schedule::{FollowUp, Policy, Queue};
use neronet_store::Locked;
use neronet_supervise::start;

/// Writes an end down with what follows from it, in one record. False where somebody else has learned it meanwhile.
pub(crate) fn learn(home: &mut Locked, run: RunId, end: &KnownEnd, follow_ups: Vec<Entry>) -> Result<bool, HomeError> {
    if !home.queue().awaits(run, end.attempt.n) {
        return Ok(false);
    }
    let ended = Entry::Ended { run, end: Box::new(end.clone()) };
    match follow_ups.is_empty() {
        true => home.learn(ended)?,
        false => home.decide(Entry::Together([vec![ended], follow_ups].concat()))?,
    }
    Ok(true)
}

/// For an end that is not on record yet. `driver` starts the attempts that follow; without one whoever keeps the queue does.
pub(crate) fn entries(
    context: &Context,
    (state, queue): (&HomeState, &Queue),
    run: RunId,
    end: &KnownEnd,
    driver: Option<&Process>,
) -> Result<Vec<Entry>, HomeError> {
    let Some((run, sweep)) = state.runs.get(&run).and_then(|run| Some((run, state.sweeps.get(&run.sweep)?))) else {
        return Ok(Vec::new());
    };
    // Nobody may have seen that it ended of this: its keeper was killed, or it ended badly at that moment.
    let stopped = start::asked_by(&context.home.attempt(run.id, end.attempt.n)).is_some();
    let policy = Policy { retry: &sweep.settings.retry, hold_after: sweep.wishes.hold_after };
    let mut entries = Vec::new();
    for follow_up in queue.follow_up(run.id, end, policy) {
        match follow_up {
            FollowUp::Again { .. } if stopped => {}
            FollowUp::Again { not_before, because, smaller } => {
                let (changes, because) = match smaller.then(|| neronet_spec::smaller(&sweep.settings, &run.as_changed())) {
                    None => (Params::new(), because),
                    Some(Ok(changes)) => {
                        let told: Vec<String> = changes.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                        (changes, format!("{because}, with {}", told.join(", ")))
                    }
                    // As small as it can be: another attempt would end the same way.
                    Some(Err(_)) => continue,
                };
                // A target may have begun it without having said so.
                let there = queue.away(run.id).is_some();
                let started = there || context.home.attempt(run.id, end.attempt.n).exists();
                let attempt = AttemptNo(if started { end.attempt.n.0 + 1 } else { end.attempt.n.0 });
                let again = again::by_itself(context, run, sweep, attempt, !changes.is_empty())?;
                let new = Decision::new(run.id, attempt, again, driver.cloned());
                let decision = Decision { because: Some(because), not_before, changes, ..new };
                entries.push(Entry::Decided { at: context.now(), decision });
            }
            FollowUp::Hold { runs, why, .. } => entries.push(Entry::Held { at: context.now(), runs, by: "neronet".into(), why: Some(why) }),
        }
    }
    Ok(entries)
}
