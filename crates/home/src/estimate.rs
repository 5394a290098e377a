//! What a run of an experiment is likely to take, from those that ran before.

use crate::context::Context;
use neronet_model::{Millis, Outcome, Run, RunId};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// How far is looked.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Runs whose times count, the newest first.
    pub runs: usize,
    /// Runs whose folders are measured, and the files that are looked at in all of them together.
    pub folders: usize,
    pub files: usize,
}

/// The middle of what earlier runs took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// So many were looked at.
    pub runs: usize,
    pub duration: Option<Millis>,
    /// On disk, their copies of the code included.
    pub bytes: Option<u64>,
}

/// Runs in the journal that are passed on the way back.
const PASSED: usize = 10_000;

/// Of the runs of one experiment that finished.
pub fn of(context: &Context, project: &str, experiment: &str, bounds: Bounds) -> Option<Estimate> {
    let state = context.home.read().ok()?.state;
    let same = |run: &&Run| {
        run.experiment == experiment
            && run.known_end.as_ref().is_some_and(|end| end.outcome == Outcome::Finished)
            && state.sweeps.get(&run.sweep).is_some_and(|sweep| sweep.project == project)
    };
    let runs: Vec<&Run> = state.runs.values().rev().take(PASSED).filter(same).take(bounds.runs).collect();
    let durations = runs.iter().filter_map(|run| lasted(run)).collect();
    let mut left = bounds.files;
    let bytes = runs.iter().take(bounds.folders).map_while(|run| size(context, run.id, &mut left)).collect();
    let estimate = Estimate { runs: runs.len(), duration: middle(durations).map(Millis), bytes: middle(bytes) };
    (estimate.runs > 0).then_some(estimate)
}

fn lasted(run: &Run) -> Option<u64> {
    let last = run.known_end.as_ref()?.attempt.lasted?;
    Some(run.earlier.0.saturating_add(last.0))
}

fn middle(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// What a run's folder takes on disk. Nothing where that would take too long to find out.
fn size(context: &Context, run: RunId, left: &mut usize) -> Option<u64> {
    let mut folders: Vec<PathBuf> = vec![context.home.run(run)];
    let mut bytes = 0u64;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            *left = left.checked_sub(1)?;
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                folders.push(entry.path());
            }
            bytes = bytes.saturating_add(meta.blocks().saturating_mul(512));
        }
    }
    // A folder that is gone tells nothing.
    (bytes > 0).then_some(bytes)
}

/// How long `runs` of them take, so many at a time.
pub fn together(one: Millis, runs: u64, at_a_time: u64) -> Millis {
    Millis(one.0.saturating_mul(runs.div_ceil(at_a_time.max(1))))
}
