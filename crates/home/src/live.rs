//! An attempt that runs, as whoever started or adopted it sees it: until its record is complete.

use crate::context::Context;
use crate::starter::Starter;
use crate::view::known_end;
use neronet_model::attempt::End;
use neronet_model::outcome::Cause;
use neronet_model::run::KnownEnd;
use neronet_model::{Attempt, AttemptNo, Outcome, Run, SweepId, UnixMs};
use neronet_store::spool;
use neronet_supervise::start::{self, Started, Watch};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub(crate) struct Live {
    pub(crate) run: Run,
    pub(crate) sweep: SweepId,
    pub(crate) attempt: AttemptNo,
    pub(crate) folder: PathBuf,
    pub(crate) started: Started,
    adopted: bool,
    /// Somebody else sees to it: looked at again then.
    pub(crate) look_at: Option<Instant>,
}

/// What there is once nobody is left of those who saw to an attempt.
pub(crate) enum Gone {
    /// Somebody must still see to it.
    NotYet(Live),
    Ended(Box<KnownEnd>),
    /// Its keeper never came to be; what that said of it.
    NeverBegan(Live, Option<String>),
}

impl Live {
    pub(crate) fn new(context: &Context, run: Run, attempt: AttemptNo, started: Started) -> Live {
        let folder = context.home.attempt(run.id, attempt);
        Live { sweep: run.sweep, run, attempt, folder, started, adopted: false, look_at: None }
    }

    /// Call when nothing holds `started.gone` any more.
    pub(crate) fn gone(mut self, context: &Context, starter: &Starter<'_>) -> Gone {
        let attempt = match spool::attempt(&self.folder, self.attempt) {
            Ok(attempt) => attempt,
            Err(e) => return Gone::Ended(Box::new(never(self.attempt, Outcome::Lost, Cause::NotStarted(e.to_string()), context.now()))),
        };
        match start::watch(&self.folder, &attempt) {
            Watch::Complete => {
                self.started.reap();
                Gone::Ended(Box::new(known_end(context, &self.run, attempt)))
            }
            // The keeper was killed and its supervisor goes on.
            Watch::Attended | Watch::Elsewhere => {
                self.look_at = Some(Instant::now() + Duration::from_millis(500));
                Gone::NotYet(self)
            }
            // A supervisor is to be put in their place.
            Watch::Abandoned if attempt.keeper.is_some() => {
                let started = start::adopt(&context.neronet, &self.folder, &starter.known_secrets(self.sweep));
                self.look_at = self.adopted.then(|| Instant::now() + Duration::from_millis(200));
                self.adopted = true;
                if let Ok(started) = started {
                    std::mem::replace(&mut self.started, started).reap();
                }
                Gone::NotYet(self)
            }
            Watch::Abandoned => {
                let why = self.started.last_words();
                Gone::NeverBegan(self, why)
            }
        }
    }
}

/// The end of an attempt that somebody stopped before it was begun.
pub(crate) fn stopped_before_start(n: AttemptNo, who: &str, at: UnixMs) -> KnownEnd {
    never(n, Outcome::Stopped, Cause::Asked(format!("{who} before it started")), at)
}

/// The end of an attempt that was not begun.
pub(crate) fn never(n: AttemptNo, outcome: Outcome, cause: Cause, at: UnixMs) -> KnownEnd {
    let mut attempt = Attempt::new(n);
    attempt.end = Some(End { outcome, cause: Some(cause), at, last_lines: Vec::new(), summary: Default::default() });
    KnownEnd { attempt, outcome, started: None, metrics: BTreeMap::new() }
}
