//! What starts now. In the order of the queue; what comes later may go before only where the first that waits is not delayed by it.

use crate::needs::{Gpus, Needs};
use crate::queue::{InUse, Key, Lane, Queue, gpus};
use crate::ready::{Class, Kind};
use crate::reason::{Lack, Limited, Reason};
use crate::reserve::{Ending, Reserved};
use crate::room::{Room, World};
use neronet_model::queue::Grant;
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, RunId, SweepId, UnixMs};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub run: RunId,
    pub attempt: AttemptNo,
    pub grant: Grant,
}

/// Can be written down, for others to tell reasons by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// In this order.
    pub starts: Vec<Start>,
    /// When time alone changes the answer.
    pub look_again: Option<UnixMs>,
    /// The first run that waits for room.
    pub(crate) first: Option<RunId>,
    /// Why nothing more of a sweep starts.
    pub(crate) sweeps: BTreeMap<SweepId, Reason>,
    /// Why nothing more of a kind starts, sorted by kind.
    kinds: Vec<(Kind, Reason)>,
}

impl Decided {
    pub(crate) fn of_kind(&self, kind: &Kind) -> Option<&Reason> {
        let at = self.kinds.binary_search_by(|(known, _)| known.cmp(kind)).ok()?;
        Some(&self.kinds.get(at)?.1)
    }
}

/// Whose runs are decided on.
#[derive(Debug, Clone, Copy)]
pub enum Mine<'r> {
    /// All that were submitted to whoever keeps the queue.
    Detached,
    /// Those that wait for the process that somebody looks at. The others among them are for whoever keeps the queue.
    These {
        runs: &'r BTreeSet<RunId>,
        /// Of all of them together.
        at_once: u64,
    },
    /// Whoever starts them.
    All,
}

/// So many kinds of runs that do not fit are looked at; those behind them wait for their turn.
const KINDS: usize = 1_000;

/// What is known of one decision so far.
struct Decision<'q> {
    queue: &'q Queue,
    now: UnixMs,
    rooms: Vec<Room<'q>>,
    decided: Decided,
    begun: BTreeMap<SweepId, u64>,
    in_use: BTreeMap<&'q str, InUse>,
    reserved: Option<Reserved<'q>>,
    /// Where runs with these needs may fit at the earliest: rooms only become smaller here. Beyond the last: why nowhere.
    known: BTreeMap<Cow<'q, Needs>, (usize, Option<Reason>)>,
    /// What starts now, and when it will have ended.
    starting: Vec<Ending>,
}

/// A run that comes next of those of its sweep and class.
type Candidate = Reverse<(Key, SweepId, usize)>;

struct Candidates<'q> {
    class: &'q Class,
    heads: &'q BTreeSet<(Key, SweepId)>,
    /// No more of these.
    closed: bool,
}

impl Queue {
    /// What is to be started of the runs that are `mine`.
    pub fn decide(&self, world: &World, now: UnixMs, mine: Mine<'_>) -> Decided {
        let rooms = world.places.iter().map(|place| Room::new(place, self.used.get(&place.machine.name))).collect();
        let mut decision = Decision {
            queue: self,
            now,
            rooms,
            decided: Decided::default(),
            begun: BTreeMap::new(),
            in_use: BTreeMap::new(),
            reserved: None,
            known: BTreeMap::new(),
            starting: Vec::new(),
        };
        let is_mine = |class: &Class| match mine {
            Mine::Detached => class.kept,
            Mine::These { .. } => !class.kept,
            Mine::All => true,
        };
        let most = match mine {
            Mine::These { runs, at_once } => at_once.saturating_sub(self.granted.keys().filter(|run| runs.contains(run)).count() as u64),
            Mine::Detached | Mine::All => u64::MAX,
        };
        let (due, later): (Vec<_>, Vec<_>) =
            self.heads.iter().filter(|(class, _)| is_mine(class)).partition(|(class, _)| class.not_before.is_none_or(|at| at <= now));
        decision.decided.look_again = later.iter().filter_map(|(class, _)| class.not_before).min();
        let mut classes: Vec<Candidates<'_>> = due.into_iter().map(|(class, heads)| Candidates { class, heads, closed: false }).collect();
        let first = |(at, of): (usize, &Candidates<'_>)| of.heads.first().map(|(key, id)| (Reverse((*key, *id, at)), true));
        let mut heap: BinaryHeap<(Candidate, bool)> = classes.iter().enumerate().filter_map(first).collect();
        let mut closed = 0;
        while let Some((Reverse((key, id, at)), is_head)) = heap.pop() {
            let of = &classes[at];
            if of.closed {
                continue;
            }
            if decision.decided.starts.len() as u64 >= most {
                break;
            }
            if is_head {
                let next = of.heads.range((Bound::Excluded((key, id)), Bound::Unbounded)).next();
                heap.extend(next.map(|(key, id)| (Reverse((*key, *id, at)), true)));
            }
            let Some(lane) = self.lanes.get(&id) else { continue };
            let next = |behind: Bound<Key>| next_of(self, lane, of.class, mine, behind).map(|key| (Reverse((key, id, at)), false));
            if next(Bound::Included(key)).is_none_or(|(Reverse((first, ..)), _)| first != key) {
                // Somebody else's; the next of this sweep may be ours.
                heap.extend(next(Bound::Excluded(key)));
                continue;
            }
            if let Some(why) = decision.sweep_blocked(id, lane, world) {
                decision.decided.sweeps.insert(id, why);
                continue;
            }
            match decision.start(key.2, id, lane, of.class) {
                Ok(()) => heap.extend(next(Bound::Excluded(key))),
                Err(reason) => {
                    let kind = Kind::clone(&of.class.kind);
                    decision.decided.kinds.push((kind, reason));
                    classes[at].closed = true;
                    closed += 1;
                    if closed == KINDS {
                        break;
                    }
                }
            }
        }
        let Decision { mut decided, reserved, .. } = decision;
        // A kind is closed once for each moment before which its runs do not start: the first is as good as the last.
        decided.kinds.sort_by(|(a, _), (b, _)| a.cmp(b));
        decided.kinds.dedup_by(|(a, _), (b, _)| a == b);
        decided.first = reserved.map(|reserved| reserved.run);
        decided
    }

    /// What a machine of these can never give, if none can: of the first.
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

    /// When a run that runs will probably have ended.
    pub(crate) fn end_of(&self, run: RunId) -> Option<UnixMs> {
        let granted = self.granted.get(&run)?;
        let lane = self.lanes.get(&self.runs.get(&run)?.lane)?;
        Some(granted.at.plus(self.typical(&lane.kind)?))
    }

    pub(crate) fn typical(&self, kind: &Kind) -> Option<Millis> {
        let learned = self.learned(&kind.project, &kind.experiment).and_then(|learned| learned.typical());
        [learned, kind.time_limit].into_iter().flatten().min()
    }

    fn longest(&self, kind: &Kind) -> Option<Millis> {
        let learned = self.learned(&kind.project, &kind.experiment).and_then(|learned| learned.longest());
        [learned, kind.time_limit].into_iter().flatten().min()
    }

    /// Who has what is lacking, and until when.
    fn holders(&self, machine: &str, lack: &Lack) -> Vec<(RunId, Option<UnixMs>)> {
        let of_it = self.granted.iter().filter(|(_, granted)| granted.grant.machine == machine && has(&granted.grant, lack));
        of_it.map(|(run, _)| (*run, self.end_of(*run))).collect()
    }
}

/// Whether a grant holds some of what is lacking.
fn has(grant: &Grant, lack: &Lack) -> bool {
    match lack {
        Lack::Gpus { .. } => gpus(grant) > 0,
        Lack::Cpus { .. } => grant.cpus > 0,
        Lack::Memory { .. } => grant.memory > 0,
        Lack::Disk { .. } => grant.disk > 0,
        Lack::Named { name, .. } => grant.named.contains_key(name),
        Lack::Runs { .. } => true,
        Lack::Closed(_) => false,
    }
}

/// The next run of a sweep and class that is mine.
fn next_of(queue: &Queue, lane: &Lane, class: &Class, mine: Mine<'_>, behind: Bound<Key>) -> Option<Key> {
    let ready = lane.ready.get(class)?;
    let mut rest = ready.range((behind, Bound::Unbounded)).copied();
    match mine {
        Mine::Detached | Mine::All => rest.next(),
        Mine::These { runs, .. } if ready.len() <= runs.len() => rest.find(|(.., run)| runs.contains(run)),
        Mine::These { runs, .. } => {
            let keys = runs.iter().filter_map(|run| Some(crate::queue::key(*run, queue.runs.get(run)?)));
            let is_behind = |key: &Key| match behind {
                Bound::Included(from) => *key >= from,
                Bound::Excluded(from) => *key > from,
                Bound::Unbounded => true,
            };
            keys.filter(|key| is_behind(key) && ready.contains(key)).min()
        }
    }
}

impl<'q> Decision<'q> {
    /// What the sweep as a whole waits for.
    fn sweep_blocked(&self, id: SweepId, lane: &Lane, world: &World) -> Option<Reason> {
        if let Some(why) = world.not_yet.get(&id) {
            return Some(Reason::NotYet(why.clone()));
        }
        let begun = self.begun.get(&id).copied().unwrap_or(0);
        if let Some(most) = lane.parallel.filter(|most| lane.running + begun >= *most) {
            return Some(Reason::Parallel { sweep: id, at_a_time: most });
        }
        lane.gpu_time_is_over(self.now).then_some(Reason::GpuTime { sweep: id })
    }

    /// Starts it, or says why no run of its kind starts.
    fn start(&mut self, run: RunId, id: SweepId, lane: &'q Lane, class: &'q Class) -> Result<(), Reason> {
        let kind: &'q Kind = &class.kind;
        let gpus_left = self.within_quota(kind)?;
        let (place, grant) = self.first_fit(run, kind, gpus_left)?;
        let attempt = self.queue.runs.get(&run).map_or(AttemptNo(1), |item| item.attempt);
        self.rooms[place].used.take(&grant);
        let longest = self.queue.longest(kind);
        if let Some(reserved) = &mut self.reserved {
            reserved.given_away(place, &grant, longest, self.now);
        }
        let ends = self.queue.typical(kind).map(|typical| self.now.plus(typical));
        self.starting.push(Ending { run, at: ends, place, grant: grant.clone() });
        *self.begun.entry(id).or_default() += 1;
        let project = self.in_use.entry(&lane.kind.project).or_default();
        project.runs += 1;
        project.gpus += gpus(&grant);
        self.decided.starts.push(Start { run, attempt, grant });
        Ok(())
    }

    /// How many GPUs its project may still have; nothing where nobody says.
    fn within_quota(&self, kind: &Kind) -> Result<Option<u64>, Reason> {
        let Some(quota) = self.queue.quotas.get(&kind.project) else { return Ok(None) };
        let (known, begun) = (self.queue.projects.get(&kind.project), self.in_use.get(kind.project.as_str()));
        let (known, begun) = (known.copied().unwrap_or_default(), begun.copied().unwrap_or_default());
        if let Some(most) = quota.runs.filter(|most| known.runs + begun.runs >= *most) {
            return Err(Reason::Quota { project: kind.project.clone(), what: Limited::Runs, most });
        }
        let left = quota.gpus.map(|most| u64::from(most).saturating_sub(known.gpus + begun.gpus));
        if left.is_some_and(|left| kind.needs.least_gpus() > left) {
            return Err(self.over_quota(kind));
        }
        Ok(left)
    }

    fn over_quota(&self, kind: &Kind) -> Reason {
        let most = self.queue.quotas.get(&kind.project).and_then(|quota| quota.gpus).unwrap_or_default();
        Reason::Quota { project: kind.project.clone(), what: Limited::Gpus, most: u64::from(most) }
    }

    fn first_fit(&mut self, run: RunId, kind: &'q Kind, gpus_left: Option<u64>) -> Result<(usize, Grant), Reason> {
        let mut needs = match self.queue.learned(&kind.project, &kind.experiment) {
            Some(learned) => Cow::Owned(kind.needs.with(learned)),
            None => Cow::Borrowed(&kind.needs),
        };
        if let (Gpus::Count { most, .. }, Some(left)) = (needs.gpus, gpus_left)
            && u64::from(most) > left
            && let Gpus::Count { most, .. } = &mut needs.to_mut().gpus
        {
            *most = left as u32;
        }
        let (from, nowhere) = self.known.get(&needs).cloned().unwrap_or_default();
        if let Some(reason) = nowhere {
            return Err(reason);
        }
        let mut fits_from = None;
        let mut over_quota = false;
        let mut before = None;
        for (at, room) in self.rooms.iter().enumerate().skip(from) {
            let Ok(grant) = room.fit(&needs, false) else { continue };
            fits_from.get_or_insert(at);
            if gpus_left.is_some_and(|left| gpus(&grant) > left) {
                over_quota = true;
            } else if let Some(reserved) =
                self.reserved.as_ref().filter(|reserved| !reserved.allows(at, &grant, self.queue.longest(kind), self.now))
            {
                before = Some(reserved.run);
            } else {
                self.known.insert(needs, (fits_from.unwrap_or(at), None));
                return Ok((at, grant));
            }
        }
        match (before, over_quota) {
            (Some(run), _) => Err(Reason::Before(run)),
            (None, true) => Err(self.over_quota(kind)),
            (None, false) => {
                let reason = self.nowhere(run, &needs);
                self.known.insert(needs, (self.rooms.len(), Some(reason.clone())));
                Err(reason)
            }
        }
    }

    /// Why it fits nowhere now. The first of these is given a place as soon as there is one.
    fn nowhere(&mut self, run: RunId, needs: &Needs) -> Reason {
        let could = |(room, _): &(&Room<'_>, Lack)| Room::empty(room.place).fit(needs, true).is_ok();
        let lacks = self.rooms.iter().filter_map(|room| Some((room, room.fit(needs, false).err()?)));
        let (able, unable): (Vec<_>, Vec<_>) = lacks.partition(could);
        let open = able.iter().find(|(_, lack)| !matches!(lack, Lack::Closed(_)));
        let Some((room, lack)) = open.or(able.first()).cloned() else {
            let never = unable.first().and_then(|(room, _)| Room::empty(room.place).fit(needs, true).err());
            return never.map_or(Reason::NoMachine, Reason::Never);
        };
        let mut holders = self.queue.holders(&room.place.machine.name, &lack);
        let here = self.starting.iter().filter(|ending| ending.grant.machine == room.place.machine.name && has(&ending.grant, &lack));
        holders.extend(here.map(|ending| (ending.run, ending.at)));
        holders.sort_unstable();
        let mut until = holders.iter().filter_map(|(_, end)| *end).min();
        let held_by = holders.into_iter().map(|(run, _)| run).collect();
        if self.reserved.is_none() {
            self.reserved = Reserved::find(self.queue, &self.rooms, &self.starting, run, needs);
            until = self.reserved.as_ref().and_then(|reserved| reserved.at);
        }
        Reason::Lacks { lack, held_by, until: until.filter(|at| *at > self.now) }
    }
}
