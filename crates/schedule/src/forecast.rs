//! When what is queued will probably start: the queue itself, carried on with what earlier runs took.

use crate::decide::Mine;
use crate::queue::Queue;
use crate::room::World;
use neronet_model::event::Process;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forecast {
    /// When runs will start, of those for which that can be said.
    pub starts: BTreeMap<RunId, UnixMs>,
    /// When those and what runs now will have ended, of those whose length is known.
    ends: BTreeMap<RunId, UnixMs>,
    /// When the last of them will have ended; nothing where that cannot be said of all.
    pub done: Option<UnixMs>,
}

impl Forecast {
    /// When the last of these will have ended; nothing where that cannot be said of all.
    pub fn end_of(&self, mut runs: impl Iterator<Item = RunId>) -> Option<UnixMs> {
        runs.try_fold(None, |last, run| Some(last.max(Some(*self.ends.get(&run)?)))).flatten()
    }
}

impl Queue {
    /// The next `most` starts, as things stand. Runs whose length is not known are taken to go on for ever.
    pub fn forecast(&self, world: &World, now: UnixMs, most: usize, mine: Mine<'_>) -> Forecast {
        let mut then = self.clone();
        let mut forecast = Forecast::default();
        let mut ends: BinaryHeap<Reverse<(UnixMs, RunId)>> = BinaryHeap::new();
        // One that takes longer than expected may end at any moment.
        ends.extend(self.granted.keys().filter_map(|run| Some(Reverse((self.end_of(*run)?.max(now), *run)))));
        forecast.ends.extend(ends.iter().map(|Reverse((end, run))| (*run, *end)));
        let nobody = Process { host: String::new(), boot: String::new(), pid_namespace: 0, pid: 0, start: 0 };
        let mut at = now;
        while forecast.starts.len() < most {
            let decided = then.decide(world, at, mine);
            for start in &decided.starts {
                then.started(at, start.run, start.attempt, &start.grant, &nobody);
                forecast.starts.insert(start.run, at);
                if let Some(end) = then.end_of(start.run) {
                    forecast.ends.insert(start.run, end.max(at));
                    ends.push(Reverse((end.max(at), start.run)));
                }
            }
            if let Some(due) = decided.look_again.filter(|due| ends.peek().is_none_or(|Reverse((end, _))| due < end)) {
                at = due.max(at);
                continue;
            }
            let Some(Reverse((end, _))) = ends.peek().copied() else { break };
            at = end;
            forecast.done = Some(end);
            while let Some(Reverse((_, run))) = ends.peek().filter(|Reverse((next, _))| *next == end).copied() {
                ends.pop();
                then.let_end(run);
            }
        }
        let (queued, running) = then.counts();
        let all_end = queued == 0 && running == ends.len();
        forecast.done = forecast.done.max(ends.into_iter().map(|Reverse((end, _))| end).max()).filter(|_| all_end);
        forecast
    }

    fn let_end(&mut self, run: RunId) {
        let attempt = self.runs.get(&run).map_or(AttemptNo(1), |item| item.attempt);
        self.release(run, None);
        self.end_as(run, attempt, Outcome::Finished);
    }
}
