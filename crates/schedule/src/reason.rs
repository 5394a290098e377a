//! Why a queued run waits, in data and in words.

use neronet_model::size::shown;
use neronet_model::{Outcome, RunId, SweepId, UnixMs};

/// What a machine has not, or not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    Gpus {
        needs: u32,
        free: u32,
        all: u32,
        /// Bytes of each, where it is not a whole one.
        memory: Option<u64>,
        /// Those that others use, each with who that is.
        others: Vec<(String, String)>,
    },
    Cpus {
        needs: u32,
        free: u32,
        all: u32,
    },
    Memory {
        needs: u64,
        free: u64,
        all: u64,
    },
    Named {
        name: String,
        needs: u64,
        all: u64,
    },
    Runs {
        most: u64,
    },
    Closed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    Held { by: String, why: Option<String> },
    After { runs: Vec<RunId>, best: bool },
    /// What it goes on from has ended, and not well.
    Upstream { run: RunId, outcome: Option<Outcome> },
    NotBefore(UnixMs),
    Parallel { sweep: SweepId, at_a_time: u64 },
    Quota { project: String, what: &'static str, most: u64 },
    GpuTime { sweep: SweepId },
    Lacks { lack: Lack, held_by: Vec<RunId>, until: Option<UnixMs> },
    /// It would fit, and would then make this one wait longer.
    Before(RunId),
    /// Others of its sweep come first; they wait for this.
    Turn { ahead: u64 },
    /// There is no machine to start it on.
    NoMachine,
    /// It fits, and is started at this moment.
    Now,
}
