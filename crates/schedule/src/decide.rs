//! What starts now. In the order of the queue; what comes later may go before only where the first that waits is not delayed by it.

use crate::needs::Needs;
use crate::queue::{Key, Lane, Queue};
use crate::reason::{Lack, Reason};
use crate::room::{Room, World};
use neronet_model::queue::Grant;
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, RunId, SweepId, UnixMs};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    pub run: RunId,
    pub attempt: AttemptNo,
    pub grant: Grant,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decided {
    /// In this order.
    pub starts: Vec<Start>,
    /// Why the first run of a sweep that could start does not.
    pub(crate) blocked: BTreeMap<SweepId, Reason>,
    /// When time alone changes the answer.
    pub look_again: Option<UnixMs>,
}

/// Whose runs are decided on.
#[derive(Debug, Clone, Copy)]
pub enum Mine<'r> {
    /// All that were submitted to whoever keeps the queue.
    Detached,
    /// Those that wait for the process that somebody looks at.
    These {
        runs: &'r BTreeSet<RunId>,
        /// Of all of them together.
        at_once: u64,
    },
    /// Whoever starts them.
    All,
}

/// Runs of one sweep with needs of their own that are passed over for one that fits.
const PASSED: usize = 100;

/// The first run that waits for room, and when it will have it.
struct Reserved<'w> {
    run: RunId,
    needs: Arc<Needs>,
    /// Unknown where it waits for something that nobody knows the length of.
    at: Option<UnixMs>,
    /// The machine that it will have, as it will be then.
    place: usize,
    room: Room<'w>,
}

impl Queue {
    /// What is to be started of the sweeps that are `mine`.
    pub fn decide(&self, world: &World, now: UnixMs, mine: Mine<'_>) -> Decided {
        let mut rooms: Vec<Room<'_>> = world.places.iter().map(|place| Room::new(place, self.used.get(&place.machine.name))).collect();
        let mut decided = Decided::default();
        let mut begun: BTreeMap<SweepId, u64> = BTreeMap::new();
        let mut in_use = BTreeMap::new();
        let mut reserved: Option<Reserved<'_>> = None;
        // What did not fit once does not fit later: rooms only become smaller here.
        let mut too_large: Vec<(Arc<Needs>, Reason)> = Vec::new();
        let mut heads: BinaryHeap<Reverse<(Key, SweepId)>> = BinaryHeap::new();
        let is_mine = |lane: &Lane, run: RunId| match mine {
            Mine::Detached => lane.detached || self.runs.get(&run).is_some_and(|item| item.handed_over),
            Mine::These { runs, .. } => runs.contains(&run),
            Mine::All => true,
        };
        let next_of = |id: SweepId, lane: &Lane, behind: Option<Key>| {
            let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
            lane.ready.range((from, Bound::Unbounded)).find(|(.., run)| is_mine(lane, *run)).map(|next| Reverse((*next, id)))
        };
        heads.extend(self.lanes.iter().filter_map(|(id, lane)| next_of(*id, lane, None)));
        let mut passed: BTreeMap<SweepId, usize> = BTreeMap::new();
        let most = match mine {
            Mine::These { runs, at_once } => at_once.saturating_sub(self.granted.keys().filter(|run| runs.contains(run)).count() as u64),
            _ => u64::MAX,
        };
        while let Some(Reverse((head, id))) = heads.pop() {
            if decided.starts.len() as u64 >= most {
                break;
            }
            let Some((lane, item)) = self.lanes.get(&id).zip(self.runs.get(&head.2)) else { continue };
            let next = || next_of(id, lane, Some(head));
            if let Some(why) = world.not_yet.get(&id) {
                decided.blocked.entry(id).or_insert(Reason::NotYet(why.clone()));
                continue;
            }
            let ahead = begun.get(&id).copied().unwrap_or(0);
            if let Some(reason) = self.lane_blocked(id, lane, ahead, &in_use) {
                decided.blocked.entry(id).or_insert(reason);
                continue;
            }
            if let Some(reason) = self.own_reason(item, lane, now) {
                if let Reason::NotBefore(at) = reason {
                    decided.look_again = decided.look_again.map_or(Some(at), |known| Some(known.min(at)));
                    heads.extend(next());
                }
                decided.blocked.entry(id).or_insert(reason);
                continue;
            }
            let needs = self.needs_of(item, lane);
            let known = too_large.iter().find(|(large, _)| Arc::ptr_eq(large, needs) || large == needs).map(|(_, reason)| reason.clone());
            let fits = match known {
                Some(reason) => Err(reason),
                None => self.first_fit(&rooms, needs, lane, now, reserved.as_ref()),
            };
            match fits {
                Ok((place, grant)) => {
                    rooms[place].used.take(&grant);
                    if let Some(reserved) =
                        reserved.as_mut().filter(|reserved| reserved.place == place && !ends_by(self.longest(lane), now, reserved.at))
                    {
                        reserved.room.used.take(&grant);
                    }
                    *begun.entry(id).or_default() += 1;
                    let project: &mut (u64, u64) = in_use.entry(lane.project.clone()).or_default();
                    *project = (project.0 + 1, project.1 + grant.gpus.as_ref().map_or(0, Vec::len) as u64);
                    decided.starts.push(Start { run: head.2, attempt: item.attempt, grant });
                    heads.extend(next());
                }
                Err(reason) => {
                    if reserved.is_none() && matches!(reason, Reason::Lacks { .. }) {
                        reserved = self.reserve(&rooms, head.2, needs, world);
                    }
                    if !matches!(reason, Reason::Before(_)) {
                        too_large.push((Arc::clone(needs), reason.clone()));
                    }
                    decided.blocked.entry(id).or_insert(reason);
                    let passed = passed.entry(id).or_default();
                    *passed += 1;
                    // Only where its runs need different things can the next one fit.
                    if item.needs.is_some() && *passed < PASSED {
                        heads.extend(next());
                    }
                }
            }
        }
        decided
    }

    /// What a machine of these can never give, if none can: of the one that could give most.
    pub fn never_fits(world: &World, needs: &Needs) -> Option<Lack> {
        let mut lacks = Vec::new();
        for place in &world.places {
            match Room::empty(place).fit(needs, true) {
                Ok(_) => return None,
                Err(lack) => lacks.push(lack),
            }
        }
        lacks.into_iter().next()
    }

    /// What the sweep as a whole may not exceed.
    fn lane_blocked(&self, id: SweepId, lane: &Lane, begun: u64, in_use: &BTreeMap<String, (u64, u64)>) -> Option<Reason> {
        if let Some(most) = lane.parallel.filter(|most| lane.running + begun >= *most) {
            return Some(Reason::Parallel { sweep: id, at_a_time: most });
        }
        if lane.wishes.gpu_time.is_some_and(|most| lane.gpu_ms >= most.0) {
            return Some(Reason::GpuTime { sweep: id });
        }
        let quota = self.quotas.get(&lane.project)?;
        let known = self.projects.get(&lane.project).cloned().unwrap_or_default();
        let (runs, gpus) = in_use.get(&lane.project).copied().unwrap_or_default();
        let project = || lane.project.clone();
        if let Some(most) = quota.runs.filter(|most| known.runs + runs >= *most) {
            return Some(Reason::Quota { project: project(), what: "runs", most });
        }
        let most = u64::from(quota.gpus?);
        let wanted = lane.needs.least_gpus();
        (wanted > 0 && known.gpus + gpus + wanted > most).then(|| Reason::Quota { project: project(), what: "GPUs", most })
    }

    fn first_fit(
        &self,
        rooms: &[Room<'_>],
        needs: &Arc<Needs>,
        lane: &Lane,
        now: UnixMs,
        reserved: Option<&Reserved<'_>>,
    ) -> Result<(usize, Grant), Reason> {
        let mut lack = None;
        let mut before = None;
        for (at, room) in rooms.iter().enumerate() {
            match room.fit(needs, false) {
                Ok(grant) => match reserved.filter(|reserved| reserved.place == at && !self.leaves_room(reserved, &grant, lane, now)) {
                    Some(reserved) => before = before.or(Some(reserved.run)),
                    None => return Ok((at, grant)),
                },
                Err(why) => lack = lack.or(Some((at, why))),
            }
        }
        if let Some(run) = before {
            return Err(Reason::Before(run));
        }
        let Some((at, lack)) = lack else { return Err(Reason::NoMachine) };
        let room = rooms.get(at);
        let held_by = room.map(|room| self.holders(&room.place.machine.name, &lack)).unwrap_or_default();
        let until = self.next_end(&held_by);
        Err(Reason::Lacks { lack, held_by, until })
    }

    /// Whether what waits first starts no later when this is given away.
    fn leaves_room(&self, reserved: &Reserved<'_>, grant: &Grant, lane: &Lane, now: UnixMs) -> bool {
        if ends_by(self.longest(lane), now, reserved.at) {
            return true;
        }
        let mut then = reserved.room.clone();
        then.used.take(grant);
        then.fit(&reserved.needs, false).is_ok()
    }

    /// Where and when a run that finds no room now will find some.
    fn reserve<'w>(&self, rooms: &[Room<'w>], run: RunId, needs: &Arc<Needs>, world: &'w World) -> Option<Reserved<'w>> {
        let mut best: Option<Reserved<'w>> = None;
        for (place, room) in rooms.iter().enumerate() {
            if Room::empty(world.places.get(place)?).fit(needs, true).is_err() {
                continue;
            }
            let mut then = room.clone();
            let name = &room.place.machine.name;
            let of_it = self.granted.iter().filter(|(_, granted)| granted.grant.machine == *name);
            let mut ends: Vec<(Option<UnixMs>, &Grant)> = of_it.map(|(run, granted)| (self.end_of(*run), &granted.grant)).collect();
            ends.sort_by_key(|(end, _)| (end.is_none(), *end));
            let mut at = None;
            let mut fits = false;
            for (end, grant) in ends {
                then.used.give_back(grant);
                at = end;
                fits = then.fit(needs, false).is_ok();
                if fits {
                    break;
                }
            }
            let at = at.filter(|_| fits);
            let sooner = |best: &Reserved<'_>| at.is_some() && best.at.is_none_or(|known| at < Some(known));
            if best.as_ref().is_none_or(sooner) {
                best = Some(Reserved { run, needs: Arc::clone(needs), at, place, room: then });
            }
        }
        best
    }

    /// When a run that runs will probably have ended.
    pub(crate) fn end_of(&self, run: RunId) -> Option<UnixMs> {
        let granted = self.granted.get(&run)?;
        let lane = self.lanes.get(&self.runs.get(&run)?.lane)?;
        Some(granted.at.plus(self.typical(lane)?))
    }

    pub(crate) fn typical(&self, lane: &Lane) -> Option<Millis> {
        let learned = self.learned.get(&(lane.project.clone(), lane.experiment.clone())).and_then(|learned| learned.typical());
        [learned, lane.time_limit].into_iter().flatten().min()
    }

    fn longest(&self, lane: &Lane) -> Option<Millis> {
        let learned = self.learned.get(&(lane.project.clone(), lane.experiment.clone())).and_then(|learned| learned.longest());
        [learned, lane.time_limit].into_iter().flatten().min()
    }

    /// Who has what is lacking.
    fn holders(&self, machine: &str, lack: &Lack) -> Vec<RunId> {
        let has = |grant: &Grant| match lack {
            Lack::Gpus { .. } => grant.gpus.as_ref().is_some_and(|gpus| !gpus.is_empty()),
            Lack::Cpus { .. } => grant.cpus > 0,
            Lack::Memory { .. } => grant.memory > 0,
            Lack::Named { name, .. } => grant.named.contains_key(name),
            Lack::Runs { .. } => true,
            Lack::Closed(_) => false,
        };
        let of_it = self.granted.iter().filter(|(_, granted)| granted.grant.machine == machine && has(&granted.grant));
        of_it.map(|(run, _)| *run).collect()
    }

    fn next_end(&self, runs: &[RunId]) -> Option<UnixMs> {
        runs.iter().filter_map(|run| self.end_of(*run)).min()
    }
}

fn ends_by(longest: Option<Millis>, now: UnixMs, at: Option<UnixMs>) -> bool {
    longest.zip(at).is_some_and(|(longest, at)| now.plus(longest) <= at)
}
