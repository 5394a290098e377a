//! The queued runs that could start as far as they themselves are concerned, sorted so that a decision looks at each kind once,
//! however many they are.

use crate::needs::Demand;
use crate::queue::{Item, Key, Lane, Queue, Stand, key};
use neronet_model::{Outcome, RunId, SweepId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where one run does not start for want of room or quota, no other of its kind does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Kind {
    pub(crate) project: String,
    pub(crate) experiment: String,
    pub(crate) demand: Demand,
    /// Machines by name, the first that has room; none: those that are not elsewhere.
    pub(crate) targets: Vec<String>,
    /// The one of these that comes first, as it has what they go on from.
    pub(crate) prefers: Option<String>,
}

impl Kind {
    /// The targets in the order in which they are tried.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = &String> {
        self.prefers.iter().chain(self.targets.iter().filter(|target| self.prefers.as_ref() != Some(*target)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Class {
    /// Whoever keeps the queue starts it, not a process that somebody looks at.
    pub(crate) kept: bool,
    pub(crate) not_before: Option<UnixMs>,
    pub(crate) kind: Arc<Kind>,
}

impl Item {
    pub(crate) fn kind<'q>(&'q self, lane: &'q Lane) -> &'q Arc<Kind> {
        self.kind.as_ref().unwrap_or(&lane.kind)
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.stand == Stand::Queued && !self.trashed
    }

    fn class(&self, lane: &Lane) -> Class {
        Class { kept: self.kept, not_before: self.not_before, kind: Arc::clone(self.kind(lane)) }
    }
}

impl Lane {
    /// Whether one more of its runs may start.
    pub(crate) fn is_open(&self) -> bool {
        self.waits.is_empty() && !self.upstream_failed && self.parallel.is_none_or(|most| self.running < most)
    }
}

impl Queue {
    /// The only way in which an item changes.
    pub(crate) fn change(&mut self, run: RunId, change: impl FnOnce(&mut Item)) {
        self.unsettle(run);
        if let Some(item) = self.runs.get_mut(&run) {
            change(item);
        }
        self.settle(run);
    }

    /// The only way in which that changes which says whether a lane is open.
    pub(crate) fn change_lane(&mut self, id: SweepId, change: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        let before = lane.is_open();
        change(lane);
        if before == lane.is_open() {
            return;
        }
        for (class, runs) in &lane.ready {
            let Some(first) = runs.first() else { continue };
            set_head(&mut self.heads, class, id, before.then_some(*first), (!before).then_some(*first));
        }
    }

    /// Puts a run among the ready ones of its sweep, if it is.
    pub(crate) fn settle(&mut self, run: RunId) {
        let Some(item) = self.runs.get(&run) else { return };
        self.queued += usize::from(item.is_queued());
        let may = item.after.is_none_or(|after| self.stand(after) == Some(Stand::Ended(Outcome::Finished)));
        if !may || !item.is_queued() || item.held.is_some() || item.away.is_some() {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&item.lane) else { return };
        let class = item.class(lane);
        let key = key(run, item);
        let runs = lane.ready.entry(class.clone()).or_default();
        let before = runs.first().copied();
        if runs.insert(key) && before.is_none_or(|before| key < before) && lane.is_open() {
            set_head(&mut self.heads, &class, item.lane, before, Some(key));
        }
    }

    /// Takes a run out of the ready ones of its sweep.
    pub(crate) fn unsettle(&mut self, run: RunId) {
        let Some(item) = self.runs.get(&run) else { return };
        self.queued -= usize::from(item.is_queued());
        let Some(lane) = self.lanes.get_mut(&item.lane) else { return };
        let class = item.class(lane);
        let key = key(run, item);
        let Some(runs) = lane.ready.get_mut(&class) else { return };
        let was_first = runs.first() == Some(&key);
        if !runs.remove(&key) {
            return;
        }
        let next = runs.first().copied();
        if next.is_none() {
            lane.ready.remove(&class);
        }
        if was_first && lane.is_open() {
            set_head(&mut self.heads, &class, item.lane, Some(key), next);
        }
    }
}

type Heads = BTreeMap<Class, std::collections::BTreeSet<(Key, SweepId)>>;

fn set_head(heads: &mut Heads, class: &Class, lane: SweepId, before: Option<Key>, now: Option<Key>) {
    if before.is_none() && now.is_none() {
        return;
    }
    let of_class = heads.entry(class.clone()).or_default();
    if let Some(before) = before {
        of_class.remove(&(before, lane));
    }
    if let Some(now) = now {
        of_class.insert((now, lane));
    }
    if of_class.is_empty() {
        heads.remove(class);
    }
}
