//! The complete checkpoints that attempts left, from their records and from what lies there now.

use crate::checkpoints::{self, Seen, Verdict, Writes};
use neronet_model::AttemptNo;
use neronet_model::event::Checkpoint;
use neronet_model::launch::Launch;
use neronet_model::settings::Goal;
use neronet_store::{StoreError, spool};
use std::path::{Path, PathBuf};

/// The checkpoints to go on from, with a word on each that was passed over.
#[derive(Debug, Default)]
pub struct Found {
    pub latest: Option<PathBuf>,
    /// By the first objective, of those whose value is known.
    pub best: Option<PathBuf>,
    /// Which of the two are not here, but on the machine where the run executed.
    pub away: Vec<PathBuf>,
    pub passed_over: Vec<String>,
}

impl Found {
    /// The best, or the latest where nothing tells which is.
    pub fn best_or_latest(&self) -> Option<&Path> {
        self.best.as_deref().or(self.latest.as_deref())
    }

    pub fn is_here(&self, path: &Path) -> bool {
        !self.away.iter().any(|away| away == path)
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

/// Who can still write to a checkpoint.
#[derive(Debug, Clone, Copy)]
enum Written {
    Here(Writes),
    /// On another machine; what is here is a copy.
    Elsewhere,
}

/// What these attempts of a run recorded, looked at again as it is now. `goal` says which value is the best.
pub fn checkpoints(run_folder: &Path, attempts: &[AttemptNo], goal: Option<Goal>) -> Result<Found, StoreError> {
    checkpoints_of(run_folder, attempts, goal, &|_| false)
}

/// The same where some attempts executed elsewhere. What those left has its place in the run's folder, whether it has come or not; what
/// lies outside it there is called as it is there.
pub fn checkpoints_of(
    run_folder: &Path,
    attempts: &[AttemptNo],
    goal: Option<Goal>,
    is_elsewhere: &dyn Fn(&Launch) -> bool,
) -> Result<Found, StoreError> {
    let mut candidates: Vec<(PathBuf, Checkpoint, Written)> = Vec::new();
    for n in attempts {
        let folder = attempt_folder(run_folder, *n);
        let attempt = spool::attempt(&folder, *n)?;
        let launch = spool::launch(&folder)?;
        let elsewhere = launch.as_ref().filter(|launch| is_elsewhere(launch));
        let written = if elsewhere.is_some() { Written::Elsewhere } else { Written::Here(Writes::after(&attempt)) };
        for checkpoint in attempt.checkpoints {
            let directory = launch.as_ref().map(|launch| launch.directory.as_str()).unwrap_or_default();
            let path = elsewhere.and_then(|launch| spool::here(run_folder, launch, &checkpoint.path));
            let path = path.unwrap_or_else(|| Path::new(directory).join(&checkpoint.path));
            candidates.retain(|(known, _, _)| *known != path);
            candidates.push((path, checkpoint, written));
        }
    }
    candidates.sort_by_key(|(_, checkpoint, _)| std::cmp::Reverse(checkpoint.modified));
    let mut found = Found::default();
    let mut best: Option<f64> = None;
    for (path, recorded, written) in candidates {
        let mut away = false;
        match written {
            Written::Elsewhere => away = !checkpoints::is_copy_of(&path, &recorded),
            Written::Here(writes) => {
                if let Err(why) = usable(&path, &recorded, writes) {
                    found.passed_over.push(why);
                    continue;
                }
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
        if away {
            found.away.push(path.clone());
        }
        found.latest.get_or_insert(path);
    }
    let Found { latest, best, away, .. } = &mut found;
    away.retain(|path| latest.as_ref() == Some(path) || best.as_ref() == Some(path));
    Ok(found)
}

/// As it is on record it was complete; if it is other than that, it may have been cut short while it was written anew.
fn usable(path: &Path, recorded: &Checkpoint, writes: Writes) -> Result<(), String> {
    match checkpoints::inspect(path, writes, Seen::Open) {
        Verdict::Complete { .. } => Ok(()),
        _ if checkpoints::is_as_recorded(path, recorded) => Ok(()),
        Verdict::NotYet => Err(format!("{} may still be being written", path.display())),
        Verdict::Unusable(why) => Err(format!("{}: {why}", path.display())),
    }
}

fn attempt_folder(run_folder: &Path, n: AttemptNo) -> PathBuf {
    run_folder.join("attempts").join(n.to_string())
}
