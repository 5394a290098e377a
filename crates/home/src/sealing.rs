//! Which attempts may be sealed, and sealing them, one at a time: what whoever keeps the queue does when nothing else is to be done.

use crate::context::Context;
use crate::error::HomeError;
use neronet_model::{AttemptNo, RunId};
use neronet_schedule::Stand;
use neronet_store::{reserve, seal};
use std::collections::BTreeSet;
use std::time::Duration;

/// An attempt is sealed when nobody has written to it for so long.
const REST: Duration = Duration::from_secs(3_600);
const LOOK: Duration = Duration::from_secs(60);

pub struct Sealer {
    rest: Duration,
    /// Of which nothing more is to be sealed, as far as we know.
    done: BTreeSet<(RunId, AttemptNo)>,
}

impl Sealer {
    /// Who tests it has no hour: `NERONET_SEAL_AFTER` says how many seconds are enough.
    pub fn new(context: &Context) -> Sealer {
        let said = context.variable("NERONET_SEAL_AFTER").and_then(|seconds| seconds.parse().ok());
        Sealer { rest: said.map_or(REST, Duration::from_secs), done: BTreeSet::new() }
    }

    /// How long to wait before looking again.
    pub fn patience(&self) -> Duration {
        LOOK.min(self.rest.max(Duration::from_millis(100)))
    }

    /// Seals every attempt that may be sealed, of runs that have ended, until `go_on` says no; it may also wait before it answers.
    /// `say` is told what is not sealed, and why; that is not tried again by us.
    ///
    /// Errors: home cannot be read, or there is no room.
    pub fn seal(&mut self, context: &Context, go_on: &dyn Fn() -> bool, say: &dyn Fn(&str)) -> Result<(), HomeError> {
        let known = context.home.read()?;
        let ended = |run: &RunId| matches!(known.queue.stand(*run), Some(Stand::Ended(_)));
        let runs = known.state.runs.briefs().filter(|(id, run)| run.trashed.is_none() && ended(id));
        let attempts: Vec<_> = runs.flat_map(|(id, run)| (1..=run.attempts).map(move |n| (id, AttemptNo(n)))).collect();
        drop(known);
        for (run, n) in attempts {
            if self.done.contains(&(run, n)) {
                continue;
            }
            let folder = context.home.attempt(run, n);
            if !folder.exists() {
                self.done.insert((run, n));
                continue;
            }
            if seal::rests(&folder).is_none_or(|rests| rests < self.rest) {
                continue;
            }
            if !go_on() {
                break;
            }
            match seal::attempt(&folder, go_on) {
                Ok(sealing) if sealing.stopped => break,
                Ok(sealing) => {
                    let differs = sealing.differs.iter().map(|differs| format!("{} is not sealed: {}", differs.name, differs.why));
                    differs.for_each(|what| say(&format!("run {run}, attempt {n}: {what}")));
                }
                Err(e) if reserve::is_want_of_room(&e) => return Err(e.into()),
                Err(e) => say(&format!("run {run}, attempt {n}: {e}")),
            }
            self.done.insert((run, n));
        }
        Ok(())
    }
}
