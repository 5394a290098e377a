//! Kills the daemon, nurseries, keepers, supervisors, runs and submissions at random instants under a load of about 200 runs, which
//! is kept up by further submissions, also while daemons die; and compares the runs' own diaries with what neronet says: now and then
//! and at the end, when nothing is killed any more and all have ended.
//!
//! `FAULT_QUEUE_ROUNDS` says how many rounds (default: `FAULT_ROUNDS`), `FAULT_SEED` repeats what is done; both are printed.

use crate::chance::Random;
use crate::diary;
use crate::load::{Load, is_held_by_a_failure, reason};
use crate::number;
use crate::world::{Process, Role};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(120);
/// The load is left to end, and all is compared, whenever so many rounds are over.
const REST_EVERY: u64 = 75;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Nobody,
    Daemon,
    /// And its successor, while that takes over.
    DaemonTwice,
    Nurseries,
    Keepers,
    Supervisors,
    Runs,
    /// Of one attempt.
    KeeperAndSupervisor,
    KeeperAndRun,
    /// And the run is stopped then.
    KeeperOfWhatIsStopped,
    DaemonAndKeepers,
    Submission,
    AllButRuns,
    Everything,
    Down,
    People,
}

const VICTIMS: [Victim; 16] = [
    Victim::Nobody,
    Victim::Daemon,
    Victim::DaemonTwice,
    Victim::Nurseries,
    Victim::Keepers,
    Victim::Supervisors,
    Victim::Runs,
    Victim::KeeperAndSupervisor,
    Victim::KeeperAndRun,
    Victim::KeeperOfWhatIsStopped,
    Victim::DaemonAndKeepers,
    Victim::Submission,
    Victim::AllButRuns,
    Victim::Everything,
    Victim::Down,
    Victim::People,
];

#[test]
fn whoever_is_killed_whenever_each_run_is_carried_out_once_and_none_is_forgotten() {
    let rounds = number("FAULT_QUEUE_ROUNDS", number("FAULT_ROUNDS", 12));
    let seed = number("FAULT_SEED", std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64));
    println!("faults of the queue: {rounds} rounds, FAULT_SEED={seed}");
    let mut load = Load::new();
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        // Each of them in turn, from a random one on.
        let victim = VICTIMS[(seed.wrapping_add(round) % VICTIMS.len() as u64) as usize];
        let context = format!("round {round} of FAULT_SEED={seed}, {victim:?}, home {}", load.world.home().display());
        one_round(&mut load, victim, &mut random, &context);
        if round % REST_EVERY == REST_EVERY - 1 && round + 1 < rounds {
            compare_at_rest(&mut load, &context);
        }
    }
    let context = format!("at the end of FAULT_SEED={seed}, home {}", load.world.home().display());
    compare_at_rest(&mut load, &context);
    for (what, count) in &load.counts {
        println!("{count:6} x {what}");
    }
    load.say(&["down"]);
    load.world.remove();
}

fn one_round(load: &mut Load, victim: Victim, random: &mut Random, context: &str) {
    let queue = load.queue();
    let cut_short = matches!(victim, Victim::Submission | Victim::AllButRuns | Victim::Everything);
    let mut under_way = load.submit_what_is_missing(&queue, cut_short, random);
    // A third while the submissions are under way, as far as there are any.
    let latest = if cut_short || random.below(3) == 0 { 80_000 } else { 400_000 };
    std::thread::sleep(Duration::from_micros(random.below(latest)));
    load.count(&format!("round: {victim:?}"));
    match victim {
        Victim::Nobody => {}
        Victim::Daemon => load.kill(|process| process.role == Role::Daemon),
        Victim::DaemonTwice => {
            load.kill(|process| process.role == Role::Daemon);
            let mut started = load
                .world
                .neronet()
                .args(["serve", "--background"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("neronet starts");
            std::thread::sleep(Duration::from_micros(random.below(60_000)));
            load.kill(|process| process.role == Role::Daemon);
            started.wait().expect("it is ours");
        }
        Victim::Nurseries => load.kill(|process| process.role == Role::Nursery),
        Victim::Keepers => kill_some(load, &[Role::Keeper], random),
        Victim::Supervisors => kill_some(load, &[Role::Supervisor], random),
        Victim::Runs => kill_some(load, &[Role::Training], random),
        Victim::KeeperAndSupervisor | Victim::KeeperOfWhatIsStopped => {
            let keepers: Vec<Process> = load.world.processes().into_iter().filter(|process| process.role == Role::Keeper).collect();
            if let Some(Process { attempt, .. }) = keepers.get(random.below(keepers.len().max(1) as u64) as usize) {
                let role = (victim == Victim::KeeperOfWhatIsStopped).then_some(Role::Keeper);
                load.kill(|process| process.attempt == *attempt && role.is_none_or(|role| process.role == role));
                let run = attempt.iter().rev().nth(2).and_then(|run| run.to_str()?.parse().ok());
                if let Some(run) = run.filter(|_| role.is_some()) {
                    load.steer(&["stop"], &[run]);
                }
            }
        }
        Victim::KeeperAndRun => kill_some(load, &[Role::Keeper, Role::Training], random),
        Victim::DaemonAndKeepers => load.kill(|process| matches!(process.role, Role::Daemon | Role::Keeper)),
        Victim::Submission => under_way.iter_mut().for_each(|submission| submission.kill()),
        Victim::AllButRuns => {
            under_way.iter_mut().for_each(|submission| submission.kill());
            load.kill(|process| process.role != Role::Training);
        }
        Victim::Everything => {
            under_way.iter_mut().for_each(|submission| submission.kill());
            load.kill(|_| true);
        }
        Victim::Down => drop(load.say(&["down"])),
        Victim::People => people(load, random),
    }
    under_way.into_iter().for_each(|submission| load.acknowledge(submission, context));
    // Else the next submission starts one.
    if random.below(2) == 0 && !load.daemon() {
        load.say(&["serve", "--background"]);
    }
}

/// Half of those that are there, or one.
fn kill_some(load: &mut Load, roles: &[Role], random: &mut Random) {
    let mut all: Vec<i32> =
        load.world.processes().iter().filter(|process| roles.contains(&process.role)).map(|process| process.pid).collect();
    if random.below(2) == 0 {
        all.retain(|_| random.below(2) == 0);
    } else if !all.is_empty() {
        all = vec![random.of(&all)];
    }
    load.kill(|process| all.contains(&process.pid));
}

/// What people do with some of the runs. What is refused changes nothing.
fn people(load: &mut Load, random: &mut Random) {
    let runs = load.list();
    for (word, of) in [("stop", ""), ("kill", ""), ("hold", "queued"), ("release", "queued"), ("retry", "ended"), ("move", "queued")] {
        let chosen: Vec<u64> = runs
            .iter()
            .filter(|run| of.is_empty() && run["state"] != "ended" || run["state"] == of && run["outcome"] != "finished")
            .filter(|run| word != "release" || reason(run).starts_with("held by"))
            .filter_map(|run| run["id"].as_u64())
            .collect();
        if chosen.is_empty() {
            continue;
        }
        // Mostly the first ones, which are at work, or are just being started.
        let among = if random.below(3) == 0 { chosen.len() } else { chosen.len().min(14) } as u64;
        let run = chosen[random.below(among) as usize];
        let text = run.to_string();
        match word {
            "stop" | "kill" => drop(load.steer(&[word], &[run])),
            "retry" => drop(load.steer(&["retry", "--detach", "--quiet"], &[run])),
            "move" => drop(load.say(&["move", &text, "--last"])),
            _ => drop(load.say(&[word, &text])),
        }
    }
}

/// Lets everything come to its end, and compares.
fn compare_at_rest(load: &mut Load, context: &str) {
    if !load.daemon() {
        load.say(&["serve", "--background"]);
    }
    let (mut deadline, mut least) = (Instant::now() + PATIENCE, usize::MAX);
    loop {
        let queue = load.queue();
        let held = |run: &&Value| reason(run).starts_with("held by");
        for run in queue.iter().filter(held) {
            load.say(&["release", &run["id"].to_string()]);
        }
        let left = queue.iter().filter(|run| !is_held_by_a_failure(run, &queue)).count();
        let processes = load.world.processes();
        let nobody = processes.iter().all(|process| matches!(process.role, Role::Daemon | Role::Nursery));
        if left == 0 && nobody {
            let failed = failures_that_hold(&queue, &load.list(), context);
            if failed.is_empty() {
                break;
            }
            // So that those behind them have their turn.
            load.steer(&["retry", "--detach", "--quiet"], &failed.into_iter().collect::<Vec<_>>());
            least = usize::MAX;
        }
        if left < least {
            (deadline, least) = (Instant::now() + PATIENCE, left);
        }
        assert!(Instant::now() < deadline, "{context}: {left} of these do not end: {queue:#?}, {processes:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    diary::compare(load, &load.list(), context);
}

/// The runs that queued ones wait for. It is true of each that it has ended, and not well.
fn failures_that_hold(queue: &[Value], runs: &[Value], context: &str) -> BTreeSet<u64> {
    let held = |run| reason(run).strip_prefix("held: run ")?.split(',').next()?.parse().ok();
    let failed: BTreeSet<u64> = queue.iter().filter_map(held).collect();
    for id in &failed {
        let run = runs.iter().find(|run| run["id"].as_u64() == Some(*id));
        let holds = run.is_some_and(|run| run["state"] == "ended" && run["outcome"] != "finished");
        assert!(holds, "{context}: run {id} is said to hold others: {run:#?}");
    }
    failed
}
