//! Makes home's word agree with what happened while nobody looked: takes up abandoned attempts, learns of ends.

use crate::context::Context;
use crate::error::HomeError;
use crate::secrets::Place;
use crate::view::known_end;
use neronet_model::AttemptNo;
use neronet_model::journal::Entry;
use neronet_store::spool;
use neronet_supervise::start::{self, Watch};

/// Looks after every run that home does not know to have ended. Gives the number of ends learned.
pub fn reconcile(context: &Context) -> Result<usize, HomeError> {
    let state = context.home.read()?.state;
    let mut learned = Vec::new();
    for run in state.runs.values().filter(|run| run.known_end.is_none()) {
        let n = AttemptNo(run.attempts);
        let folder = context.home.attempt(run.id, n);
        if !folder.exists() {
            continue;
        }
        // One that cannot be read must not keep home from the others; `show` says what is wrong with it.
        let Ok(attempt) = spool::attempt(&folder, n) else { continue };
        match start::watch(&folder, &attempt) {
            Watch::Complete => learned.push(Entry::Ended { run: run.id, end: Box::new(known_end(context, run, attempt)) }),
            // Its keeper began, so there is something to watch or to read to the end.
            Watch::Abandoned if attempt.keeper.is_some() => {
                let secrets = state.sweeps.get(&run.sweep).map(|sweep| Place::of(context, sweep).known(&sweep.settings));
                drop(start::adopt(&context.neronet, &folder, &secrets.unwrap_or_default())?);
            }
            _ => {}
        }
    }
    let count = learned.len();
    if count > 0 {
        let mut home = context.lock()?;
        for entry in learned {
            home.learn(entry)?;
        }
    }
    Ok(count)
}
