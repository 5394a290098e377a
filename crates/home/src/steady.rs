//! The clock that the runner of a target waits by: it began as the one that people set, and nobody sets it. One runner after another
//! goes by it, for what the last wrote down to be waited for is a moment of it.

use crate::context::Context;
use crate::error::HomeError;
use neronet_model::{Millis, UnixMs};
use neronet_store::files::{self, Durability};
use neronet_supervise::os::{clock, process};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What it shows, and how long the machine had been up then.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Steady {
    shown: UnixMs,
    up: Millis,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    boot: String,
    #[serde(flatten)]
    clock: Steady,
}

fn path(context: &Context) -> PathBuf {
    context.home.root().join("clock.json")
}

impl Steady {
    /// That of the runner before. Across a start of the machine it is not known how long that took: never back, at least.
    pub(crate) fn of(context: &Context) -> Steady {
        let fresh = Steady { shown: context.now(), up: clock::boot_now() };
        match files::read_json::<Kept>(&path(context)).ok().flatten() {
            Some(kept) if kept.boot == process::myself().boot && kept.clock.up <= fresh.up => kept.clock,
            Some(kept) => Steady { shown: fresh.shown.max(kept.clock.shown), ..fresh },
            None => fresh,
        }
    }

    pub(crate) fn now(self) -> UnixMs {
        self.shown.plus(Millis(clock::boot_now().0.saturating_sub(self.up.0)))
    }

    /// For the next runner: to be called before a moment of it is written down.
    pub(crate) fn keep(self, context: &Context) -> Result<(), HomeError> {
        let clock = Steady { up: clock::boot_now(), shown: self.now() };
        Ok(files::replace_json(&path(context), &Kept { boot: process::myself().boot, clock }, Durability::Synced)?)
    }
}
