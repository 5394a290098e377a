//! How far the training was when: so that a checkpoint found a second later is known by the step and the value that it had
//! when it was saved.

use neronet_model::UnixMs;
use std::collections::VecDeque;

/// Lines are read so much later than they are printed, at most.
const READ_LATER_MS: i64 = 500;
/// Marks kept: those of the last minutes.
const MOST: usize = 4_096;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Mark {
    pub(crate) step: Option<i64>,
    pub(crate) epoch: Option<f64>,
    /// Of the first objective.
    pub(crate) value: Option<f64>,
}

#[derive(Debug, Default)]
pub(crate) struct Marks(VecDeque<(UnixMs, Mark)>);

impl Marks {
    /// What is known from `at` on; what is `None` stays as it was.
    pub(crate) fn add(&mut self, at: UnixMs, mark: Mark) {
        let last = self.0.back().map(|(_, mark)| *mark).unwrap_or_default();
        let mark = Mark { step: mark.step.or(last.step), epoch: mark.epoch.or(last.epoch), value: mark.value.or(last.value) };
        match self.0.back_mut().filter(|(last, _)| *last == at) {
            Some(entry) => entry.1 = mark,
            None => self.0.push_back((at, mark)),
        }
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// What was known of a file that was saved at `at`.
    pub(crate) fn as_of(&self, at: UnixMs) -> Mark {
        let known = self.0.iter().rev().find(|(mark, _)| mark.0 <= at.0 + READ_LATER_MS);
        known.map(|(_, mark)| *mark).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_found_late_has_the_values_of_when_it_was_saved() {
        let mut marks = Marks::default();
        marks.add(UnixMs(1_000), Mark { epoch: Some(1.0), value: Some(0.9), ..Mark::default() });
        marks.add(UnixMs(2_000), Mark { epoch: Some(2.0), ..Mark::default() });
        marks.add(UnixMs(2_000), Mark { value: Some(0.5), ..Mark::default() });
        assert_eq!(marks.as_of(UnixMs(100)), Mark::default());
        assert_eq!(marks.as_of(UnixMs(1_200)).value, Some(0.9));
        assert_eq!(marks.as_of(UnixMs(9_000)), Mark { step: None, epoch: Some(2.0), value: Some(0.5) });
    }
}
