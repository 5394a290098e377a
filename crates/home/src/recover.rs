//! What became of attempts whose starter is gone: they run and are watched again, or ended, or were never begun.

use crate::context::Context;
use crate::live::Live;
use crate::view::known_end;
use neronet_model::run::KnownEnd;
use neronet_model::{AttemptNo, RunId};
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
    let mut all = Vec::new();
    for (id, n) in known.queue.granted().filter(|(run, _)| !ours.contains(run)) {
        let Some(run) = known.state.runs.get(&id) else { continue };
        let starter = known.queue.starter(id);
        if starter.is_some_and(|starter| *starter != process::myself() && process::alive(starter) != Alive::No) {
            continue;
        }
        let folder = context.home.attempt(id, n);
        if !folder.exists() {
            all.push((id, Found::NotBegun(n)));
            continue;
        }
        // One that cannot be read must not keep home from the others; `show` says what is wrong with it.
        let Ok(attempt) = spool::attempt(&folder, n) else { continue };
        match start::watch(&folder, &attempt) {
            Watch::Complete => all.push((id, Found::Ended(Box::new(known_end(context, run, attempt))))),
            Watch::Elsewhere => {}
            // Its start was cut short.
            Watch::Abandoned if attempt.keeper.is_none() => {
                if start::take_back(&folder).is_ok_and(|taken| taken) {
                    all.push((id, Found::NotBegun(n)));
                }
            }
            Watch::Attended | Watch::Abandoned => {
                if let Ok(started) = start::attend(&folder, &attempt) {
                    all.push((id, Found::Lives(Box::new(Live::new(context, run.as_changed_run(), n, started)))));
                }
            }
        }
    }
    all
}
