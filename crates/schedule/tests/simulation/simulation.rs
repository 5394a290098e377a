//! One simulation: who does what next is up to chance.

use crate::actors::{Driver, Killed, next_attempt};
use crate::chance::Chance;
use crate::checks;
use crate::far::Far;
use crate::home::{Home, Which};
use crate::kit;
use neronet_model::journal::{Entry, Submitted};
use neronet_model::queue::{self, Dependency, Quota};
use neronet_model::run::{Again, Decision};
use neronet_model::settings::{Gpus, Retry};
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, Outcome, RunId, UnixMs};
use neronet_schedule::{Absent, Mine, Reason, Stand, World};
use std::collections::{BTreeMap, BTreeSet};

/// How often what happened.
#[derive(Debug, Default)]
pub(crate) struct Told {
    steps: u64,
    runs: u64,
    executions: u64,
    retries: u64,
    crashes: u64,
    power_cuts: u64,
    waiting_at_the_end: u64,
    pub(crate) backfilled: u64,
    elsewhere: u64,
    handed_back: u64,
}

impl Told {
    pub(crate) fn add(&mut self, other: &Told) {
        let Told { steps, runs, executions, retries, crashes, power_cuts, waiting_at_the_end, backfilled, elsewhere, handed_back } = other;
        self.steps += steps;
        self.runs += runs;
        self.executions += executions;
        self.retries += retries;
        self.crashes += crashes;
        self.power_cuts += power_cuts;
        self.waiting_at_the_end += waiting_at_the_end;
        self.backfilled += backfilled;
        self.elsewhere += elsewhere;
        self.handed_back += handed_back;
    }

    pub(crate) fn all_happened(&self) -> bool {
        let Told { executions, retries, crashes, power_cuts, waiting_at_the_end, backfilled, elsewhere, handed_back, .. } = self;
        [executions, retries, crashes, power_cuts, waiting_at_the_end, backfilled, elsewhere, handed_back]
            .into_iter()
            .all(|times| *times > 0)
    }
}

pub(crate) struct Simulation {
    pub(crate) seed: u64,
    talks: bool,
    pub(crate) chance: Chance,
    /// Milliseconds that really passed, and how wrong the clock is.
    now: i64,
    wrong: i64,
    pub(crate) home: Home,
    pub(crate) world: World,
    whole: World,
    pub(crate) fars: Vec<Far>,
    pub(crate) drivers: Vec<Driver>,
    daemon: Option<i32>,
    next_pid: i32,
    /// Words to nurseries, not there yet.
    words: Vec<Which>,
    last_run: u64,
    last_sweep: u64,
    checked: (i32, usize),
    pub(crate) told: Told,
}

impl Simulation {
    pub(crate) fn new(seed: u64, talks: bool) -> Simulation {
        let mut chance = Chance::new(seed);
        let mut places = Vec::new();
        for n in 0..chance.within(1, 3) {
            let mut place = kit::place(&format!("machine-{n}"), chance.within(1, 8) as u32, chance.below(5) as u32);
            place.limits.leave_cores = chance.below(2) as u32;
            place.limits.leave_gpus = u32::from(chance.one_in(6));
            place.limits.max_runs = chance.one_in(4).then_some(3);
            place.limits.named.insert("licence".into(), 2);
            places.push(place);
        }
        let world = kit::world(places);
        let fars = if chance.one_in(2) { chance.within(1, 2) } else { 0 };
        let fars = (0..fars).map(|n| Far::new(&format!("far-{n}"), &mut chance)).collect();
        Simulation {
            seed,
            talks,
            chance,
            now: 1_000_000,
            wrong: 0,
            home: Home::default(),
            whole: world.clone(),
            world,
            fars,
            drivers: Vec::new(),
            daemon: None,
            next_pid: 1,
            words: Vec::new(),
            last_run: 0,
            last_sweep: 0,
            checked: (0, 0),
            told: Told::default(),
        }
    }

    pub(crate) fn wall(&self) -> UnixMs {
        UnixMs(self.now + self.wrong)
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.talks {
            println!("{:>9} {}", self.now, what());
        }
    }

    pub(crate) fn carry_out(mut self) -> Told {
        let steps = self.chance.within(100, 350);
        for _ in 0..steps {
            self.now += self.chance.below(3_000) as i64;
            self.step();
            self.told.steps += 1;
            checks::at_every_step(&self);
            if self.told.steps.is_multiple_of(40) {
                checks::replay(&self.home);
                checks::comes_to_rest(&self.home, &self.seen(), self.wall());
            }
        }
        self.calm_down();
        checks::replay(&self.home);
        checks::through_json(&self.home);
        checks::in_the_end(&mut self);
        self.told.runs = self.last_run;
        self.told.executions = self.homes().map(|home| home.diary.len() as u64).sum();
        self.told.retries = self.homes().flat_map(|home| home.diary.keys()).filter(|(_, n)| n.0 > 1).count() as u64;
        self.told.elsewhere = self.fars.iter().map(|far| far.home.diary.len() as u64).sum();
        self.told.handed_back = self.home.entries.iter().filter(|entry| matches!(entry, Entry::HandedBack { .. })).count() as u64;
        self.told
    }

    /// This one, and those of its targets.
    pub(crate) fn homes(&self) -> impl Iterator<Item = &Home> {
        std::iter::once(&self.home).chain(self.fars.iter().map(|far| &far.home))
    }

    pub(crate) fn is_far(&self, machine: &str) -> bool {
        self.fars.iter().any(|far| far.name == machine)
    }

    /// The machines here, and the targets that are reached.
    fn seen(&self) -> World {
        let mut world = self.world.clone();
        for far in &self.fars {
            if far.absent {
                world.absent.insert(far.name.clone(), Absent { why: "unreachable".into(), since: Some(UnixMs(0)) });
            } else {
                world.places.push(far.place.clone());
            }
        }
        world
    }

    /// A target goes on, is heard of, is cut off or comes back, or goes down.
    fn far(&mut self, at: usize, what: u64) {
        let (wall, now) = (self.wall(), self.now);
        let far = &mut self.fars[at];
        match what {
            0..6 => far.act(what, now, wall, &mut self.chance),
            6..14 if self.daemon.is_some() => far.heard_of(what % 4, &mut self.home, wall, &mut self.chance),
            14 => far.absent = !far.absent,
            15 if self.chance.one_in(8) => far.cut_power(&mut self.chance),
            _ => {}
        }
    }

    fn step(&mut self) {
        let wall = self.wall();
        self.home.end_what_is_due(self.now, wall);
        self.fars.iter_mut().for_each(|far| far.home.end_what_is_due(self.now, wall));
        for _ in 0..self.fars.len() * 2 {
            let (at, what) = (self.chance.below(self.fars.len() as u64) as usize, self.chance.below(16));
            self.far(at, what);
        }
        match self.chance.below(100) {
            0..6 => self.submit(),
            6..10 => self.start_daemon(),
            10..12 => self.crash(),
            12 if self.chance.one_in(2) => self.cut_power(),
            13..15 => self.home.full = !self.home.full && self.chance.one_in(2),
            15 => self.home.full = false,
            16 => {
                self.wrong = self.chance.below(200_000) as i64 - 100_000;
                self.say(|| "the clock jumps".into());
            }
            17..20 => self.change_machines(),
            20 => {
                let which: Vec<Which> = self.home.executing.keys().copied().collect();
                if let Some(which) = self.chance.of(&which) {
                    self.say(|| format!("the keeper of {which:?} is killed"));
                    self.home.kill_keeper(which);
                }
            }
            21..27 => self.deliver(),
            27..40 => self.command(),
            _ => self.let_act(),
        }
    }

    fn submit(&mut self) {
        let chance = &mut self.chance;
        let (sweep, first) = (self.last_sweep + 1, self.last_run + 1);
        let last = first + chance.below(8);
        let mut one = kit::sweep(sweep, first, last);
        let known: Vec<u64> = (1..first).collect();
        one.sweep.experiment = format!("experiment-{}", chance.below(3));
        one.sweep.project = format!("project-{}", chance.below(2));
        one.sweep.at = UnixMs(self.now + self.wrong);
        one.sweep.parallel = chance.one_in(3).then(|| chance.within(1, 3));
        kit::settings(&mut one).time_limit = chance.one_in(3).then(|| Millis(chance.within(5_000, 90_000)));
        kit::settings(&mut one).retry =
            Retry { times: chance.below(3) as u32, backoff: chance.one_in(2).then_some(Millis(10_000)), ..Retry::default() };
        let resources = &mut kit::settings(&mut one).resources;
        resources.cpus = chance.one_in(2).then(|| chance.within(1, 3) as u32);
        resources.gpus = match chance.below(7) {
            0 => None,
            1 => Some(Gpus::Fraction(0.5)),
            2 => Some(Gpus::Range(1, 2)),
            3 => Some(Gpus::All),
            n => Some(Gpus::Count(n as u32 - 4)),
        };
        resources.memory = chance.one_in(3).then(|| chance.within(1, 40) << 30);
        if chance.one_in(5) {
            resources.named = vec![("licence".into(), chance.within(1, 2))];
        }
        let wishes = &mut one.sweep.wishes;
        wishes.priority = if chance.one_in(4) { chance.below(3) as i64 - 1 } else { 0 };
        wishes.not_before = chance.one_in(8).then(|| UnixMs(self.now + self.wrong + chance.below(60_000) as i64));
        wishes.hold_after = chance.one_in(4).then_some(2);
        wishes.gpu_time = chance.one_in(10).then_some(Millis(60_000));
        if chance.one_in(5) {
            let after = (0..chance.within(1, 2)).filter_map(|_| chance.of(&known));
            wishes.after = after.map(|run| Dependency { run: RunId(run), ok: run % 2 == 0 }).collect();
        }
        if chance.one_in(8) {
            one.sweep.best_of = (0..2).filter_map(|_| chance.of(&known)).map(RunId).collect();
        }
        for member in &mut one.members {
            member.after = if chance.one_in(10) { chance.of(&known).map(RunId) } else { None };
            member.gpus = chance.one_in(10).then(|| chance.below(3) as u32);
        }
        one.sweep.detached = !chance.one_in(4);
        let names: Vec<&str> = self.fars.iter().map(|far| far.name.as_str()).chain(["machine-0"]).collect();
        if !self.fars.is_empty() && one.sweep.detached && chance.one_in(2) {
            one.sweep.targets = (0..chance.within(1, 2)).filter_map(|_| chance.of(&names)).map(str::to_string).collect();
            one.members.iter_mut().for_each(|member| member.gpus = None);
        }
        self.submitted(one, first, last);
    }

    fn submitted(&mut self, mut one: Submitted, first: u64, last: u64) {
        let pid = self.next_pid;
        one.sweep.driver = kit::process(pid);
        let detached = one.sweep.detached;
        if self.home.append(Entry::Submitted(vec![one]), true).is_err() {
            return;
        }
        self.say(|| format!("submitted: runs {first} to {last}, detached: {detached}"));
        (self.last_run, self.last_sweep) = (last, self.last_sweep + 1);
        if !detached {
            self.next_pid += 1;
            self.drivers.push(Driver::new(pid, Some((first..=last).map(RunId).collect())));
        }
    }

    fn start_daemon(&mut self) {
        if self.daemon.is_none() {
            self.daemon = Some(self.next_pid);
            self.drivers.push(Driver::new(self.next_pid, None));
            self.next_pid += 1;
        }
    }

    fn crash(&mut self) {
        if !self.drivers.is_empty() {
            let at = self.chance.below(self.drivers.len() as u64) as usize;
            self.killed(at);
        }
    }

    fn killed(&mut self, at: usize) {
        let driver = self.drivers.remove(at);
        self.told.crashes += 1;
        self.say(|| format!("process {} is killed", driver.pid));
        if self.daemon == Some(driver.pid) {
            self.daemon = None;
        }
    }

    fn cut_power(&mut self) {
        self.say(|| "the power is cut".into());
        self.told.power_cuts += 1;
        self.drivers.clear();
        self.words.clear();
        self.daemon = None;
        self.home.power_cut(&mut self.chance);
    }

    fn change_machines(&mut self) {
        let at = self.chance.below(self.world.places.len() as u64) as usize;
        let (place, whole) = (&mut self.world.places[at], &self.whole.places[at]);
        match self.chance.below(5) {
            0 => place.machine.gpus.truncate(self.chance.below(3) as usize),
            1 => place.machine.gpus.clone_from(&whole.machine.gpus),
            2 => {
                let others = whole.machine.gpus.iter().filter(|gpu| gpu.index % 2 == 0).map(|gpu| (gpu.id.clone(), "somebody".into()));
                place.gpus_elsewhere = others.collect();
            }
            3 => place.closed = self.chance.one_in(2).then(|| "on battery".into()),
            _ => {
                place.gpus_elsewhere = BTreeMap::new();
                place.memory_elsewhere = self.chance.below(30) << 30;
            }
        }
    }

    /// Some word to a nursery comes to it, or is lost, or comes and stays.
    fn deliver(&mut self) {
        if self.words.is_empty() {
            return;
        }
        let at = self.chance.below(self.words.len() as u64) as usize;
        let which = if self.chance.one_in(4) { self.words[at] } else { self.words.swap_remove(at) };
        if !self.chance.one_in(8) {
            self.home.begin(which, self.now, &mut self.chance);
        }
    }

    fn alive(&self) -> BTreeSet<i32> {
        self.drivers.iter().map(|driver| driver.pid).collect()
    }

    fn let_act(&mut self) {
        if self.drivers.is_empty() {
            return;
        }
        let at = self.chance.below(self.drivers.len() as u64) as usize;
        let what = self.chance.below(6);
        self.act(at, what);
    }

    fn act(&mut self, at: usize, what: u64) {
        let (wall, alive, world) = (self.wall(), self.alive(), self.seen());
        let driver = &mut self.drivers[at];
        let news = (driver.pid, self.home.entries.len());
        let acted = match what {
            0 => {
                driver.look(&mut self.home, &alive, wall);
                Ok(())
            }
            1 | 2 => driver.learn(&mut self.home, wall, &mut self.chance).and_then(|()| {
                // The same decision as before is checked once in a while.
                if self.checked != news || self.chance.one_in(20) {
                    self.checked = news;
                    checks::decision(&self.home, &world, driver.mine(), wall, &mut self.told);
                }
                let decided = driver.decide(&mut self.home, &world, wall, &mut self.chance);
                for run in std::mem::take(&mut driver.decided.back) {
                    let at = self.home.queue.away(run).and_then(|away| self.fars.iter_mut().find(|far| far.name == away.target));
                    at.map(|far| far.back.insert(run));
                }
                decided
            }),
            3 => {
                if let Some(which) = driver.not_begun(&self.home).filter(|_| self.chance.one_in(6)) {
                    driver.give_up(&mut self.home, which);
                }
                Ok(())
            }
            _ => {
                self.words.extend(driver.begin(&mut self.home, wall));
                Ok(())
            }
        };
        if let Err(Killed) = acted {
            self.killed(at);
        } else if driver.is_done(&self.home) {
            self.drivers.remove(at);
        }
    }

    /// What somebody types.
    fn command(&mut self) {
        let run = RunId(self.chance.within(1, self.last_run.max(1)));
        let wall = self.wall();
        let Some(stand) = self.home.queue.stand(run) else { return };
        let others: Vec<RunId> = (0..self.chance.within(1, 3)).map(|_| RunId(self.chance.within(1, self.last_run))).collect();
        let some: Vec<RunId> = [vec![run], others].concat();
        let entry = match (self.chance.below(12), stand) {
            (0 | 1, _) => Entry::Held { at: wall, runs: some, by: "somebody".into(), why: None },
            (2 | 3, _) => Entry::Released { runs: some },
            (4, _) => Entry::Prioritised { runs: some, priority: self.chance.below(5) as i64 - 2 },
            (5, _) => Entry::Moved { runs: some, to: self.place(run) },
            (6, _) => {
                let quota = Quota { runs: Some(self.chance.within(1, 3)), gpus: self.chance.one_in(2).then_some(2) };
                Entry::Limited { project: "project-0".into(), quota: self.chance.one_in(2).then_some(quota) }
            }
            (7 | 8, _) => return self.stop(run, stand),
            (9, _) => return self.retry(run, stand),
            (10, Stand::Ended(_)) if self.chance.one_in(4) => Entry::Purged { runs: vec![run] },
            (10, _) if self.home.queue.waits_at(run).is_some() => return,
            (10, Stand::Queued | Stand::Ended(_)) => Entry::Trashed { at: wall, runs: vec![run] },
            (11, _) => Entry::Restored { runs: some },
            _ => return,
        };
        self.say(|| format!("{entry:?}"));
        self.home.append(entry, true).ok();
    }

    fn place(&mut self, run: RunId) -> queue::Place {
        let anchor = RunId(self.chance.within(1, self.last_run));
        match self.chance.below(4) {
            0 => queue::Place::First,
            1 => queue::Place::Last,
            2 => queue::Place::Before(anchor),
            _ if anchor == run => queue::Place::Last,
            _ => queue::Place::After(anchor),
        }
    }

    /// One that runs is asked to stop; of one that does not yet, it is written down that it will not.
    fn stop(&mut self, run: RunId, stand: Stand) {
        let Some(n) = self.home.state.runs.get(&run).map(|run| AttemptNo(run.attempts)) else { return };
        let which = (run, n);
        self.say(|| format!("stop {run}, {stand:?}"));
        if self.home.queue.away(run).is_some() && self.home.queue.awaits_end(run) {
            let at = self.wall();
            self.home.append(Entry::Asked { at, runs: vec![run], by: "somebody".into(), kill: false }, true).ok();
            return;
        }
        let stopped = kit::end(n.0, Outcome::Stopped, None, self.wall(), 0);
        if let Some(execution) = self.home.executing.get_mut(&which) {
            (execution.outcome, execution.cause, execution.until) = (Outcome::Stopped, None, self.now);
        } else if stand == Stand::Queued && !self.home.folders.contains_key(&which) {
            self.home.append(kit::ended(run.0, stopped), true).ok();
        }
    }

    /// Somebody asks for another attempt: of one that ended, or of one that nobody is left to start.
    fn retry(&mut self, run: RunId, stand: Stand) {
        let Some(known) = self.home.state.runs.get(&run).filter(|run| run.trashed.is_none()) else { return };
        let last = AttemptNo(known.attempts);
        let starter = self.home.state.driver(known).map_or(0, |driver| driver.pid);
        let stranded = stand == Stand::Queued && !self.home.queue.is_detached(run) && !self.alive().contains(&starter);
        let attempt = match stand {
            // A target may have begun it, whatever it said.
            Stand::Ended(_) if self.home.queue.away(run).is_some() => AttemptNo(last.0 + 1),
            Stand::Ended(_) => next_attempt(&self.home, run, last),
            _ if stranded => last,
            _ => return,
        };
        // Only whoever keeps the queue speaks with targets.
        let far = self.home.state.sweeps.get(&known.sweep).is_some_and(|sweep| !sweep.targets.is_empty());
        let here = (!far && self.chance.one_in(3)).then_some(self.next_pid);
        self.say(|| format!("retry {run}: attempt {attempt}, here: {here:?}"));
        let decision = Decision::new(run, attempt, Again::Retry, here.map(kit::process));
        if self.home.append(Entry::Decided { at: self.wall(), decision }, true).is_ok()
            && let Some(pid) = here
        {
            self.next_pid += 1;
            self.drivers.push(Driver::new(pid, Some(BTreeSet::from([run]))));
        }
    }

    /// Nothing fails any more: everything comes to its end.
    fn calm_down(&mut self) {
        self.say(|| "nothing fails any more".into());
        self.home.full = false;
        self.wrong = 0;
        self.world = self.whole.clone();
        self.words.clear();
        self.fars.iter_mut().for_each(Far::calm_down);
        if self.chance.one_in(2) {
            let runs = (1..=self.last_run).map(RunId).collect();
            self.home.append(Entry::Released { runs }, true).ok();
        }
        self.start_daemon();
        let mut quiet = 0;
        for round in 0.. {
            assert!(round < 5_000, "it never comes to an end: {:?}", self.home.queue.counts());
            let before: usize = self.homes().map(|home| home.entries.len()).sum();
            self.now += if quiet == 0 { 1_000 } else { 10_000 };
            let wall = self.wall();
            self.home.end_what_is_due(self.now, wall);
            for at in 0..self.fars.len() {
                self.fars[at].home.end_what_is_due(self.now, wall);
                [0, 1, 5, 5, 8, 9, 10, 11].into_iter().for_each(|what| self.far(at, what));
            }
            self.start_daemon();
            for at in (0..self.drivers.len()).rev() {
                for what in [0, 1, 5, 5, 5] {
                    let is_there = self.drivers.get(at).map(|driver| driver.pid);
                    self.act(at, what);
                    if self.drivers.get(at).map(|driver| driver.pid) != is_there {
                        break;
                    }
                }
            }
            while let Some(which) = self.words.pop() {
                self.home.begin(which, self.now, &mut self.chance);
            }
            for run in self.home.queue.queued() {
                self.retry(run, Stand::Queued);
            }
            checks::at_every_step(self);
            let after: usize = self.homes().map(|home| home.entries.len()).sum();
            let is_over = before == after && self.homes().all(|home| home.executing.is_empty());
            quiet = if is_over { quiet + 1 } else { 0 };
            if quiet > 25 {
                break;
            }
        }
    }

    pub(crate) fn reasons_in_the_end(&mut self) -> Vec<(RunId, Reason)> {
        let wall = self.wall();
        let world = self.seen();
        let queue = &self.home.queue;
        let queued = queue.queued();
        self.told.waiting_at_the_end += queued.len() as u64;
        let here: BTreeSet<RunId> = queued.iter().copied().filter(|run| !queue.is_detached(*run)).collect();
        let mut all = Vec::new();
        for mine in [Mine::Detached, Mine::These { runs: &here, at_once: u64::MAX }] {
            let decided = queue.decide(&world, wall, mine);
            assert!(decided.starts.is_empty() && decided.ahead.is_empty(), "{:?} could start and does not", decided.starts);
            let ours = queue.queued_of(mine);
            all.extend(ours.into_iter().filter_map(|run| Some((run, queue.reason(run, &decided, wall)?))));
        }
        assert_eq!(all.len(), queued.len(), "every queued run has a reason");
        all
    }
}
