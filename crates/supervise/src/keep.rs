//! Which checkpoints `[checkpoints] keep` lets go. Decided here while a run runs and long after it, by the same rules: what is not known
//! deletes nothing.

use neronet_model::UnixMs;
use neronet_model::event::Checkpoint;
use neronet_model::settings::{Goal, Keep};
use std::path::Path;

/// A checkpoint as far as it matters whether it stays.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    pub modified: UnixMs,
    /// It is known to be complete: not merely untouched for a while.
    pub sure: bool,
    /// The better of the values that may be its own. `None` when nothing was measured; NaN when nothing but that was.
    pub rank: Option<f64>,
}

/// The better of the values that may be a checkpoint's own.
pub fn rank(values: impl Iterator<Item = f64>, goal: Goal) -> Option<f64> {
    values.reduce(|a, b| if goal == Goal::Min { a.min(b) } else { a.max(b) })
}

/// The same of what is on record of it.
pub fn rank_on_record(recorded: &Checkpoint, goal: Goal) -> Option<f64> {
    rank([recorded.value?].into_iter().chain(recorded.after), goal)
}

/// Of each of them, whether it may go. The newest never does.
pub fn surplus(keep: Keep, goal: Option<Goal>, all: &[Candidate]) -> Vec<bool> {
    let mut goes = vec![true; all.len()];
    let mut by_age: Vec<usize> = (0..all.len()).collect();
    by_age.sort_by_key(|at| all[*at].modified);
    // One that merely lies untouched may be half of one.
    let newest_sure = by_age.iter().rev().find(|at| all[**at].sure);
    by_age.iter().rev().take(keep.last.max(1) as usize).chain(newest_sure).for_each(|at| goes[*at] = false);
    match goal {
        _ if keep.best == 0 => {}
        Some(goal) => {
            let mut best: Vec<f64> = all.iter().filter_map(|one| one.rank).filter(|value| !value.is_nan()).collect();
            best.sort_by(|a, b| if goal == Goal::Min { a.total_cmp(b) } else { b.total_cmp(a) });
            best.truncate(keep.best as usize);
            // What cannot be ranked cannot be said to be worse; nor can one of two with the same value.
            let good = |one: &Candidate| one.rank.is_none_or(|value| best.contains(&value));
            goes.iter_mut().zip(all).for_each(|(goes, one)| *goes &= !good(one));
        }
        // Without an objective nobody knows the best.
        None => goes.fill(false),
    }
    goes
}

/// Whether it lies in a run's own folder, and not behind a link.
pub fn lies_within(path: &Path, run_folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let parent = path.parent().and_then(real);
    !path.is_symlink() && parent.zip(real(run_folder)).is_some_and(|(parent, run)| parent.starts_with(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(best: u32, last: u32, goal: Option<Goal>, ranks: &[Option<f64>]) -> Vec<usize> {
        let one = |(at, rank): (usize, &Option<f64>)| Candidate { modified: UnixMs(at as i64), sure: true, rank: *rank };
        let all: Vec<Candidate> = ranks.iter().enumerate().map(one).collect();
        surplus(Keep { best, last }, goal, &all).iter().enumerate().filter(|(_, goes)| **goes).map(|(at, _)| at).collect()
    }

    #[test]
    fn the_best_and_the_last_stay_and_what_is_not_known_deletes_nothing() {
        let min = Some(Goal::Min);
        let ranks = [Some(3.0), Some(1.0), None, Some(2.0), Some(f64::NAN), Some(4.0)];
        assert_eq!(goes(1, 1, min, &ranks), [0, 3, 4]);
        assert_eq!(goes(2, 1, min, &ranks), [0, 4]);
        assert_eq!(goes(1, 2, Some(Goal::Max), &ranks), [0, 1, 3]);
        assert_eq!(goes(0, 2, min, &ranks), [0, 1, 2, 3]);
        assert_eq!(goes(0, 0, None, &ranks), [0, 1, 2, 3, 4], "the newest stays always");
        assert_eq!(goes(1, 1, None, &ranks), [0usize; 0], "without an objective there is no best");
        assert_eq!(goes(1, 1, min, &[Some(1.0), Some(1.0), Some(2.0)]), [0usize; 0], "of two with the same value both are the best");
    }

    #[test]
    fn a_value_that_may_be_either_of_two_is_that_of_both() {
        let recorded =
            |value, after| Checkpoint { path: String::new(), bytes: 1, modified: UnixMs(0), step: None, epoch: None, value, after };
        assert_eq!(rank_on_record(&recorded(Some(0.9), Some(0.2)), Goal::Min), Some(0.2));
        assert_eq!(rank_on_record(&recorded(Some(0.9), Some(0.2)), Goal::Max), Some(0.9));
        assert_eq!(rank_on_record(&recorded(Some(0.9), None), Goal::Min), Some(0.9));
        assert_eq!(rank_on_record(&recorded(None, None), Goal::Min), None);
    }
}
