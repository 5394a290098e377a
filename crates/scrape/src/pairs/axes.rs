//! Where a line says in which step and epoch it is: counters, and brackets around them.

use super::{Axis, Reading};
use crate::lexer::Kind;
use crate::names::Meaning;

impl Reading<'_> {
    pub(super) fn set_axis(&mut self, axis: Axis, part: f64, total: Option<f64>, global: bool) {
        match axis {
            Axis::Epoch if self.found.epoch.is_none() && part.is_finite() => {
                self.found.epoch = Some(part);
                self.found.epochs = total;
            }
            Axis::Step if (self.found.step.is_none() || (global && !self.global)) && part.fract() == 0.0 && part.abs() < 1e15 => {
                self.found.step = Some(part as i64);
                self.found.steps = total.filter(|total| *total < 1e15).map(|total| total as i64);
                self.global = global;
            }
            _ => {}
        }
    }

    /// `of 50` behind the number of an axis.
    pub(super) fn of_total(&self, i: usize) -> (Option<f64>, usize) {
        match (self.text(i), self.kind(i + 1)) {
            ("of" | "out", Some(Kind::Number { value, whole: true } | Kind::Grouped { value })) => (Some(value), i + 2),
            _ => (None, i),
        }
    }

    pub(super) fn ratio(&mut self, i: usize, part: f64, total: f64) -> usize {
        let first = self.run.map(|(first, _)| first);
        let name = self.take_run();
        let mut next = i + 1;
        let named = name.and_then(|name| match self.judge.name(name).meaning {
            Meaning::Epoch => Some(Axis::Epoch),
            Meaning::Step | Meaning::GlobalStep => Some(Axis::Step),
            Meaning::Total if self.text(first.unwrap_or(i)).to_ascii_lowercase().starts_with("epoch") => Some(Axis::Epoch),
            Meaning::Total => Some(Axis::Step),
            _ => None,
        });
        if let (Some(name), Some(first)) = (name, first)
            && let Some(section) = self.section_of(name, first)
        {
            self.section = Some(section);
        }
        let behind = (self.kind(next) == Some(Kind::Word)).then(|| self.text(next).to_ascii_lowercase());
        let axis = named.or(self.pending.take()).or(match behind.as_deref() {
            Some("batches" | "steps" | "iterations" | "iters") => {
                next += 1;
                Some(Axis::Step)
            }
            Some("epochs") => {
                next += 1;
                Some(Axis::Epoch)
            }
            _ => None,
        });
        let bracketed = i > 0 && self.is_mark(i - 1, b'[') && (self.is_mark(next, b']') || self.is_mark(next, b'('));
        match axis {
            Some(axis) => {
                // `Epoch [3/50][10/938]`: what has its word already leaves the second counter to the step.
                self.worded = true;
                self.set_axis(axis, part, Some(total), false);
            }
            // `[1/10][100/391]`: epoch and step.
            None if bracketed
                && i > 1
                && self.is_mark(i - 2, b']')
                && self.found.epoch.is_none()
                && self.counter.is_some_and(|(_, all)| !all.is_nan()) =>
            {
                if let Some((epoch, epochs)) = self.counter.replace((part, total)) {
                    self.set_axis(Axis::Epoch, epoch, Some(epochs), false);
                }
            }
            None if bracketed || self.bar => {
                self.counter.get_or_insert((part, total));
            }
            // At the head of its line, and no date.
            None if name.is_none()
                && self.candidates.is_empty()
                && !self.stray
                && !matches!(
                    self.kind(next),
                    Some(Kind::Opaque | Kind::Number { .. } | Kind::Grouped { .. } | Kind::Ratio { .. }) | None
                ) =>
            {
                self.counter.get_or_insert((part, total));
            }
            None => {}
        }
        if self.is_mark(next, b'(') {
            next = self.behind_group(next);
        }
        next
    }

    pub(super) fn bracket(&mut self, i: usize) -> usize {
        if let Some((first, _)) = self.run
            && let Some(name) = self.take_run()
        {
            if let Some(section) = self.section_of(name, first) {
                self.section = Some(section);
            }
            self.pending = self.axis_of(name);
            // `mAP@[IoU=0.50]`
            if self.pending.is_none() && self.text(i - 1).ends_with('@') {
                return self.behind_group(i);
            }
            if self.pending.is_none() && self.section.is_none() {
                self.stray = true;
                // Indices and lists behind a word.
                if !matches!(self.kind(i + 1), Some(Kind::Ratio { .. } | Kind::Word)) && !self.bar {
                    return self.behind_group(i);
                }
            }
        }
        let Some(Kind::Number { value, whole: true }) = self.kind(i + 1) else {
            return i + 1;
        };
        let head = self.candidates.is_empty() && !self.stray && self.found.step.is_none();
        if self.is_mark(i + 2, b']') {
            let counter_follows = self.is_mark(i + 3, b'[') && matches!(self.kind(i + 4), Some(Kind::Ratio { .. }));
            if let Some(axis) = self.pending.take() {
                self.worded = true;
                self.set_axis(axis, value, None, false);
            } else if counter_follows && head {
                self.set_axis(Axis::Epoch, value, None, false);
            } else if head && self.counter.is_none() && !self.is_mark(i + 3, b':') {
                self.counter = Some((value, f64::NAN));
            }
            return i + 3;
        }
        // `[1,  2000] loss: 2.1`: epoch and batch.
        if let (Some(Kind::Number { value: step, whole: true }), true) =
            (self.kind(i + 3), self.is_mark(i + 2, b',') && self.is_mark(i + 4, b']'))
        {
            if head && self.found.epoch.is_none() && self.kind(i + 5) == Some(Kind::Word) && self.pending.is_none() {
                self.set_axis(Axis::Epoch, value, None, false);
                self.set_axis(Axis::Step, step, None, false);
            }
            return i + 5;
        }
        i + 1
    }
}
