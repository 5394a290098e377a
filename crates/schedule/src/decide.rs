//! What starts now. In the order of the queue; what comes later may go before only where the first that waits is not delayed by it.

use crate::ahead::Ahead;
use crate::handed::Away;
use crate::needs::{Demand, Needs};
use crate::queue::{InUse, Key, Lane, Queue, gpus};
use crate::ready::{Class, Kind};
use crate::reason::{Lack, Limited, Reason};
use crate::reserve::{Ending, Reserved};
use crate::room::{Absent, Room, World};
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
    /// These are to wait on a target.
    #[serde(default)]
    pub ahead: Vec<Ahead>,
    /// These wait on a target that is to give them back.
    #[serde(default)]
    pub back: Vec<RunId>,
    /// When time alone changes the answer.
    pub look_again: Option<UnixMs>,
    /// The first run that waits for room.
    pub(crate) first: Option<RunId>,
    /// Why nothing more of a sweep starts.
    pub(crate) sweeps: BTreeMap<SweepId, Reason>,
    /// Why nothing more of a kind starts, sorted by kind.
    kinds: Vec<(Kind, Reason)>,
    /// Targets on which nothing can start now.
    #[serde(default)]
    absent: BTreeMap<String, Absent>,
    #[serde(default)]
    bringing: BTreeMap<RunId, String>,
    /// By target, what is lacking there for kinds of runs that wait there.
    #[serde(default)]
    pub(crate) lacking: BTreeMap<String, Vec<(Kind, Reason)>>,
}

impl Decided {
    pub(crate) fn of_kind(&self, kind: &Kind) -> Option<&Reason> {
        let at = self.kinds.binary_search_by(|(known, _)| known.cmp(kind)).ok()?;
        Some(&self.kinds.get(at)?.1)
    }

    pub(crate) fn brought(&self, run: RunId) -> Option<Reason> {
        self.bringing.get(&run).map(|what| Reason::NotYet(what.clone()))
    }

    /// Why a run that belongs to a target does not start there, as far as that is known here.
    pub(crate) fn there(&self, run: RunId, away: &Away, kind: Option<&Kind>) -> Option<Box<Reason>> {
        let absent = self.absent.get(&away.target).map(|absent| absent_reason(&away.target, absent));
        let lacks = |kind: &Kind| self.lacking.get(&away.target)?.iter().find(|(known, _)| known == kind).map(|(_, reason)| reason);
        let lacking = || kind.and_then(|kind| lacks(kind).or_else(|| self.of_kind(kind))).cloned();
        absent.or_else(|| self.brought(run)).or_else(lacking).map(Box::new)
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

/// Targets, the one of them that comes first, and what is needed of one of them.
type Wanted<'q> = (&'q [String], Option<&'q str>, Cow<'q, Demand>);

/// What is known of one decision so far.
pub(crate) struct Decision<'q> {
    pub(crate) queue: &'q Queue,
    pub(crate) now: UnixMs,
    pub(crate) rooms: Vec<Room<'q>>,
    decided: Decided,
    begun: BTreeMap<SweepId, u64>,
    in_use: BTreeMap<&'q str, InUse>,
    pub(crate) reserved: Option<Reserved<'q>>,
    pub(crate) not_yet: &'q BTreeMap<SweepId, String>,
    pub(crate) absent: &'q BTreeMap<String, Absent>,
    pub(crate) bringing: &'q BTreeMap<RunId, String>,
    /// Of the targets that they name, the first where runs with these needs may fit: rooms only become smaller here. Or why nowhere.
    known: BTreeMap<Wanted<'q>, (usize, Option<Reason>)>,
    /// What starts now, and when it will have ended.
    starting: Vec<Ending>,
    /// Sweeps whose runs come back from where they wait.
    pub(crate) coming_back: BTreeSet<SweepId>,
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
        let rooms = world.places.iter().map(|place| Room::new(place, self.used.get(&place.machine.name), now)).collect();
        let mut decision = Decision {
            queue: self,
            now,
            rooms,
            decided: Decided::default(),
            begun: BTreeMap::new(),
            in_use: BTreeMap::new(),
            reserved: None,
            not_yet: &world.not_yet,
            absent: &world.absent,
            bringing: &world.bringing,
            known: BTreeMap::new(),
            starting: Vec::new(),
            coming_back: BTreeSet::new(),
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
            if next(Bound::Included(key)).is_none_or(|(Reverse((first, ..)), _)| first != key) || world.bringing.contains_key(&key.2) {
                // Somebody else's, or what it needs is on its way; the next of this sweep may start.
                heap.extend(next(Bound::Excluded(key)));
                continue;
            }
            if let Some(why) = decision.sweep_blocked(id, lane) {
                decision.decided.sweeps.insert(id, why);
                continue;
            }
            match decision.room_for(key.2, &of.class.kind) {
                Ok((place, grant)) => match decision.waits_elsewhere(id, lane, place) {
                    Some(why) => drop(decision.decided.sweeps.insert(id, why)),
                    None => {
                        decision.start(key.2, (id, lane), &of.class.kind, (place, grant));
                        heap.extend(next(Bound::Excluded(key)));
                    }
                },
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
        let mut decided = std::mem::take(&mut decision.decided);
        if !decided.kinds.is_empty() {
            let opens = world.places.iter().flat_map(|place| &place.shut).filter_map(|shut| shut.until).filter(|until| *until > now);
            decided.look_again = decided.look_again.into_iter().chain(opens).min();
        }
        if !matches!(mine, Mine::These { .. }) {
            decision.hand_ahead(&mut decided);
            decision.lack_there(&mut decided);
            decision.take_back(&mut decided);
        }
        let reserved = decision.reserved;
        decided.absent.clone_from(&world.absent);
        decided.bringing.clone_from(&world.bringing);
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
        Some(granted.at.plus(self.typical(&lane.kind, &granted.grant.machine)?))
    }

    /// With what runs like these were seen to take.
    pub(crate) fn demand<'k>(&self, kind: &'k Kind) -> Cow<'k, Demand> {
        match self.learned(&kind.project, &kind.experiment) {
            Some(learned) => Cow::Owned(kind.demand.with(learned)),
            None => Cow::Borrowed(&kind.demand),
        }
    }

    pub(crate) fn typical(&self, kind: &Kind, machine: &str) -> Option<Millis> {
        let learned = self.learned(&kind.project, &kind.experiment).and_then(|learned| learned.typical());
        [learned, kind.demand.at(machine).time].into_iter().flatten().min()
    }

    fn longest(&self, kind: &Kind, machine: &str) -> Option<Millis> {
        let learned = self.learned(&kind.project, &kind.experiment).and_then(|learned| learned.longest());
        [learned, kind.demand.at(machine).time].into_iter().flatten().min()
    }

    /// Who has what is lacking, and until when.
    fn holders(&self, machine: &str, lack: &Lack) -> Vec<(RunId, Option<UnixMs>)> {
        let of_it = self.granted.iter().filter(|(_, granted)| granted.grant.machine == machine && has(&granted.grant, lack));
        of_it.map(|(run, _)| (*run, self.end_of(*run))).collect()
    }
}

fn absent_reason(target: &str, Absent { why, since }: &Absent) -> Reason {
    Reason::Absent { target: target.to_string(), why: why.clone(), since: *since }
}

/// As if nobody used the machine.
fn ever(room: &Room<'_>, demand: &Demand) -> Result<Grant, Lack> {
    Room::empty(room.place).fit(demand.at(&room.place.machine.name), true)
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
        Lack::Closed(_) | Lack::Shut { .. } => false,
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
    fn sweep_blocked(&self, id: SweepId, lane: &Lane) -> Option<Reason> {
        if let Some(why) = self.not_yet.get(&id) {
            return Some(Reason::NotYet(why.clone()));
        }
        let begun = self.begun.get(&id).copied().unwrap_or(0);
        if let Some(most) = lane.parallel.filter(|most| lane.running + begun >= *most) {
            return Some(Reason::Parallel { sweep: id, at_a_time: most });
        }
        lane.gpu_time_is_over(self.now).then_some(Reason::GpuTime { sweep: id })
    }

    /// Of a sweep of which only so many may execute at a time, what waits on a target comes back before another machine, the one at `place`,
    /// starts one: that target knows of none but its own.
    fn waits_elsewhere(&mut self, id: SweepId, lane: &Lane, place: usize) -> Option<Reason> {
        lane.parallel?;
        let others = self.rooms.iter().enumerate().filter(|(at, room)| *at != place && room.place.ahead.is_some());
        let there = others.filter_map(|(_, room)| self.queue.at_targets.get(room.place.machine.name.as_str())).flatten();
        let waits = |run: &&RunId| self.queue.runs.get(run).is_some_and(|item| item.lane == id && item.is_queued());
        let back: Vec<RunId> = there.filter(waits).copied().collect();
        let first = back.first().copied()?;
        self.coming_back.insert(id);
        self.decided.back.extend(back);
        Some(Reason::Before(first))
    }

    /// Where it may start now, with what it is to have there; or why no run of its kind starts.
    fn room_for(&mut self, run: RunId, kind: &'q Kind) -> Result<(usize, Grant), Reason> {
        let gpus_left = self.within_quota(kind)?;
        self.first_fit(run, kind, gpus_left)
    }

    fn start(&mut self, run: RunId, (id, lane): (SweepId, &'q Lane), kind: &Kind, (place, grant): (usize, Grant)) {
        let attempt = self.queue.runs.get(&run).map_or(AttemptNo(1), |item| item.attempt);
        self.take(place, kind, &grant);
        let ends = self.queue.typical(kind, &grant.machine).map(|typical| self.now.plus(typical));
        self.starting.push(Ending { run, at: ends, place, grant: grant.clone() });
        *self.begun.entry(id).or_default() += 1;
        let project = self.in_use.entry(&lane.kind.project).or_default();
        project.runs += 1;
        project.gpus += gpus(&grant);
        self.decided.starts.push(Start { run, attempt, grant });
    }

    /// Nobody else has that from here on.
    pub(crate) fn take(&mut self, place: usize, kind: &Kind, grant: &Grant) {
        self.rooms[place].used.take(grant);
        let longest = self.queue.longest(kind, &grant.machine);
        if let Some(reserved) = &mut self.reserved {
            reserved.given_away(place, grant, longest, self.now);
        }
    }

    /// The first run that waits starts no later for it.
    pub(crate) fn delays_nobody(&self, place: usize, kind: &Kind, grant: &Grant) -> bool {
        let longest = self.queue.longest(kind, &grant.machine);
        self.reserved.as_ref().is_none_or(|reserved| reserved.allows(place, grant, longest, self.now))
    }

    /// Those where runs of this kind may execute, in the order in which they are tried.
    pub(crate) fn rooms_of(&self, kind: &Kind) -> Vec<usize> {
        if kind.targets.is_empty() {
            return (0..self.rooms.len()).filter(|at| self.rooms[*at].place.ahead.is_none()).collect();
        }
        // For one that is just being reached those behind it wait a moment: it comes first.
        let there = kind.in_order().take_while(|target| !self.is_coming(target));
        there.filter_map(|target| self.rooms.iter().position(|room| room.place.machine.name == *target)).collect()
    }

    /// A target of which nobody knows yet whether it is there.
    pub(crate) fn is_coming(&self, target: &str) -> bool {
        self.absent.get(target).is_some_and(|absent| absent.since.is_none())
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
        if left.is_some_and(|left| kind.demand.least_gpus() > left) {
            return Err(self.over_quota(kind));
        }
        Ok(left)
    }

    fn over_quota(&self, kind: &Kind) -> Reason {
        let most = self.queue.quotas.get(&kind.project).and_then(|quota| quota.gpus).unwrap_or_default();
        Reason::Quota { project: kind.project.clone(), what: Limited::Gpus, most: u64::from(most) }
    }

    fn first_fit(&mut self, run: RunId, kind: &'q Kind, gpus_left: Option<u64>) -> Result<(usize, Grant), Reason> {
        let mut demand = self.queue.demand(kind);
        if let Some(left) = gpus_left {
            demand = Demand::at_most(demand, left);
        }
        let known = (kind.targets.as_slice(), kind.prefers.as_deref(), demand);
        let (from, nowhere) = self.known.get(&known).cloned().unwrap_or_default();
        if let Some(reason) = nowhere {
            return Err(reason);
        }
        let mut fits_from = None;
        let mut over_quota = false;
        let mut before = None;
        for (nth, at) in self.rooms_of(kind).into_iter().enumerate().skip(from) {
            let room = &self.rooms[at];
            let name = room.place.machine.name.as_str();
            let Ok(grant) = room.fit(known.2.at(name), false) else { continue };
            fits_from.get_or_insert(nth);
            if gpus_left.is_some_and(|left| gpus(&grant) > left) {
                over_quota = true;
            } else if let Some(reserved) = self.reserved.as_ref().filter(|_| !self.delays_nobody(at, kind, &grant)) {
                before = Some(reserved.run);
            } else {
                self.known.insert(known, (fits_from.unwrap_or(nth), None));
                return Ok((at, grant));
            }
        }
        match (before, over_quota) {
            (Some(run), _) => Err(Reason::Before(run)),
            (None, true) => Err(self.over_quota(kind)),
            (None, false) => {
                let reason = self.nowhere(run, kind, &known.2);
                self.known.insert(known, (self.rooms.len(), Some(reason.clone())));
                Err(reason)
            }
        }
    }

    /// Who has what is lacking, and when the first of them will have ended.
    fn held(&self, room: &Room<'_>, lack: &Lack) -> (Vec<RunId>, Option<UnixMs>) {
        let mut holders = self.queue.holders(&room.place.machine.name, lack);
        let here = self.starting.iter().filter(|ending| ending.grant.machine == room.place.machine.name && has(&ending.grant, lack));
        holders.extend(here.map(|ending| (ending.run, ending.at)));
        holders.sort_unstable();
        let until = holders.iter().filter_map(|(_, end)| *end).min();
        (holders.into_iter().map(|(run, _)| run).collect(), until)
    }

    /// What runs of this kind lack in a room, if anything.
    pub(crate) fn lacks(&self, room: &Room<'_>, kind: &Kind) -> Option<Reason> {
        let lack = room.fit(self.queue.demand(kind).at(&room.place.machine.name), false).err()?;
        let (held_by, until) = self.held(room, &lack);
        Some(Reason::Lacks { lack, held_by, until: until.filter(|at| *at > self.now) })
    }

    /// Why it fits nowhere now. The first of these is given a place as soon as there is one.
    fn nowhere(&mut self, run: RunId, kind: &Kind, demand: &Demand) -> Reason {
        let could = |(room, _): &(&Room<'_>, Lack)| ever(room, demand).is_ok();
        let rooms: Vec<(usize, &Room<'q>)> = self.rooms_of(kind).into_iter().map(|at| (at, &self.rooms[at])).collect();
        let lacks = rooms.iter().filter_map(|(_, room)| Some((*room, room.fit(demand.at(&room.place.machine.name), false).err()?)));
        let (able, unable): (Vec<_>, Vec<_>) = lacks.partition(could);
        let open = able.iter().find(|(_, lack)| !matches!(lack, Lack::Closed(_) | Lack::Shut { .. }));
        let Some((room, lack)) = open.or(able.first()).cloned() else {
            // One that is not there now may have what the others never will.
            let absent = kind.targets.iter().find_map(|target| Some(absent_reason(target, self.absent.get(target)?)));
            let never = || unable.first().and_then(|(room, _)| ever(room, demand).err()).map(Reason::Never);
            return absent.or_else(never).unwrap_or(Reason::NoMachine);
        };
        let (held_by, mut until) = self.held(room, &lack);
        if self.reserved.is_none() {
            self.reserved = Reserved::find(self.queue, &rooms, &self.starting, run, demand);
            until = self.reserved.as_ref().and_then(|reserved| reserved.at);
        }
        Reason::Lacks { lack, held_by, until: until.filter(|at| *at > self.now) }
    }
}
