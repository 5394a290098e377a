//! What targets are given beyond what they have room for, so that they go on while home is away; and what is taken back from them,
//! because another machine has room for it now.

use crate::decide::{Decided, Decision};
use crate::needs::Demand;
use crate::queue::{Key, Lane, Stand, key};
use crate::ready::Kind;
use crate::reason::Reason;
use crate::room::Room;
use neronet_model::queue::Grant;
use neronet_model::{AttemptNo, RunId, SweepId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A run that is to wait on a target for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    pub run: RunId,
    pub attempt: AttemptNo,
    pub target: String,
}

impl Decision<'_> {
    /// In the order of the queue, to whichever of a run's targets has the fewest that wait, as long as that is few enough.
    pub(crate) fn hand_ahead(&self, decided: &mut Decided) {
        let mut left: BTreeMap<&str, u64> = BTreeMap::new();
        for room in &self.rooms {
            let name = room.place.machine.name.as_str();
            let opens = room.place.closed.is_none() && room.place.opens(self.now, None).is_some();
            if let Some(most) = room.place.ahead.filter(|_| opens) {
                left.insert(name, most.saturating_sub(self.queue.waiting_at(name)));
            }
        }
        if left.values().all(|left| *left == 0) {
            return;
        }
        let starts: BTreeSet<RunId> = decided.starts.iter().map(|start| start.run).collect();
        let mut next: Vec<(Key, SweepId, &Kind, Option<&str>)> = self.next_stages();
        for (id, lane) in &self.queue.lanes {
            // One that is just being reached would find all of them given to another.
            if !self.may_wait(*id, lane) || self.coming_back.contains(id) || lane.kind.targets.iter().any(|target| self.is_coming(target)) {
                continue;
            }
            for (class, runs) in lane.ready.iter().filter(|(class, _)| class.kept && class.not_before.is_none_or(|at| at <= self.now)) {
                let far = left.iter().filter(|(name, _)| class.kind.targets.iter().any(|target| target == *name));
                let most = far.map(|(_, left)| *left).fold(0, u64::saturating_add) as usize;
                let may = |(.., run): &&Key| !starts.contains(run) && !self.bringing.contains_key(run);
                next.extend(runs.iter().filter(may).take(most).map(|key| (*key, *id, &*class.kind, None)));
            }
        }
        next.sort_unstable_by_key(|(key, ..)| *key);
        // Of a sweep of which only so many may execute at a time, all that were started count on one machine.
        let mut bound: BTreeMap<SweepId, Option<&str>> = BTreeMap::new();
        for ((.., run), id, kind, bound_to) in next {
            let Some(lane) = self.queue.lanes.get(&id) else { continue };
            let only = *bound.entry(id).or_insert_with(|| self.only_place(id, lane, decided));
            let able = |room: &&Room<'_>| {
                let name = room.place.machine.name.as_str();
                kind.targets.iter().any(|target| target == name)
                    && bound_to.is_none_or(|target| target == name)
                    && (lane.parallel.is_none() || only == Some(name))
                    && left.get(name).is_some_and(|left| *left > 0)
                    && Room::empty(room.place).fit(kind.demand.at(name), true).is_ok()
            };
            let best = self.rooms.iter().filter(able).max_by_key(|room| {
                let name = room.place.machine.name.as_str();
                (kind.prefers.as_deref() == Some(name), left.get(name).copied())
            });
            let Some(target) = best.map(|room| room.place.machine.name.as_str()) else { continue };
            left.entry(target).and_modify(|left| *left -= 1);
            let attempt = self.queue.runs.get(&run).map_or(AttemptNo(1), |item| item.attempt);
            decided.ahead.push(Ahead { run, attempt, target: target.to_string() });
        }
    }

    /// Runs that go on from one that a target has and that has not ended: there they may start when it has, whether home is there or not.
    fn next_stages(&self) -> Vec<(Key, SweepId, &Kind, Option<&str>)> {
        let there = self.queue.at_targets.iter().flat_map(|(target, runs)| runs.iter().map(move |run| (target.as_str(), run)));
        let followers = there.flat_map(|(target, run)| self.queue.waiting.get(run).into_iter().flatten().map(move |next| (target, *next)));
        let may = |(target, run): (_, RunId)| {
            let item =
                self.queue.runs.get(&run).filter(|item| item.is_queued() && item.held.is_none() && item.away.is_none() && item.kept)?;
            let lane = self.queue.lanes.get(&item.lane).filter(|lane| self.may_wait(item.lane, lane))?;
            let due = item.not_before.is_none_or(|at| at <= self.now);
            due.then(|| (key(run, item), item.lane, &**item.kind(lane), Some(target)))
        };
        followers.filter_map(may).collect()
    }

    /// What the sweep as a whole waits for, but for its turn: a target knows of none but the sweep's own.
    fn may_wait(&self, id: SweepId, lane: &Lane) -> bool {
        let limited = self.queue.quotas.contains_key(&lane.kind.project) || lane.gpu_hours.is_some();
        lane.waits.is_empty() && !lane.upstream_failed && !limited && !self.not_yet.contains_key(&id)
    }

    /// The one machine where all that was started of a sweep is, if it is one.
    fn only_place(&self, id: SweepId, lane: &Lane, decided: &Decided) -> Option<&str> {
        lane.parallel?;
        let of_lane = |run: &RunId| self.queue.runs.get(run).is_some_and(|item| item.lane == id);
        let there = self.queue.granted.iter().filter(|(run, _)| of_lane(run)).map(|(_, granted)| granted.grant.machine.as_str());
        let waits = self.queue.at_targets.iter().filter(|(_, runs)| runs.iter().any(of_lane)).map(|(target, _)| target.as_str());
        let starts = decided.starts.iter().filter(|start| of_lane(&start.run)).map(|start| start.grant.machine.as_str());
        let names: BTreeSet<&str> = there.chain(waits).chain(starts).collect();
        let only = names.first().filter(|_| names.len() == 1)?;
        self.rooms.iter().map(|room| room.place.machine.name.as_str()).find(|name| name == only)
    }

    /// Whether it fits beside all that others have there.
    fn fits_beside(&self, at: usize, demand: &Demand, own: Option<&Grant>) -> bool {
        let mut room = Cow::Borrowed(&self.rooms[at]);
        if let Some(own) = own {
            room.to_mut().used.give_back(own);
        }
        room.fit(demand.at(&room.place.machine.name), false).is_ok()
    }

    /// What one with this place in the queue would be given there now, were it at home.
    fn grant_before(&self, at: usize, kind: &Kind, demand: &Demand, place: Key) -> Option<Grant> {
        let room = &self.rooms[at];
        let grant = room.fit(demand.at(&room.place.machine.name), false).ok()?;
        let first = self.reserved.as_ref().and_then(|reserved| Some(key(reserved.run, self.queue.runs.get(&reserved.run)?)));
        (first.is_none_or(|first| place < first) || self.delays_nobody(at, kind, &grant)).then_some(grant)
    }

    /// Why what waits on a target does not start there, as far as its machine is known here: there may be nothing left here that waits for
    /// the same.
    pub(crate) fn lack_there(&self, decided: &mut Decided) {
        for (target, runs) in &self.queue.at_targets {
            let Some(room) = self.rooms.iter().find(|room| room.place.machine.name == *target) else { continue };
            let waiting = runs.iter().filter_map(|run| {
                let item = self.queue.runs.get(run).filter(|item| item.is_queued())?;
                Some(&**item.kind(self.queue.lanes.get(&item.lane)?))
            });
            let mut kinds: Vec<&Kind> = waiting.collect();
            kinds.dedup_by(|a, b| std::ptr::eq(*a, *b));
            kinds.sort_unstable();
            kinds.dedup();
            let lacking: Vec<(Kind, Reason)> = kinds.into_iter().filter_map(|kind| Some((kind.clone(), self.lacks(room, kind)?))).collect();
            if !lacking.is_empty() {
                decided.lacking.insert(target.clone(), lacking);
            }
        }
    }

    /// Runs that wait on a target while another of theirs has room: those that came there last. And those of which something was said
    /// that it does not know.
    pub(crate) fn take_back(&mut self, decided: &mut Decided) {
        let queue = self.queue;
        // Most of those that wait are alike.
        let mut known: Option<(&Kind, Cow<'_, Demand>)> = None;
        for (target, runs) in &queue.at_targets {
            let Some(there) = self.rooms.iter().position(|room| room.place.machine.name == *target) else { continue };
            for run in runs.iter().rev() {
                let Some(item) = self.queue.runs.get(run).filter(|item| item.stand == Stand::Queued || item.awaits_start(item.attempt))
                else {
                    continue;
                };
                let Some(lane) = self.queue.lanes.get(&item.lane) else { continue };
                let Some(away) = item.away.as_ref().filter(|away| away.asked.is_none()) else { continue };
                // Whoever releases it says so to home alone; and what others of its project have is known to home alone.
                let limited = item.stand == Stand::Queued && self.queue.quotas.contains_key(&lane.kind.project);
                if item.held.is_some() || away.recalled || limited {
                    decided.back.push(*run);
                    continue;
                }
                // What it was to go on from there does not come to its end there.
                if item.after.is_some_and(|after| !self.queue.ends_at(after, target)) {
                    decided.back.push(*run);
                    continue;
                }
                // One that it is to try again has what it needs for that there.
                if item.failures > 0 {
                    continue;
                }
                let kind: &Kind = item.kind(lane);
                // It was given room, and has not got it: others came first there. While there still is, what it needs is being made.
                let own = self.queue.granted.get(run);
                if own.is_some() && (self.bringing.contains_key(run) || !self.queue.has_waited(*run, self.now)) {
                    continue;
                }
                if lane.parallel.is_some() {
                    continue;
                }
                let (_, demand) = match known.take().filter(|(of, _)| std::ptr::eq(*of, kind)) {
                    Some(known) => known,
                    None => (kind, queue.demand(kind)),
                };
                let demand = &known.insert((kind, demand)).1;
                if self.fits_beside(there, demand, own.map(|own| &own.grant)) {
                    continue;
                }
                let elsewhere = self.rooms_of(kind).into_iter().filter(|at| *at != there);
                let found = elsewhere.filter_map(|at| Some((at, self.grant_before(at, kind, demand, key(*run, item))?))).next();
                if let Some((at, grant)) = found {
                    self.take(at, kind, &grant);
                    decided.back.push(*run);
                }
            }
        }
    }
}
