//! The complete checkpoints that attempts left, from their records and from what lies there now.

use crate::checkpoints::{self, Seen, Verdict, Writes};
use neronet_model::AttemptNo;
use neronet_model::event::Checkpoint;
use neronet_model::settings::Goal;
use neronet_store::{StoreError, spool};
use std::path::{Path, PathBuf};

/// The checkpoints to go on from, with a word on each that was passed over.
#[derive(Debug, Default)]
pub struct Found {
    pub latest: Option<PathBuf>,
    /// By the first objective, of those whose value is known.
    pub best: Option<PathBuf>,
    pub passed_over: Vec<String>,
}

impl Found {
    /// The best, or the latest where nothing tells which is.
    pub fn best_or_latest(&self) -> Option<&Path> {
        self.best.as_deref().or(self.latest.as_deref())
    }
}

/// An attempt and those that it goes on from, the oldest first.
pub fn joined(run_folder: &Path, last: AttemptNo) -> Result<Vec<AttemptNo>, StoreError> {
    let mut all = Vec::new();
    for n in (1..=last.0).rev().map(AttemptNo) {
        all.push(n);
        // One that was never begun stands between no others.
        if spool::launch(&attempt_folder(run_folder, n))?.is_some_and(|launch| !launch.resumes) {
            break;
        }
    }
    all.reverse();
    Ok(all)
}

/// What these attempts of a run recorded, looked at again as it is now. `goal` says which value is the best.
pub fn checkpoints(run_folder: &Path, attempts: &[AttemptNo], goal: Option<Goal>) -> Result<Found, StoreError> {
    let mut candidates: Vec<(PathBuf, Checkpoint, Writes)> = Vec::new();
    for n in attempts {
        let folder = attempt_folder(run_folder, *n);
        let attempt = spool::attempt(&folder, *n)?;
        let directory = spool::launch(&folder)?.map(|launch| launch.directory).unwrap_or_default();
        let writes = Writes::after(&attempt);
        for checkpoint in attempt.checkpoints {
            let path = Path::new(&directory).join(&checkpoint.path);
            candidates.retain(|(known, _, _)| *known != path);
            candidates.push((path, checkpoint, writes));
        }
    }
    candidates.sort_by_key(|(_, checkpoint, _)| std::cmp::Reverse(checkpoint.modified));
    let mut found = Found::default();
    let mut best: Option<f64> = None;
    for (path, recorded, writes) in candidates {
        // As it is on record it was complete; if it is other than that, it may have been cut short while it was written anew.
        match checkpoints::inspect(&path, writes, Seen::Open) {
            Verdict::Complete { .. } => {}
            _ if checkpoints::is_as_recorded(&path, &recorded) => {}
            Verdict::NotYet => {
                found.passed_over.push(format!("{} may still be being written", path.display()));
                continue;
            }
            Verdict::Unusable(why) => {
                found.passed_over.push(format!("{}: {why}", path.display()));
                continue;
            }
        }
        let better = match (recorded.value, best, goal) {
            (Some(value), Some(best), Some(Goal::Min)) => value < best,
            (Some(value), Some(best), Some(Goal::Max)) => value > best,
            (Some(_), None, Some(_)) => true,
            _ => false,
        };
        if better {
            best = recorded.value;
            found.best = Some(path.clone());
        }
        found.latest.get_or_insert(path);
    }
    Ok(found)
}

fn attempt_folder(run_folder: &Path, n: AttemptNo) -> PathBuf {
    run_folder.join("attempts").join(n.to_string())
}
