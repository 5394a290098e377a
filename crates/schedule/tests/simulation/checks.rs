//! What must hold whatever happens. Worked out from the entries and from what really executes, not from the queue's own sums.

use crate::home::Home;
use crate::simulation::{Simulation, Told};
use neronet_model::journal::{Entry, Handed};
use neronet_model::queue::{Grant, WHOLE};
use neronet_model::time::Millis;
use neronet_model::{AttemptNo, Outcome, RunId, SweepId, UnixMs};
use neronet_schedule::{Lack, Limited, Mine, Place, Queue, Reason, Stand, World};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn at_every_step(simulation: &Simulation) {
    let home = &simulation.home;
    let grants: Vec<&Grant> = home.queue.granted().filter_map(|(run, _)| home.queue.grant(run)).collect();
    // Of a target home knows what that has said; the target itself knows what it has given.
    nothing_twice(&grants.iter().copied().filter(|grant| !simulation.is_far(&grant.machine)).collect::<Vec<_>>());
    // What really executes has what it was given, and no other has it.
    let executing: Vec<&Grant> = home.executing.keys().filter_map(|which| Some(&home.folders.get(which)?.grant)).collect();
    nothing_twice(&executing);
    for far in &simulation.fars {
        let there = &far.home;
        nothing_twice(&there.queue.granted().filter_map(|(run, _)| there.queue.grant(run)).collect::<Vec<_>>());
        nothing_twice(&there.executing.keys().filter_map(|which| Some(&there.folders.get(which)?.grant)).collect::<Vec<_>>());
    }
    nothing_elsewhere_as_well(simulation);
    for run in home.state.runs.values() {
        let id = &run.id;
        let stand = home.queue.stand(*id);
        let ended = matches!(stand, Some(Stand::Ended(_)));
        assert_eq!(run.ending.is_some(), ended, "run {id} ends in listings and in the queue: {stand:?}, {:?}", run.ending);
        if let (Some(end), Some(Stand::Ended(outcome))) = (&run.ending, stand) {
            assert_eq!(end.outcome, outcome, "run {id}");
            true_end(simulation, *id, attempt_of(&home.entries[end.at as usize], *id), outcome);
        }
    }
}

fn attempt_of(entry: &Entry, of: RunId) -> AttemptNo {
    let n = |entry: &&Entry| match entry {
        Entry::Ended { run, end } if *run == of => Some(end.attempt.n),
        _ => None,
    };
    entry.parts().iter().rev().find_map(n).expect("its end is there")
}

/// What is said of an end is what happened.
fn true_end(simulation: &Simulation, run: RunId, n: AttemptNo, outcome: Outcome) {
    match simulation.homes().find_map(|home| home.diary.get(&(run, n))) {
        Some(really) => assert_eq!(*really, Some(outcome), "run {run}, attempt {n}"),
        None => assert!(matches!(outcome, Outcome::Stopped | Outcome::Lost), "run {run}, attempt {n} never executed, and is {outcome}"),
    }
}

/// No attempt executes on two machines, and no run at once.
fn nothing_elsewhere_as_well(simulation: &Simulation) {
    let (mut attempts, mut runs) = (BTreeSet::new(), BTreeSet::new());
    for home in simulation.homes() {
        home.diary.keys().for_each(|which| assert!(attempts.insert(*which), "{which:?} executed on two machines"));
        home.executing.keys().for_each(|(run, _)| assert!(runs.insert(*run), "run {run} executes on two machines"));
    }
}

fn nothing_twice(grants: &[&Grant]) {
    let mut cores = BTreeSet::new();
    let mut gpus: BTreeMap<&str, u32> = BTreeMap::new();
    let mut named: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for grant in grants {
        for core in &grant.cores {
            assert!(cores.insert((&grant.machine, core)), "core {core} of {} is given twice", grant.machine);
        }
        for share in grant.gpus.iter().flatten() {
            let used = gpus.entry(&share.id).or_default();
            *used += share.share;
            assert!(*used <= WHOLE, "GPU {} is given {used} thousandths", share.id);
        }
        for (name, amount) in &grant.named {
            let used = named.entry((&grant.machine, name)).or_default();
            *used += amount;
            assert!(*used <= 2, "{used} of {name} are given");
        }
    }
}

pub(crate) fn replay(home: &Home) {
    let (queue, state) = Home::replayed(&home.entries);
    assert!(queue == home.queue, "the replayed queue is another one");
    assert!(state == home.state, "the replayed state is another one");
}

pub(crate) fn through_json(home: &Home) {
    let text = serde_json::to_string(&home.entries).expect("entries can be written");
    let entries: Vec<Entry> = serde_json::from_str(&text).expect("and read");
    assert!(Home::replayed(&entries).0 == home.queue, "what was written and read gives another queue");
}

/// What the journal alone says of each run.
struct Plain {
    running: BTreeMap<SweepId, u64>,
    project: BTreeMap<String, (u64, u64)>,
}

fn plain(home: &Home) -> Plain {
    let mut plain = Plain { running: BTreeMap::new(), project: BTreeMap::new() };
    for (run, _) in home.queue.granted() {
        let Some(sweep) = home.state.runs.get(&run).and_then(|run| home.state.sweeps.get(&run.sweep)) else { continue };
        *plain.running.entry(sweep.id).or_default() += 1;
        let project = plain.project.entry(sweep.project.clone()).or_default();
        project.0 += 1;
        project.1 += gpus(home.queue.grant(run));
    }
    plain
}

fn gpus(grant: Option<&Grant>) -> u64 {
    grant.and_then(|grant| grant.gpus.as_ref()).map_or(0, Vec::len) as u64
}

/// Every queued run has a true reason, and where one is passed over it is for a true reason.
pub(crate) fn decision(home: &Home, world: &World, mine: Mine<'_>, now: UnixMs, told: &mut Told) {
    let decided = home.queue.decide(world, now, mine);
    let mut then = if decided.starts.is_empty() { Queue::default() } else { home.queue.clone() };
    let with: Vec<&Grant> = decided.starts.iter().map(|start| &start.grant).collect();
    for start in &decided.starts {
        then.apply(&crate::kit::started(start, now.0));
        assert!(then.grant(start.run).is_some(), "run {} cannot be started", start.run);
        let place = world.places.iter().find(|place| place.machine.name == start.grant.machine).expect("it is one of these");
        given_away(home, place, &start.grant, &with);
    }
    let text = serde_json::to_string(&decided).expect("a decision can be written");
    assert_eq!(decided, serde_json::from_str(&text).expect("and read"));
    let ours: BTreeSet<RunId> = home.queue.queued_of(mine).into_iter().collect();
    let started: BTreeSet<RunId> = decided.starts.iter().map(|start| start.run).collect();
    let plain = plain(home);
    let order = home.queue.queued();
    assert_eq!(order.len(), order.iter().collect::<BTreeSet<_>>().len(), "the order of the queue is one");
    let mut waited = false;
    for run in order.iter().filter(|run| ours.contains(run)) {
        if decided.ahead.iter().any(|ahead| ahead.run == *run) {
            continue;
        }
        if started.contains(run) {
            told.backfilled += u64::from(waited);
            continue;
        }
        let reason = home.queue.reason(*run, &decided, now).unwrap_or_else(|| panic!("run {run} has no reason"));
        true_reason(home, world, *run, &reason, &plain, &decided.starts, now);
        waited |= matches!(reason, Reason::Lacks { .. });
    }
}

/// Where nothing happens any more, and targets give back what they are asked for, nothing is handed to and fro for ever.
pub(crate) fn comes_to_rest(home: &Home, world: &World, now: UnixMs) {
    let mut queue = home.queue.clone();
    let is_far = |name: &str| world.places.iter().any(|place| place.ahead.is_some() && place.machine.name == name);
    let mut last = String::new();
    for round in 0..60 {
        // Long enough for what was given room and has not begun.
        let now = now.plus(Millis(round * 90_000));
        let decided = queue.decide(world, now, Mine::Detached);
        let mut epoch = queue.next_epoch()..;
        let mut handed = |target: &str, run: RunId, attempt: AttemptNo, grant: Option<&Grant>| {
            let grant = grant.map(|grant| Box::new(grant.clone()));
            let epoch = epoch.next().unwrap_or_default();
            Entry::Handed { at: now, target: target.to_string(), epoch, runs: vec![Handed { run, attempt, grant }] }
        };
        let starts = decided.starts.iter().map(|start| match start.grant.machine.as_str() {
            far if is_far(far) => handed(far, start.run, start.attempt, Some(&start.grant)),
            _ => crate::kit::started(start, now.0),
        });
        let mut entries: Vec<Entry> = starts.collect();
        entries.extend(decided.ahead.iter().map(|ahead| handed(&ahead.target, ahead.run, ahead.attempt, None)));
        let back = decided.back.iter().filter_map(|run| Some((*run, queue.away(*run)?.target.clone())));
        entries.extend(back.map(|(run, target)| Entry::HandedBack { target, runs: vec![run] }));
        if entries.is_empty() {
            return;
        }
        entries.iter().for_each(|entry| queue.apply(entry));
        last = format!("{entries:?}");
    }
    panic!("it goes on and on: {last}");
}

/// Nobody else uses what is given away, and what is to be left free stays so.
fn given_away(home: &Home, place: &Place, grant: &Grant, with: &[&Grant]) {
    assert!(place.closed.is_none(), "{} is closed", place.machine.name);
    let known: Vec<&Grant> = home.queue.granted().filter_map(|(run, _)| home.queue.grant(run)).chain(with.iter().copied()).collect();
    let here: Vec<&&Grant> = known.iter().filter(|grant| grant.machine == place.machine.name).collect();
    for share in grant.gpus.iter().flatten() {
        assert!(!place.gpus_elsewhere.contains_key(&share.id), "{} is used by others", share.id);
        assert!(place.machine.gpus.iter().any(|gpu| gpu.id == share.id), "{} is not there", share.id);
    }
    let memory: u64 = here.iter().map(|grant| grant.memory).sum();
    assert!(grant.memory == 0 || memory + place.memory_elsewhere <= place.machine.memory, "memory is given twice");
    assert!(place.limits.max_runs.is_none_or(|most| here.len() as u64 <= most), "more runs than allowed");
    if place.ahead.is_none() {
        nothing_twice(&known.into_iter().filter(|other| other.machine == grant.machine).collect::<Vec<_>>());
    }
}

fn true_reason(home: &Home, world: &World, run: RunId, reason: &Reason, plain: &Plain, starts: &[neronet_schedule::Start], now: UnixMs) {
    let queue = &home.queue;
    let Some(sweep) = home.state.runs.get(&run).and_then(|run| home.state.sweeps.get(&run.sweep)) else { return };
    let of_sweep = |run: &RunId| home.state.runs.get(run).is_some_and(|run| run.sweep == sweep.id);
    let begun = starts.iter().filter(|start| of_sweep(&start.run)).count() as u64;
    let of_project = |run: &RunId| {
        let other = home.state.runs.get(run).and_then(|run| home.state.sweeps.get(&run.sweep));
        other.is_some_and(|other| other.project == sweep.project)
    };
    let (mut runs, mut in_use) = plain.project.get(&sweep.project).copied().unwrap_or_default();
    for start in starts.iter().filter(|start| of_project(&start.run)) {
        runs += 1;
        in_use += gpus(Some(&start.grant));
    }
    let truth = match reason {
        Reason::Held { .. } | Reason::GpuTime { .. } | Reason::Trashed => true,
        // The best of several is told by all of them.
        Reason::After { runs, best } => {
            let waits = |run: &RunId| matches!(queue.stand(*run), Some(Stand::Queued | Stand::Granted));
            if *best { runs.iter().any(waits) } else { runs.iter().all(waits) }
        }
        Reason::Upstream { run, outcome: Some(outcome) } => {
            queue.stand(*run) == Some(Stand::Ended(*outcome)) && *outcome != Outcome::Finished
        }
        Reason::Upstream { run, outcome: None } => queue.stand(*run).is_none(),
        Reason::NotBefore(at) => *at > now,
        Reason::Parallel { at_a_time, .. } => plain.running.get(&sweep.id).copied().unwrap_or(0) + begun >= *at_a_time,
        Reason::Quota { what: Limited::Runs, most, .. } => runs >= *most,
        Reason::Quota { what: Limited::Gpus, most, .. } => {
            in_use + world.places.iter().map(|place| place.machine.gpus.len() as u64).max().unwrap_or(0).max(2) > *most
        }
        Reason::Lacks { lack, held_by, until } => {
            until.is_none_or(|until| until > now)
                && held_by.iter().all(|run| queue.grant(*run).is_some() || starts.iter().any(|start| start.run == *run))
                && lacks(queue, world, lack, starts)
        }
        Reason::Before(first) => *first != run && queue.stand(*first) == Some(Stand::Queued),
        Reason::Never(_) => true,
        Reason::Turn { .. } | Reason::NotYet(_) | Reason::NoMachine | Reason::Now => false,
        Reason::Absent { target, .. } => world.absent.contains_key(target),
        Reason::Away { target, .. } => queue.away(run).is_some_and(|away| away.target == *target),
    };
    assert!(truth, "run {run} does not wait for what it says: {reason:?}");
}

/// Whether no machine has what is lacking, counted anew.
fn lacks(queue: &Queue, world: &World, lack: &Lack, starts: &[neronet_schedule::Start]) -> bool {
    let free_gpus = |place: &Place| {
        let used: BTreeSet<&str> = (queue.granted().filter_map(|(run, _)| queue.grant(run)).chain(starts.iter().map(|start| &start.grant)))
            .flat_map(|grant| grant.gpus.iter().flatten().map(|share| share.id.as_str()))
            .collect();
        let free = place.machine.gpus.iter().filter(|gpu| !place.gpus_elsewhere.contains_key(&gpu.id) && !used.contains(gpu.id.as_str()));
        free.count().saturating_sub(place.limits.leave_gpus as usize) as u32
    };
    match lack {
        // Whole ones alone lack GPUs as such: a machine that has so many free lacks something else too.
        Lack::Gpus { needs, all, free, .. } => free < needs && needs <= all && world.places.iter().any(|place| free_gpus(place) < *needs),
        Lack::Cpus { needs, free, .. } => free < needs,
        Lack::Memory { needs, free, .. } | Lack::Disk { needs, free, .. } => free < needs,
        Lack::Named { .. } | Lack::Runs { .. } => !queue.counts().1.eq(&0) || !starts.is_empty(),
        Lack::Closed(_) => world.places.iter().any(|place| place.closed.is_some()),
        Lack::Shut { .. } => world.places.iter().any(|place| !place.shut.is_empty()),
    }
}

pub(crate) fn in_the_end(simulation: &mut Simulation) {
    let reasons = simulation.reasons_in_the_end();
    assert!(simulation.homes().all(|home| home.executing.is_empty()));
    assert_eq!(simulation.home.queue.counts().1, 0, "nothing is held by runs that have ended");
    for (run, reason) in reasons {
        let lasting = matches!(
            reason,
            Reason::Held { .. }
                | Reason::Upstream { .. }
                | Reason::GpuTime { .. }
                | Reason::Never(_)
                | Reason::After { .. }
                | Reason::Quota { .. }
        );
        assert!(lasting, "seed {}: run {run} is left behind: {reason:?}", simulation.seed);
        if let Reason::After { runs, .. } = reason {
            let waits = |run: &RunId| simulation.home.queue.stand(*run) == Some(Stand::Queued);
            assert!(runs.iter().any(waits), "run {run} waits for runs that do not wait");
        }
    }
}
