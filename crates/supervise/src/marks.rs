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
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    at: Moment,
    pub(crate) epoch: Option<f64>,
    pub(crate) value: f64,
}

impl Measured {
    pub(crate) fn on_record(value: f64) -> Measured {
        Measured { at: 0, epoch: None, value }
    }
}

#[derive(Debug)]
struct Marked {
    time: UnixMs,
    /// Behind the last of the rows.
    moment: Moment,
    mark: Mark,
    /// The rows told the results of the epoch.
    ended: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Marks {
    now: Moment,
    /// One for all rows that were read together in the same epoch.
    marks: VecDeque<Marked>,
    measured: VecDeque<Measured>,
}

impl Marks {
    /// Takes what one row says; what is `None` stays as it was. `ended`: it tells the results of its epoch.
    pub(crate) fn add(&mut self, time: UnixMs, mark: Mark, ended: bool, value: Option<f64>) {
        self.now += 1;
        let last = self.marks.back().map(|last| last.mark).unwrap_or_default();
        let carried = Mark { step: mark.step.or(last.step), epoch: mark.epoch.or(last.epoch) };
        match self.marks.back_mut().filter(|last| last.time == time && last.mark.epoch == carried.epoch) {
            Some(last) => *last = Marked { time, moment: self.now, mark: carried, ended: ended || last.ended },
            None => self.marks.push_back(Marked { time, moment: self.now, mark: carried, ended }),
        }
        self.measured.extend(value.map(|value| Measured { at: self.now, epoch: mark.epoch, value }));
        self.marks.drain(..self.marks.len().saturating_sub(MOST));
        self.measured.drain(..self.measured.len().saturating_sub(MOST));
    }

    /// What comes is of another command.
    pub(crate) fn begin_anew(&mut self) -> Moment {
        self.now += 1;
        self.now
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// When a file was saved that nobody saw being saved, by its time.
    pub(crate) fn moment_of(&self, at: UnixMs) -> Moment {
        self.marks.iter().rev().find(|marked| marked.time.0 <= at.0 + READ_LATER_MS).map_or(0, |marked| marked.moment)
    }

    fn at(&self, moment: Moment) -> Mark {
        self.marks.iter().rev().find(|marked| marked.moment <= moment).map(|marked| marked.mark).unwrap_or_default()
    }

    /// What was known of a file that was saved somewhere between two moments, and whether its epoch is certain. It is that of the
    /// epoch that told its results meanwhile; one that only began did so after the save, as scripts go on at once. Where several
    /// told theirs, as epochs of milliseconds do, nobody knows.
    pub(crate) fn between(&self, since: Moment, until: Moment) -> (Mark, bool) {
        let (epoch, last) = (self.at(since).epoch, self.at(until));
        if last.epoch == epoch {
            return (last, true);
        }
        let meanwhile = self.marks.iter().filter(|marked| marked.moment > since && marked.moment <= until);
        let mut ended = meanwhile.filter(|marked| marked.ended && marked.mark.epoch != epoch);
        let (ended, another) = (ended.next(), ended.next());
        if another.is_some() {
            return (Mark::default(), false);
        }
        let of_epoch = || self.marks.iter().rev().find(|marked| marked.moment <= until && epoch.is_some() && marked.mark.epoch == epoch);
        (ended.or_else(of_epoch).map_or(last, |marked| marked.mark), false)
    }

    pub(crate) fn last_within(&self, after: Moment, until: Moment) -> Option<Measured> {
        self.within(after, until).next_back()
    }

    pub(crate) fn first_within(&self, after: Moment, until: Moment) -> Option<Measured> {
        self.within(after, until).next()
    }

    fn within(&self, after: Moment, until: Moment) -> impl DoubleEndedIterator<Item = Measured> {
        self.measured.iter().filter(move |measured| measured.at > after && measured.at <= until).copied()
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
        marks.add(UnixMs(1_000), epoch(1.0), true, Some(0.9));
        marks.add(UnixMs(2_000), epoch(2.0), false, None);
        marks.add(UnixMs(2_000), Mark::default(), false, Some(0.5));
        let at = |time| marks.at(marks.moment_of(UnixMs(time)));
        assert_eq!([at(100), at(1_200), at(9_000)], [Mark::default(), epoch(1.0), epoch(2.0)]);
    }

    #[test]
    fn of_what_was_read_together_the_earlier_epoch_is_that_of_the_save() {
        let mut marks = Marks::default();
        let row = |epoch: f64, step: i64| Mark { epoch: Some(epoch), step: Some(step) };
        marks.add(UnixMs(1), row(1.0, 3), false, None);
        marks.add(UnixMs(2), row(1.0, 4), false, None);
        marks.add(UnixMs(2), epoch(1.0), true, Some(0.9));
        marks.add(UnixMs(2), row(2.0, 5), false, None);
        assert_eq!(marks.between(1, 4), (row(1.0, 4), false));
        assert_eq!(marks.between(1, 3), (row(1.0, 4), true));
        assert_eq!(marks.last_within(0, 4).map(|measured| measured.value), Some(0.9));
        assert_eq!(marks.first_within(4, Moment::MAX), None);
    }
    #[test]
    fn an_epoch_that_told_its_results_before_the_save_is_that_of_the_save() {
        let mut marks = Marks::default();
        marks.add(UnixMs(1), epoch(1.0), true, Some(0.9));
        marks.add(UnixMs(2), epoch(2.0), true, Some(0.8));
        assert_eq!(marks.between(1, 2), (epoch(2.0), false));
        marks.add(UnixMs(3), epoch(3.0), false, None);
        assert_eq!(marks.between(2, 3), (epoch(2.0), false), "announced only");
        assert_eq!(marks.between(0, 3), (Mark::default(), false), "one of two");
    }
}
