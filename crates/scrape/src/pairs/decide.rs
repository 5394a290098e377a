//! Which candidates of a line count, by what the line is as a whole.

use super::{Axis, By, Candidate, Known, Reading};
use crate::names::Meaning;

impl Reading<'_> {
    /// Keeps what the line as a whole makes credible. Gives the last section.
    pub(super) fn decide(mut self, known: Known) -> Option<(usize, usize)> {
        let axis = self.found.epoch.is_some() || self.found.step.is_some() || self.counter.is_some() || self.numbered.is_some();
        let meanings = || self.candidates.iter().map(|c| self.judge.name(c.name).meaning);
        let settings = meanings().any(|meaning| matches!(meaning, Meaning::Config | Meaning::Total));
        let configuration = !axis && (settings || (!known.training && meanings().all(|meaning| meaning == Meaning::Rate)));
        let floats = self.candidates.iter().any(|c| !c.whole);
        // A whole number in a log's message counts something.
        let alone = self.tokens.len() == 2 && (floats || !known.logged);
        let prose = self.candidates.iter().any(|c| self.judge.name(c.name).prose);
        let pure = !self.stray && !prose && ((alone && self.candidates.len() == 1) || (floats && (axis || self.candidates.len() > 1)));
        // `using 8 workers, batch 32, lr 0.1` tells of settings.
        let told = self.stray
            && self.found.epoch.is_none()
            && (self.found.step.is_none() || self.aside)
            && !self.candidates.iter().any(|c| self.judge.name(c.name).meaning == Meaning::Result);
        let mut separated = false;
        for at in 0..self.candidates.len() {
            let c = self.candidates[at];
            let name = self.judge.name(c.name);
            let blank = matches!(c.by, By::Blank | By::Is);
            let keep = match name.meaning {
                // `Loss is nan, stopping training`
                _ if !c.value.is_finite() && !axis && (c.by == By::Is || (blank && self.stray)) => false,
                // `Error 2` and `error: 404` are codes.
                Meaning::Result if c.whole && name.words == 1 => !name.text.eq_ignore_ascii_case("error"),
                Meaning::Result => true,
                Meaning::Rate => !(configuration || (blank && told)),
                Meaning::Plain if c.percent && c.by != By::Equals => false,
                Meaning::Plain if blank => pure && name.words == 1 && !configuration,
                Meaning::Plain if c.by == By::GluedColon && c.whole => false,
                Meaning::Plain => !configuration && (name.words == 1 || (name.words == 2 && (!c.whole || axis || known.epoch))),
                _ => false,
            };
            if keep {
                separated |= !blank;
                let text = self.qualified(c);
                self.found.set(text, c.value);
            } else if configuration
                && !blank
                && name.words == 1
                && matches!(name.meaning, Meaning::Config | Meaning::Total | Meaning::Rate | Meaning::Plain)
            {
                let value = self.line[c.text.0..c.text.1].to_string();
                self.found.config.push((name.text.clone(), value));
            }
        }
        let values = !self.found.values.is_empty();
        if values || !self.found.config.is_empty() {
            self.found.reader = Some(match (values, self.bar, separated) {
                (false, _, _) => "config",
                (_, true, _) => "progress",
                (_, _, true) => "pairs",
                _ => "name value",
            });
        }
        match self.counter {
            Some((part, total)) if values => self.set_axis(Axis::Step, part, (!total.is_nan()).then_some(total), false),
            _ if !values && self.aside => {
                self.found.step = None;
                self.found.steps = None;
            }
            _ if !values && !self.worded => {
                // A counter with no word and no values may count anything.
                self.found.step = None;
                self.found.steps = None;
                self.found.epoch = None;
                self.found.epochs = None;
            }
            _ => {}
        }
        if let (Some(epoch), true) = (self.numbered, values) {
            self.set_axis(Axis::Epoch, epoch, None, false);
        }
        if (self.found.step.is_some() || self.found.epoch.is_some()) && self.found.reader.is_none() {
            self.found.reader = Some("header");
        }
        self.section
    }

    /// The name as recorded: under its section's word unless it is common to all parts of the data.
    fn qualified(&self, c: Candidate) -> String {
        let name = self.judge.name(c.name);
        // `train loss 0.5 val loss 0.4 acc 0.8`: what comes once behind names that each say their part is of no part.
        let once = || self.candidates.iter().filter(|other| other.name == c.name).count() == 1;
        let common = name.meaning == Meaning::Rate
            || matches!(name.text.as_str(), "grad_norm" | "gnorm" | "mfu" | "best")
            || (self.parts > 1 && c.section == self.attached && once());
        match c.section {
            Some((start, end)) if !common => format!("{}_{}", &self.line[start..end], name.text),
            _ => name.text.clone(),
        }
    }
}
