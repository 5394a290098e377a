//! How runs ended that their target knows nothing of: by what home has of their record, and else nobody knows.

use super::learning;
use crate::context::Context;
use crate::error::HomeError;
use crate::targets::folder_of;
use crate::view::{by_our_clock, known_end};
use crate::{follow_up, live};
use neronet_model::attempt::End;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, Outcome, RunId, Uid};
use neronet_store::spool;

/// The target itself says that it knows nothing of runs that it had: its folder, whose name is `uid` now, was wiped.
pub(super) fn lose(context: &Context, target: &str, uid: Uid, runs: Vec<(RunId, AttemptNo)>) -> Result<(), HomeError> {
    if runs.is_empty() {
        return Ok(());
    }
    let copies = folder_of(context, target);
    let why = format!("{target} knows nothing of it any more: its folder there was replaced ({uid}, see {})", copies.display());
    let known = context.home.read()?;
    let mut ends = Vec::new();
    for (run, n) in runs {
        learning::forget(context, run, AttemptNo(n.0.saturating_add(1)))?;
        let record = spool::attempt(&context.home.attempt(run, n), n).ok().filter(|record| record.begun.is_some());
        let end = match (record, known.state.runs.get(&run)) {
            (Some(mut record), Some(run)) => {
                // What came of its record before the folder went says how it ended, although the target itself did not come to it.
                learning::sync(&context.home.run(run.id))?;
                by_our_clock(&mut record, known.queue.granted_at(run.id));
                record.end.get_or_insert_with(|| End {
                    outcome: Outcome::Unknown,
                    cause: Some(Cause::Forgotten(why.clone())),
                    at: context.now(),
                    last_lines: Vec::new(),
                    summary: Default::default(),
                });
                known_end(context, run, record)
            }
            _ => live::never(n, Outcome::Lost, Cause::Forgotten(why.clone()), context.now()),
        };
        ends.push((run, end));
    }
    drop(known);
    write_down(context, ends)
}

/// With what follows from each.
pub(super) fn write_down(context: &Context, ends: Vec<(RunId, KnownEnd)>) -> Result<(), HomeError> {
    for (run, end) in ends {
        let known = context.home.read()?;
        let follow_ups = follow_up::entries(context, (&known.state, &known.queue), run, &end, None)?;
        drop(known);
        let mut home = context.lock()?;
        follow_up::learn(&mut home, run, &end, follow_ups)?;
    }
    Ok(())
}
