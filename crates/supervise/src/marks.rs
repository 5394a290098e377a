//! How far the training was when, and what was measured of it: so that a checkpoint is known by the step and the value that it
//! had when it was saved.

use neronet_model::UnixMs;
use std::collections::VecDeque;

/// Lines are read so much later than they are printed, as a rule.
const READ_LATER_MS: i64 = 250;
/// Marks and values kept: the latest.
const MOST: usize = 4_096;

/// After how many rows of the attempt.
pub(crate) type Moment = u64;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Mark {
    pub(crate) step: Option<i64>,
    pub(crate) epoch: Option<f64>,
}

/// A value of the first objective, NaN included.
#[derive(Debug, Clone, Copy)]
struct Measured {
    at: Moment,
    epoch: Option<f64>,
    value: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Marks {
    now: Moment,
    marks: VecDeque<(UnixMs, Moment, Mark)>,
    measured: VecDeque<Measured>,
}

impl Marks {
    /// Takes what one row says; what is `None` stays as it was.
    pub(crate) fn add(&mut self, at: UnixMs, mark: Mark, value: Option<f64>) {
        self.now += 1;
        let last = self.marks.back().map(|(_, _, mark)| *mark).unwrap_or_default();
        let carried = Mark { step: mark.step.or(last.step), epoch: mark.epoch.or(last.epoch) };
        match self.marks.back_mut().filter(|(last, _, _)| *last == at) {
            Some(entry) => (entry.1, entry.2) = (self.now, carried),
            None => self.marks.push_back((at, self.now, carried)),
        }
        self.measured.extend(value.map(|value| Measured { at: self.now, epoch: mark.epoch, value }));
        self.marks.drain(..self.marks.len().saturating_sub(MOST));
        self.measured.drain(..self.measured.len().saturating_sub(MOST));
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// When a file was saved that nobody saw being saved, by its time.
    pub(crate) fn moment_of(&self, at: UnixMs) -> Moment {
        self.marks.iter().rev().find(|(mark, _, _)| mark.0 <= at.0 + READ_LATER_MS).map_or(0, |(_, moment, _)| *moment)
    }

    pub(crate) fn at(&self, moment: Moment) -> Mark {
        self.marks.iter().rev().find(|(_, known, _)| *known <= moment).map(|(_, _, mark)| *mark).unwrap_or_default()
    }

    /// The last value in between that may belong to this epoch: between two saves, values belong to either.
    pub(crate) fn last_within(&self, after: Moment, until: Moment, epoch: Option<f64>) -> Option<f64> {
        self.within(after, until, epoch).next_back()
    }

    pub(crate) fn first_within(&self, after: Moment, until: Moment, epoch: Option<f64>) -> Option<f64> {
        self.within(after, until, epoch).next()
    }

    fn within(&self, after: Moment, until: Moment, epoch: Option<f64>) -> impl DoubleEndedIterator<Item = f64> {
        let in_between = self.measured.iter().filter(move |measured| measured.at > after && measured.at <= until);
        let same = move |measured: &&Measured| measured.epoch.zip(epoch).is_none_or(|(a, b)| (a - b).abs() < 1.0);
        in_between.filter(same).map(|measured| measured.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: f64) -> Mark {
        Mark { epoch: Some(epoch), step: None }
    }

    #[test]
    fn a_checkpoint_found_late_has_the_marks_of_when_it_was_saved() {
        let mut marks = Marks::default();
        marks.add(UnixMs(1_000), epoch(1.0), Some(0.9));
        marks.add(UnixMs(2_000), epoch(2.0), None);
        marks.add(UnixMs(2_000), Mark::default(), Some(0.5));
        let at = |time| marks.at(marks.moment_of(UnixMs(time)));
        assert_eq!([at(100), at(1_200), at(9_000)], [Mark::default(), epoch(1.0), epoch(2.0)]);
    }

    #[test]
    fn a_value_belongs_to_its_epoch_and_to_one_save() {
        let mut marks = Marks::default();
        marks.add(UnixMs(1), epoch(1.0), Some(0.9));
        let first = marks.now();
        marks.add(UnixMs(2), epoch(2.0), Some(f64::NAN));
        let second = marks.now();
        assert_eq!(marks.last_within(0, first, Some(1.0)), Some(0.9));
        assert!(marks.last_within(first, second, Some(2.0)).is_some_and(f64::is_nan));
        // Nothing was measured since; what comes later is of another epoch.
        assert_eq!(marks.last_within(second, second, Some(2.0)), None);
        assert_eq!(marks.first_within(first, Moment::MAX, Some(1.0)), None);
    }
}
