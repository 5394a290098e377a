//! What earlier runs of an experiment took: how long, how much memory.

use neronet_model::Outcome;
use neronet_model::run::KnownEnd;
use neronet_model::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Earlier runs that count, the last ones.
const KEPT: usize = 20;
/// Before so many have finished, nothing is concluded from them.
const ENOUGH: usize = 3;

/// Of the runs of one experiment that finished.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    runs: VecDeque<Took>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Took {
    duration: Millis,
    /// Bytes.
    memory: Option<u64>,
    gpu_memory: Option<u64>,
}

impl Learned {
    pub(crate) fn add(&mut self, end: &KnownEnd) {
        let Some(duration) = end.attempt.lasted.filter(|_| end.outcome == Outcome::Finished && !end.attempt.resumes) else { return };
        if self.runs.len() == KEPT {
            self.runs.pop_front();
        }
        let memory = end.attempt.peak_memory_kb.map(|kb| kb.saturating_mul(1024));
        self.runs.push_back(Took { duration, memory, gpu_memory: end.attempt.peak_gpu_memory });
    }

    fn enough(&self) -> bool {
        self.runs.len() >= ENOUGH
    }

    /// The middle one.
    pub fn typical(&self) -> Option<Millis> {
        let mut all: Vec<Millis> = self.runs.iter().map(|took| took.duration).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().filter(|_| self.enough())
    }

    /// What a run may be trusted to have ended by.
    pub fn longest(&self) -> Option<Millis> {
        self.runs.iter().map(|took| took.duration).max().filter(|_| self.enough())
    }

    /// Bytes of memory that the largest process of any of them had, and a tenth more.
    pub fn memory(&self) -> Option<u64> {
        with_margin(self.runs.iter().map(|took| took.memory).max()??).filter(|_| self.enough())
    }

    pub fn gpu_memory(&self) -> Option<u64> {
        with_margin(self.runs.iter().map(|took| took.gpu_memory).max()??).filter(|_| self.enough())
    }
}

fn with_margin(bytes: u64) -> Option<u64> {
    bytes.checked_add(bytes / 10)
}
