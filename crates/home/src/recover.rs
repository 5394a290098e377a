//! What became of attempts whose starter is gone: they run and are watched again, or ended, or were never begun.

use crate::context::Context;
use crate::live::{self, Live};
use crate::view::known_end;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, Run, RunId};
use neronet_store::journal::Replayed;
use neronet_store::spool;
use neronet_supervise::os::process::{self, Alive};
use neronet_supervise::start::{self, Watch};
use std::collections::BTreeSet;

pub(crate) enum Found {
    Lives(Box<Live>),
    Ended(Box<KnownEnd>),
    /// Nobody has begun it, nor will.
    NotBegun(AttemptNo),
}

/// Looks after all that were given something and are not among `ours`.
pub(crate) fn look(context: &Context, known: &Replayed, ours: &BTreeSet<RunId>) -> Vec<(RunId, Found)> {
    let of_nobody = |run: &RunId| {
        let starter = known.queue.starter(*run);
        !ours.contains(run)
            && known.queue.away(*run).is_none()
            && starter.is_none_or(|starter| *starter == process::myself() || process::alive(starter) == Alive::No)
    };
    let left = known.queue.granted().filter(|(run, _)| of_nobody(run));
    left.filter_map(|(id, n)| Some((id, one(context, known.state.runs.get(&id)?, n)?))).collect()
}

/// What became of an attempt, where that can be told from here.
pub(crate) fn one(context: &Context, run: &Run, n: AttemptNo) -> Option<Found> {
    let folder = context.home.attempt(run.id, n);
    if !folder.exists() {
        return Some(Found::NotBegun(n));
    }
    // One that cannot be read must not keep home from the others; `show` says what is wrong with it.
    let attempt = spool::attempt(&folder, n).ok()?;
    match start::watch(&folder, &attempt) {
        Watch::Complete => Some(Found::Ended(Box::new(known_end(context, run, attempt)))),
        Watch::Elsewhere => None,
        // Its start was cut short.
        Watch::Abandoned if attempt.keeper.is_none() => {
            let asked = start::asked_by(&folder);
            let found = || match asked {
                Some(who) => Found::Ended(Box::new(live::stopped_before_start(n, &who, context.now()))),
                None => Found::NotBegun(n),
            };
            start::take_back(&folder).is_ok_and(|taken| taken).then(found)
        }
        Watch::Attended | Watch::Abandoned => {
            let started = start::attend(&folder, &attempt).ok()?;
            Some(Found::Lives(Box::new(Live::new(context, run.as_changed_run(), n, started))))
        }
    }
}
