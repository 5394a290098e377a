//! The order of the queue, and how it changes. Places lie apart, so that something can be put between two.

use crate::queue::{Item, Queue};
use neronet_model::RunId;
use neronet_model::queue::Place;

/// Between neighbours as they are submitted: so often something can be moved between the same two before all are numbered anew.
const GAP: i128 = 1 << 64;

impl Queue {
    pub(crate) fn last_place(&self) -> i128 {
        self.order.last_key_value().map_or(0, |(last, _)| *last) + GAP
    }

    pub(crate) fn first_place(&self) -> i128 {
        self.order.first_key_value().map_or(0, |(first, _)| *first) - GAP
    }

    /// Those that have ended keep the number of a place that is somebody else's by now.
    pub(crate) fn has_place(&self, run: RunId, item: &Item) -> bool {
        self.order.get(&item.position) == Some(&run)
    }

    pub(crate) fn leave_order(&mut self, run: RunId) {
        if let Some(position) = self.runs.get(&run).filter(|item| self.has_place(run, item)).map(|item| item.position) {
            self.order.remove(&position);
        }
    }

    fn place_of(&self, run: RunId) -> Option<i128> {
        self.runs.get(&run).filter(|item| self.has_place(run, item)).map(|item| item.position)
    }

    pub(crate) fn moved(&mut self, runs: &[RunId], to: Place) {
        let mut still: Vec<(i128, RunId)> = runs.iter().filter_map(|run| Some((self.place_of(*run)?, *run))).collect();
        still.sort_unstable();
        still.dedup();
        if let Place::Before(anchor) | Place::After(anchor) = to
            && (self.place_of(anchor).is_none() || still.iter().any(|(_, run)| *run == anchor))
        {
            return;
        }
        for (position, _) in &still {
            self.order.remove(position);
        }
        let (from, until) = self.between(to, still.len() as i128 + 1);
        let step = (until - from) / (still.len() as i128 + 1);
        if step == 0 {
            // No room is left between these two: all get new places, in the same order.
            self.order.extend(still);
            self.number_anew();
            return self.moved(runs, to);
        }
        for (n, (_, run)) in still.into_iter().enumerate() {
            let position = from + step * (n as i128 + 1);
            self.order.insert(position, run);
            self.change(run, |item| item.position = position);
        }
    }

    /// The two places between which it is.
    fn between(&self, to: Place, steps: i128) -> (i128, i128) {
        let first = || self.order.first_key_value().map_or(0, |(first, _)| *first);
        let last = || self.order.last_key_value().map_or(0, |(last, _)| *last);
        match to {
            Place::First => (first() - steps * GAP, first()),
            Place::Last => (last(), last() + steps * GAP),
            Place::Before(anchor) => {
                let until = self.place_of(anchor).unwrap_or_else(first);
                (self.order.range(..until).next_back().map_or(until - steps * GAP, |(before, _)| *before), until)
            }
            Place::After(anchor) => {
                let from = self.place_of(anchor).unwrap_or_else(last);
                (from, self.order.range(from + 1..).next().map_or(from + steps * GAP, |(behind, _)| *behind))
            }
        }
    }

    fn number_anew(&mut self) {
        let all: Vec<RunId> = std::mem::take(&mut self.order).into_values().collect();
        for (n, run) in all.into_iter().enumerate() {
            let position = (n as i128 + 1) * GAP;
            self.order.insert(position, run);
            self.change(run, |item| item.position = position);
        }
    }
}
