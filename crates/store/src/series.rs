//! Series: the points of one metric of one run, joined over its attempts.
//!
//! An attempt that resumes joins at its first step: earlier points at or beyond it are superseded, kept apart and shown on
//! request. Counted steps (no step, no epoch of their own) go on counting only then. An attempt from scratch starts anew.

use crate::earlier;
use crate::error::StoreError;
use crate::lines::Damage;
use crate::spool;
use neronet_model::event::{By, Extent};
use neronet_model::row::Steps;
use neronet_model::{AttemptNo, Row, UnixMs};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Step, else epoch, else count.
    pub step: f64,
    pub by: By,
    pub epoch: Option<f64>,
    /// The last step that any metric of the attempt had told by then.
    pub passed: Option<f64>,
    pub at: UnixMs,
    pub value: f64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    pub points: Vec<Point>,
    pub superseded: Vec<Point>,
    /// Neither step nor epoch was ever given.
    pub counted: bool,
    /// The attempt that the last points came from.
    attempt: Option<AttemptNo>,
}

/// All series of a run by name. `only` limits them to one metric.
pub fn of_run(run_folder: &Path, only: Option<&str>) -> Result<BTreeMap<String, Series>, StoreError> {
    Ok(with_damage(run_folder, only)?.0)
}

/// The same, with what of the rows cannot be read.
pub fn with_damage(run_folder: &Path, only: Option<&str>) -> Result<(BTreeMap<String, Series>, Damage), StoreError> {
    let mut all = Joined::default();
    let mut damage = Damage::default();
    for n in spool::attempts_of(run_folder)? {
        let folder = run_folder.join("attempts").join(n.to_string());
        let attempt = spool::attempt(&folder, n)?;
        all.begin(n, attempt.resumes, attempt.begun.unwrap_or(UnixMs(0)));
        let found = spool::rows(&folder, |row| all.add(&row, only))?;
        damage += if attempt.end.is_some() { found.of_ended() } else { found };
    }
    Ok((all.series, damage))
}

/// The fold itself: attempts in order, rows in order.
#[derive(Debug, Default)]
pub struct Joined {
    pub series: BTreeMap<String, Series>,
    attempt: Option<AttemptNo>,
    begun: Option<UnixMs>,
    steps: Steps,
    passed: Option<f64>,
}

impl Joined {
    pub fn begin(&mut self, attempt: AttemptNo, resumes: bool, begun: UnixMs) {
        self.attempt = Some(attempt);
        if !resumes {
            self.steps = Steps::default();
            self.passed = None;
            // A curve of its own, also where it does not tell a metric that an earlier one did.
            self.series.values_mut().for_each(|series| series.superseded.append(&mut series.points));
        }
        self.begun = Some(begun);
    }

    pub fn add(&mut self, row: &Row, only: Option<&str>) {
        let step = self.steps.of(row);
        self.passed = step.map(|step| step as f64).or(self.passed);
        let given = earlier::given(row, step);
        let by = By::of(step, row.epoch);
        let at = self.begun.unwrap_or(UnixMs(0)).plus(row.t);
        for (name, value) in &row.m.0 {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            if !self.series.contains_key(name) {
                self.series.insert(name.clone(), Series { counted: true, ..Series::default() });
            }
            let Some(series) = self.series.get_mut(name) else { continue };
            if series.attempt != self.attempt {
                series.join(given);
                series.attempt = self.attempt;
            }
            series.counted &= given.is_none();
            let step = given.unwrap_or(series.points.len() as f64 + 1.0);
            // Several ranks print the same point.
            let repeated =
                given.is_some() && series.points.last().is_some_and(|last| last.step == step && last.value.to_bits() == value.to_bits());
            if !repeated {
                series.points.push(Point { step, by, epoch: row.epoch, passed: self.passed, at, value: *value });
            }
        }
    }
}

impl Series {
    /// The numbers that stand for it.
    pub fn extent(&self) -> Option<Extent> {
        let mut points = self.points.iter();
        let first = points.next()?;
        let mut extent = Extent::of(first.value, first.step, first.by);
        points.for_each(|point| extent.add(point.value, point.step, point.by));
        Some(extent)
    }

    /// A resumed attempt goes on at this step.
    fn join(&mut self, first: Option<f64>) {
        if let Some(first) = first {
            let (kept, superseded) = std::mem::take(&mut self.points).into_iter().partition(|point| point.step < first);
            self.points = kept;
            self.superseded.extend::<Vec<Point>>(superseded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neronet_model::Millis;
    use neronet_model::row::Values;

    fn row(t: u64, step: Option<i64>, value: f64) -> Row {
        Row { t: Millis(t), src: "o".into(), at: t, step, m: Values(vec![("loss".into(), value)]), ..Row::default() }
    }

    fn steps(points: &[Point]) -> Vec<(f64, f64)> {
        points.iter().map(|point| (point.step, point.value)).collect()
    }

    #[test]
    fn a_resumed_attempt_supersedes_the_points_from_its_first_step_on() {
        let mut joined = Joined::default();
        joined.begin(AttemptNo(1), false, UnixMs(0));
        for step in 1..=5 {
            joined.add(&row(step as u64, Some(step), step as f64), None);
        }
        joined.begin(AttemptNo(2), true, UnixMs(1000));
        joined.add(&row(1, Some(4), 40.0), None);
        joined.add(&row(2, Some(4), 40.0), None);
        joined.add(&row(3, Some(5), 50.0), None);
        let series = &joined.series["loss"];
        assert_eq!(steps(&series.points), [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 40.0), (5.0, 50.0)]);
        assert_eq!(steps(&series.superseded), [(4.0, 4.0), (5.0, 5.0)]);
    }

    #[test]
    fn counted_steps_go_on_only_when_the_attempt_resumes() {
        for (resumes, expected) in [(true, vec![1.0, 2.0, 3.0]), (false, vec![1.0])] {
            let mut joined = Joined::default();
            joined.begin(AttemptNo(1), false, UnixMs(0));
            joined.add(&row(1, None, 1.0), None);
            joined.add(&row(2, None, 2.0), None);
            joined.begin(AttemptNo(2), resumes, UnixMs(0));
            joined.add(&row(1, None, 3.0), None);
            let found: Vec<f64> = joined.series["loss"].points.iter().map(|point| point.step).collect();
            assert_eq!(found, expected);
            assert!(joined.series["loss"].counted);
        }
    }

    #[test]
    fn a_point_of_an_epoch_knows_the_step_that_was_reached() {
        let mut joined = Joined::default();
        joined.begin(AttemptNo(1), false, UnixMs(0));
        for epoch in 1..=2 {
            joined.add(&row(1, Some(100 * epoch), 0.5), None);
            let m = Values(vec![("val_loss".into(), 0.4)]);
            joined.add(&Row { epoch: Some(epoch as f64), m, ..Row::default() }, None);
        }
        let points: Vec<_> = joined.series["val_loss"].points.iter().map(|point| (point.step, point.passed)).collect();
        assert_eq!(points, [(1.0, Some(100.0)), (2.0, Some(200.0))]);
    }
}
